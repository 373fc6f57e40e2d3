import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { Event, Topic } from "../src/index.js"

interface Wire {
  readonly id: string
  readonly at: string
}

interface Decoded {
  readonly id: string
  readonly at: Date
}

/** As Zod, Valibot and ArkType make it, with a value in its message. */
const Order: {
  readonly "~standard": { version: 1; vendor: string; validate: (value: unknown) => Result; types?: Types }
} = {
  "~standard": {
    version: 1,
    vendor: "own",
    validate: (value) => {
      const { at, id } = value as Wire
      return typeof id === "string"
        ? { value: { id, at: new Date(at) } }
        : { issues: [{ message: `expected a string, actual ${String(id)}`, path: ["id"] }] }
    }
  }
}

type Types = { readonly input: Wire; readonly output: Decoded }

type Result =
  | { readonly value: Decoded; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<{ readonly message: string; readonly path: ReadonlyArray<string> }> }

const topics = Topic.fromEvents({
  "orders.created": Order,
  "orders.paid": {
    schema: Order,
    encode: (order: Decoded) => ({ ...order, at: order.at.toISOString() })
  },
  "orders.slow": { "~standard": { version: 1, vendor: "own", validate: async (value: unknown) => ({ value }) } },
  "orders.broken": {
    "~standard": {
      version: 1,
      vendor: "own",
      validate: () => {
        throw new TypeError("secret")
      }
    }
  }
})

const at = "2026-01-02T03:04:05.000Z"

describe("topics of a plain catalogue", () => {
  it.effect("send the input as JSON, and give handlers the output", () =>
    Effect.gen(function*() {
      const created = topics["orders.created"]
      const sent = yield* created.encode({ id: "o_1", at })
      assert.deepStrictEqual(sent, { id: "o_1", at })
      assert.deepStrictEqual(yield* created.decode(sent), { id: "o_1", at: new Date(at) })
      assert.deepStrictEqual(yield* topics["orders.paid"].encode({ id: "o_1", at: new Date(at) }), { id: "o_1", at })
      assert.deepStrictEqual(yield* topics["orders.slow"].encode({ n: 1 }), { n: 1 })
      const { body } = yield* Event.encode(Event.make(created, { id: "o_1", at }))
      assert.include(new TextDecoder().decode(body), `"at":"${at}"`)
    }))

  it.effect("refuse what does not fit, without its values", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Event.encode(Event.make(topics["orders.created"], { id: 987654 as never, at })))
      assert.strictEqual(error._tag, "InvalidPayloadError")
      assert.include(error.message, "$.id")
      assert.notInclude(error.message, "987654")
      const lost = yield* Effect.flip(topics["orders.slow"].encode({ n: Number.NaN }))
      assert.strictEqual(lost.path, "$.n")
    }))

  it.effect("take a schema that throws for a fault of the sender, and for a defect of the receiver", () =>
    Effect.gen(function*() {
      const fault = yield* Effect.flip(topics["orders.broken"].encode({}))
      assert.include(fault.reason, "TypeError")
      assert.notInclude(fault.reason, "secret")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(topics["orders.broken"].decode({}))))
    }))
})
