import { describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Exit, Fiber, FiberId, Layer, Schema, TestClock } from "effect"
import { HookrailClient, type HookrailError, IdempotencyKeys, SendGate, Topic, Transport } from "../src/index.js"
import { accepted, type Answer, layer, problem, refusedConnection, responseOf } from "./utils/memoryTransport.js"

/** A transport that gives these answers, and then none any more. */
const silentAfter = (...answers: ReadonlyArray<Answer>) => {
  let asked = 0
  return Transport.fromCallbacks((_, listener) => {
    const answer = answers[asked++]
    if (answer !== undefined) {
      listener.resume("_tag" in answer ? Effect.fail(answer) : Effect.succeed(responseOf(answer)))
    }
    return { abort: () => {} }
  })
}

/** The same without callbacks. */
const silentEffects = (...answers: ReadonlyArray<Answer>): Transport.Service => {
  const { request } = silentAfter(...answers)
  return { request: (given) => Effect.suspend(() => request(given)) }
}

const retry = { base: "1 hour", cap: "1 hour", maxElapsed: "10 hours" } as const

/** Sends, interrupts that, and gives what the hook was told. */
const interrupted = (
  transport: Transport.Service,
  options: HookrailClient.SendOptions = {},
  send = HookrailClient.sendEvent as (
    topic: string,
    payload: {},
    options: HookrailClient.SendOptions
  ) => Effect.Effect<unknown, unknown, HookrailClient.HookrailClient>
) =>
  Effect.gen(function*() {
    const told: Array<HookrailError.SendContext> = []
    const onInterrupt = (send: HookrailError.SendContext) => Effect.sync(() => void told.push(send))
    const fiber = yield* Effect.fork(
      Effect.provide(send("t", {}, { ...options, onInterrupt }), layer(transport, { retry }))
    )
    yield* TestClock.adjust(0)
    yield* Fiber.interrupt(fiber)
    strictEqual(Exit.isInterrupted(yield* Fiber.await(fiber)), true)
    strictEqual(told.length, 1)
    return told[0]!
  })

describe("an interrupted send tells what is known", () => {
  for (const [kind, transport] of [["callbacks", silentAfter], ["effects", silentEffects]] as const) {
    it.effect(`over a transport of ${kind}`, () =>
      Effect.gen(function*() {
        const outcome = (...answers: ReadonlyArray<Answer>) =>
          Effect.map(interrupted(transport(...answers), { idempotencyKey: "k" }), (told) => {
            deepStrictEqual([told.topic, told.idempotencyKey], ["t", "k"])
            return told.outcome
          })
        strictEqual(yield* outcome(), "unknown")
        // Between two attempts: what the first one left open.
        strictEqual(yield* outcome(refusedConnection), "not-sent")
        strictEqual(yield* outcome(problem(429)), "refused")
        strictEqual(yield* outcome(problem(500)), "unknown")
      }))
  }

  it.effect("that waits for its turn", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make({ maxInFlight: 1 })
      const client = layer(silentAfter()).pipe(Layer.provide(Layer.succeed(SendGate.SendGate, gate)))
      const first = yield* Effect.fork(Effect.provide(HookrailClient.sendEvent("t", {}), client))
      yield* TestClock.adjust(0)
      const told = yield* interrupted(silentAfter(), {}, (topic, payload, options) =>
        Effect.provide(HookrailClient.sendEvent(topic, payload, options), client))
      strictEqual(told.outcome, "not-sent")
      strictEqual(told.idempotencyKey?.length, 36)
      yield* Fiber.interrupt(first)
    }))

  it.effect("that has no key yet, or no bytes", () =>
    Effect.gen(function*() {
      const noKey = yield* interrupted(silentAfter(), {}, (topic, payload, options) =>
        Effect.provideService(
          HookrailClient.sendEvent(topic, payload, options),
          IdempotencyKeys.IdempotencyKeys,
          IdempotencyKeys.random
        ))
      strictEqual(noKey.outcome, "unknown")
      const Slow = Topic.make(
        "slow",
        Schema.transformOrFail(Schema.String, Schema.Unknown, {
          decode: () => Effect.never,
          encode: () => Effect.never
        })
      )
      const noBytes = yield* interrupted(silentAfter(), { idempotencyKey: "k" }, (_, __, options) =>
        HookrailClient.sendEvent(Slow, "x", options))
      deepStrictEqual(noBytes, { topic: "slow", idempotencyKey: "k", outcome: "not-sent" })
    }))

  it.effect("that is interrupted as its answer arrives", () =>
    Effect.gen(function*() {
      let answered = () => {}
      const transport = Transport.fromCallbacks((_, listener) => {
        answered = () => listener.resume(Effect.succeed(responseOf(accepted)))
        return { abort: () => {} }
      })
      const told: Array<HookrailError.SendContext> = []
      const onInterrupt = (send: HookrailError.SendContext) => Effect.sync(() => void told.push(send))
      const fiber = yield* Effect.fork(
        Effect.provide(HookrailClient.sendEvent("t", {}, { onInterrupt }), layer(transport))
      )
      yield* TestClock.adjust(0)
      // The fiber finds both at once, and does not go on with the answer.
      answered()
      fiber.unsafeInterruptAsFork(FiberId.none)
      strictEqual(Exit.isInterrupted(yield* Fiber.await(fiber)), true)
      deepStrictEqual(told.map(({ outcome }) => outcome), ["unknown"])
    }))

  it.effect("and nothing when it is not interrupted", () =>
    Effect.gen(function*() {
      let told = 0
      const onInterrupt = () => Effect.sync(() => void told++)
      yield* Effect.flip(
        Effect.provide(
          HookrailClient.sendEvent("t", {}, { onInterrupt, retry: false }),
          layer(silentAfter(problem(500)))
        )
      )
      strictEqual(told, 0)
    }))
})
