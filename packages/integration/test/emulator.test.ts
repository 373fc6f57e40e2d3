import { FetchHttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import type { EmulatorOptions, FaultRule, RunningEmulator } from "@hookrail/emulator"
import { Emulator } from "@hookrail/emulator/effect-3"
import { NodeTransport } from "@hookrail/node"
import { Effect, Fiber, Layer, Redacted, Schedule } from "effect"
import { HookrailClient, type HookrailConfig, SignatureVerifier, Transport } from "hookrail"
import { subscribe } from "node:diagnostics_channel"
import type { Socket } from "node:net"
import { makeReceiver } from "./receiver.js"

const accepted = new Set<Socket>()

subscribe("net.server.socket", (message) => {
  const { socket } = message as { readonly socket: Socket }
  accepted.add(socket)
  socket.once("close", () => accepted.delete(socket))
})

/** The server's side of the connections that are open now. */
const connectionsOf = (emulator: RunningEmulator): ReadonlyArray<Socket> =>
  [...accepted].filter((socket) => socket.localPort === Number(new URL(emulator.url).port))

const transports: Record<string, Layer.Layer<Transport.Transport>> = {
  "NodeTransport": Layer.orDie(NodeTransport.layer()),
  "layerHttpClient over fetch": Layer.provide(Transport.layerHttpClient, FetchHttpClient.layer),
  "layerFetch": Transport.layerFetch
}

const quick = { base: "1 millis", cap: "5 millis" } as const

const poll = { schedule: Schedule.spaced("5 millis") }

/** Repeats a look until it is satisfied; the time limit of the test is its limit. */
const eventually = (look: () => boolean) =>
  Effect.repeat(Effect.sync(look), { until: (seen) => seen, schedule: Schedule.spaced("2 millis") })

/** Every accepted event is in the ledger exactly once, and nothing else is. */
const addsUp = (emulator: RunningEmulator, ...accepted: ReadonlyArray<{ readonly eventId: string }>) =>
  assert.deepStrictEqual(
    emulator.ledger().events.map((event) => event.eventId).sort(),
    accepted.map((event) => event.eventId).sort()
  )

const ingests = (emulator: RunningEmulator) =>
  emulator.ledger().requests.filter((request) => request.path === "/v1/events")

const setupWith = (name: string, emulatorOptions: EmulatorOptions = {}, options: HookrailConfig.Options = {}) =>
  Effect.gen(function*() {
    const emulator = yield* Emulator.make({ seed: 7, sweepIntervalMs: 5, ...emulatorOptions })
    const transport = yield* Layer.build(transports[name]!)
    const client = yield* Effect.provide(
      HookrailClient.make({
        apiKey: Redacted.make(emulator.apiKey),
        baseUrl: emulator.url,
        retry: quick,
        onUnmatched: "ignore",
        ...options
      }),
      transport
    )
    return { emulator, client }
  })

describe.each(Object.keys(transports))("%s", (name) => {
  const setup = (emulatorOptions?: EmulatorOptions, options?: HookrailConfig.Options) =>
    setupWith(name, emulatorOptions, options)

  describe("deliveries", () => {
    it.scopedLive("an event is sent, delivered, verified and seen to succeed", () =>
      Effect.gen(function*() {
        const { client, emulator } = yield* setup()
        const receiver = yield* makeReceiver()
        const { secret } = emulator.subscribe({ topic: "orders.*", url: receiver.url })
        const accepted = yield* client.sendEvent("orders.created", { order_id: "o_1", note: "né…" })
        assert.isFalse(accepted.replayed)
        assert.lengthOf(accepted.deliveryIds, 1)
        const status = yield* client.awaitEvent(accepted.eventId, poll)
        assert.deepStrictEqual(status.deliveries.map((delivery) => delivery.state), ["succeeded"])
        assert.lengthOf(receiver.delivered, 1)
        const { body, headers } = receiver.delivered[0]!
        const webhook = yield* SignatureVerifier.verifyRequest(headers, body).pipe(
          Effect.provide(SignatureVerifier.layer({ secrets: Redacted.make(secret) }))
        )
        assert.strictEqual(webhook.deliveryId, accepted.deliveryIds[0])
        assert.strictEqual(webhook.eventId, accepted.eventId)
        assert.strictEqual(webhook.topic, "orders.created")
        assert.include(body.toString(), "né…")
        const forged = yield* SignatureVerifier.verifyRequest(headers, Buffer.concat([body, Buffer.from(" ")])).pipe(
          Effect.provide(SignatureVerifier.layer({ secrets: Redacted.make(secret) })),
          Effect.flip
        )
        assert.strictEqual(forged._tag, "SignatureError")
        addsUp(emulator, accepted)
      }))

    it.scopedLive("a receiver that fails first gets the event in the end", () =>
      Effect.gen(function*() {
        const { client, emulator } = yield* setup({ sweepIntervalMs: 0, backoff: { baseMs: 1, capMs: 5 } })
        const receiver = yield* makeReceiver(500, 503)
        emulator.subscribe({ topic: "*", url: receiver.url })
        const accepted = yield* client.sendEvent("orders", { n: 1 })
        const { deliveries } = yield* client.awaitEvent(accepted.eventId, poll)
        assert.strictEqual(deliveries[0]?.state, "succeeded")
        assert.deepStrictEqual(deliveries[0]?.attempts.map((attempt) => attempt.httpStatus), [500, 503, 200])
        assert.lengthOf(receiver.delivered, 3)
        assert.lengthOf(new Set(receiver.delivered.map(({ headers }) => headers["hookrail-delivery-id"])), 1)
        addsUp(emulator, accepted)
      }))
  })

  describe("idempotency", () => {
    it.scopedLive("the same key and payload are one event", () =>
      Effect.gen(function*() {
        const { client, emulator } = yield* setup()
        const send = client.sendEvent("orders", { n: 1 }, { idempotencyKey: "order-1" })
        const first = yield* send
        const second = yield* send
        assert.deepStrictEqual([first.replayed, second.replayed], [false, true])
        assert.strictEqual(second.eventId, first.eventId)
        addsUp(emulator, first)
      }))

    it.scopedLive("the same key with another payload is refused", () =>
      Effect.gen(function*() {
        const { client, emulator } = yield* setup()
        const first = yield* client.sendEvent("orders", { n: 1 }, { idempotencyKey: "order-1" })
        const error = yield* Effect.flip(client.sendEvent("orders", { n: 2 }, { idempotencyKey: "order-1" }))
        assert(error._tag === "ConflictError")
        assert.strictEqual(error.outcome, "refused")
        assert.strictEqual(error.idempotencyKey, "order-1")
        assert.lengthOf(ingests(emulator), 2)
        addsUp(emulator, first)
      }))
  })

  describe("faults", () => {
    /** The rules, how many requests they cause, and whether the event was stored before the last of them. */
    const cases: ReadonlyArray<[title: string, rules: ReadonlyArray<FaultRule>, requests: number, replayed: boolean]> =
      [
        ["a reset before the commit", [{ kind: "reset", times: 1 }], 2, false],
        ["a reset after the commit", [{ kind: "reset", when: "after", times: 1 }], 2, true],
        ["a close before the commit", [{ kind: "close", times: 1 }], 2, false],
        ["a close after the commit", [{ kind: "close", when: "after", times: 1 }], 2, true],
        ["a stall before the commit", [{ kind: "stall", times: 1 }], 2, false],
        ["a stall after the commit", [{ kind: "stall", when: "after", times: 1 }], 2, true],
        ["a cut answer", [{ kind: "truncate", bytes: 10, times: 1 }], 2, true],
        ["an answer that is not JSON", [{ kind: "garbage", body: "<html>", times: 1 }], 2, true],
        ["503 twice", [{ kind: "status", status: 503, times: 2 }], 3, false],
        ["503 after the commit", [{ kind: "status", status: 503, when: "after", times: 1 }], 2, true],
        ["429 with Retry-After 0", [{ kind: "status", status: 429, retryAfter: "0", times: 1 }], 2, false],
        [
          "one fault after the other",
          [{ kind: "reset", times: 1 }, { kind: "garbage", body: "", times: 1 }, {
            kind: "status",
            status: 500,
            times: 1
          }],
          4,
          true
        ]
      ]
    for (const [title, rules, requests, replayed] of cases) {
      it.scopedLive(`${title}: one event`, () =>
        Effect.gen(function*() {
          const { client, emulator } = yield* setup({ faults: rules }, { timeout: "250 millis" })
          const accepted = yield* client.sendEvent("orders", { n: 1 })
          assert.strictEqual(accepted.replayed, replayed)
          assert.lengthOf(ingests(emulator), requests)
          // Every attempt is the same request.
          assert.lengthOf(new Set(ingests(emulator).map((request) => request.idempotencyKey)), 1)
          addsUp(emulator, accepted)
        }))
    }

    it.scopedLive("a database that is away is not an unknown key, and no event is lost", () =>
      Effect.gen(function*() {
        const { client, emulator } = yield* setup()
        emulator.setDatabase("down")
        const errors = yield* Effect.forEach(
          [1, 2, 3],
          (n) => Effect.flip(client.sendEvent("orders", { n })),
          { concurrency: "unbounded" }
        )
        for (const error of errors) {
          assert(error._tag === "RetryError")
          assert(error.cause._tag === "ServerError")
          assert.strictEqual(error.cause.maskedStatus, 401)
          assert.strictEqual(error.attempts, 4)
        }
        addsUp(emulator)
        emulator.setDatabase("up")
        const accepted = yield* Effect.forEach(errors, (error, index) => {
          assert(error._tag === "RetryError")
          return client.sendEvent("orders", { n: index + 1 }, { idempotencyKey: error.idempotencyKey })
        })
        addsUp(emulator, ...accepted)
      }))

    it.scopedLive("retries that run out after a commit leave a key that finds the event", () =>
      Effect.gen(function*() {
        const { client, emulator } = yield* setup({ faults: [{ kind: "reset", when: "after", times: 4 }] })
        const error = yield* Effect.flip(client.sendEvent("orders", { n: 1 }))
        assert(error._tag === "RetryError")
        assert.strictEqual(error.outcome, "unknown")
        const accepted = yield* client.sendEvent("orders", { n: 1 }, { idempotencyKey: error.idempotencyKey })
        assert.isTrue(accepted.replayed)
        addsUp(emulator, accepted)
      }))
  })

  // Undici opens a fresh connection in place of one that it has destroyed: the stalled ones are watched, not their number.
  describe("interruption", () => {
    for (const when of ["before", "after"] as const) {
      it.scopedLive(`of a request that stalls ${when} the commit closes its connection, and the next send works`, () =>
        Effect.gen(function*() {
          const { client, emulator } = yield* setup({ faults: [{ kind: "stall", when, times: 1 }] })
          const send = client.sendEvent("orders", { n: 1 }, { idempotencyKey: "order-1" })
          const fiber = yield* Effect.fork(send)
          yield* eventually(() => ingests(emulator)[0]?.outcome === "stalled")
          const stalled = connectionsOf(emulator)
          assert.lengthOf(stalled, 1)
          yield* Fiber.interrupt(fiber)
          yield* eventually(() => stalled.every((socket) => socket.closed))
          const accepted = yield* send
          assert.strictEqual(accepted.replayed, when === "after")
          addsUp(emulator, accepted)
        }))
    }

    it.scopedLive("of many requests frees every place of the client", () =>
      Effect.gen(function*() {
        const { client, emulator } = yield* setup({ faults: [{ kind: "stall", times: 4 }] }, { maxInFlight: 4 })
        const fibers = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, n) => n),
          (n) => Effect.fork(client.sendEvent("orders", { n }))
        )
        yield* eventually(() => ingests(emulator).filter((request) => request.outcome === "stalled").length === 4)
        const stalled = connectionsOf(emulator)
        assert.lengthOf(stalled, 4)
        yield* Fiber.interruptAll(fibers)
        yield* eventually(() => stalled.every((socket) => socket.closed))
        assert.lengthOf(ingests(emulator), 4)
        const accepted = yield* Effect.forEach(
          [1, 2, 3, 4, 5, 6, 7, 8],
          (n) => client.sendEvent("orders", { n }),
          { concurrency: "unbounded" }
        )
        addsUp(emulator, ...accepted)
      }))

    it.live("by an AbortSignal is the same", () =>
      Effect.scoped(Effect.gen(function*() {
        const { client, emulator } = yield* setup({ faults: [{ kind: "stall", times: 1 }] })
        const controller = new AbortController()
        const settled = Effect.runPromise(client.sendEvent("orders", { n: 1 }), { signal: controller.signal }).then(
          () => "sent",
          () => "aborted"
        )
        yield* eventually(() => ingests(emulator)[0]?.outcome === "stalled")
        const stalled = connectionsOf(emulator)
        assert.lengthOf(stalled, 1)
        controller.abort()
        assert.strictEqual(yield* Effect.promise(() => settled), "aborted")
        yield* eventually(() => stalled.every((socket) => socket.closed))
        addsUp(emulator, yield* client.sendEvent("orders", { n: 1 }))
      })))
  })
})

