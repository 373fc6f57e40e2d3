import { describe, it } from "@effect/vitest"
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Cause, Effect, Exit, Fiber, FiberId, Layer, Redacted, TestClock, Tracer } from "effect"
import { unscheduled } from "../src/call/pauses.js"
import { Callback } from "../src/fiber/callback.js"
import { HookrailClient, HookrailConfig, IdempotencyKeys, RetryPolicy, SendGate, Transport } from "../src/index.js"
import { make } from "../src/send/calls.js"
import {
  accepted,
  type Answer,
  brokenConnection,
  layer,
  problem,
  responseOf,
  scripted
} from "./utils/memoryTransport.js"

/** A transport whose answers are given by the test. */
const manual = () => {
  const exchanges: Array<
    {
      readonly key: string
      readonly listener: Transport.Listener<Transport.TransportResponse, Transport.TransportError>
      aborted: number
    }
  > = []
  const transport = Transport.fromCallbacks((request, listener) => {
    const exchange = { key: request.headers["idempotency-key"]!, listener, aborted: 0 }
    exchanges.push(exchange)
    return { abort: () => void exchange.aborted++ }
  })
  return { exchanges, transport }
}

const send = HookrailClient.sendEvent("orders.created", { n: 1 }, { retry: false })

const settle = TestClock.adjust(0)

/** A client with a gate that the test can look at. */
const gated = (transport: Transport.Service, options?: SendGate.Options) =>
  Effect.map(SendGate.make(options), (gate) => ({
    gate,
    client: layer(transport).pipe(Layer.provide(Layer.succeed(SendGate.SendGate, gate)))
  }))

const placesOf = (gate: SendGate.Service) =>
  Effect.map(gate.stats, ({ inFlight, state, waiting }) => [inFlight, waiting, state])

/** One more, and the gate concludes that nothing gets through. */
const refuseSeven = (gate: SendGate.Service) =>
  Effect.replicateEffect(
    gate.run(Effect.void, { kind: "send", attempts: 0, deadline: Infinity }, () => ({ status: 503, retryAfter: "5" })),
    7
  )

