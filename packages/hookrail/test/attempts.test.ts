import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Cause, Duration, Effect, Either, Exit, Fiber, Layer, Option, Random, Schema, TestClock } from "effect"
import { type Backoff, nextDelay, type Step } from "../src/call/backoff.js"
import { HookrailClient, type HookrailConfig, HookrailError, SendGate, Topic, Transport } from "../src/index.js"
import {
  accepted,
  type Answer,
  apiKey,
  brokenConnection,
  layer,
  problem,
  refusedConnection,
  responseOf,
  scripted
} from "./utils/memoryTransport.js"

/** What comes of a call, over all the time it takes. */
const run = <A, E>(
  transport: Transport.Service,
  program: Effect.Effect<A, E, HookrailClient.HookrailClient>,
  options?: HookrailConfig.Options
) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.exit(Effect.provide(program, layer(transport, options))))
    yield* TestClock.adjust("10 minutes")
    return yield* Fiber.join(fiber)
  }).pipe(Effect.withRandom(Random.make("fixed")))

const failure = <A, E>(
  answers: ReadonlyArray<Answer>,
  program: Effect.Effect<A, E, HookrailClient.HookrailClient>,
  options?: HookrailConfig.Options
) =>
  Effect.map(run(scripted(answers), program, options), (exit) => {
    assert(Exit.isFailure(exit))
    return Option.getOrThrow(Cause.failureOption(exit.cause))
  })

/** What a call that is not retried fails with, out of its `RetryError`. */
const attempt = (answer: Answer, program: Effect.Effect<unknown, unknown, HookrailClient.HookrailClient> = once) =>
  Effect.map(failure([answer], program), (error) => {
    assert(HookrailError.isHookrailError(error))
    return error._tag === "RetryError" ? error.cause : error
  })

const once = HookrailClient.sendEvent("t", {}, { idempotencyKey: "k", retry: false })

type Listener = Transport.Listener<Transport.TransportResponse, Transport.TransportError>

describe("an answer", () => {
  it.effect("of 200 to 299 is a success, if its body says so", () =>
    Effect.gen(function*() {
      for (const status of [200, 202, 299]) {
        assert(Exit.isSuccess(yield* run(scripted([{ ...accepted, status }]), once)))
      }
      for (const status of [199, 300]) {
        strictEqual((yield* attempt({ ...accepted, status }))._tag, "UnexpectedResponseError")
      }
    }))

  it.effect("with another body may be tried again, and says what is wrong with it", () =>
    Effect.gen(function*() {
      const error = yield* attempt({ status: 202, body: " not\n Hookrail " })
      assert(error._tag === "UnexpectedResponseError")
      deepStrictEqual([error.retryable, error.status, error.body, error.outcome], [
        true,
        202,
        "not Hookrail",
        "unknown"
      ])
      assert.match(error.reason, /JSON/)
      assert.match(error.message, /topic "t" \(Idempotency-Key "k"\)/)
    }))

  it.effect("that is cut off is no success, whatever is left of it", () =>
    Effect.gen(function*() {
      const transport = Transport.fromCallbacks((_, listener) => {
        listener.resume(Effect.succeed({ ...responseOf(accepted), truncated: true }))
        return { abort: () => {} }
      })
      const exit = yield* run(transport, once)
      assert(Exit.isFailure(exit))
      const error = Option.getOrThrow(Cause.failureOption(exit.cause))
      assert(error._tag === "RetryError" && error.cause._tag === "UnexpectedResponseError")
      assert.match(error.cause.reason, /too long/)
    }))

  it.effect("that Hookrail does not give says what may be behind it", () =>
    Effect.gen(function*() {
      for (
        const [status, reason, retryable] of [
          [300, /redirect/, false],
          [308, /redirect/, false],
          [399, /redirect/, false],
          [402, /does not give this/, false],
          [410, /does not give this/, false],
          [408, /does not give this/, true],
          [425, /does not give this/, true]
        ] as const
      ) {
        const error = yield* attempt({ status, body: "x", headers: { "retry-after": "9" } })
        assert(error._tag === "UnexpectedResponseError")
        assert.match(error.reason, reason)
        deepStrictEqual([error.retryable, error.body, error.status], [retryable, "x", status])
        deepStrictEqual(error.retryAfter, Duration.seconds(9))
      }
    }))

  it.effect("of overload carries what the server asks to wait", () =>
    Effect.gen(function*() {
      for (const [status, tag] of [[429, "RateLimitError"], [500, "ServerError"], [599, "ServerError"]] as const) {
        const error = yield* attempt(problem(status, { "retry-after": "9" }))
        assert(error._tag === tag)
        deepStrictEqual([error.status, error.retryAfter], [status, Duration.seconds(9)])
        const silent = yield* attempt(problem(status))
        assert(silent._tag === tag)
        strictEqual(silent.retryAfter, undefined)
      }
    }))

  it.effect("has the problem in its error, without the key", () =>
    Effect.gen(function*() {
      const error = yield* attempt({
        status: 400,
        body: { title: `a ${apiKey}`, detail: "hk_x", type: "u", status: 1 }
      })
      assert(error._tag === "BadRequestError")
      deepStrictEqual(error.problem, { title: "a ***", detail: "hk_***", type: "u", status: 1 })
      for (const answer of [{ status: 400 }, { status: 400, body: "no" }]) {
        const other = yield* attempt(answer)
        assert(other._tag === "BadRequestError")
        strictEqual(other.problem, undefined)
      }
    }))
})

