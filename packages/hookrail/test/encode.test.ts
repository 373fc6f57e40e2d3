import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Fiber, Schema, TestClock } from "effect"
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
      const error = yield* Effect.flip(Event.encode(Event.make("\"".repeat(2_048), "x".repeat(262_138))))
      assert(error._tag === "PayloadTooLargeError")
      deepStrictEqual([error.bytes, error.maxBytes], [266_259, 266_240])
    }))
})

describe("what goes out decides", () => {
  const Renamed = Topic.make(
    "orders.paid",
    Schema.Struct({ customer: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("ordering_key")) })
  )

  it.effect("the ordering key that a Schema writes is checked, and keys agree with it", () =>
    Effect.gen(function*() {
      const long = yield* Effect.flip(Event.encode(Event.make(Renamed, { customer: "k".repeat(257) })))
      assert(long._tag === "InvalidPayloadError")
      deepStrictEqual([long.path, long.topic], ["$.ordering_key", "orders.paid"])
      const conflict = yield* Effect.flip(Event.encode(Event.make(Renamed, { customer: "a" }, { orderingKey: "b" })))
      assert(conflict._tag === "InvalidArgumentError")
      strictEqual(conflict.argument, "orderingKey")
      yield* Event.encode(Event.make(Renamed, { customer: "a" }, { orderingKey: "a" }))
    }))

  it.effect("so is the one that a toJSON writes", () =>
    Effect.gen(function*() {
      const payload = { toJSON: () => ({ ordering_key: { toJSON: () => "k".repeat(257) } }) }
      const error = yield* Effect.flip(Event.encode(Event.make("t", payload)))
      assert(error._tag === "InvalidPayloadError")
      strictEqual(error.path, "$.ordering_key")
    }))

  it.effect("IdempotencyKeys hears of it", () =>
    Effect.gen(function*() {
      const heard: Array<string | undefined> = []
      const keys = IdempotencyKeys.make(({ orderingKey }) =>
        Effect.sync(() => {
          heard.push(orderingKey)
          return "k"
        })
      )
      const events = [
        Event.make(Renamed, { customer: "a" }),
        Event.make("t", { ordering_key: "b" }),
        Event.make("t", { ordering_key: "" }),
        Event.make("t", ["ordering_key"]),
        Event.make("t", null),
        Event.make("t", { nested: { ordering_key: "c" } }),
        Event.make("t", { ordering_key: 7 })
      ]
      yield* Effect.forEach(events, Event.encode).pipe(Effect.provideService(IdempotencyKeys.IdempotencyKeys, keys))
      deepStrictEqual(heard, ["a", "b", undefined, undefined, undefined, undefined, undefined])
    }))

  it.effect("topics are measured in bytes", () =>
    Effect.gen(function*() {
      yield* Event.encode(Event.make("é".repeat(1_024), 1))
      const error = yield* Effect.flip(Event.encode(Event.make("é".repeat(1_025), 1)))
      assert(error._tag === "InvalidArgumentError")
      assert.include(error.reason, "2048 bytes")
    }))
})

describe("sendEncoded", () => {
  const event = Event.make("orders.created", { n: [1, "é"] }, { idempotencyKey: "k1", orderingKey: "o1" })

  it.effect("sends the bytes and the keys of Event.encode, unchanged, in every attempt", () =>
    Effect.gen(function*() {
      const encoded = yield* Event.encode(event)
      // Not what would be made of the payload today: nothing encodes it again.
      const stored = { ...encoded, body: new TextEncoder().encode(`{ "topic": "orders.created",  "payload": 1e0 }`) }
      const transport = scripted([{ status: 503 }, accepted])
      const fiber = yield* Effect.fork(Effect.provide(HookrailClient.sendEncoded(stored), layer(transport)))
      yield* TestClock.adjust("1 minute")
      strictEqual((yield* Fiber.join(fiber)).idempotencyKey, "k1")
      strictEqual(transport.requests.length, 2)
      for (const { body, headers } of transport.requests) {
        deepStrictEqual([...body!], [...stored.body])
        strictEqual(headers["idempotency-key"], "k1")
        strictEqual(headers["x-hookrail-ordering-key"], "o1")
      }
    }))

  it.effect("refuses keys that would not travel, and a body that is no bytes", () =>
    Effect.gen(function*() {
      const encoded = yield* Event.encode(event)
      const transport = scripted([accepted])
      const refusal = (change: object) =>
        Effect.flip(Effect.provide(HookrailClient.sendEncoded({ ...encoded, ...change }), layer(transport)))
      for (
        const [change, where] of [
          [{ topic: "" }, "topic"],
          [{ idempotencyKey: "a b" }, "idempotencyKey"],
          [{ orderingKey: "é" }, "orderingKey"],
          [{ body: "text" }, "$"]
        ] as const
      ) {
        const error = yield* refusal(change)
        strictEqual((error as { argument?: string }).argument ?? (error as { path?: string }).path, where)
      }
      strictEqual(transport.requests.length, 0)
    }))
})
