import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import {
  DeliveryLog,
  type Event,
  HookrailClient,
  HookrailConfig,
  type HookrailError,
  RetryPolicy,
  SendGate,
  SignatureVerifier,
  Transport,
  Webhooks
} from "../src/index.js"
import { closest, Reason, topicPattern } from "../src/options/check.js"
import { positiveDuration, tolerance } from "../src/options/duration.js"
import { millisOf } from "../src/options/tolerance.js"

const apiKey = Redacted.make("k")
const secrets = Redacted.make("whsec_0123456789abcdef")

type Make = (options: never) => Effect.Effect<unknown, HookrailError.HookrailConfigError>

const webhooks: Make = (options) =>
  Effect.provide(
    Webhooks.make([], options),
    Layer.merge(SignatureVerifier.layer({ secrets }), DeliveryLog.layerNone)
  )

const makers: Readonly<Record<string, Make>> = {
  config: (options: object) => HookrailConfig.make({ apiKey, ...options }),
  gate: SendGate.make,
  retry: RetryPolicy.make,
  log: DeliveryLog.makeMemory,
  verifier: (options: object) => SignatureVerifier.make({ secrets, ...options }),
  webhooks
}

const cases: ReadonlyArray<readonly [maker: string, options: object, option: string, reason: string]> = [
  ["config", { baseURL: "http://h" }, "baseURL", "there is no such option: did you mean baseUrl?"],
  ["config", { url: "http://h" }, "url", "did you mean baseUrl?"],
  ["config", { retires: 3 }, "retires", "did you mean retry?"],
  ["config", { timeoutMs: 3 }, "timeoutMs", "did you mean timeout?"],
  ["config", { shards: 3 }, "shards", "there is no such option: there are apiKey, baseUrl, retry, timeout"],
  ["config", { onUnmatched: "throw" }, "onUnmatched", "must be \"log\", \"ignore\" or \"fail\""],
  ["config", { probeOutages: "no" }, "probeOutages", "must be true or false"],
  ["config", { timeout: "20" }, "timeout", "must be a finite duration above 0, such as \"20 seconds\""],
  ["config", { timeout: 0 }, "timeout", "must be a finite duration above 0, such as \"20 seconds\""],
  ["config", { responseTimeout: null }, "responseTimeout", "must be a finite duration above 0"],
  ["config", { maxInFlight: 1.5 }, "maxInFlight", "must be a whole number, 1 or more"],
  ["config", { maxInFlight: "8" }, "maxInFlight", "must be a whole number, 1 or more"],
  ["config", { retry: { maxRetires: 1 } }, "retry.maxRetires", "did you mean maxRetries?"],
  ["config", { retry: 3 }, "retry", "must be settings such as { maxRetries: 5 }"],
  ["config", { apiKey: Redacted.make("\"hk_key\"") }, "apiKey", "in quotes"],
  ["config", { apiKey: Redacted.make("undefined") }, "apiKey", "was a variable not set?"],
  [
    "config",
    { apiKey: Redacted.make("whsec_0123456789abcdef") },
    "apiKey",
    "it is a webhook secret (whsec_): give an API key (hk_)"
  ],
  ["config", { apiKey: Redacted.make("hkadm_0123456789abcdef") }, "apiKey", "it is an admin token (hkadm_)"],
  ["gate", { maxInflight: 1 }, "gate.maxInflight", "did you mean maxInFlight?"],
  ["gate", { maxInFlight: 0 }, "gate.maxInFlight", "must be a whole number, 1 or more"],
  ["gate", { initialRate: 1 }, "gate.initialRate", "there is no such option"],
  ["gate", { maxPause: 0 }, "gate.maxPause", "must be a finite duration above 0"],
  ["gate", { maxPause: Infinity }, "gate.maxPause", "must be a finite duration above 0"],
  ["retry", { maxRetries: -1 }, "retry.maxRetries", "must be a whole number, 0 or more"],
  ["retry", { base: "2 seconds", cap: "1 second" }, "retry.cap", "must not be less than base"],
  ["retry", { respectRetryAfter: "yes" }, "retry.respectRetryAfter", "must be true or false"],
  ["log", { size: 3 }, "size", "there are capacity, ttl"],
  ["verifier", { secret: secrets }, "secret", "did you mean secrets?"],
  ["verifier", { secrets: Redacted.make("hk_0123456789abcdef") }, "secrets", "the secret is an API key"],
  ["verifier", { secrets: Redacted.make("hkadm_0123456789abcdef") }, "secrets", "give the secret of the endpoint"],
  [
    "verifier",
    { tolerance: 300 },
    "tolerance",
    "at least 1 second, such as \"5 minutes\" or 300000 (a number is milliseconds)"
  ],
  ["webhooks", { onUnHandled: "retry" }, "onUnHandled", "did you mean onUnhandled?"],
  ["webhooks", { onUnverified: "throw" }, "onUnverified", "must be \"retry\" or \"reject\""],
  ["webhooks", { onUnhandled: "ignore" }, "onUnhandled", "must be \"reject\", \"retry\" or \"acknowledge\""],
  ["webhooks", { maxBodyBytes: "1mb" }, "maxBodyBytes", "must be a number above 0"]
]

