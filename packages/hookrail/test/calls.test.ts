import { describe, it } from "@effect/vitest"
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import {
  Cause,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Random,
  Redacted,
  Schedule,
  Stream,
  TestClock,
  Tracer
} from "effect"
import { inspect } from "node:util"
import { scheduled } from "../src/call/pauses.js"
import type { EventInput } from "../src/Event.js"
import { logged } from "../src/fiber/log.js"
import { HookrailClient, HookrailConfig, HookrailError, IdempotencyKeys, RetryPolicy, Transport } from "../src/index.js"
import { make as makeCalls } from "../src/send/calls.js"
import { parseRetryAfter } from "../src/wire/retryAfter.js"
import { accepted, type Answer, apiKey, layer, problem, refusedConnection, scripted } from "./utils/memoryTransport.js"

const timedOut = (phase: "connect" | "response" | "body") =>
  new Transport.TransportError({ reason: "timeout", phase, limit: 10_000, description: "late" })

const send = HookrailClient.sendEvent("orders.created", { n: 1 })

/** Runs to the end on the test clock, however many delays there are. */
const finish = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.exit(effect))
    yield* TestClock.adjust("10 minutes")
    return yield* Fiber.join(fiber)
  }).pipe(Effect.withRandom(Random.make("seed")))

const failure = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(finish(effect), (exit) => Exit.isFailure(exit) ? Cause.squash(exit.cause) as E : undefined)

describe("timeouts", () => {
  for (const [phase, outcome] of [["connect", "not-sent"], ["response", "unknown"], ["body", "unknown"]] as const) {
    it.effect(`in phase ${phase}: a HookrailTimeoutError within a RetryError, outcome ${outcome}`, () =>
      Effect.gen(function*() {
        const transport = scripted([timedOut(phase)])
        const error = yield* failure(Effect.provide(send, layer(transport)))
        assertTrue(error instanceof HookrailError.RetryError)
        assertTrue(error.cause instanceof HookrailError.HookrailTimeoutError)
        deepStrictEqual([error.cause.phase, Duration.toMillis(error.cause.limit)], [phase, 10_000])
        deepStrictEqual([error.outcome, error.attempts, transport.requests.length], [outcome, 4, 4])
      }))
  }

  it.effect("the limits of the client and of the call reach the transport", () =>
    Effect.gen(function*() {
      const transport = scripted([accepted])
      yield* Effect.provide(send, layer(transport))
      yield* Effect.provide(HookrailClient.sendEvent("t", {}, { timeout: "3 seconds" }), layer(transport))
      deepStrictEqual(transport.requests.map((r) => [r.responseTimeout, r.timeout]), [[10_000, 15_000], [3_000, 3_000]])
    }))
})

