import { it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import * as fc from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Event } from "../src/index.js"
import { acceptedBody, statusBody } from "../src/wire/decode.js"

const odd = fc.constantFrom<unknown>(null, "", "x", 1, true, [], {}, [1])
const or = (good: fc.Arbitrary<unknown>) => fc.oneof({ weight: 30, arbitrary: good }, { weight: 1, arbitrary: odd })
const text = or(fc.string({ minLength: 1 }))
const attempt = fc.record({
  attempt_no: or(fc.nat()),
  claim_version: or(fc.nat()),
  status: text,
  http_status: or(fc.nat()),
  error_class: text,
  latency_ms: or(fc.nat())
}, { requiredKeys: ["attempt_no", "claim_version", "status", "latency_ms"] })
const delivery = fc.record({
  delivery_id: text,
  state: text,
  attempts_truncated: or(fc.boolean()),
  attempts: or(fc.array(attempt, { maxLength: 2 }))
}, { requiredKeys: ["delivery_id", "state", "attempts"] })

it("the readers agree with the Schemas, on valid and on mutated bodies", () => {
  const status = Schema.decodeUnknownOption(Event.EventStatusBody)
  const accepted = Schema.decodeUnknownOption(Event.EventAcceptedBody)
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value ?? null)) as unknown
  fc.assert(
    fc.property(
      fc.record({ event_id: text, topic: text, deliveries: or(fc.array(delivery, { maxLength: 2 })) }, {
        requiredKeys: []
      }),
      fc.record({ event_id: text, delivery_ids: or(fc.array(text)) }, { requiredKeys: [] }),
      (event, answer) => {
        deepStrictEqual(plain(statusBody(JSON.stringify(event))), plain(Option.getOrUndefined(status(event))))
        deepStrictEqual(plain(acceptedBody(JSON.stringify(answer))), plain(Option.getOrUndefined(accepted(answer))))
      }
    ),
    { seed: 5, numRuns: 500 }
  )
})