describe("options", () => {
  it.effect.each(cases)("%s: %j is refused", ([maker, options, option, reason]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(makers[maker]!(options as never))
      assert.strictEqual(error._tag, "HookrailConfigError")
      assert.strictEqual(error.option, option)
      assert.include(error.reason, reason)
    }))

  it.effect.each(Object.entries(makers))(
    "%s: what is no object is refused, and undefined is left out",
    ([name, make]) =>
      Effect.gen(function*() {
        if (name !== "config" && name !== "verifier") {
          const error = yield* Effect.flip(make("key" as never))
          assert.deepInclude(error, { reason: "must be an object" })
        }
        yield* make(
          { timeout: undefined, maxRetries: undefined, tolerance: undefined, ttl: undefined }[name] as never ?? {}
        )
      })
  )

  it.effect("an unknown name says more than what is missing for it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(HookrailConfig.make({ apikey: apiKey } as never))
      assert.strictEqual(error.reason, "there is no such option: did you mean apiKey?")
    }))
})

describe("handlers", () => {
  const refused = (handlers: ReadonlyArray<unknown>) =>
    Effect.flip(Effect.provide(
      Webhooks.make(handlers as []),
      Layer.merge(SignatureVerifier.layer({ secrets }), DeliveryLog.layerNone)
    ))
  const ok = () => Effect.void

  it.effect.each(["", "*.created", "orders*", "orders.*.created", ".*", "**"])(
    "the pattern %j is refused",
    (pattern) =>
      Effect.gen(function*() {
        const error = yield* refused([Webhooks.on(pattern, ok)])
        assert.strictEqual(error.option, "handlers")
        assert.include(error.reason, `${JSON.stringify(pattern)} must be a topic, a prefix`)
      })
  )

  it.each(["*", "orders.created", "orders.*", "a.*"])("the pattern %j is taken", (pattern) => {
    assert.strictEqual(topicPattern(pattern), pattern)
  })

  it.effect("a handler that is no function, or none at all, is refused", () =>
    Effect.gen(function*() {
      const unset = yield* refused([Webhooks.on("a", undefined as never)])
      assert.strictEqual(unset.reason, "the one for \"a\" must be a function")
      const effect = yield* refused([Webhooks.on("a", Effect.void as never)])
      assert.strictEqual(effect.reason, "the one for \"a\" must be a function")
      assert.include((yield* refused([undefined])).reason, "must be a topic")
      assert.include((yield* refused([Webhooks.on(undefined as never, ok)])).reason, "must be a topic")
      assert.include((yield* refused({ a: ok } as never)).reason, "must be an array")
    }))
})