describe("404", () => {
  it.effect("with a problem is about the event, without one about the address", () =>
    Effect.gen(function*() {
      const get = HookrailClient.getEvent("e", { retry: false })
      const known = yield* attempt(problem(404), get)
      const other = yield* attempt({ status: 404, body: "<html>" }, get)
      assert(known._tag === "NotFoundError" && other._tag === "NotFoundError")
      assert.match(known.message, /^status of event "e": .*404 \(title 404: detail 404\)\. Check the event id\./)
      assert.match(other.message, /^status of event "e": .*404\..* base URL/)
    }))
})

describe("no answer", () => {
  const timedOut = (limit?: number) =>
    new Transport.TransportError({ reason: "timeout", phase: "response", limit, description: "late" })

  it.effect("in time has its limit", () =>
    Effect.gen(function*() {
      const error = yield* attempt(timedOut(70))
      assert(error._tag === "HookrailTimeoutError")
      deepStrictEqual([error.phase, error.limit, error.outcome], ["response", Duration.millis(70), "unknown"])
      const without = yield* attempt(timedOut())
      assert(without._tag === "HookrailTimeoutError")
      deepStrictEqual(without.limit, Duration.zero)
    }))

  it.effect("for a broken connection has its phase, code and cause, without the key", () =>
    Effect.gen(function*() {
      const cause = new Error("low")
      const error = yield* attempt(
        new Transport.TransportError({
          reason: "connection",
          phase: "body",
          code: "ECONNRESET",
          description: `reset of ${apiKey}`,
          cause
        })
      )
      assert(error._tag === "HookrailConnectionError")
      deepStrictEqual(
        [error.phase, error.code, error.reason, error.cause, error.outcome],
        ["body", "ECONNRESET", "reset of ***", cause, "unknown"]
      )
    }))
})

describe("the outcome of a call", () => {
  const outcome = (...answers: ReadonlyArray<Answer>) =>
    Effect.map(
      failure(answers, HookrailClient.sendEvent("t", {}, { retry: { maxRetries: answers.length - 1 } })),
      (error) => (error as HookrailError.SendContext).outcome
    )

  it.effect("is the worst of its attempts", () =>
    Effect.gen(function*() {
      strictEqual(yield* outcome(refusedConnection, refusedConnection), "not-sent")
      strictEqual(yield* outcome(refusedConnection, problem(403)), "refused")
      strictEqual(yield* outcome(problem(429), refusedConnection), "refused")
      strictEqual(yield* outcome(problem(429), problem(429)), "refused")
      strictEqual(yield* outcome(brokenConnection, refusedConnection), "unknown")
      strictEqual(yield* outcome(problem(500), problem(429)), "unknown")
      strictEqual(yield* outcome(problem(408), problem(403)), "unknown")
      strictEqual(yield* outcome({ status: 499 }), "refused")
      strictEqual(yield* outcome({ status: 202, body: "no" }, refusedConnection), "unknown")
    }))

  it.effect("is refused, whatever came before, if the bytes themselves are", () =>
    Effect.gen(function*() {
      for (const status of [400, 409, 413]) {
        strictEqual(yield* outcome(brokenConnection, problem(status)), "refused", String(status))
        // Not Hookrail's own word.
        strictEqual(yield* outcome(brokenConnection, { status, body: "<html>" }), "unknown", String(status))
      }
      for (const status of [401, 403, 404]) strictEqual(yield* outcome(brokenConnection, problem(status)), "unknown")
    }))
})

