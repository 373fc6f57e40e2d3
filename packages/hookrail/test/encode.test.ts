import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Schema } from "effect"
import { Event, HookrailClient, IdempotencyKeys, Topic } from "../src/index.js"
import { accepted, layer, scripted } from "./utils/memoryTransport.js"

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)

describe("Event.encode", () => {
  it.effect("gives the bytes and the key that sendEvent sends", () =>
    Effect.gen(function*() {
      const options = { idempotencyKey: "k1", orderingKey: "o1" }
      const encoded = yield* Event.encode(Event.make("orders.created", { n: [1, "é"] }, options))
      strictEqual(text(encoded.body), "{\"topic\":\"orders.created\",\"payload\":{\"n\":[1,\"é\"]}}")
      const transport = scripted([accepted])
      yield* Effect.provide(HookrailClient.sendEvent("orders.created", { n: [1, "é"] }, options), layer(transport))
      const sent = transport.requests[0]!
      deepStrictEqual([...encoded.body], [...sent.body!])
      strictEqual(encoded.idempotencyKey, sent.headers["idempotency-key"])
      strictEqual(encoded.orderingKey, sent.headers["x-hookrail-ordering-key"])
    }))

  it.effect("encodes by the topic's Schema, and takes its key from IdempotencyKeys", () =>
    Effect.gen(function*() {
      const Paid = Topic.make("orders.paid", Schema.Struct({ at: Schema.Date }))
      const event = Event.make(Paid, { at: new Date(0) })
      const encoded = yield* Event.encode(event).pipe(
        Effect.provideService(IdempotencyKeys.IdempotencyKeys, IdempotencyKeys.content)
      )
      strictEqual(text(encoded.body), "{\"topic\":\"orders.paid\",\"payload\":{\"at\":\"1970-01-01T00:00:00.000Z\"}}")
      assert.match(encoded.idempotencyKey, /^sha256-[0-9a-f]{64}$/)
      const other = yield* Event.encode(event)
      assert.notStrictEqual(other.idempotencyKey, encoded.idempotencyKey, "random by default")
    }))

  it.effect("refuses what sendEvent refuses, with the same error", () =>
    Effect.gen(function*() {
      const bad = [
        Event.make("", 1),
        Event.make("t", { at: NaN }),
        Event.make("t", "x".repeat(262_143)),
        Event.make("t", 1, { idempotencyKey: "a b" }),
        Event.make("t", 1, { orderingKey: "" })
      ]
      for (const event of bad) {
        const mine = yield* Effect.flip(Event.encode(event))
        const theirs = yield* Effect.flip(
          Effect.provide(
            HookrailClient.sendEvent(event.topic as string, event.payload as {}, event),
            layer(scripted([accepted]))
          )
        )
        deepStrictEqual(JSON.stringify(mine), JSON.stringify(theirs))
        strictEqual(mine.outcome, "not-sent")
      }
    }))
})

describe("PayloadTooLargeError", () => {
  it.effect("says the size and the limit where it is found here", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Event.encode(Event.make("t", "x".repeat(262_143), { idempotencyKey: "k1" })))
      assert(error._tag === "PayloadTooLargeError")
      deepStrictEqual(
        [error.bytes, error.maxBytes, error.status, error.outcome, error.idempotencyKey],
        [262_145, 262_144, undefined, "not-sent", "k1"]
      )
      assert.include(error.message, "262145 bytes")
      assert.include(error.message, "Nothing was sent.")
    }))

  it.effect("counts the topic where the whole request is too large", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Event.encode(Event.make("語".repeat(1_500), "x".repeat(262_100))))
      assert(error._tag === "PayloadTooLargeError")
      deepStrictEqual([error.bytes, error.maxBytes], [266_625, 266_240])
    }))
})