describe("options of calls", () => {
  const client = (requests: Array<unknown> = []) =>
    Effect.provideService(HookrailClient.make({ apiKey }), Transport.Transport, {
      request: ({ path }) =>
        Effect.sync(() => {
          requests.push(path)
          const body = JSON.stringify({ event_id: "01JXAMPLEEVENTID0000000000", delivery_ids: ["d"] })
          return { status: 202, header: () => undefined, body, truncated: false }
        })
    })

  it.effect("an unknown name is refused before anything is sent", () =>
    Effect.gen(function*() {
      const requests: Array<unknown> = []
      const { getEvent, sendEvent } = yield* client(requests)
      for (const options of [{ idempotencykey: "k" }, { "idempotency_key": "k" }, { idempotencyKeys: "k" }]) {
        const error = yield* Effect.flip(sendEvent("a", {}, options as Event.SendOptions))
        assert.deepInclude(error, { _tag: "InvalidArgumentError", argument: "options", outcome: "not-sent" })
        assert.include(
          error.message,
          `invalid options: ${Object.keys(options)[0]}: there is no such option: did you mean idempotencyKey?`
        )
      }
      const error = yield* Effect.flip(getEvent("e", { timout: "1 second" } as never))
      assert.include(error.message, "did you mean timeout?")
      assert.deepStrictEqual(requests, [])
    }))

  it.effect("an event of sendEvents may carry what it likes", () =>
    Effect.gen(function*() {
      const results = yield* HookrailClient.sendEvents(
        Stream.make({ row: 4711, topic: "a", payload: {} }),
        { concurrency: 1 }
      ).pipe(Stream.runCollect, Effect.provideServiceEffect(HookrailClient.HookrailClient, client()))
      assert.strictEqual(results.length, 1)
    }))

  it.effect.each([
    [{ concurrency: 0 }, "concurrency"],
    [{ concurrency: NaN }, "concurrency"],
    [{ concurrency: "unbounded" }, "concurrency"],
    [{ concurency: 1 }, "options"],
    [{ onError: "ignore" }, "onError"]
  ])("sendEvents dies of %j", ([options, argument]) =>
    Effect.gen(function*() {
      const exit = yield* HookrailClient.sendEvents(Stream.empty, options as never).pipe(
        Stream.runDrain,
        Effect.provideServiceEffect(HookrailClient.HookrailClient, client()),
        Effect.catchAllDefect(Effect.fail),
        Effect.exit
      )
      assert.deepInclude(Exit.isFailure(exit) && exit.cause, { _tag: "Fail" })
      const error = Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error as object : {}
      assert.deepInclude(error, { _tag: "InvalidArgumentError", argument, outcome: "not-sent" })
    }))
})

describe("durations", () => {
  it("property: a text without Effect is read as Effect reads it", () => {
    const units = [
      "milli",
      "millis",
      "second",
      "seconds",
      "minute",
      "minutes",
      "hour",
      "hours",
      "day",
      "days",
      "week",
      "weeks"
    ]
    fc.assert(
      fc.property(
        fc.oneof(fc.nat(), fc.double({ min: 0, max: 1e6, noNaN: true }).map((n) => n.toFixed(3))),
        fc.constantFrom(...units),
        fc.constantFrom(" ", "  "),
        (amount, unit, blank) => {
          const text = `${amount}${blank}${unit}`
          const expected = Option.map(Duration.decodeUnknown(text), Duration.toMillis)
          const millis = Option.getOrThrow(expected)
          // The lines of Effect multiply in different orders, which can differ in the last digit.
          assert.approximately(millisOf(text), millis, millis * 1e-12)
        }
      ),
      { seed: 8, numRuns: 1_000 }
    )
  })

  it.each([
    "",
    "5",
    "5 parsecs",
    "soon",
    "-5 minutes",
    "5minutes",
    " 5 minutes",
    "1e3 seconds",
    "5 constructor",
    null,
    {},
    []
  ])(
    "%j is none, with Effect or without",
    (input) => {
      assert.isNaN(millisOf(input))
      assert.instanceOf(positiveDuration(input), Reason)
      assert.instanceOf(tolerance(input), Reason)
    }
  )

  it("a tolerance below a second can only be one of seconds", () => {
    assert.deepStrictEqual([0, 1000, "1 second", 300_000].map(tolerance), [0, 1000, 1000, 300_000])
    for (const value of [1, 300, 999.9, "300 millis"]) assert.instanceOf(tolerance(value), Reason)
  })
})

describe("did you mean", () => {
  const names = [
    "apiKey",
    "baseUrl",
    "timeout",
    "responseTimeout",
    "retry",
    "maxInFlight",
    "onUnmatched",
    "probeOutages"
  ]

  it.each([
    ["apikey", "apiKey"],
    ["api_key", "apiKey"],
    ["key", "apiKey"],
    ["baseURL", "baseUrl"],
    ["timout", "timeout"],
    ["response_timeout", "responseTimeout"],
    ["retries", "retry"],
    ["maxInflight", "maxInFlight"],
    ["onUnmached", "onUnmatched"],
    ["headers", undefined],
    ["x", undefined],
    ["t".repeat(10_000), undefined]
  ])("%s: %s", (word, expected) => {
    assert.strictEqual(closest(word, names), expected)
  })
})
