import { assert, describe, it } from "@effect/vitest"
import { assertInstanceOf, assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import {
  Clock,
  Deferred,
  Effect,
  Exit,
  FastCheck as fc,
  Fiber,
  FiberId,
  Layer,
  Metric,
  Option,
  TestClock
} from "effect"
import * as Gate from "../src/gate/gate.js"
import { defaults, Pace } from "../src/gate/pace.js"
import type { HookrailConfig, Transport } from "../src/index.js"
import { HookrailClient, HookrailError, SendGate } from "../src/index.js"
import { type Answer, layer, problem, scripted } from "./utils/memoryTransport.js"
import { run } from "./utils/virtualTime.js"

type Reply = "ok" | SendGate.Overload

const newcomer: SendGate.Turn = { attempts: 0, deadline: Infinity }
const retry: SendGate.Turn = { attempts: 1, deadline: Infinity }
const overload: Reply = { status: 429, retryAfter: undefined }
const overloadOf = (reply: Reply) => reply === "ok" ? undefined : reply

const through = <E>(gate: SendGate.Service, request: Effect.Effect<Reply, E>, turn = newcomer) =>
  gate.run(request, turn, overloadOf)

const ok: Effect.Effect<Reply> = Effect.succeed("ok")
const after = (millis: number): Effect.Effect<Reply> => Effect.delay(ok, millis)

/** Lets every fiber run until it waits for time. */
const settle = TestClock.adjust(0)

describe("places", () => {
  it.effect("an interrupted waiter leaves, and the count comes back to zero", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make({ maxInFlight: 1 })
      const first = yield* Effect.fork(through(gate, after(10)))
      yield* settle
      const waiter = yield* Effect.fork(through(gate, Effect.never))
      const last = yield* Effect.fork(through(gate, ok))
      yield* settle
      deepStrictEqual(yield* gate.stats, { inFlight: 1, waiting: 2, rate: Infinity })
      yield* Fiber.interrupt(waiter)
      deepStrictEqual(yield* gate.stats, { inFlight: 1, waiting: 1, rate: Infinity })
      yield* TestClock.adjust(10)
      yield* Fiber.join(first)
      strictEqual(yield* Fiber.join(last), "ok")
      deepStrictEqual(yield* gate.stats, { inFlight: 0, waiting: 0, rate: Infinity })
    }))

  it.effect("a waiter interrupted after it was called passes the place on", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make({ maxInFlight: 1 })
      const called = yield* Deferred.make<Fiber.RuntimeFiber<unknown, unknown>>()
      const first = yield* through(gate, after(10)).pipe(
        Effect.zipRight(Deferred.await(called)),
        // Runs in the same breath as the release: the waiter is called, but has not run yet.
        Effect.map((fiber) => fiber.unsafeInterruptAsFork(FiberId.none)),
        Effect.fork
      )
      yield* settle
      let ran = false
      const waiter = yield* Effect.fork(through(gate, Effect.sync(() => (ran = true, "ok"))))
      const last = yield* Effect.fork(through(gate, ok))
      yield* Deferred.succeed(called, waiter)
      yield* TestClock.adjust(10)
      yield* Fiber.join(first)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(waiter)))
      assert.isFalse(ran)
      strictEqual(yield* Fiber.join(last), "ok")
      strictEqual((yield* gate.stats).inFlight, 0)
    }))

  it.effect("one interrupted as it takes its place gives it back", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make({ maxInFlight: 1 })
      yield* through(gate, Effect.succeed(overload))
      yield* TestClock.adjust("1 second")
      const clock = yield* Effect.clock
      let ran = false
      // The gate reads the clock right before it gives the place; the interruption is noticed right after.
      const interrupting: Clock.Clock = Object.create(clock, {
        currentTimeMillis: {
          value: Effect.sync(() => {
            waiter.unsafeInterruptAsFork(FiberId.none)
            return clock.unsafeCurrentTimeMillis()
          })
        }
      })
      const waiter: Fiber.RuntimeFiber<unknown> = yield* Effect.fork(
        Effect.withClock(Effect.either(through(gate, Effect.sync(() => (ran = true, "ok")))), interrupting)
      )
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(waiter)))
      assert.isFalse(ran)
      const { inFlight, waiting } = yield* gate.stats
      deepStrictEqual([inFlight, waiting], [0, 0])
    }))

  it.effect("failures, defects and interruption give the place back", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make({ maxInFlight: 2 })
      for (const waits of [false, true]) {
        if (waits) yield* Effect.replicateEffect(Effect.fork(through(gate, after(10))), 2)
        yield* settle
        const failed = yield* Effect.fork(through(gate, Effect.fail("no")))
        const died = yield* Effect.fork(through(gate, Effect.die("defect")))
        const endless = yield* Effect.fork(through(gate, Effect.never))
        yield* TestClock.adjust(10)
        deepStrictEqual(yield* Fiber.await(failed), Exit.fail("no"))
        deepStrictEqual(yield* Fiber.await(died), Exit.die("defect"))
        strictEqual((yield* gate.stats).inFlight, 1)
        yield* Fiber.interrupt(endless)
        strictEqual((yield* gate.stats).inFlight, 0)
      }
    }))

  it.effect("they go in the order they came, those tried before first", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make({ maxInFlight: 1 })
      const order: Array<string> = []
      const log = (name: string): Effect.Effect<Reply> => Effect.sync(() => (order.push(name), "ok"))
      yield* Effect.fork(through(gate, after(10)))
      yield* settle
      for (const name of ["a", "b", "c"]) yield* Effect.fork(through(gate, log(name)))
      for (const name of ["r", "s"]) yield* Effect.fork(through(gate, log(name), retry))
      yield* TestClock.adjust(10)
      deepStrictEqual(order, ["r", "s", "a", "b", "c"])
    }))

  it.effect("nobody overtakes one that waits", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make({ maxInFlight: 1 })
      const order: Array<string> = []
      const log = (name: string): Effect.Effect<Reply> => Effect.sync(() => (order.push(name), "ok"))
      // It comes back in the same breath as it gives up its place.
      yield* Effect.fork(through(gate, after(10)).pipe(Effect.zipRight(through(gate, log("again")))))
      yield* settle
      yield* Effect.fork(through(gate, log("waiting")))
      yield* TestClock.adjust(10)
      deepStrictEqual(order, ["waiting", "again"])
    }))
})