// Nearly all of their time is the waiting of the client: all transports at once.
describe.concurrent.each(Object.keys(transports))("%s", (name) => {
  it.scopedLive("100 sends at once over a bad network: none lost, none twice", () =>
    Effect.gen(function*() {
      const { client, emulator } = yield* setupWith(name, {
        seed: 42,
        faults: [
          { kind: "reset", probability: 0.1 },
          { kind: "reset", when: "after", probability: 0.1 },
          { kind: "close", when: "after", probability: 0.05 },
          { kind: "stall", when: "after", probability: 0.01 },
          { kind: "truncate", bytes: 20, probability: 0.05 },
          { kind: "garbage", body: "{}", probability: 0.05 },
          { kind: "status", status: 503, probability: 0.1 },
          { kind: "status", status: 429, retryAfter: "0", probability: 0.05 }
        ]
      }, { retry: { ...quick, maxRetries: 50 }, timeout: "500 millis" })
      const accepted = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, n) => n),
        (n) => client.sendEvent("orders", { n }),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(new Set(accepted.map((event) => event.eventId)), 100)
      assert.isAbove(ingests(emulator).length, 110)
      addsUp(emulator, ...accepted)
      const payloads = new Map(emulator.ledger().events.map((event) => [event.eventId, event.payload]))
      for (const [n, { eventId }] of accepted.entries()) {
        assert.deepStrictEqual(JSON.parse(payloads.get(eventId)!), { n })
      }
    }), 120_000)
})