describe("retries", () => {
  for (const status of [408, 425]) {
    it.effect(`${status} is retried`, () =>
      Effect.gen(function*() {
        const transport = scripted([problem(status), accepted])
        const exit = yield* finish(Effect.provide(send, layer(transport)))
        assertTrue(Exit.isSuccess(exit))
        strictEqual(transport.requests.length, 2)
      }))
  }

  it.effect("each is told before its delay, and only if there is one", () =>
    Effect.gen(function*() {
      const transport = scripted([refusedConnection, problem(503, { "retry-after": "7" }), problem(429)])
      const told: Array<readonly [tag: string, attempts: number, delay: number, at: number]> = []
      const clock = yield* Effect.clock
      const config = yield* HookrailConfig.make({ apiKey: Redacted.make(apiKey), retry: { maxRetries: 2, base: 100 } })
      const { sender } = makeCalls({
        config,
        transport,
        keys: IdempotencyKeys.random,
        scheduled,
        log: logged,
        report: () => {},
        onRetry: ({ _tag }, attempts, delay) => {
          strictEqual(transport.requests.length, attempts)
          told.push([_tag, attempts, delay, clock.unsafeCurrentTimeMillis()])
        }
      })
      const error = yield* failure(sender.prepare(clock, "t", {}, {}))
      assertTrue(error instanceof HookrailError.RetryError && error.attempts === 3)
      const [first, second] = told
      deepStrictEqual(told.map(([tag, attempts]) => [tag, attempts]), [["HookrailConnectionError", 1], [
        "ServerError",
        2
      ]])
      assertTrue(first![2] <= 100 && first![3] === 0)
      // A retry of the policy waits as the server asks, and a little longer.
      assertTrue(second![2] >= 7_000 && second![2] <= 7_200)
      strictEqual(Math.round(second![3]), Math.round(first![2]))
    }))

  it.effect("C4: any other status is one request, over all of 300 to 499", () =>
    Effect.gen(function*() {
      for (let status = 300; status < 500; status++) {
        if ([408, 425, 429].includes(status)) continue
        const transport = scripted([{ status, body: "no" }])
        const error = yield* failure(Effect.provide(send, layer(transport)))
        assertTrue(HookrailError.isHookrailError(error) && !HookrailError.isRetryable(error))
        deepStrictEqual([transport.requests.length, (error as HookrailError.SendContext).outcome], [1, "refused"])
      }
    }))

  it.effect("RetryPolicy.schedule drives any Effect.retry, and stops on what is not worth one", () =>
    Effect.gen(function*() {
      let attempts = 0
      const limited = Effect.suspend(() => {
        attempts++
        return Effect.fail(
          attempts < 3
            ? new HookrailError.ServerError({ status: 503 })
            : new HookrailError.BadRequestError({ status: 400 })
        )
      })
      const error = yield* failure(Effect.retry(limited, RetryPolicy.schedule(RetryPolicy.standard)))
      deepStrictEqual([attempts, error?._tag], [3, "BadRequestError"])
    }))

  it.effect("respectRetryAfter puts the floor under a schedule of one's own", () =>
    Effect.gen(function*() {
      const schedule = RetryPolicy.respectRetryAfter(Schedule.recurs(1))
      const transport = scripted([problem(429, { "retry-after": "7" }), accepted])
      const fiber = yield* Effect.fork(
        Effect.provide(HookrailClient.sendEvent("t", {}, { retry: schedule }), layer(transport))
      )
      yield* TestClock.adjust(6_999)
      strictEqual(transport.requests.length, 1)
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
    }))

  it.effect("for at most 5 minutes, since there is no budget that would end the call", () =>
    Effect.gen(function*() {
      const schedule = RetryPolicy.respectRetryAfter(Schedule.recurs(1))
      const transport = scripted([problem(429, { "retry-after": "999999999999" }), accepted])
      const fiber = yield* Effect.fork(
        Effect.provide(HookrailClient.sendEvent("t", {}, { retry: schedule }), layer(transport))
      )
      yield* TestClock.adjust(299_999)
      strictEqual(transport.requests.length, 1)
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
    }))

  it("reads all three date forms of HTTP", () => {
    const now = Date.UTC(1994, 10, 6, 8, 49, 30)
    for (
      const date of ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
    ) {
      strictEqual(parseRetryAfter(date, now), 7_000)
    }
  })
})

