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
  HashMap,
  Layer,
  Logger,
  Metric,
  TestClock
} from "effect"
import * as Gate from "../src/gate/gate.js"
import { defaults } from "../src/gate/pace.js"
import type { HookrailConfig, Transport } from "../src/index.js"
import { HookrailClient, HookrailError, SendGate } from "../src/index.js"
import { accepted, type Answer, layer, problem, scripted } from "./utils/memoryTransport.js"
import { run } from "./utils/virtualTime.js"

type Reply = "ok" | SendGate.Overload

const newcomer: SendGate.Turn = { kind: "send", attempts: 0, deadline: Infinity }
const retry: SendGate.Turn = { kind: "send", attempts: 1, deadline: Infinity }
const overload: Reply = { status: 429, retryAfter: undefined }
const overloadOf = (reply: Reply) => reply === "ok" ? undefined : reply

const through = <E>(gate: SendGate.Service, request: Effect.Effect<Reply, E>, turn = newcomer) =>
  gate.run(request, turn, overloadOf)

const ok: Effect.Effect<Reply> = Effect.succeed("ok")
const after = (millis: number): Effect.Effect<Reply> => Effect.delay(ok, millis)

/** Nothing gets through: the gate probes. */
const refuse = (gate: SendGate.Service, reply: Reply = overload, turn = newcomer) =>
  Effect.replicateEffect(through(gate, Effect.succeed(reply), turn), 8, { discard: true })

/** A third is refused: the gate keeps a pace, at 20 per second, since nothing is known of the server. */
const slowDown = (gate: SendGate.Service) =>
  Effect.gen(function*() {
    let n = 0
    do yield* through(gate, Effect.succeed<Reply>(n++ % 3 === 0 ? overload : "ok"))
    while ((yield* gate.stats).state === "open")
  })

/** Sends alone, without the reads. */
const sends = (gate: SendGate.Service) =>
  Effect.map(gate.stats, ({ inFlight, rate, state, waiting }) => ({ inFlight, rate, state, waiting }))