describe("pace", () => {
  /** When each of a number of requests goes out, in milliseconds. */
  const starts = (gate: SendGate.Service, count: number) =>
    Effect.gen(function*() {
      const times: Array<number> = []
      const request = Effect.map(Clock.currentTimeMillis, (now): Reply => (times.push(now), "ok"))
      const fibers = yield* Effect.replicateEffect(Effect.fork(through(gate, request)), count)
      yield* TestClock.adjust("10 minutes")
      yield* Fiber.awaitAll(fibers)
      return times
    })

  it.effect("the whole client pauses as long as Retry-After asks", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      yield* through(gate, Effect.succeed<Reply>({ status: 503, retryAfter: "30" }))
      const [first, second] = yield* starts(gate, 2)
      strictEqual(first, 30_000)
      assert.isAbove(second!, first!)
    }))

  it.effect("but no longer than the longest pause", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make({ maxPause: "20 seconds" })
      yield* through(gate, Effect.succeed<Reply>({ status: 503, retryAfter: "999999999999" }))
      strictEqual((yield* starts(gate, 1))[0], 20_000)
    }))

  it.effect("requests go out one by one, at the rate", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make({ initialRate: 10 })
      yield* through(gate, Effect.succeed(overload))
      const times = yield* starts(gate, 25)
      strictEqual(times[0], 100)
      assert.isAtMost(times.filter((time) => time < 1_100).length, 16)
      // Twice the rate in the next second.
      assert.isAtLeast(times.filter((time) => time < 2_100).length, 25)
    }))

  it("slow start doubles the rate each second", () => {
    const pace = new Pace(defaults, 0, 0)
    let now = pace.delay(0)
    strictEqual(now, 100)
    const until = now + 3_000
    while (now < until) {
      pace.start(now)
      pace.answered(now)
      now += pace.delay(now)
    }
    assert.closeTo(pace.rate, defaults.initialRate * 8, defaults.initialRate * 0.8)
  })

  it("after the first limit it grows by a constant, and shrinks by a factor", () => {
    const pace = new Pace({ ...defaults, initialRate: 100 }, 0, 0)
    pace.answered(300)
    const reached = pace.rate
    pace.overloaded(400, 350, 0)
    strictEqual(pace.rate, reached / 2)
    let now = 400 + pace.delay(400)
    const [from, before] = [now, pace.rate]
    while (now < from + 10_000) {
      pace.start(now)
      pace.answered(now)
      now += pace.delay(now)
    }
    assert.closeTo(pace.rate - before, 40, 2)
    const high = pace.rate
    pace.overloaded(now, now, 0)
    assert.closeTo(pace.rate, high * 0.9, 1e-9)
  })

  it("answers to requests that are older than the pace do not change it", () => {
    const pace = new Pace(defaults, 1_000, 0)
    pace.answered(900)
    pace.overloaded(1_010, 990, 0)
    strictEqual(pace.rate, defaults.initialRate)
    strictEqual(pace.pausedUntil, 1_100)
    pace.overloaded(1_010, 990, 5_000)
    strictEqual(pace.pausedUntil, 6_010)
  })

  it("while nothing else is answered the pauses get longer, up to 10 seconds", () => {
    const pace = new Pace(defaults, 0, 0)
    let now = 0
    const pauses = []
    for (let i = 0; i < 8; i++) {
      const pause = pace.delay(now)
      pauses.push(pause)
      now += pause
      pace.overloaded(now, now, 0)
    }
    deepStrictEqual(pauses, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000])
  })

  it("a late timer is caught up with, a long silence is not", () => {
    const pace = new Pace({ ...defaults, initialRate: 100 }, 0, 0)
    pace.start(250)
    strictEqual(pace.delay(280), 0)
    pace.start(280)
    strictEqual(pace.delay(280), 0)
    for (let i = 0; i < 6; i++) pace.start(10_000)
    assert.isAbove(pace.delay(10_000), 0)
  })

  it.effect("after a calm time there is no limit", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make({ calmAfter: "30 seconds" })
      yield* through(gate, Effect.succeed(overload))
      strictEqual((yield* gate.stats).rate, 20)
      yield* TestClock.adjust("31 seconds")
      strictEqual((yield* gate.stats).rate, Infinity)
      const times: Array<number> = []
      const request = Effect.map(Clock.currentTimeMillis, (now): Reply => (times.push(now), "ok"))
      yield* Effect.all(Array.from({ length: 10 }, () => through(gate, request)), { concurrency: "unbounded" })
      strictEqual(times.length, 10)
      // And the next overload begins anew.
      yield* through(gate, Effect.succeed(overload))
      strictEqual((yield* gate.stats).rate, 20)
    }))

  it.effect("those whose budget cannot suffice are sent away, the others wait on", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make({ initialRate: 1 })
      const before = yield* Effect.fork(through(gate, Effect.delay(Effect.succeed(overload), 10)))
      yield* settle
      yield* TestClock.adjust(10)
      yield* Fiber.join(before)
      const at = (deadline: number) => Effect.fork(through(gate, ok, { attempts: 0, deadline }))
      const patient = yield* at(60_000)
      const queue = yield* Effect.replicateEffect(at(Infinity), 20)
      const hasty = yield* at(3_000)
      yield* TestClock.adjust(100)
      const late = yield* at(100)
      yield* TestClock.adjust(0)
      assertInstanceOf(yield* Effect.flip(Fiber.join(late)), SendGate.GateTimeoutError)
      strictEqual(Option.isNone(yield* Fiber.poll(hasty)), true)
      yield* TestClock.adjust(4_000)
      strictEqual((yield* Effect.flip(Fiber.join(hasty))).status, 429)
      strictEqual(yield* Fiber.join(patient), "ok")
      yield* TestClock.adjust(60_000)
      strictEqual((yield* Fiber.joinAll(queue)).length, 20)
    }))
})