describe("arguments", () => {
  it.effect("what no type allows is a typed error too", () =>
    Effect.gen(function*() {
      const transport = scripted([accepted])
      const program = Effect.gen(function*() {
        const client = yield* HookrailClient.HookrailClient
        const anyhow = client.sendEvent as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, { _tag: string }>
        const tags: Array<string> = []
        for (const topic of [undefined, null, 1, {}, Symbol.iterator, "", "a\nb", "\ud800"]) {
          tags.push((yield* Effect.flip(anyhow(topic, {})))._tag)
        }
        let reads = 0
        const moody = {
          get ordering_key() {
            if (++reads > 2) throw new Error("no more")
            return "k"
          }
        }
        yield* anyhow("t", moody)
        return tags
      })
      deepStrictEqual(yield* Effect.provide(program, layer(transport)), Array(8).fill("InvalidArgumentError"))
      strictEqual(transport.requests.length, 1)
    }))

  it.effect("C27: the ordering key as header, as member, as both alike", () =>
    Effect.gen(function*() {
      const transport = scripted([accepted])
      const program = Effect.gen(function*() {
        yield* HookrailClient.sendEvent("t", {}, { orderingKey: "k" })
        yield* HookrailClient.sendEvent("t", { ordering_key: "é" })
        yield* HookrailClient.sendEvent("t", { ordering_key: "k" }, { orderingKey: "k" })
      })
      yield* Effect.provide(program, layer(transport))
      deepStrictEqual(transport.requests.map((r) => r.headers["x-hookrail-ordering-key"]), ["k", undefined, "k"])
      strictEqual(new Set(transport.requests.map((r) => r.headers["idempotency-key"])).size, 3)
    }))

  it.effect("settings that cannot work name the option", () =>
    Effect.gen(function*() {
      const key = Redacted.make("k")
      for (
        const [option, value] of [
          ["timeout", 0],
          ["timeout", "-1 seconds"],
          ["responseTimeout", Infinity],
          ["maxInFlight", 0],
          ["maxInFlight", 1.5],
          ["retry.maxRetries", { maxRetries: -1 }],
          ["retry.cap", { base: "2 seconds", cap: "1 second" }]
        ] as const
      ) {
        const options = { apiKey: key, [option.split(".")[0]!]: value } as HookrailConfig.Options
        strictEqual((yield* Effect.flip(HookrailConfig.make(options))).option, option)
      }
    }))
})

describe("awaitEvent", () => {
  const status = (state: string) => ({
    status: 200,
    body: { event_id: "e1", topic: "t", deliveries: [{ delivery_id: "d1", state, attempts: [] }] }
  })

  it.effect("waits for a condition of one's own", () =>
    Effect.gen(function*() {
      const transport = scripted([status("pending"), status("retry_scheduled"), status("succeeded")])
      const exit = yield* finish(
        Effect.provide(
          HookrailClient.awaitEvent("e1", {
            until: (event) => event.deliveries[0]?.state === "retry_scheduled",
            schedule: Schedule.spaced("1 second")
          }),
          layer(transport)
        )
      )
      assertTrue(Exit.isSuccess(exit))
      strictEqual(transport.requests.length, 2)
    }))

  it.effect("a limit that is none is a typed error", () =>
    Effect.gen(function*() {
      const error = yield* failure(
        Effect.provide(HookrailClient.awaitEvent("e1", { timeout: Infinity }), layer(scripted([status("pending")])))
      )
      strictEqual(error?._tag, "InvalidArgumentError")
    }))

  it.effect("a condition that does not say yes or no at once is a typed error", () =>
    Effect.gen(function*() {
      for (
        const [until, reason] of [
          [5, "must be a function"],
          [async () => false, "must return true or false at once"],
          [() => Effect.succeed(false), "must return true or false at once"],
          [() => {}, "must return true or false at once"]
        ] as ReadonlyArray<readonly [until: unknown, reason: string]>
      ) {
        const error = yield* failure(
          Effect.provide(
            HookrailClient.awaitEvent("e1", { until: until as never }),
            layer(scripted([status("pending")]))
          )
        )
        assertTrue(error?._tag === "InvalidArgumentError")
        deepStrictEqual([error.argument, error.reason], ["until", reason])
      }
    }))
})