const open = (inFlight: number, waiting: number) => ({ inFlight, rate: Infinity, state: "open", waiting })

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
      deepStrictEqual(yield* sends(gate), open(1, 2))
      yield* Fiber.interrupt(waiter)
      deepStrictEqual(yield* sends(gate), open(1, 1))
      yield* TestClock.adjust(10)
      yield* Fiber.join(first)
      strictEqual(yield* Fiber.join(last), "ok")
      deepStrictEqual(yield* sends(gate), open(0, 0))
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
      yield* slowDown(gate)
      yield* TestClock.adjust("1 second")
      const clock = yield* Effect.clock
      let ran = false
      // The gate reads the clock right before it gives the place; the interruption is noticed right after.
      const interrupting: Clock.Clock = Object.create(clock, {
        unsafeCurrentTimeNanos: {
          value: () => {
            waiter.unsafeInterruptAsFork(FiberId.none)
            return clock.unsafeCurrentTimeNanos()
          }
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

  it.effect("the whole client pauses as long as Retry-After asks when nothing gets through", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      yield* refuse(gate, { status: 503, retryAfter: "20" })
      deepStrictEqual(yield* sends(gate), { inFlight: 0, rate: 0, state: "probing", waiting: 0 })
      // Then one at once, and the others at a pace.
      deepStrictEqual(yield* starts(gate, 4), [20_000, 20_000, 20_050, 20_099])
    }))

  it.effect("but not for fewer, which bind those that got them", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      for (let n = 0; n < 7; n++) yield* through(gate, Effect.succeed<Reply>({ status: 503, retryAfter: "120" }))
      deepStrictEqual(yield* starts(gate, 5), [0, 0, 0, 0, 0])
      deepStrictEqual(yield* sends(gate), open(0, 0))
    }))

  it.effect("and no longer than the longest pause, by seconds or by a date", () =>
    Effect.gen(function*() {
      for (const retryAfter of ["999999999999", "Thu, 01 Jan 2070 00:00:00 GMT"]) {
        const gate = yield* SendGate.make({ maxPause: "10 seconds" })
        const before = yield* Clock.currentTimeMillis
        yield* refuse(gate, { status: 503, retryAfter })
        strictEqual((yield* starts(gate, 1))[0]! - before, 10_000)
      }
    }))

  it.effect("a date of Retry-After is one of the wall clock", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2030, 0, 1))
      const gate = yield* SendGate.make()
      yield* refuse(gate, { status: 503, retryAfter: "Tue, 01 Jan 2030 00:00:07 GMT" })
      strictEqual((yield* starts(gate, 1))[0], Date.UTC(2030, 0, 1) + 7_000)
    }))

  it.effect("requests go out one by one, at the rate", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      yield* slowDown(gate)
      deepStrictEqual(yield* sends(gate), { inFlight: 0, rate: 20, state: "paced", waiting: 0 })
      const times = yield* starts(gate, 50)
      assert.isAtMost(times.filter((time) => time < 1_000).length, 32)
      // Twice the rate in the next second.
      strictEqual(times.filter((time) => time < 2_000).length, 50)
    }))

  it.effect("one request is tried after each pause, one that was not refused before, until one gets through", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      yield* refuse(gate)
      const sent: Array<readonly [name: string, at: number]> = []
      let isUp = false
      const request = (name: string) =>
        Effect.map(Clock.currentTimeMillis, (now): Reply => (sent.push([name, now]), isUp ? "ok" : overload))
      for (const name of ["r", "s"]) yield* Effect.fork(through(gate, request(name), retry))
      for (const name of ["a", "b"]) yield* Effect.fork(through(gate, request(name)))
      yield* TestClock.adjust(1_000)
      deepStrictEqual(sent, [["a", 100], ["b", 300], ["r", 700]])
      isUp = true
      // The last one need not wait for a look at the queue, or for the end of a pause that is over.
      for (const name of ["c", "d"]) yield* Effect.fork(through(gate, request(name)))
      yield* TestClock.adjust(499)
      strictEqual(sent.length, 3)
      yield* TestClock.adjust(201)
      deepStrictEqual(sent.slice(3).map(([name]) => name), ["c", "s", "d"])
    }))

  it.effect("who waits for the end of a pause goes at once when an earlier probe gets through", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      yield* refuse(gate, { status: 503, retryAfter: "1" })
      const slow = yield* Effect.fork(through(gate, after(50)))
      yield* TestClock.adjust(1_000)
      const next = yield* Effect.fork(through(gate, ok))
      yield* TestClock.adjust(50)
      strictEqual(yield* Fiber.join(slow), "ok")
      strictEqual(yield* Fiber.join(next), "ok")
    }))

  it.effect("a probe that is interrupted, or loses its connection, is followed by the next one", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      yield* refuse(gate)
      const hung = yield* Effect.fork(through(gate, Effect.never))
      const lost = yield* Effect.fork(through(gate, Effect.fail("lost")))
      const next = yield* Effect.fork(through(gate, ok))
      yield* TestClock.adjust(100)
      yield* Fiber.interrupt(hung)
      yield* TestClock.adjust(100)
      strictEqual(yield* Effect.flip(Fiber.join(lost)), "lost")
      yield* TestClock.adjust(100)
      strictEqual(yield* Fiber.join(next), "ok")
      deepStrictEqual(yield* Effect.map(sends(gate), ({ inFlight, waiting }) => [inFlight, waiting]), [0, 0])
    }))

  it.effect("answers to requests that are older than the pace do not change it", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      const late = (reply: Reply) => Effect.fork(through(gate, Effect.delay(Effect.succeed(reply), 50)))
      const old = [yield* late("ok"), yield* late({ status: 503, retryAfter: "20" })]
      yield* settle
      yield* refuse(gate)
      yield* TestClock.adjust(50)
      yield* Fiber.joinAll(old)
      strictEqual((yield* gate.stats).state, "probing")
      strictEqual((yield* starts(gate, 1))[0], 100)
    }))

  it.effect("after 2 seconds in which it held up nobody there is no pace", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      yield* slowDown(gate)
      yield* TestClock.adjust("1900 millis")
      strictEqual((yield* gate.stats).state, "paced")
      yield* TestClock.adjust("1 second")
      deepStrictEqual(yield* sends(gate), open(0, 0))
      const times = yield* starts(gate, 10)
      strictEqual(new Set(times).size, 1)
    }))

  it.effect("reads wait neither for sends nor at their pace, and the other way round", () =>
    Effect.gen(function*() {
      const read: SendGate.Turn = { ...newcomer, kind: "read" }
      for (const [blocked, free] of [[newcomer, read], [read, newcomer]] as const) {
        const gate = yield* SendGate.make({ maxInFlight: 2 })
        yield* refuse(gate, { status: 503, retryAfter: "20" }, blocked)
        const waiting = yield* Effect.replicateEffect(Effect.fork(through(gate, ok, blocked)), 10)
        yield* settle
        strictEqual(yield* through(gate, ok, free), "ok")
        const { reads, ...sends } = yield* gate.stats
        deepStrictEqual(
          blocked === read ? [reads, sends] : [sends, reads],
          [{ inFlight: 0, rate: 0, state: "probing", waiting: 10 }, open(0, 0)]
        )
        yield* Fiber.interruptAll(waiting)
        // Neither do those share places that are not slowed down.
        yield* Effect.replicateEffect(Effect.fork(through(gate, Effect.never, free)), 3)
        yield* settle
        const { reads: readsNow, ...sendsNow } = yield* gate.stats
        deepStrictEqual(blocked === read ? sendsNow : readsNow, open(2, 1))
      }
    }))

  it.effect("a look at /readyz says nothing of either", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      yield* refuse(gate)
      strictEqual(yield* through(gate, ok, { ...newcomer, kind: "look" }), "ok")
      strictEqual((yield* gate.stats).state, "probing")
    }))

  it.effect("those whose budget cannot suffice are sent away, the others wait on", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      yield* refuse(gate, { status: 429, retryAfter: "5" })
      const at = (deadline: number) => Effect.fork(through(gate, ok, { ...newcomer, deadline }))
      const probe = yield* Effect.fork(through(gate, Effect.succeed<Reply>({ status: 503, retryAfter: "5" })))
      const patient = yield* at(60_000)
      const hasty = yield* at(6_000)
      const late = yield* at(4_000)
      yield* settle
      strictEqual((yield* Effect.flip(Fiber.join(late))).status, 429)
      strictEqual(hasty.unsafePoll(), null)
      yield* TestClock.adjust(6_000)
      yield* Fiber.join(probe)
      // The next turn is at 10 seconds. It learns that before its time is up.
      strictEqual((yield* Effect.flip(Fiber.join(hasty))).status, 503)
      strictEqual(patient.unsafePoll(), null)
      yield* TestClock.adjust(4_000)
      strictEqual(yield* Fiber.join(patient), "ok")
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
    { weight: 4, arbitrary: fc.constantFrom<Reply>(overload, { status: 503, retryAfter: "2" }) }
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
        // Some begin with a pace, or close to one.
        fc.constantFrom(0, 0, 6, 7, 8),
        fc.constantFrom(0, 0.03),
        fc.string(),
        (steps, maxInFlight, refused, yielding, seed) => {
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
            const gate = Gate.make({ ...defaults, maxInFlight }, () => {})
            for (let n = 0; n < refused; n++) yield* through(gate, Effect.succeed(overload))
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
  /** As many as it takes to conclude that nothing gets through. */
  const eight = <R>(call: Effect.Effect<unknown, unknown, R>) =>
    Effect.replicateEffect(Effect.exit(call), 8, { discard: true })
  const statesAfter = (call: Effect.Effect<unknown, unknown, HookrailClient.HookrailClient>) =>
    Effect.zipRight(eight(call), Effect.map(SendGate.stats, ({ reads, state }) => [state, reads.state]))

  it.effect("429 and 503 slow it down, sends and reads each on their own", () =>
    Effect.gen(function*() {
      for (const status of [429, 503]) {
        const once = { retry: false } as const
        deepStrictEqual((yield* ask([problem(status)], statesAfter(send), once)).value, ["probing", "open"])
        const read = HookrailClient.getEvent("e1")
        deepStrictEqual((yield* ask([problem(status)], statesAfter(read), once)).value, ["open", "probing"])
      }
      deepStrictEqual((yield* ask([problem(500)], statesAfter(send), { retry: false })).value, ["open", "open"])
    }))

  it.effect("a full backlog of one ordering key does not, nor does the look at /readyz", () =>
    Effect.gen(function*() {
      const backlog = { ...problem(429, { "retry-after": "30" }), body: { title: "backlog full", status: 429 } }
      deepStrictEqual((yield* ask([backlog], statesAfter(send), { retry: false })).value, ["open", "open"])
      const masked = yield* ask([problem(401)], statesAfter(send), { retry: false })
      strictEqual(masked.probes.length, 8)
      deepStrictEqual(masked.value, ["open", "open"])
    }))

  it.effect("Retry-After binds the send that got it, and nobody else", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const bound = yield* Effect.fork(send)
        yield* settle
        const others = yield* Effect.replicateEffect(send, 5)
        strictEqual(bound.unsafePoll(), null)
        yield* TestClock.adjust("31 seconds")
        return [...others, yield* Fiber.join(bound)].length
      })
      const answers = [problem(503, { "retry-after": "30" }), accepted]
      const { requests, value } = yield* ask(answers, program)
      deepStrictEqual([value, requests.length], [6, 7])
    }))

  it.effect("a status is read while thousands of sends wait", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* eight(HookrailClient.sendEvent("t", {}, { retry: false }))
        const waiting = yield* Effect.replicateEffect(Effect.fork(send), 3_000)
        yield* settle
        strictEqual((yield* SendGate.stats).waiting, 3_000)
        const status = yield* HookrailClient.awaitEvent("e1", { timeout: "1 second" })
        yield* Fiber.interruptAll(waiting)
        return status.eventId
      })
      const refused = Array.from({ length: 8 }, () => problem(429, { "retry-after": "20" }))
      const status = {
        status: 200,
        body: { event_id: "e1", topic: "t", deliveries: [] }
      }
      strictEqual((yield* ask([...refused, status], program)).value, "e1")
    }))

  it.effect("a send that never gets its turn ends with its budget, and says why", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* eight(HookrailClient.sendEvent("t", {}, { retry: false }))
        const sent = yield* Effect.fork(Effect.flip(send))
        yield* TestClock.adjust("2 seconds")
        return yield* Fiber.join(sent)
      })
      const { requests, value } = yield* ask([problem(429, { "retry-after": "50" })], program, {
        retry: { maxElapsed: "1 second" }
      })
      strictEqual(requests.length, 8)
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
        yield* eight(HookrailClient.sendEvent("t", {}, { retry: false }))
        yield* TestClock.adjust("1 minute")
        return yield* Fiber.join(sent)
      })
      const { requests, value } = yield* ask([problem(500), problem(503, { "retry-after": "40" })], program, {
        retry: { maxElapsed: "20 seconds" }
      })
      strictEqual(requests.length, 9)
      assertInstanceOf(value, HookrailError.RetryError)
      assertInstanceOf(value.cause, HookrailError.ServerError)
      strictEqual(value.cause.status, 500)
      strictEqual(value.attempts, 1)
    }))

  it.effect("a call with a schedule of its own has no budget, and waits", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* eight(HookrailClient.sendEvent("t", {}, { retry: false }))
        const sent = yield* Effect.fork(send)
        yield* TestClock.adjust("1 minute")
        return yield* Fiber.join(sent)
      })
      const answers = [...Array.from({ length: 8 }, () => problem(429, { "retry-after": "25" })), {
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
      { maxPause: 0 },
      { maxPause: Infinity },
      { maxPause: "forever" as never }
    ]
    for (const options of wrong) {
      strictEqual((yield* Effect.flip(SendGate.make(options))).option, `gate.${Object.keys(options)[0]}`)
    }
    yield* SendGate.make({ maxInFlight: undefined, maxPause: undefined })
  }))