describe("whatever happens", () => {
  type Step =
    | {
      readonly _tag: "enter"
      readonly millis: number
      readonly reply: Reply | "fail" | "die"
      readonly retry: boolean
    }
    | { readonly _tag: "interrupt"; readonly back: number }
    | { readonly _tag: "sleep"; readonly millis: number }
    | { readonly _tag: "yield" }

  const reply = fc.oneof(
    { weight: 6, arbitrary: fc.constant("ok" as const) },
    { weight: 1, arbitrary: fc.constantFrom("fail" as const, "die" as const) },
    { weight: 2, arbitrary: fc.constantFrom<Reply>(overload, { status: 503, retryAfter: "2" }) }
  )
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ _tag: fc.constant("enter" as const), millis: fc.nat(30), reply, retry: fc.boolean() })
    },
    { weight: 2, arbitrary: fc.record({ _tag: fc.constant("interrupt" as const), back: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ _tag: fc.constant("sleep" as const), millis: fc.nat(500) }) },
    { weight: 1, arbitrary: fc.constant({ _tag: "yield" as const }) }
  )

  it("never too many at a time, nobody hangs, nothing leaks", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 24 }),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom(0, 0.03),
        fc.string(),
        (steps, maxInFlight, yielding, seed) => {
          let inFlight = 0
          let most = 0
          const request = ({ millis, reply }: Extract<Step, { _tag: "enter" }>) =>
            Effect.acquireUseRelease(
              Effect.sync(() => {
                most = Math.max(most, ++inFlight)
              }),
              () =>
                Effect.zipRight(
                  Effect.sleep(millis),
                  reply === "fail" ? Effect.fail("no") : reply === "die" ? Effect.die("defect") : Effect.succeed(reply)
                ),
              () => Effect.sync(() => inFlight--)
            )
          const program = Effect.gen(function*() {
            const gate = Gate.make({ ...defaults, maxInFlight })
            const fibers: Array<Fiber.RuntimeFiber<Reply, unknown>> = []
            for (const step of steps) {
              if (step._tag === "enter") {
                fibers.push(yield* Effect.fork(through(gate, request(step), step.retry ? retry : newcomer)))
              } else if (step._tag === "interrupt") {
                fibers.at(-1 - step.back)?.unsafeInterruptAsFork(FiberId.none)
              } else yield* (step._tag === "sleep" ? Effect.sleep(step.millis) : Effect.yieldNow())
            }
            yield* Fiber.awaitAll(fibers)
            return yield* gate.stats
          })
          const stats = run(program, seed, yielding)
          assert.isAtMost(most, maxInFlight)
          strictEqual(stats.inFlight, 0)
          strictEqual(stats.waiting, 0)
        }
      ),
      { seed: 17, numRuns: 300 }
    )
  }, 60_000)
})

