import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { inspect } from "node:util"
import { Event, HookrailClient, type HookrailConfig, type HookrailError, IdempotencyKeys, Topic } from "../src/index.js"
import {
  accepted,
  type Answer,
  apiKey,
  brokenConnection,
  layer,
  problem,
  refusedConnection,
  scripted
} from "./utils/memoryTransport.js"

const run = <A, E>(
  answers: ReadonlyArray<Answer>,
  program: Effect.Effect<A, E, HookrailClient.HookrailClient>,
  options: HookrailConfig.Options = {},
  ready = 200
) =>
  Effect.gen(function*() {
    const transport = scripted(answers, ready)
    const fiber = yield* Effect.fork(Effect.exit(Effect.provide(program, layer(transport, options))))
    yield* TestClock.adjust("5 minutes")
    const exit = yield* Fiber.join(fiber)
    return {
      ...transport,
      exit,
      error: Exit.isFailure(exit) ? Cause.squash(exit.cause) as HookrailError.HookrailError : undefined
    }
  }).pipe(Effect.withRandom(Random.make("fixed")))

const send = HookrailClient.sendEvent("orders.created", { n: 1 })
const outcome = (error: unknown) => (error as HookrailError.SendContext).outcome

describe("sendEvent", () => {
  it.effect("C1: null lists are empty", () =>
    Effect.gen(function*() {
      const { exit } = yield* run([{ status: 202, body: { event_id: "e", delivery_ids: null } }], send)
      deepStrictEqual(Exit.isSuccess(exit) && exit.value.deliveryIds, [])
    }))

  it.effect("C3 C24 C25: all attempts send the same bytes and key, whatever becomes of the payload", () =>
    Effect.gen(function*() {
      const payload = { n: 1 }
      const transport = scripted([problem(503), problem(503), accepted])
      const fiber = yield* Effect.fork(
        HookrailClient.sendEvent("t", payload).pipe(Effect.provide(layer(transport)))
      )
      yield* TestClock.adjust(0)
      payload.n = 2
      yield* TestClock.adjust("1 minute")
      const result = yield* Fiber.join(fiber)
      strictEqual(transport.requests.length, 3)
      for (const request of transport.requests) {
        strictEqual(new TextDecoder().decode(request.body), `{"topic":"t","payload":{"n":1}}`)
        strictEqual(request.headers["idempotency-key"], result.idempotencyKey)
      }
    }).pipe(Effect.withRandom(Random.fixed([0.5]))))

  for (
    const [status, tag] of [
      [400, "BadRequestError"],
      [401, "AuthenticationError"],
      [403, "ForbiddenError"],
      [404, "NotFoundError"],
      [409, "ConflictError"],
      [413, "PayloadTooLargeError"],
      [302, "UnexpectedResponseError"],
      [405, "UnexpectedResponseError"]
    ] as const
  ) {
    it.effect(`C4 C15: ${status} is ${tag}, after one request`, () =>
      Effect.gen(function*() {
        const { error, probes, requests } = yield* run([problem(status)], send)
        strictEqual(error?._tag, tag)
        strictEqual(outcome(error), "refused")
        strictEqual((error as HookrailError.BadRequestError).problem?.title, `title ${status}`)
        strictEqual(requests.length, 1)
        strictEqual(probes.length, status === 401 ? 1 : 0)
        const plain = yield* run([{ status, body: "no such page" }], send)
        strictEqual(plain.error?._tag, tag)
        strictEqual((plain.error as HookrailError.BadRequestError).problem, undefined)
      }))
  }

  it.effect("C16: a problem of odd types is read as far as it goes", () =>
    Effect.gen(function*() {
      const { error } = yield* run([{ status: 400, body: { title: "t", status: "x", detail: 5 } }], send)
      deepStrictEqual((error as HookrailError.BadRequestError).problem, { title: "t" })
    }))

  for (const [header, from, to] of [["1", 1_000, 1_200], ["Thu, 01 Jan 1970 00:00:02 GMT", 2_000, 2_200]] as const) {
    it.effect(`C5: Retry-After ${header} is a floor`, () =>
      Effect.gen(function*() {
        const transport = scripted([problem(429, { "retry-after": header }), accepted])
        const fiber = yield* Effect.fork(Effect.provide(send, layer(transport)))
        yield* TestClock.adjust(from - 1)
        strictEqual(transport.requests.length, 1)
        yield* TestClock.adjust(to - from + 1)
        yield* Fiber.join(fiber)
        strictEqual(transport.requests.length, 2)
      }).pipe(Effect.withRandom(Random.fixed([0.9]))))
  }

  for (const header of [undefined, "garbage", "²", "-1", "Thu, 01 Jan 1970 00:00:00 GMT"]) {
    it.effect(`C6 C8: Retry-After ${header} leaves jitter alone`, () =>
      Effect.gen(function*() {
        const transport = scripted([problem(429, header === undefined ? {} : { "retry-after": header }), accepted])
        const fiber = yield* Effect.fork(Effect.provide(send, layer(transport)))
        yield* TestClock.adjust(99)
        strictEqual(transport.requests.length, 1)
        yield* TestClock.adjust(1)
        strictEqual(transport.requests.length, 2)
        yield* Fiber.join(fiber)
      }).pipe(Effect.withRandom(Random.fixed([0.5]))))
  }

  it.effect("Retry-After beyond the budget stops at once", () =>
    Effect.gen(function*() {
      const transport = scripted([problem(503, { "retry-after": "61" })])
      const error = yield* Effect.flip(Effect.provide(send, layer(transport)))
      strictEqual(error._tag, "RetryError")
      strictEqual(transport.requests.length, 1)
    }))

  it.effect("C9: 503 for ever is a RetryError of 4 attempts", () =>
    Effect.gen(function*() {
      const { error, requests } = yield* run([problem(503)], send)
      assert(error?._tag === "RetryError")
      strictEqual(error.attempts, 4)
      strictEqual(error.cause._tag, "ServerError")
      strictEqual(outcome(error), "unknown")
      strictEqual(requests.length, 4)
    }))

  it.effect("C10: retry false, maxRetries 0 and a Schedule of one's own, per client and per call", () =>
    Effect.gen(function*() {
      for (
        const [retry, count] of [[false, 1], [{ maxRetries: 0 }, 1], [{ maxRetries: 1 }, 2], [
          Schedule.recurs(5),
          6
        ]] as const
      ) {
        const client = yield* run([problem(503)], send, { retry })
        strictEqual(client.error?._tag, "RetryError")
        strictEqual(client.requests.length, count)
        const call = yield* run([problem(503)], HookrailClient.sendEvent("t", 1, { retry }))
        strictEqual(call.requests.length, count)
      }
    }))

  it.effect("C11: verdicts", () =>
    Effect.gen(function*() {
      const verdict = (...answers: ReadonlyArray<Answer>) =>
        Effect.map(run(answers, send), ({ error }) => [error?._tag, outcome(error)])
      deepStrictEqual(yield* verdict(refusedConnection), ["RetryError", "not-sent"])
      deepStrictEqual(yield* verdict(brokenConnection, refusedConnection), ["RetryError", "unknown"])
      deepStrictEqual(yield* verdict(problem(429)), ["RetryError", "refused"])
      deepStrictEqual(yield* verdict(refusedConnection, problem(400)), ["BadRequestError", "refused"])
      deepStrictEqual(yield* verdict(problem(503), problem(401)), ["AuthenticationError", "unknown"])
      deepStrictEqual(yield* verdict(problem(503), problem(403)), ["ForbiddenError", "unknown"])
      deepStrictEqual(yield* verdict(problem(503), problem(429)), ["RetryError", "unknown"])
      deepStrictEqual(yield* verdict(problem(503), problem(409)), ["ConflictError", "refused"])
      deepStrictEqual(yield* verdict(problem(503), { status: 409, body: "?" }), ["ConflictError", "unknown"])
      deepStrictEqual(yield* verdict(problem(408)), ["RetryError", "unknown"])
      deepStrictEqual(yield* verdict({ status: 202, body: "<html>" }), ["RetryError", "unknown"])
      deepStrictEqual(yield* verdict({ status: 204 }), ["RetryError", "unknown"])
    }))

  it.effect("401 while /readyz answers 503 is a retried ServerError", () =>
    Effect.gen(function*() {
      const { error, requests } = yield* run([problem(401)], send, {}, 503)
      assert(error?._tag === "RetryError" && error.cause._tag === "ServerError")
      strictEqual(error.cause.maskedStatus, 401)
      strictEqual(requests.length, 4)
      const off = yield* run([problem(401)], send, { probeOutages: false }, 503)
      strictEqual(off.error?._tag, "AuthenticationError")
      strictEqual(off.probes.length, 0)
    }))

  it.effect("C17: only the text true is a replay", () =>
    Effect.gen(function*() {
      for (const [value, replayed] of [["true", true], ["TRUE", false], ["", false]] as const) {
        const { exit } = yield* run([{ ...accepted, headers: { "idempotent-replay": value } }], send)
        strictEqual(Exit.isSuccess(exit) && exit.value.replayed, replayed)
      }
    }))

  it.effect("C19: a prefix and trailing slashes", () =>
    Effect.gen(function*() {
      const { requests } = yield* run([accepted], send, { baseUrl: "http://h.test/a/b//" })
      strictEqual(requests[0]?.path, "/a/b/v1/events")
    }))

  it.effect("C22: unusable arguments and payloads are refused before anything is sent", () =>
    Effect.gen(function*() {
      const bad: ReadonlyArray<readonly [string, unknown, HookrailClient.SendOptions?]> = [
        ["", 1],
        ["a\nb", 1],
        ["t", undefined],
        ["t", "x".repeat(262_143)],
        ["t", 1, { idempotencyKey: "" }],
        ["t", 1, { idempotencyKey: "é" }],
        ["t", 1, { idempotencyKey: "a b" }],
        ["t", 1, { idempotencyKey: "k".repeat(2_049) }],
        ["t", 1, { orderingKey: "" }],
        ["t", 1, { orderingKey: "é" }],
        ["t", 1, { orderingKey: "k".repeat(257) }],
        ["t", { ordering_key: "a" }, { orderingKey: "b" }],
        ["t", { ordering_key: "語".repeat(86) }],
        ["t", 1, { timeout: -1 }],
        ["t", 1, { timeout: "Infinity" as never }],
        ["t", 1, { retry: { maxRetries: -1 } }],
        ["t", 1, { retry: "no" as never }]
      ]
      for (const [topic, payload, options] of bad) {
        const { error, requests } = yield* run([accepted], HookrailClient.sendEvent(topic, payload as {}, options))
        assert.include(
          ["InvalidArgumentError", "InvalidPayloadError", "PayloadTooLargeError"],
          error?._tag,
          inspect([topic.slice(0, 9), options])
        )
        strictEqual(outcome(error), "not-sent")
        strictEqual(requests.length, 0)
      }
    }))

  it.effect("C27: the ordering key is a header, or a member of the payload, or both alike", () =>
    Effect.gen(function*() {
      const program = HookrailClient.sendEvent("t", { ordering_key: "a" }, { orderingKey: "a" })
      const { requests } = yield* run([accepted], program)
      strictEqual(requests[0]?.headers["x-hookrail-ordering-key"], "a")
    }))

  it.effect("an unmatched event is logged once per topic, ignored, or an error", () =>
    Effect.gen(function*() {
      const answers = [{ status: 202, body: { event_id: "e", delivery_ids: null } }]
      const logs: Array<unknown> = []
      const capture = Effect.provide(Logger.add(Logger.make(({ message }) => void logs.push(message))))
      yield* capture(run(answers, Effect.zipRight(send, send)))
      strictEqual(logs.length, 1)
      yield* capture(run(answers, send, { onUnmatched: "ignore" }))
      strictEqual(logs.length, 1)
      const { error } = yield* run(answers, send, { onUnmatched: "fail" })
      strictEqual(error?._tag, "UnmatchedEventError")
    }))

  it.effect("a typed topic is encoded by its Schema, and a failure does not show the value", () =>
    Effect.gen(function*() {
      const topic = Topic.make("t", Schema.Struct({ items: Schema.Array(Schema.NumberFromString) }))
      const good = yield* run([accepted], HookrailClient.sendEvent(topic, { items: [1] }))
      strictEqual(new TextDecoder().decode(good.requests[0]?.body), `{"topic":"t","payload":{"items":["1"]}}`)
      const { error } = yield* run([accepted], HookrailClient.sendEvent(topic, { items: ["hidden" as never] }))
      assert(error?._tag === "InvalidPayloadError")
      strictEqual(error.path, "$.items[0]")
      assert.notInclude(error.message, "hidden")
    }))

  it.effect("content keys are stable, random ones are not", () =>
    Effect.gen(function*() {
      const request = { topic: "t", payload: new Uint8Array([1]), orderingKey: undefined }
      strictEqual(yield* IdempotencyKeys.content.keyFor(request), yield* IdempotencyKeys.content.keyFor(request))
      assert.notStrictEqual(
        yield* IdempotencyKeys.random.keyFor(request),
        yield* IdempotencyKeys.random.keyFor(request)
      )
    }))

  it.effect("no error shows the API key, even one that the server echoes", () =>
    Effect.gen(function*() {
      const echo = { title: apiKey, detail: `Bearer ${apiKey}`, type: apiKey }
      const long = " ".repeat(4_090) + apiKey
      const answers: Array<Answer> = [302, 400, 401, 403, 404, 408, 409, 413, 429, 503, 202].flatMap((status) => [
        { status, body: echo },
        { status, body: long }
      ])
      for (const answer of answers) {
        const { error, exit } = yield* run([answer], send)
        assert.isDefined(error)
        const shown = [error?.message, JSON.stringify(error), inspect(error, { depth: 10 }), JSON.stringify(exit)]
        if (Exit.isFailure(exit)) shown.push(Cause.pretty(exit.cause, { renderErrorCause: true }))
        assert.notInclude(shown.join(), apiKey)
        assert.notInclude(shown.join(), apiKey.slice(0, 6))
      }
    }))

  it.effect("no connection error shows the API key", () =>
    Effect.gen(function*() {
      const { error } = yield* run(
        [Object.assign(Object.create(brokenConnection), { description: `bad ${apiKey}` })],
        send
      )
      assert.isDefined(error)
      assert.notInclude(`${error?.message}${JSON.stringify(error)}`, apiKey)
    }))
})