describe("sendEvents", () => {
  const inputs = (count: number, pulled: Array<number>) =>
    Stream.range(1, count).pipe(
      Stream.rechunk(1),
      Stream.map((n): EventInput => {
        pulled.push(n)
        return { topic: "t", payload: n }
      })
    )

  it.effect("the first error ends the stream", () =>
    Effect.gen(function*() {
      const answers: ReadonlyArray<Answer> = [accepted, accepted, problem(400), accepted]
      const exit = yield* finish(
        HookrailClient.sendEvents(inputs(10, []), { concurrency: 1 }).pipe(
          Stream.runCollect,
          Effect.provide(layer(scripted(answers)))
        )
      )
      assertTrue(Exit.isFailure(exit))
      strictEqual((Cause.squash(exit.cause) as HookrailError.SendError)._tag, "BadRequestError")
    }))

  it.effect("reads ahead by the concurrency, not by the length of the stream", () =>
    Effect.gen(function*() {
      const pulled: Array<number> = []
      const fiber = yield* HookrailClient.sendEvents(inputs(10_000, pulled), { concurrency: 4 }).pipe(
        Stream.runDrain,
        Effect.provide(layer({ request: () => Effect.never })),
        Effect.fork
      )
      yield* TestClock.adjust("1 second")
      assertTrue(pulled.length >= 4 && pulled.length <= 16)
      yield* Fiber.interrupt(fiber)
    }))
})

describe("secrets", () => {
  it.effect("are in no error, log or span, even if the server sends them back", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const spans: Array<Tracer.Span> = []
      const echo = `Bearer ${apiKey} and hk_0123456789abcdef and whsec_0123`
      const tracer = Tracer.make({
        context: (f) => f(),
        span: (name, parent, context, links, startTime, kind) => {
          const attributes = new Map<string, unknown>()
          const span: Tracer.Span = {
            _tag: "Span",
            name,
            spanId: "1",
            traceId: "1",
            parent,
            context,
            links,
            kind,
            sampled: true,
            status: { _tag: "Started", startTime },
            attributes,
            end: (_, exit) => seen.push(exit),
            attribute: (key, value) => attributes.set(key, value),
            event: () => {},
            addLinks: () => {}
          }
          spans.push(span)
          return span
        }
      })
      const logger = Logger.make(({ annotations, cause, message }) =>
        seen.push(message, Cause.pretty(cause), annotations)
      )
      const answers: ReadonlyArray<Answer> = [
        ...[301, 400, 401, 403, 404, 409, 413, 418, 429, 503].map((status) => ({
          status,
          body: { title: echo, detail: echo }
        })),
        { status: 500, body: echo },
        { status: 202, body: echo },
        { status: 202, body: { event_id: "e1", delivery_ids: [] } },
        new Transport.TransportError({ reason: "connection", phase: "response", description: echo })
      ]
      for (const answer of answers) {
        const exit = yield* HookrailClient.sendEvent("t", {}, { retry: false }).pipe(
          Effect.tapErrorCause(Effect.logError),
          Effect.provide(Layer.merge(layer(scripted([answer])), Logger.replace(Logger.defaultLogger, logger))),
          Effect.withTracer(tracer),
          Effect.exit
        )
        seen.push(exit)
        if (Exit.isFailure(exit)) {
          const error = Cause.squash(exit.cause) as Error
          seen.push(error.message, error.stack, JSON.stringify(error), Cause.pretty(exit.cause), String(error))
        }
      }
      for (const program of [HookrailConfig.make({ apiKey: Redacted.make(`${apiKey} `) }), HookrailConfig.make()]) {
        seen.push(yield* Effect.exit(program))
      }
      seen.push(yield* HookrailConfig.make({ apiKey: Redacted.make(apiKey) }), spans)
      const all = inspect(seen, { depth: 12, showHidden: true, getters: true, maxStringLength: null }) +
        JSON.stringify(seen, (_, value) => typeof value === "bigint" ? String(value) : value as unknown)
      strictEqual(spans.length, answers.length)
      assertTrue(all.includes("***"))
      for (const secret of [apiKey, "hk_0123456789abcdef", "whsec_0123"]) assertTrue(!all.includes(secret))
    }))
})