describe("a call", () => {
  it.effect("that gives up says after how many attempts, and how long", () =>
    Effect.gen(function*() {
      // It does not begin with the clock.
      yield* TestClock.adjust("1 hour")
      const error = yield* failure(
        [problem(503, { "retry-after": "10" })],
        HookrailClient.sendEvent("t", {}, { retry: { maxRetries: 2, base: "1 millis", maxElapsed: "1 minute" } })
      )
      assert(error._tag === "RetryError")
      strictEqual(error.attempts, 3)
      const elapsed = Duration.toMillis(error.elapsed)
      assert.isAtLeast(elapsed, 20_000)
      assert.isAtMost(elapsed, 20_002)
    }))

  it.effect("takes options of its own, and says which one cannot be used", () =>
    Effect.gen(function*() {
      const argument = (options: HookrailClient.SendOptions) =>
        Effect.map(failure([accepted], HookrailClient.sendEvent("t", {}, options)), (error) => {
          assert(error._tag === "InvalidArgumentError")
          strictEqual(error.outcome, "not-sent")
          return [error.argument, error.reason]
        })
      for (const timeout of [0, -1, Infinity, "soon" as never]) {
        const [name, reason] = yield* argument({ timeout })
        strictEqual(name, "timeout")
        assert.match(reason!, /^must be a finite duration above 0/)
      }
      const [name, reason] = yield* argument({ retry: { maxRetries: -1 } })
      strictEqual(name, "retry")
      assert.match(reason!, /maxRetries/)
      const transport = scripted([accepted])
      yield* run(transport, HookrailClient.sendEvent("t", {}, { timeout: 1, retry: { maxRetries: 0 } }))
      yield* run(transport, HookrailClient.sendEvent("t", {}, { timeout: "1 minute" }), {
        timeout: "9 seconds",
        responseTimeout: "3 seconds"
      })
      deepStrictEqual(transport.requests.map((one) => [one.responseTimeout, one.timeout]), [[1, 1], [3_000, 60_000]])
    }))

  it.effect("is answered once, however often its transport answers", () =>
    Effect.gen(function*() {
      const answers: ReadonlyArray<(listener: Listener) => void> = [
        (listener) => listener.resume(Effect.succeed(responseOf(accepted))),
        (listener) => listener.resume(Effect.succeed(responseOf(problem(400)))),
        (listener) => listener.resume(Effect.succeed(responseOf(problem(503, { "retry-after": "60" })))),
        (listener) => listener.resume(Effect.fail(brokenConnection))
      ]
      for (const first of answers) {
        for (const second of answers) {
          let requests = 0
          let aborted = 0
          const transport = Transport.fromCallbacks((_, listener) => {
            requests++
            first(listener)
            second(listener)
            return { abort: () => void aborted++ }
          })
          const gate = yield* SendGate.make({ maxInFlight: 2 })
          const client = Layer.provide(layer(transport), Layer.succeed(SendGate.SendGate, gate))
          const once = HookrailClient.sendEvent("t", {}, { retry: false })
          const result = yield* Effect.either(Effect.provide(once, client))
          const error = Either.isLeft(result) ? result.left : undefined
          const cause = error?._tag === "RetryError" ? error.cause : error
          strictEqual(
            cause?._tag,
            [undefined, "BadRequestError", "ServerError", "HookrailConnectionError"][answers.indexOf(first)]
          )
          if (error?._tag === "RetryError") {
            const outcome = first === answers[3] || first === answers[2] ? "unknown" : "refused"
            deepStrictEqual([error.attempts, error.outcome], [1, outcome])
          }
          const { inFlight, rate, state, waiting } = yield* gate.stats
          // The second answer counts for nothing: no place is given back twice.
          deepStrictEqual([requests, aborted, inFlight, waiting], [1, 0, 0, 0])
          // One overload does not slow a client down, and a second answer is not counted as another.
          deepStrictEqual([rate, state], [Infinity, "open"])
          // With a place too many, three would be under way.
          const listeners: Array<Listener> = []
          const stalling = Transport.fromCallbacks((_, listener) => {
            listeners.push(listener)
            return { abort: () => {} }
          })
          const other = Layer.provide(layer(stalling), Layer.succeed(SendGate.SendGate, gate))
          const fibers = yield* Effect.replicateEffect(Effect.fork(Effect.provide(once, other)), 3)
          yield* TestClock.adjust(0)
          strictEqual(listeners.length, 2)
          yield* Fiber.interruptAll(fibers)
        }
      }
    }))

  it.effect("has the outcome of its first answer, whatever comes after it", () =>
    Effect.gen(function*() {
      const transport = Transport.fromCallbacks((_, listener) => {
        listener.resume(Effect.fail(refusedConnection))
        listener.resume(Effect.succeed(responseOf(problem(500))))
        listener.resume(Effect.fail(brokenConnection))
        return { abort: () => {} }
      })
      const error = yield* Effect.flip(Effect.provide(once, layer(transport)))
      assert(error._tag === "RetryError")
      deepStrictEqual([error.attempts, error.outcome, error.cause._tag], [1, "not-sent", "HookrailConnectionError"])
    }))

  it.effect("that could not begin in time has the error of what kept it waiting", () =>
    Effect.gen(function*() {
      for (const [status, tag] of [[429, "RateLimitError"], [503, "ServerError"]] as const) {
        const transport = scripted([problem(status, { "retry-after": "60" })])
        const error = yield* Effect.gen(function*() {
          // So many in a row that the client as a whole waits.
          yield* Effect.replicateEffect(Effect.flip(once), 8)
          return yield* Effect.flip(HookrailClient.sendEvent("t", {}, { retry: { maxElapsed: "10 seconds" } }))
        }).pipe(
          Effect.provide(layer(transport)),
          Effect.fork,
          Effect.flatMap((fiber) => Effect.zipRight(TestClock.adjust("11 seconds"), Fiber.join(fiber)))
        )
        assert(error._tag === "RetryError" && error.cause._tag === tag)
        deepStrictEqual([error.cause.status, error.attempts, error.outcome], [status, 0, "not-sent"])
        strictEqual(transport.requests.length, 8)
      }
    }))

  it.effect("asks without credentials whether the database is down, where that hides behind a 401", () =>
    Effect.gen(function*() {
      const down = yield* run(scripted([problem(401)], 503), once)
      assert(Exit.isFailure(down))
      const outage = Option.getOrThrow(Cause.failureOption(down.cause))
      assert(outage._tag === "RetryError" && outage.cause._tag === "ServerError")
      deepStrictEqual([outage.cause.status, outage.cause.maskedStatus], [503, 401])
      const transport = scripted([problem(401)], 200)
      yield* run(transport, once, { baseUrl: "http://h.test/p" })
      const [probe] = transport.probes
      deepStrictEqual(
        [probe?.method, probe?.origin, probe?.path, probe?.body, Object.keys(probe!.headers)],
        ["GET", "http://h.test", "/p/readyz", undefined, ["user-agent", "accept-encoding"]]
      )
      strictEqual(transport.probes.length, 1)
      const other = scripted([problem(403)], 503)
      yield* run(other, once)
      strictEqual(other.probes.length, 0)
    }))

  it.effect("believes the first answer if nobody answers whether the database is down", () =>
    Effect.gen(function*() {
      const transport = Transport.fromCallbacks((request, listener) => {
        if (request.path.endsWith("/readyz")) listener.resume(Effect.fail(refusedConnection))
        else listener.resume(Effect.succeed(responseOf(problem(401))))
        return { abort: () => {} }
      })
      const exit = yield* run(transport, once)
      assert(Exit.isFailure(exit))
      strictEqual(Option.getOrThrow(Cause.failureOption(exit.cause))._tag, "AuthenticationError")
    }))
})