describe("a first attempt", () => {
  for (
    const [region, within, isAborted] of [
      ["an uninterruptible region is not aborted", Effect.uninterruptible, false],
      [
        "a restored region is aborted",
        <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.uninterruptibleMask((restore) => restore(effect)),
        true
      ]
    ] as const
  ) {
    it.effect(`that is interrupted in ${region}`, () =>
      Effect.gen(function*() {
        const { exchanges, transport } = manual()
        const { client, gate } = yield* gated(transport)
        const fiber = yield* Effect.fork(within(Effect.either(Effect.provide(send, client))))
        yield* settle
        const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
        yield* settle
        deepStrictEqual(exchanges.map(({ aborted }) => aborted), [isAborted ? 1 : 0])
        exchanges[0]!.listener.resume(Effect.succeed(responseOf(accepted)))
        yield* Fiber.join(interrupting)
        deepStrictEqual(exchanges.map(({ aborted }) => aborted), [isAborted ? 1 : 0])
        deepStrictEqual(yield* placesOf(gate), [0, 0, "open"])
      }))
  }

  it.effect("starts without a fiber, with and without retries of its own", () =>
    Effect.gen(function*() {
      const { exchanges, transport } = manual()
      const config = yield* HookrailConfig.make({ apiKey: Redacted.make("hk_test") })
      const { sender } = make({
        config,
        transport,
        keys: IdempotencyKeys.random,
        report: () => {},
        log: () => Effect.void,
        scheduled: unscheduled
      })
      const clock = yield* Effect.clock
      for (const retry of [undefined, false, RetryPolicy.standard] as const) {
        const call = sender.prepare(clock, "t", {}, retry === undefined ? {} : { retry })
        assertTrue(call instanceof Callback)
        call.begin({ resume: () => {} }, clock)
      }
      strictEqual(exchanges.length, 3)
      strictEqual(sender.prepare(clock, "t", {}, { retry: { maxRetries: -1 } }) instanceof Callback, false)
    }))

  it.effect("that is interrupted aborts its exchange and gives its place back, once", () =>
    Effect.gen(function*() {
      const { exchanges, transport } = manual()
      const { client, gate } = yield* gated(transport, { maxInFlight: 1 })
      const first = yield* Effect.fork(Effect.provide(send, client))
      const second = yield* Effect.fork(Effect.provide(send, client))
      yield* settle
      deepStrictEqual(yield* placesOf(gate), [1, 1, "open"])
      yield* Fiber.interrupt(first)
      yield* settle
      strictEqual(exchanges[0]!.aborted, 1)
      deepStrictEqual(yield* placesOf(gate), [1, 0, "open"])
      // Too late: nobody listens, and the place is somebody else's.
      exchanges[0]!.listener.resume(Effect.succeed(responseOf(accepted)))
      exchanges[0]!.listener.resume(Effect.fail(brokenConnection))
      strictEqual((yield* gate.stats).inFlight, 1)
      exchanges[1]!.listener.resume(Effect.succeed(responseOf(accepted)))
      strictEqual((yield* Fiber.join(second)).eventId, "e1")
      strictEqual((yield* gate.stats).inFlight, 0)
      strictEqual(exchanges[1]!.aborted, 0)
    }))

  it.effect("that is answered and interrupted in one breath gives its place back once", () =>
    Effect.gen(function*() {
      const { exchanges, transport } = manual()
      const { client, gate } = yield* gated(transport)
      const fiber = yield* Effect.fork(Effect.provide(send, client))
      yield* settle
      exchanges[0]!.listener.resume(Effect.succeed(responseOf(accepted)))
      fiber.unsafeInterruptAsFork(FiberId.none)
      yield* Fiber.await(fiber)
      deepStrictEqual([exchanges[0]!.aborted, (yield* gate.stats).inFlight], [0, 0])
    }))

  it.effect("that is answered twice is answered once", () =>
    Effect.gen(function*() {
      const { exchanges, transport } = manual()
      const { client, gate } = yield* gated(transport)
      const fiber = yield* Effect.fork(Effect.provide(send, client))
      yield* settle
      const { listener } = exchanges[0]!
      listener.resume(Effect.succeed(responseOf(accepted)))
      listener.resume(Effect.succeed(responseOf(problem(500))))
      listener.resume(Effect.fail(brokenConnection))
      strictEqual((yield* Fiber.join(fiber)).eventId, "e1")
      strictEqual((yield* gate.stats).inFlight, 0)
    }))

  for (const status of [429, 503]) {
    it.effect(`that is answered with ${status} slows the gate down`, () =>
      Effect.gen(function*() {
        const { exchanges, transport } = manual()
        const { client, gate } = yield* gated(transport)
        yield* refuseSeven(gate)
        const fiber = yield* Effect.fork(Effect.flip(Effect.provide(send, client)))
        yield* settle
        exchanges[0]!.listener.resume(Effect.succeed(responseOf(problem(status, { "retry-after": "7" }))))
        yield* Fiber.join(fiber)
        deepStrictEqual(yield* placesOf(gate), [0, 0, "probing"])
        const next = yield* Effect.fork(Effect.provide(send, client))
        yield* TestClock.adjust("6 seconds")
        strictEqual(exchanges.length, 1)
        yield* TestClock.adjust("1 second")
        strictEqual(exchanges.length, 2)
        yield* Fiber.interrupt(next)
      }))
  }

  it.effect("whose transport gives an effect as the rest keeps its place until that ends", () =>
    Effect.gen(function*() {
      const { exchanges, transport } = manual()
      const { client, gate } = yield* gated(transport)
      const rest = (response: Answer) => Effect.delay(Effect.succeed(responseOf(response as never)), "1 second")
      const first = yield* Effect.fork(Effect.provide(send, client))
      yield* settle
      exchanges[0]!.listener.resume(rest(accepted))
      exchanges[0]!.listener.resume(rest(problem(500)))
      yield* settle
      strictEqual((yield* gate.stats).inFlight, 1)
      yield* TestClock.adjust("1 second")
      strictEqual((yield* Fiber.join(first)).eventId, "e1")
      strictEqual((yield* gate.stats).inFlight, 0)

      const second = yield* Effect.fork(Effect.provide(send, client))
      yield* settle
      exchanges[1]!.listener.resume(rest(accepted))
      yield* settle
      yield* Fiber.interrupt(second)
      strictEqual((yield* gate.stats).inFlight, 0)
    }))

  it.effect("whose answer cannot be read is a defect, and nobody waits for ever", () =>
    Effect.gen(function*() {
      const { exchanges, transport } = manual()
      const { client, gate } = yield* gated(transport)
      const fiber = yield* Effect.fork(Effect.provide(send, client))
      yield* settle
      exchanges[0]!.listener.resume(Effect.succeed({
        ...responseOf(accepted),
        header: () => {
          throw new Error("a transport's own mistake")
        }
      }))
      const exit = yield* Fiber.await(fiber)
      assertTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      strictEqual((yield* gate.stats).inFlight, 0)
    }))
})