describe("getEvent and awaitEvent", () => {
  const status = (...states: ReadonlyArray<string>) => ({
    status: 200,
    body: {
      event_id: "e",
      topic: "t",
      deliveries: states.length === 0 ? null : states.map((state) => ({ delivery_id: "d", state, attempts: [] }))
    }
  })

  it.effect("C32: 500 and 503 are retried; 404 is believed only if the server is ready", () =>
    Effect.gen(function*() {
      const get = HookrailClient.getEvent("e")
      strictEqual((yield* run([problem(500), problem(503), status()], get)).requests.length, 3)
      strictEqual((yield* run([problem(404)], get)).error?._tag, "NotFoundError")
      const { error } = yield* run([problem(404)], get, {}, 503)
      assert(error?._tag === "RetryError" && error.cause._tag === "ServerError")
      strictEqual(error.cause.maskedStatus, 404)
    }))

  it.effect("the id is percent-encoded, and refused if it would reach another route", () =>
    Effect.gen(function*() {
      const { requests } = yield* run([status()], HookrailClient.getEvent("a/b?c#d é"))
      strictEqual(requests[0]?.path, "/v1/events/a%2Fb%3Fc%23d%20%C3%A9")
      for (const id of ["", ".", "..", "\ud800"]) {
        const { error, requests } = yield* run([status()], HookrailClient.getEvent(id))
        strictEqual(error?._tag, "InvalidArgumentError")
        strictEqual(requests.length, 0)
      }
    }))

  it.effect("awaits terminal states, at once if there are no deliveries", () =>
    Effect.gen(function*() {
      const wait = HookrailClient.awaitEvent("e")
      strictEqual((yield* run([status()], wait)).requests.length, 1)
      strictEqual((yield* run([status("pending"), status("in_flight"), status("skipped")], wait)).requests.length, 3)
      const { error } = yield* run([status("pending", "succeeded")], wait)
      assert(error?._tag === "AwaitTimeoutError")
      deepStrictEqual(error.states, ["pending", "succeeded"])
    }))

  it.effect("reads again after 250 ms, then after twice as long each time, up to 5 seconds", () =>
    Effect.gen(function*() {
      const times: Array<number> = []
      const transport = {
        request: () =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            times.push(now)
            return {
              header: () => undefined,
              truncated: false,
              ...status("pending"),
              body: JSON.stringify(status("pending").body)
            }
          })
      }
      const wait = Effect.flip(
        Effect.provide(HookrailClient.awaitEvent("e", { timeout: "20 seconds" }), layer(transport))
      )
      const fiber = yield* Effect.fork(wait)
      yield* TestClock.adjust("1 minute")
      strictEqual((yield* Fiber.join(fiber))._tag, "AwaitTimeoutError")
      deepStrictEqual(times, [0, 250, 750, 1_750, 3_750, 7_750, 12_750, 17_750])
    }))

  it.effect("ends with the schedule of the program", () =>
    Effect.gen(function*() {
      const wait = HookrailClient.awaitEvent("e", { schedule: Schedule.recurs(2) })
      const { error, requests } = yield* run([status("pending")], wait)
      strictEqual(requests.length, 3)
      strictEqual(error?._tag, "AwaitTimeoutError")
    }))
})