describe("a Topic", () => {
  const Order = Topic.make(
    "orders",
    Schema.Struct({
      items: Schema.Array(Schema.Struct({ price: Schema.Number })),
      "odd key": Schema.optional(Schema.String)
    })
  )

  it.effect("says where a payload does not fit, and not with what", () =>
    Effect.gen(function*() {
      const fault = (payload: unknown) => Effect.flip(Order.decode(payload))
      deepStrictEqual(yield* fault({ items: [{ price: 1 }, { price: "hidden" }] }), {
        path: "$.items[1].price",
        reason: "Expected number"
      })
      deepStrictEqual((yield* fault({ items: [], "odd key": 1 })).path, "$.odd key")
      deepStrictEqual((yield* fault({})).path, "$.items")
      const whole = yield* fault("hidden")
      strictEqual(whole.path, "$")
      assert.notInclude(whole.reason, "hidden")
      assert.match((yield* fault({ items: [{}] })).reason, /missing/i)
      deepStrictEqual(
        (yield* Effect.flip(Order.encode({ items: [{ price: "hidden" as never }] }))).path,
        "$.items[0].price"
      )
    }))

  it.effect("leaves out what its Schema does not know", () =>
    Effect.gen(function*() {
      deepStrictEqual(yield* Order.decode({ items: [], more: 1 }), { items: [] })
      deepStrictEqual(yield* Order.encode({ items: [], more: 1 } as never), { items: [] })
    }))

  it("is told from anything else", () => {
    strictEqual(Topic.isTopic(Order), true)
    for (const other of [null, undefined, "t", {}, () => Order, { name: "t" }]) strictEqual(Topic.isTopic(other), false)
  })
})