it.effect("what it does is published as metrics", () =>
  Effect.gen(function*() {
    const gauge = (name: string, requests: string) =>
      Effect.map(Metric.snapshot, (pairs) =>
        pairs.find(({ metricKey }) =>
          metricKey.name === `hookrail.gate.${name}` && metricKey.tags.some(({ value }) =>
            value === requests
          )
        )?.metricState)
    const gate = yield* SendGate.make({ maxInFlight: 2 })
    yield* slowDown(gate)
    yield* refuse(gate, overload, { ...newcomer, kind: "read" })
    yield* Effect.replicateEffect(Effect.fork(through(gate, Effect.never)), 4)
    yield* TestClock.adjust("1 second")
    yield* Effect.provideService(SendGate.publish, SendGate.SendGate, gate)
    for (
      const [requests, name, value] of [
        ["sends", "state", 1],
        ["sends", "in_flight", 2],
        ["sends", "waiting", 2],
        ["sends", "rate", 20],
        ["reads", "state", 2],
        ["reads", "in_flight", 0],
        ["reads", "rate", 0]
      ] as const
    ) {
      const state = yield* gauge(name, requests)
      deepStrictEqual({ ...state }, { ...state, value }, `${requests} ${name}`)
    }
  }))

describe("the log", () => {
  const recorded = () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ annotations, logLevel, message }) => {
      const state = HashMap.unsafeGet(annotations, "hookrail.gate.state")
      lines.push(`${logLevel.label} ${String(state)}: ${String(message)}`)
    })
    return { lines, layer: Logger.add(logger) }
  }

  it.effect("says when the gate slows down, and when that is over, through the loggers it was made with", () =>
    Effect.gen(function*() {
      const { layer, lines } = recorded()
      const gate = yield* Effect.provide(SendGate.make(), layer)
      yield* refuse(gate, { status: 503, retryAfter: undefined })
      deepStrictEqual(lines, [
        "WARN probing: hookrail: sends wait, one is tried after each pause: the server answers nothing but 503"
      ])
      yield* TestClock.adjust("3 seconds")
      yield* through(gate, ok)
      deepStrictEqual(lines.slice(1), [
        "WARN paced: hookrail: sends are slowed down to 20 per second: the server answers 503"
      ])
      yield* TestClock.adjust("3 seconds")
      strictEqual((yield* gate.stats).state, "open")
      deepStrictEqual(lines.slice(2), ["INFO open: hookrail: sends are no longer slowed down"])
    }))

  it.effect("has at most one line a second, and the last state in the end", () =>
    Effect.gen(function*() {
      const { layer, lines } = recorded()
      const gate = yield* Effect.provide(SendGate.make(), layer)
      yield* refuse(gate)
      yield* TestClock.adjust(100)
      yield* through(gate, ok)
      strictEqual((yield* gate.stats).state, "paced")
      deepStrictEqual(lines.map((line) => line.slice(0, 12)), ["WARN probing"])
      yield* TestClock.adjust(900)
      yield* through(gate, ok)
      deepStrictEqual(lines.slice(1).map((line) => line.slice(0, 10)), ["WARN paced"])
    }))

  it("does not tell of short pauses at a limit, but of an outage", () => {
    const { layer, lines } = recorded()
    const program = Effect.gen(function*() {
      const gate = yield* SendGate.make()
      const refused = (times: number) => Effect.replicateEffect(through(gate, Effect.succeed(overload)), times)
      yield* slowDown(gate)
      const states = []
      for (let n = 0; n < 3; n++) {
        yield* refused(5)
        states.push((yield* gate.stats).state)
        yield* through(gate, ok)
        yield* Effect.sleep("1500 millis")
      }
      deepStrictEqual(states, ["probing", "probing", "probing"])
      deepStrictEqual(lines.map((line) => line.slice(0, 10)), ["WARN paced"])
      yield* refused(10)
      deepStrictEqual(lines.slice(1).map((line) => line.slice(0, 12)), ["WARN probing"])
    })
    run(Effect.provide(program, layer), "log")
  })

  it.effect("of a client of its own gate goes the same way", () =>
    Effect.gen(function*() {
      const { layer: logger, lines } = recorded()
      const live = Layer.provide(layer(scripted([problem(429)]), { retry: false }), logger)
      yield* Effect.provide(
        Effect.replicateEffect(Effect.exit(HookrailClient.sendEvent("t", {})), 8),
        live
      )
      strictEqual(lines.length, 1)
    }))
})
