import { describe, it } from "@effect/vitest"
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { startEmulator } from "@hookrail/emulator"
import { Effect, Redacted } from "effect"
import { Webhooks } from "hookrail"
import { post } from "./http.js"
import { type ReceiverOptions, secret, sign, startReceiver } from "./receiver.js"
import { type Serve, ways } from "./ways.js"

/** An emulator whose clock stands still, and a receiver that goes by the same clock and reads its secret from `store`. */
const setup = async (serve: Serve, options: ReceiverOptions = {}) => {
  const emulator = await startEmulator({ clock: "manual", sweepIntervalMs: 0, seed: 7, adminPort: false })
  const store = { secret, reads: 0 }
  const receiver = await startReceiver(serve, {
    now: emulator.now,
    secrets: Effect.sync(() => {
      store.reads++
      return Redacted.make(store.secret)
    }),
    ...options
  })
  const { endpointId } = emulator.subscribe({ topic: "orders.*", url: receiver.url, secret })

  const api = async (path: string, body?: unknown) => {
    const response = await fetch(emulator.url + path, {
      headers: { authorization: `Bearer ${emulator.apiKey}` },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) })
    })
    return await response.json() as {
      readonly event_id: string
      readonly deliveries: ReadonlyArray<{ readonly delivery_id: string; readonly state: string }>
    }
  }
  return {
    emulator,
    receiver,
    store,
    endpointId,
    /** Sends an order and waits for the first attempt at its delivery. */
    send: async (payload: unknown = { order_id: "o_1" }) => {
      const { event_id } = await api("/v1/events", { topic: "orders.created", payload })
      await emulator.idle()
      return event_id
    },
    delivery: async (eventId: string) => (await api(`/v1/events/${eventId}`)).deliveries[0]!,
    statuses: (eventId: string) =>
      emulator.ledger().attempts.filter((attempt) => attempt.eventId === eventId).map(({ httpStatus }) => httpStatus),
    [Symbol.asyncDispose]: async () => {
      await emulator.close()
      await receiver[Symbol.asyncDispose]()
    }
  }
}

/** Ends the first run in this way and lets the others succeed. */
const firstEnds = (first: Effect.Effect<never, unknown>) => {
  let runs = 0
  return () => Effect.suspend(() => ++runs === 1 ? first : Effect.void)
}

describe.each(ways)("deliveries through $way", ({ serve }) => {
  it("are decoded, handled and seen to succeed", async () => {
    await using shop = await setup(serve)
    const eventId = await shop.send({ order_id: "o_é…", placed: "2026-11-23T00:00:00.000Z" })
    const delivery = await shop.delivery(eventId)
    strictEqual(delivery.state, "succeeded")
    deepStrictEqual(shop.statuses(eventId), [204])
    strictEqual(shop.receiver.events.length, 1)
    const event = shop.receiver.events[0]!
    deepStrictEqual(event.payload, { order_id: "o_é…", placed: new Date("2026-11-23T00:00:00.000Z") })
    strictEqual(event.topic, "orders.created")
    strictEqual(event.eventId, eventId)
    strictEqual(event.deliveryId, delivery.delivery_id)
    strictEqual(event.receivedAt.getTime(), shop.emulator.now())
    strictEqual(new TextDecoder().decode(event.rawBody), shop.emulator.ledger().events[0]!.payload)
  })

  it("are handled at once after a rotation of the secret", async () => {
    await using shop = await setup(serve)
    await shop.send()
    strictEqual(shop.store.reads, 1)
    shop.store.secret = shop.emulator.rotateSecret(shop.endpointId)
    const eventId = await shop.send()
    deepStrictEqual(shop.statuses(eventId), [204])
    strictEqual(shop.store.reads, 2)
    strictEqual((await shop.delivery(eventId)).state, "succeeded")
    strictEqual(shop.receiver.events.length, 2)
  })

  it("come again until the store has the rotated secret", async () => {
    await using shop = await setup(serve)
    await shop.send()
    const rotated = shop.emulator.rotateSecret(shop.endpointId)
    const eventId = await shop.send()
    deepStrictEqual(shop.statuses(eventId), [503])
    strictEqual((await shop.delivery(eventId)).state, "retry_scheduled")
    shop.store.secret = rotated
    await shop.emulator.advance(60_000)
    strictEqual((await shop.delivery(eventId)).state, "succeeded")
    strictEqual(shop.receiver.events.length, 2)
  })

  it.each([
    ["a failure", Effect.fail("the database is away")],
    ["a crash", Effect.die(new Error("bug"))]
  ])("come again after %s", async (_, first) => {
    await using shop = await setup(serve, { handle: firstEnds(first) })
    const eventId = await shop.send()
    deepStrictEqual(shop.statuses(eventId), [500])
    await shop.emulator.advance(5000)
    deepStrictEqual(shop.statuses(eventId), [500, 204])
    strictEqual((await shop.delivery(eventId)).state, "succeeded")
    strictEqual(shop.receiver.events.length, 2)
  })

  it("are dead-lettered at once when rejected", async () => {
    await using shop = await setup(serve, { handle: () => Webhooks.reject("no such order") })
    const eventId = await shop.send()
    await shop.emulator.advance(60_000)
    deepStrictEqual(shop.statuses(eventId), [422])
    strictEqual((await shop.delivery(eventId)).state, "dead_lettered")
  })

  it("come no earlier than retryLater says", async () => {
    await using shop = await setup(serve, { handle: firstEnds(Webhooks.retryLater({ after: "60 seconds" })) })
    const eventId = await shop.send()
    await shop.emulator.advance(59_999)
    deepStrictEqual(shop.statuses(eventId), [503])
    await shop.emulator.advance(1)
    deepStrictEqual(shop.statuses(eventId), [503, 204])
  })

  it("are answered in time by a handler that is too slow, and come again", async () => {
    let interrupted = 0
    await using receiver = await startReceiver(serve, {
      timeout: "200 millis",
      handle: firstEnds(Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)))
    })
    const webhook = sign()
    const start = performance.now()
    const { headers, status } = await post(receiver.url, webhook)
    assertTrue(performance.now() - start < 5000)
    strictEqual(status, 503)
    strictEqual(headers["retry-after"], "10")
    strictEqual((await post(receiver.url, webhook)).status, 204)
    strictEqual(interrupted, 1)
  })
})