describe("the delay before the next attempt", () => {
  const policy = { maxRetries: 40, base: 100, cap: 1_000, maxElapsed: 10_000, respectRetryAfter: true }
  const delay = (step: Partial<Step>, changes: Partial<Backoff> = {}) =>
    nextDelay({ ...policy, ...changes }, { retries: 0, elapsed: 0, retryAfter: undefined, random: 0.5, ...step })

  it("is a part of a ceiling that doubles, up to the cap", () => {
    deepStrictEqual([0, 1, 2, 3, 4, 39].map((retries) => delay({ retries })), [50, 100, 200, 400, 500, 500])
    deepStrictEqual([0, 0.25, 0.75].map((random) => delay({ random })), [0, 25, 75])
    // The exponent has an end, so that the product stays a number.
    strictEqual(delay({ retries: 31 }, { cap: 2 ** 50, maxElapsed: 2 ** 50 }), 50 * 2 ** 30)
    strictEqual(delay({ retries: 30 }, { cap: 2 ** 50, maxElapsed: 2 ** 50 }), 50 * 2 ** 30)
    strictEqual(delay({ retries: 2_000, random: 0 }, { maxRetries: 3_000, cap: 2 ** 50 }), 0)
  })

  it("ends with the retries, and with the time", () => {
    deepStrictEqual([delay({ retries: 2 }, { maxRetries: 3 }), delay({ retries: 3 }, { maxRetries: 3 })], [
      200,
      undefined
    ])
    deepStrictEqual([9_999, 10_000, 10_001].map((elapsed) => delay({ elapsed })), [1, undefined, undefined])
    deepStrictEqual([9_950, 9_949, 9_951].map((elapsed) => delay({ elapsed })), [50, 50, 49])
  })

  it("is not shorter than what the server asks for, with a little on top", () => {
    deepStrictEqual([0, 0.5].map((random) => delay({ retryAfter: 3_000, random })), [3_000, 3_050])
    strictEqual(delay({ retryAfter: 0 }), 50)
    // The floor takes the place of the ceiling, however many retries there were.
    strictEqual(delay({ retryAfter: 10, retries: 9 }), 60)
    // What goes beyond the time that is left is cut off, unless the server's own part does.
    deepStrictEqual(
      [9_980, 9_990, 10_000, 10_001].map((retryAfter) => delay({ retryAfter })),
      [10_000, 10_000, 10_000, undefined]
    )
    strictEqual(delay({ retryAfter: 5_001, elapsed: 5_000 }), undefined)
    strictEqual(delay({ retryAfter: 20_000 }, { respectRetryAfter: false }), 50)
  })
})
