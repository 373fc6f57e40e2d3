/** No budget, pace or deadline moves with the wall clock. */
import { assert, describe, it } from "@effect/vitest"
import { assertInstanceOf, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { type Clock, Duration, Effect, Fiber, Layer, Random, TestClock } from "effect"
import { HookrailClient, type HookrailConfig, HookrailError, RetryPolicy, SendGate } from "../src/index.js"
import { accepted, type Answer, layer, problem, scripted } from "./utils/memoryTransport.js"

const steps = { "an hour back": -3_600_000, "two minutes ahead": 120_000 }

/** A clock whose wall time can be set; `TestClock` drives it on. */
const settable = Effect.map(Effect.clock, (clock) => {
  const wall = { offset: 0 }
  const now = () => clock.unsafeCurrentTimeMillis() + wall.offset
  // Still a `TestClock` to those who adjust it.
  const set: Clock.Clock = Object.create(clock, {
    unsafeCurrentTimeMillis: { value: now },
    currentTimeMillis: { value: Effect.sync(now) },
    unsafeCurrentTimeNanos: { value: () => clock.unsafeCurrentTimeNanos() },
    currentTimeNanos: { value: clock.currentTimeNanos },
    sleep: { value: (duration: Duration.Duration) => clock.sleep(duration) },
    adjust: { value: (duration: Duration.DurationInput) => TestClock.adjust(duration).pipe(Effect.withClock(clock)) }
  })
  return { clock: set, wall }
})

const send = HookrailClient.sendEvent("t", {})

for (const [name, step] of Object.entries(steps)) {
  describe(`a step of the wall clock ${name}`, () => {
    const inTime = <A, E>(
      answers: ReadonlyArray<Answer>,
      use: (set: Effect.Effect<void>, requests: () => number) => Effect.Effect<
        A,
        E,
        HookrailClient.HookrailClient | SendGate.SendGate
      >,
      options: HookrailConfig.Options = {}
    ) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(Date.UTC(2030, 0, 1))
        const { clock, wall } = yield* settable
        const transport = scripted(answers)
        const live = layer(transport, options).pipe(Layer.provideMerge(SendGate.layer()))
        const set = Effect.sync(() => {
          wall.offset = step
        })
        return yield* use(set, () => transport.requests.length).pipe(
          Effect.provide(live),
          Effect.withRandom(Random.fixed([0.5])),
          Effect.withClock(clock)
        )
      })

    it.effect("before a retry changes neither its delay nor the budget", () =>
      inTime([problem(500), problem(500), accepted], (set, requests) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(send)
          yield* TestClock.adjust(0)
          strictEqual(requests(), 1)
          yield* set
          yield* TestClock.adjust(99)
          strictEqual(requests(), 1)
          yield* TestClock.adjust(1)
          strictEqual(requests(), 2)
          yield* TestClock.adjust(200)
          strictEqual((yield* Fiber.join(fiber)).eventId, "e1")
        })))

    it.effect("does not make a call give up, or go on for ever; its time is told as it was", () =>
      inTime([problem(500)], (set) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(Effect.flip(send))
          yield* TestClock.adjust(0)
          yield* set
          yield* TestClock.adjust("10 seconds")
          const error = yield* Fiber.join(fiber)
          assertInstanceOf(error, HookrailError.RetryError)
          // 3 retries, after half of 200, 400 and 800 ms.
          deepStrictEqual([error.attempts, Duration.toMillis(error.elapsed)], [4, 700])
        })))

    it.effect("does not keep the client from sending after an overload, or send those away that wait", () =>
      inTime([...Array.from({ length: 8 }, () => problem(503)), accepted], (set, requests) =>
        Effect.gen(function*() {
          yield* Effect.replicateEffect(Effect.exit(HookrailClient.sendEvent("t", {}, { retry: false })), 8)
          strictEqual((yield* SendGate.stats).state, "probing")
          const waiting = yield* Effect.replicateEffect(Effect.fork(send), 20)
          yield* TestClock.adjust(50)
          yield* set
          const later = yield* Effect.replicateEffect(Effect.fork(send), 20)
          yield* TestClock.adjust(49)
          strictEqual(requests(), 8)
          yield* TestClock.adjust("3 seconds")
          strictEqual((yield* Fiber.joinAll([...waiting, ...later])).length, 40)
        })))

    it.effect("does not end a wait for an event", () =>
      inTime(
        [{
          status: 200,
          body: { event_id: "e1", topic: "t", deliveries: [{ delivery_id: "d1", state: "pending", attempts: [] }] }
        }],
        (set, requests) =>
          Effect.gen(function*() {
            const fiber = yield* Effect.fork(Effect.flip(HookrailClient.awaitEvent("e1", { timeout: "10 seconds" })))
            yield* TestClock.adjust("1 second")
            yield* set
            const before = requests()
            yield* TestClock.adjust("8 seconds")
            assert.isAbove(requests(), before)
            strictEqual(fiber.unsafePoll(), null)
            yield* TestClock.adjust("1 second")
            strictEqual((yield* Fiber.join(fiber))._tag, "AwaitTimeoutError")
          })
      ))

    it.effect("is nothing to the schedule of a policy", () =>
      Effect.gen(function*() {
        const { clock, wall } = yield* settable
        let attempts = 0
        const failing = Effect.suspend(() => {
          if (++attempts === 2) wall.offset = step
          return Effect.fail(new HookrailError.ServerError({ status: 503 }))
        })
        const fiber = yield* Effect.fork(
          Effect.retry(failing, RetryPolicy.schedule(RetryPolicy.standard)).pipe(
            Effect.withRandom(Random.fixed([0.5])),
            Effect.withClock(clock),
            Effect.flip
          )
        )
        yield* TestClock.adjust(699)
        strictEqual(attempts, 3)
        yield* TestClock.adjust(1)
        yield* Fiber.join(fiber)
        strictEqual(attempts, 4)
      }))
  })
}