describe("sendEvents", () => {
  it.effect("keeps order, collects failures, and takes no more inputs than are under way", () =>
    Effect.gen(function*() {
      let taken = 0
      let running = 0
      let most = 0
      let ahead = 0
      let done = 0
      const transport = {
        request: () =>
          Effect.gen(function*() {
            most = Math.max(most, ++running)
            ahead = Math.max(ahead, taken - done)
            yield* Effect.sleep(running % 2 === 0 ? 10 : 30)
            running--
            done++
            return { status: 202, header: () => undefined, body: JSON.stringify(accepted.body), truncated: false }
          })
      }
      const inputs = Stream.range(0, 39, 1).pipe(
        Stream.tap(() => Effect.sync(() => taken++)),
        Stream.map((n) => Event.make(n === 7 ? "" : "t", { n }))
      )
      const fiber = yield* HookrailClient.sendEvents(inputs, { concurrency: 4, onError: "collect" }).pipe(
        Stream.runCollect,
        Effect.provide(layer(transport)),
        Effect.fork
      )
      yield* TestClock.adjust("1 minute")
      const results = Array.from(yield* Fiber.join(fiber))
      deepStrictEqual(
        results.map((result) => (result.input.payload as { n: number }).n),
        Array.from({ length: 40 }, (_, n) => n)
      )
      deepStrictEqual(results.flatMap((result, n) => result._tag === "Failed" ? [n] : []), [7])
      strictEqual(most, 4)
      assert.isAtMost(ahead, 10)
    }))

  it.effect("serialises one ordering key, and fails with the first error", () =>
    Effect.gen(function*() {
      let running = 0
      let most = 0
      const transport = {
        request: () =>
          Effect.acquireUseRelease(
            Effect.sync(() => void (most = Math.max(most, ++running))),
            () =>
              Effect.as(Effect.sleep(10), {
                status: 202,
                header: () => undefined,
                body: JSON.stringify(accepted.body),
                truncated: false
              }),
            () => Effect.sync(() => void running--)
          )
      }
      const inputs = Stream.range(1, 8).pipe(Stream.map((n) => Event.make("t", n, { orderingKey: "k" })))
      const fiber = yield* Effect.fork(
        Stream.runDrain(HookrailClient.sendEvents(inputs)).pipe(Effect.provide(layer(transport)))
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      strictEqual(most, 1)
      const error = yield* Effect.flip(
        Stream.runDrain(HookrailClient.sendEvents(Stream.make(Event.make("", 1)))).pipe(
          Effect.provide(layer(transport))
        )
      )
      strictEqual(error._tag, "InvalidArgumentError")
    }))
})

it.effect("at most 64 requests are in flight, and interruption brings them back to zero", () =>
  Effect.gen(function*() {
    let running = 0
    const transport = {
      request: () =>
        Effect.acquireUseRelease(Effect.sync(() => running++), () => Effect.never, () => Effect.sync(() => running--))
    }
    const program = Effect.forEach(Array.from({ length: 100 }), () => send, { concurrency: "unbounded" })
    const fiber = yield* Effect.fork(Effect.provide(program, layer(transport)))
    yield* TestClock.adjust(Duration.seconds(1))
    strictEqual(running, 64)
    yield* Fiber.interrupt(fiber)
    strictEqual(running, 0)
  }))