describe("the client", () => {
  const send = HookrailClient.sendEvent("t", {})
  const ask = <A, E>(
    answers: ReadonlyArray<Answer>,
    use: Effect.Effect<A, E, HookrailClient.HookrailClient | SendGate.SendGate>,
    options: HookrailConfig.Options = {}
  ) => {
    const transport = scripted(answers, 503)
    const live = layer(transport, options).pipe(Layer.provideMerge(SendGate.layer()))
    return Effect.map(Effect.provide(use, live), (value) => ({ value, ...transport }))
  }
  const rateAfter = (call: Effect.Effect<unknown, unknown, HookrailClient.HookrailClient>) =>
    Effect.zipRight(Effect.exit(call), Effect.map(SendGate.stats, ({ rate }) => rate))

  it.effect("429 and 503 slow it down, on sends and on reads", () =>
    Effect.gen(function*() {
      for (const status of [429, 503]) {
        for (const call of [send, HookrailClient.getEvent("e1")]) {
          strictEqual((yield* ask([problem(status)], rateAfter(call), { retry: false })).value, 20)
        }
      }
      strictEqual((yield* ask([problem(500)], rateAfter(send), { retry: false })).value, Infinity)
    }))

  it.effect("a full backlog of one ordering key does not, nor does the look at /readyz", () =>
    Effect.gen(function*() {
      const backlog = { ...problem(429, { "retry-after": "30" }), body: { title: "backlog full", status: 429 } }
      strictEqual((yield* ask([backlog], rateAfter(send), { retry: false })).value, Infinity)
      const masked = yield* ask([problem(401)], rateAfter(send), { retry: false })
      strictEqual(masked.probes.length, 1)
      strictEqual(masked.value, Infinity)
    }))

  it.effect("a send that never gets its turn ends with its budget, and says why", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* Effect.exit(HookrailClient.sendEvent("t", {}, { retry: false }))
        const sent = yield* Effect.fork(Effect.flip(send))
        yield* TestClock.adjust("2 seconds")
        return yield* Fiber.join(sent)
      })
      const { requests, value } = yield* ask([problem(429, { "retry-after": "50" })], program, {
        retry: { maxElapsed: "1 second" }
      })
      strictEqual(requests.length, 1)
      assertInstanceOf(value, HookrailError.RetryError)
      assertInstanceOf(value.cause, HookrailError.RateLimitError)
      strictEqual(value.attempts, 0)
      assertTrue(/its turn did not come in .*Nothing was sent/.test(value.message), value.message)
      strictEqual(value.outcome, "not-sent")
    }))

  it.effect("a retry that misses its turn ends with what the attempt before it got", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const sent = yield* Effect.fork(Effect.flip(send))
        yield* settle
        yield* Effect.exit(HookrailClient.sendEvent("t", {}, { retry: false }))
        yield* TestClock.adjust("1 minute")
        return yield* Fiber.join(sent)
      })
      const { requests, value } = yield* ask([problem(500), problem(503, { "retry-after": "40" })], program, {
        retry: { maxElapsed: "30 seconds" }
      })
      strictEqual(requests.length, 2)
      assertInstanceOf(value, HookrailError.RetryError)
      assertInstanceOf(value.cause, HookrailError.ServerError)
      strictEqual(value.cause.status, 500)
      strictEqual(value.attempts, 1)
    }))

  it.effect("a call with a schedule of its own has no budget, and waits", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* Effect.exit(HookrailClient.sendEvent("t", {}, { retry: false }))
        const sent = yield* Effect.fork(send)
        yield* TestClock.adjust("1 minute")
        return yield* Fiber.join(sent)
      })
      const answers = [problem(429, { "retry-after": "50" }), {
        status: 202,
        body: { event_id: "e1", delivery_ids: [] }
      }]
      const { value } = yield* ask(answers, program, { onUnmatched: "ignore" })
      strictEqual(value.eventId, "e1")
    }))

  /** A transport that counts how many requests are under way at most. */
  const counting = () => {
    const counts = { now: 0, most: 0 }
    const transport: Transport.Service = {
      request: () =>
        Effect.suspend(() => {
          counts.most = Math.max(counts.most, ++counts.now)
          return Effect.delay(Effect.succeed({ status: 400, header: () => undefined, body: "", truncated: false }), 10)
        }).pipe(Effect.ensuring(Effect.sync(() => counts.now--)))
    }
    return { counts, transport }
  }

  const mostOf = (gate: Layer.Layer<SendGate.SendGate, HookrailError.HookrailConfigError> | undefined) =>
    Effect.gen(function*() {
      const { counts, transport } = counting()
      const clients = Effect.all([client(transport, 3), client(transport, 3)])
      const use = Effect.flatMap(clients, (clients) =>
        Effect.forEach(
          clients.flatMap((client) => Array.from({ length: 10 }, () => client)),
          (client) => Effect.exit(client.sendEvent("t", {})),
          { concurrency: "unbounded" }
        ))
      const fiber = yield* Effect.fork(gate === undefined ? use : Effect.provide(use, gate))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      return counts.most
    })

  const client = (transport: Transport.Service, maxInFlight: number) =>
    Effect.map(HookrailClient.HookrailClient, (client) => client).pipe(
      Effect.provide(layer(transport, { maxInFlight }))
    )

  it.effect("has a gate of its own, shares a provided one, and goes without", () =>
    Effect.gen(function*() {
      strictEqual(yield* mostOf(undefined), 6)
      strictEqual(yield* mostOf(SendGate.layer({ maxInFlight: 4 })), 4)
      strictEqual(yield* mostOf(SendGate.layerNone), 20)
    }))
})