describe("a first attempt that waits", () => {
  const sendAll = (count: number, client: Layer.Layer<HookrailClient.HookrailClient, unknown>) =>
    Effect.forEach(
      Array.from({ length: count }, (_, n) => n),
      (n) => Effect.fork(Effect.provide(HookrailClient.sendEvent("t", { n }, { idempotencyKey: `k${n}` }), client))
    )

  it.effect("begins when one before it ends, in the order they came", () =>
    Effect.gen(function*() {
      const { exchanges, transport } = manual()
      const { client, gate } = yield* gated(transport, { maxInFlight: 2 })
      const fibers = yield* sendAll(5, client)
      yield* settle
      deepStrictEqual(yield* placesOf(gate), [2, 3, "open"])
      for (let n = 0; n < 5; n++) {
        strictEqual(exchanges.length, Math.min(5, n + 2))
        exchanges[n]!.listener.resume(
          Effect.succeed(responseOf({ ...accepted, body: { event_id: `e${n}`, delivery_ids: ["d"] } }))
        )
      }
      const results = yield* Effect.forEach(fibers, Fiber.join)
      deepStrictEqual(
        results.map(({ eventId, idempotencyKey }) => [eventId, idempotencyKey]),
        Array.from({ length: 5 }, (_, n) => [`e${n}`, `k${n}`])
      )
      deepStrictEqual(yield* placesOf(gate), [0, 0, "open"])
    }))

  it.effect("leaves the queue when it is interrupted, and nothing is sent", () =>
    Effect.gen(function*() {
      const { exchanges, transport } = manual()
      const { client, gate } = yield* gated(transport, { maxInFlight: 1 })
      const [first, second, third] = yield* sendAll(3, client)
      yield* settle
      yield* Fiber.interrupt(second!)
      deepStrictEqual(yield* placesOf(gate), [1, 1, "open"])
      exchanges[0]!.listener.resume(Effect.succeed(responseOf(accepted)))
      yield* Fiber.join(first!)
      exchanges[1]!.listener.resume(Effect.succeed(responseOf(accepted)))
      strictEqual((yield* Fiber.join(third!)).idempotencyKey, "k2")
      strictEqual(exchanges.length, 2)
      deepStrictEqual(yield* placesOf(gate), [0, 0, "open"])
    }))

  it.effect("keeps its place in the queue, and the pace, when one begins meanwhile", () =>
    Effect.gen(function*() {
      const { exchanges, transport } = manual()
      const { client, gate } = yield* gated(transport, { maxInFlight: 1 })
      yield* refuseSeven(gate)
      const fibers = yield* sendAll(4, client)
      yield* settle
      exchanges[0]!.listener.resume(Effect.succeed(responseOf(problem(503, { "retry-after": "5" }))))
      yield* TestClock.adjust("4 seconds")
      strictEqual(exchanges.length, 1)
      yield* Fiber.interrupt(fibers[2]!)
      for (let second = 0; second < 20; second++) {
        yield* TestClock.adjust("1 second")
        for (const { listener } of exchanges.slice(1)) listener.resume(Effect.succeed(responseOf(accepted)))
      }
      for (const n of [0, 1, 3]) strictEqual((yield* Fiber.join(fibers[n]!)).idempotencyKey, `k${n}`)
      deepStrictEqual(exchanges.map(({ key }) => key).filter((key) => key !== "k0"), ["k1", "k3"])
      deepStrictEqual(yield* Effect.map(gate.stats, ({ inFlight, waiting }) => [inFlight, waiting]), [0, 0])
    }))

  it.effect("ends in time when its turn cannot come in time any more, never sent", () =>
    Effect.gen(function*() {
      const { exchanges, transport } = manual()
      const { client, gate } = yield* gated(transport, { maxInFlight: 1 })
      yield* refuseSeven(gate)
      const once = { retry: { maxElapsed: "10 seconds" } } as const
      const all = Effect.gen(function*() {
        const send = Effect.flip(HookrailClient.sendEvent("t", {}, once))
        const fibers = yield* Effect.replicateEffect(Effect.fork(send), 50)
        yield* settle
        exchanges[0]!.listener.resume(Effect.succeed(responseOf(problem(429, { "retry-after": "60" }))))
        yield* TestClock.adjust("12 seconds")
        return yield* Effect.forEach(fibers, Fiber.join)
      })
      const errors = yield* Effect.provide(all, client)
      deepStrictEqual(
        [...new Set(errors.slice(1).map((error) => `${error._tag} ${error.outcome}`))],
        ["RetryError not-sent"]
      )
      strictEqual(exchanges.length, 1)
      deepStrictEqual(yield* Effect.map(gate.stats, ({ inFlight, waiting }) => [inFlight, waiting]), [0, 0])
    }))

  it.effect("does not come in from within the one before it: thousands that fail at once are no recursion", () =>
    Effect.gen(function*() {
      let open = true
      const waiting: Array<Transport.Listener<Transport.TransportResponse, Transport.TransportError>> = []
      const transport = Transport.fromCallbacks((_, listener) => {
        if (open) waiting.push(listener)
        else listener.resume(Effect.fail(brokenConnection))
        return { abort: () => {} }
      })
      const { client, gate } = yield* gated(transport, { maxInFlight: 1 })
      const all = Effect.gen(function*() {
        const fibers = yield* Effect.replicateEffect(Effect.fork(Effect.flip(send)), 20_000)
        yield* settle
        open = false
        waiting[0]!.resume(Effect.fail(brokenConnection))
        return yield* Effect.forEach(fibers, Fiber.join)
      })
      const errors = yield* Effect.provide(all, client)
      strictEqual(errors.filter((error) => error._tag === "RetryError" && error.attempts === 1).length, 20_000)
      deepStrictEqual(yield* placesOf(gate), [0, 0, "open"])
    }))

  it.effect("has a defect if its transport throws, and the next one goes on", () =>
    Effect.gen(function*() {
      let calls = 0
      const listeners: Array<Transport.Listener<Transport.TransportResponse, Transport.TransportError>> = []
      const transport = Transport.fromCallbacks((_, listener) => {
        if (++calls === 2) throw new Error("a transport's own mistake")
        listeners.push(listener)
        return { abort: () => {} }
      })
      const { client, gate } = yield* gated(transport, { maxInFlight: 1 })
      const [first, second, third] = yield* sendAll(3, client)
      yield* settle
      listeners[0]!.resume(Effect.succeed(responseOf(accepted)))
      yield* Fiber.join(first!)
      const exit = yield* Fiber.await(second!)
      assertTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      listeners[1]!.resume(Effect.succeed(responseOf(accepted)))
      yield* Fiber.join(third!)
      strictEqual((yield* gate.stats).inFlight, 0)
    }))
})

describe("spans", () => {
  const tracing = () => {
    const ends: Array<{ readonly name: string; readonly time: bigint; readonly exit: Exit.Exit<unknown, unknown> }> = []
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      context: (f) => f(),
      span: (name, parent, context, links, startTime, kind) => {
        const attributes = new Map<string, unknown>()
        const span = {
          _tag: "Span" as const,
          name,
          spanId: String(spans.length),
          traceId: "t",
          parent,
          context,
          links,
          kind,
          sampled: true,
          status: { _tag: "Started", startTime } as Tracer.SpanStatus,
          attributes,
          end: (endTime: bigint, exit: Exit.Exit<unknown, unknown>) => {
            ends.push({ name, time: endTime, exit })
            span.status = { _tag: "Ended", startTime, endTime, exit }
          },
          attribute: (key: string, value: unknown) => void attributes.set(key, value),
          event: () => {},
          addLinks: () => {}
        }
        spans.push(span)
        return span
      }
    })
    return { ends, spans, tracer }
  }

  const traced = (answers: ReadonlyArray<Answer>, tracer: Tracer.Tracer) =>
    Effect.withTracer(Effect.provide(HookrailClient.sendEvent("orders.created", {}), layer(scripted(answers))), tracer)

  it.effect("of a send end once, with its result and what it says of itself", () =>
    Effect.gen(function*() {
      const { ends, spans, tracer } = tracing()
      yield* traced([accepted], tracer)
      strictEqual(ends.length, 1)
      assertTrue(Exit.isSuccess(ends[0]!.exit))
      deepStrictEqual(
        [spans[0]!.name, spans[0]!.kind, Object.fromEntries(spans[0]!.attributes)],
        ["HookrailClient.sendEvent", "client", {
          "hookrail.attempts": 1,
          "hookrail.topic": "orders.created",
          "hookrail.event_id": "e1",
          "hookrail.deliveries": 1,
          "hookrail.replayed": false
        }]
      )
    }))

  it.effect("span the retries, and end with the error", () =>
    Effect.gen(function*() {
      const { ends, spans, tracer } = tracing()
      const fiber = yield* Effect.fork(traced([problem(500), problem(500), accepted], tracer))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      deepStrictEqual([ends.length, spans[0]!.attributes.get("hookrail.event_id")], [1, "e1"])
      yield* Effect.flip(traced([problem(400)], tracer))
      strictEqual(ends.length, 2)
      assertTrue(Exit.isFailure(ends[1]!.exit) && Cause.isFailure(ends[1]!.exit.cause))
    }))

  it.effect("end when their send is interrupted", () =>
    Effect.gen(function*() {
      const { ends, tracer } = tracing()
      const { exchanges, transport } = manual()
      const fiber = yield* Effect.fork(Effect.withTracer(Effect.provide(send, layer(transport)), tracer))
      yield* settle
      yield* Fiber.interrupt(fiber)
      deepStrictEqual([ends.length, exchanges[0]!.aborted], [1, 1])
      assertTrue(Exit.isInterrupted(ends[0]!.exit))
    }))

  it.effect("have those of a transport of effects as children, and tell no time where that is off", () =>
    Effect.gen(function*() {
      const { ends, spans, tracer } = tracing()
      const transport = { request: () => Effect.withSpan(Effect.succeed(responseOf(accepted)), "http") }
      yield* TestClock.adjust("1 second")
      yield* send.pipe(
        Effect.provide(layer(transport)),
        Effect.withTracerTiming(false),
        Effect.withTracer(tracer)
      )
      deepStrictEqual(spans.map(({ name }) => name), ["HookrailClient.sendEvent", "http"])
      assertTrue(spans[1]!.parent._tag === "Some" && spans[1]!.parent.value === spans[0])
      deepStrictEqual(ends.map(({ time }) => time), [0n, 0n])
    }))
})