it.effect("wrong settings are refused by name", () =>
  Effect.gen(function*() {
    const wrong: ReadonlyArray<SendGate.Options> = [
      { maxInFlight: 0 },
      { maxInFlight: 1.5 },
      { initialRate: 0 },
      { initialRate: Infinity },
      { increase: 0 },
      { increase: NaN },
      { decrease: 0 },
      { decrease: 1 },
      { maxPause: 0 },
      { maxPause: "forever" as never },
      { calmAfter: Infinity }
    ]
    for (const options of wrong) {
      strictEqual((yield* Effect.flip(SendGate.make(options))).option, `gate.${Object.keys(options)[0]}`)
    }
    yield* SendGate.make({ maxInFlight: undefined, decrease: undefined })
  }))

it.effect("what it does is published as metrics", () =>
  Effect.gen(function*() {
    const gauge = (name: string) =>
      Effect.map(Metric.snapshot, (pairs) =>
        pairs.find(({ metricKey }) => metricKey.name === `hookrail.gate.${name}`)?.metricState)
    const gate = yield* SendGate.make({ maxInFlight: 2 })
    yield* through(gate, Effect.succeed(overload))
    yield* Effect.replicateEffect(Effect.fork(through(gate, Effect.never)), 4)
    yield* TestClock.adjust("5 seconds")
    yield* Effect.provideService(SendGate.publish, SendGate.SendGate, gate)
    for (const [name, value] of [["in_flight", 2], ["waiting", 2], ["rate", 20]] as const) {
      deepStrictEqual({ ...(yield* gauge(name)) }, { ...(yield* gauge(name)), value })
    }
  }))
