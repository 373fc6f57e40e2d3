import { assert, describe, it } from "@effect/vitest"
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import {
  Cause,
  Context,
  Deferred,
  type Duration,
  Effect,
  Exit,
  Fiber,
  HashMap,
  Layer,
  Logger,
  LogLevel,
  Metric,
  Option,
  Redacted,
  Ref,
  Schema,
  Scope,
  TestClock,
  Tracer
} from "effect"

import { vi } from "vitest"
import { DeliveryLog, HookrailError, SignatureVerifier, Topic, Webhooks } from "../src/index.js"

const secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef"

interface Given {
  readonly topic?: string
  readonly deliveryId?: string
  readonly body?: string
  readonly secret?: string
  readonly timestamp?: number
  readonly headers?: Record<string, string>
  readonly method?: string
}

/** A request as Hookrail sends it, or nearly so. */
const request = (given: Given = {}): Effect.Effect<Webhooks.WebhookRequest> => {
  const { body = `{"order_id": "o_1"}`, deliveryId = "01DELIVERY", topic = "orders.created" } = given
  return Effect.map(
    SignatureVerifier.sign({
      secret: Redacted.make(given.secret ?? secret),
      deliveryId,
      body,
      timestamp: given.timestamp
    }),
    (signature) => ({
      method: given.method ?? "POST",
      headers: {
        "hookrail-topic": topic,
        "hookrail-event-id": "01EVENT",
        "hookrail-delivery-id": deliveryId,
        "hookrail-signature": signature,
        ...given.headers
      },
      body: () => Effect.succeed(new TextEncoder().encode(body)),
      advice: "the line to change"
    })
  )
}

const verifier = SignatureVerifier.layer({ secrets: Redacted.make(secret) })

const webhooks = (
  handlers: ReadonlyArray<Webhooks.Handler>,
  options?: Webhooks.Options
) => Effect.provide(Webhooks.make(handlers, options), Layer.merge(verifier, DeliveryLog.layerMemory()))

const statusOf = (service: Webhooks.Service, given?: Given) =>
  Effect.map(Effect.flatMap(request(given), service.handle), ({ status }) => status)

const OrderCreated = Topic.make(
  "orders.created",
  Schema.Struct({ order_id: Schema.String, placed: Schema.optional(Schema.Date) })
)

const webhooksMetric = Metric.counter("hookrail.webhooks", {
  description: "Webhook requests received, by outcome",
  incremental: true
})

/** What was logged meanwhile, as text. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, string], E, R> =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ annotations, cause, logLevel, message }) => {
      const notes = JSON.stringify(Object.fromEntries(HashMap.toEntries(annotations)))
      lines.push(`${logLevel.label} ${String(message)} ${notes} ${Cause.isEmpty(cause) ? "" : Cause.pretty(cause)}`)
    })
    return effect.pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.All),
      Effect.map((value) => [value, lines.join("\n")] as const)
    )
  })

/** Lines as they are written. On a slow machine, the test clock has one of its own: that a test takes its time. */
const logTo = (lines: Array<string>): Layer.Layer<never> => {
  const logger = Logger.make(({ logLevel, message }) => {
    if (!String(message).includes("A test is using time")) lines.push(`${logLevel.label} ${String(message)}`)
  })
  return Logger.replace(Logger.defaultLogger, logger)
}

/** WebCrypto answers from outside of Effect. */
const until = (isSo: () => boolean) => Effect.promise(() => vi.waitUntil(isSo, { timeout: 60_000, interval: 1 }))

describe("handlers", () => {
  it.effect("one of a typed topic gets the decoded payload and what was verified", () =>
    Effect.gen(function*() {
      const events: Array<Webhooks.WebhookEvent<{ readonly order_id: string; readonly placed?: Date | undefined }>> = []
      const service = yield* webhooks([Webhooks.on(OrderCreated, (event) => Effect.sync(() => events.push(event)))])
      yield* TestClock.setTime(1_781_092_800_123)
      const body = `{"placed": "2026-11-23T00:00:00.000Z", "order_id": "o_1"}`
      const answer = yield* Effect.flatMap(request({ body }), service.handle)
      deepStrictEqual(answer, { status: 204, headers: {}, outcome: "handled" })
      strictEqual(events.length, 1)
      const event = events[0]!
      deepStrictEqual(event.payload, { order_id: "o_1", placed: new Date("2026-11-23T00:00:00.000Z") })
      strictEqual(event.topic, "orders.created")
      strictEqual(event.eventId, "01EVENT")
      strictEqual(event.deliveryId, "01DELIVERY")
      strictEqual(event.receivedAt.getTime(), 1_781_092_800_123)
      strictEqual(new TextDecoder().decode(event.rawBody), body)
      strictEqual(event.webhook.secretIndex, 0)
      strictEqual(event.webhook.signedAtSeconds, 1_781_092_800)
    }))

  it.effect("the most exact one is taken, whatever the order", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const note = (name: string) => () => Effect.sync(() => void taken.push(name))
      const service = yield* webhooks([
        Webhooks.otherwise(note("otherwise")),
        Webhooks.on("orders.*", note("orders.*")),
        Webhooks.on("orders.eu.*", note("orders.eu.*")),
        Webhooks.on(OrderCreated, note("orders.created"))
      ])
      for (const [index, topic] of ["orders.created", "orders.eu.paid", "orders.paid", "orders", "x"].entries()) {
        strictEqual(yield* statusOf(service, { topic, deliveryId: `d${index}` }), 204)
      }
      deepStrictEqual(taken, ["orders.created", "orders.eu.*", "orders.*", "otherwise", "otherwise"])
    }))

  it.effect("a star that the server reads literally is literal here too", () =>
    Effect.gen(function*() {
      const service = yield* webhooks([Webhooks.on(Topic.make("a*", Schema.Unknown), () => Effect.void)])
      strictEqual(yield* statusOf(service, { topic: "ab", deliveryId: "1" }), 422)
      strictEqual(yield* statusOf(service, { topic: "a*", deliveryId: "2" }), 204)
    }))

  it.effect("two of one topic are refused", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(webhooks([
        Webhooks.on(OrderCreated, () => Effect.void),
        Webhooks.on("orders.created", () => Effect.void)
      ]))
      assertTrue(error.message.includes("orders.created"))
    }))

  it.effect("what they need is taken from where the service is made", () =>
    Effect.gen(function*() {
      class Shop extends Context.Tag("Shop")<Shop, { readonly name: string }>() {}
      const seen: Array<string> = []
      const service = yield* Effect.provide(
        Webhooks.make([
          Webhooks.on("a", () => Effect.map(Shop, ({ name }) => seen.push(name))),
          Webhooks.on("b", () => Effect.void)
        ]),
        Layer.mergeAll(Layer.succeed(Shop, { name: "corner" }), verifier, DeliveryLog.layerMemory())
      )
      strictEqual(yield* statusOf(service, { topic: "a" }), 204)
      deepStrictEqual(seen, ["corner"])
    }))
})

describe("answers", () => {
  const cases: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>, Partial<Webhooks.WebhookAnswer>]> = [
    ["success", Effect.succeed("anything"), { status: 204, outcome: "handled" }],
    ["retryLater", Webhooks.retryLater(), { status: 503, headers: {}, outcome: "retry" }],
    [
      "retryLater with a time, rounded up",
      Webhooks.retryLater({ after: "1500 millis", reason: "busy" }),
      { status: 503, headers: { "retry-after": "2" }, outcome: "retry" }
    ],
    ["reject", Webhooks.reject("no such order"), { status: 422, headers: {}, outcome: "rejected" }],
    ["a failure", Effect.fail("down"), { status: 500, outcome: "failed" }],
    ["a defect", Effect.die("bug"), { status: 500, outcome: "failed" }],
    [
      "a throw",
      Effect.suspend((): Effect.Effect<void> => {
        throw new Error("bug")
      }),
      { status: 500, outcome: "failed" }
    ],
    ["its own interruption", Effect.interrupt, { status: 503, outcome: "interrupted" }]
  ]
  for (const [name, effect, expected] of cases) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const service = yield* webhooks([Webhooks.on("orders.created", () => effect)])
        const [answer] = yield* logged(Effect.flatMap(request(), service.handle))
        deepStrictEqual({ headers: {}, ...expected }, answer)
      }))
  }

  it.effect("a payload that does not fit: 422, or 503 if so configured, and no value of it in the log", () =>
    Effect.gen(function*() {
      let runs = 0
      const handlers = [Webhooks.on(OrderCreated, () => Effect.sync(() => runs++))]
      for (const [onInvalidPayload, status] of [[undefined, 422], ["reject", 422], ["retry", 503]] as const) {
        const service = yield* webhooks(handlers, { onInvalidPayload })
        for (const [index, body] of [`{"order_id": 4711}`, "4711", "{", "\ud800"].entries()) {
          const [answer, log] = yield* logged(statusOf(service, { body, deliveryId: `d${index}` }))
          strictEqual(answer, status)
          assertTrue(log.includes("payload") && !log.includes("4711"), log)
        }
      }
      strictEqual(runs, 0)
    }))

  it.effect("a topic without a handler: 422, 503 or 200", () =>
    Effect.gen(function*() {
      for (
        const [onUnhandled, status] of [[undefined, 422], ["reject", 422], ["retry", 503], [
          "acknowledge",
          200
        ]] as const
      ) {
        const service = yield* webhooks([], { onUnhandled })
        const [answer] = yield* logged(statusOf(service))
        strictEqual(answer, status)
      }
    }))

  it.effect("what is no POST: 405", () =>
    Effect.gen(function*() {
      const service = yield* webhooks([])
      const answer = yield* Effect.flatMap(request({ method: "GET" }), service.handle)
      deepStrictEqual(answer, { status: 405, headers: { allow: "POST" }, outcome: "refused" })
    }))

  it.effect("a body that cannot be read: 413, 408, and 500 with the line to change in the log", () =>
    Effect.gen(function*() {
      const service = yield* webhooks([])
      for (const [reason, status] of [["too-large", 413], ["aborted", 408], ["consumed", 500]] as const) {
        const unreadable = Effect.map(request(), (good): Webhooks.WebhookRequest => ({
          ...good,
          body: () => Effect.fail({ reason }),
          advice: "move it up"
        }))
        const [answer, log] = yield* logged(Effect.flatMap(unreadable, service.handle))
        strictEqual(answer.status, status)
        strictEqual(log.includes("move it up"), reason === "consumed")
      }
    }))

  it.effect("user errors of the same tag are ordinary failures", () =>
    Effect.gen(function*() {
      for (const error of [{ _tag: "Rejected", reason: "mine" }, { _tag: "RetryLater", after: "1 hour" }]) {
        const service = yield* webhooks([Webhooks.otherwise(() => Effect.fail(error))])
        const [answer] = yield* logged(Effect.flatMap(request(), service.handle))
        deepStrictEqual(answer, { status: 500, headers: {}, outcome: "failed" })
      }
    }))

  it.effect("what retryLater and reject give counts, too, if it was returned", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [() => Effect.Effect<unknown>, number]> = [
        [() => Effect.succeed(Webhooks.reject("no")), 422],
        [() => Effect.succeed(Webhooks.retryLater()), 503],
        [() => Effect.succeed(new Webhooks.Rejected({ reason: "no" })), 422],
        [() => Effect.succeed(new Webhooks.RetryLater({})), 503],
        // A fiber is an effect as well, and nothing is wrong with it.
        [() => Effect.fork(Effect.void), 204],
        [() => Effect.succeed({ _tag: "Rejected", reason: "a value" }), 204]
      ]
      for (const [handle, status] of cases) {
        const service = yield* webhooks([Webhooks.otherwise(handle)])
        const [answer, log] = yield* logged(statusOf(service))
        strictEqual(answer, status)
        strictEqual(log.includes("webhook rejected: no"), status === 422)
        // It has not been lost: the claim is free.
        const [again] = yield* logged(statusOf(service))
        strictEqual(again, status === 204 ? 200 : status)
      }
    }))

  it.effect("a claim is released, whatever the failure looks like", () =>
    Effect.gen(function*() {
      const hostile = {
        get _tag() {
          throw new Error("no tag")
        },
        get message() {
          throw new Error("no message")
        },
        toString() {
          throw new Error("no text")
        }
      }
      const cases: ReadonlyArray<readonly [Effect.Effect<unknown, unknown>, number]> = [
        [Webhooks.reject(Symbol("why") as never), 422],
        [Webhooks.reject(hostile as never), 422],
        [Webhooks.retryLater({ reason: Symbol("why") as never }), 503],
        [new Webhooks.RetryLater({ after: Symbol("when") as never }), 503],
        [Effect.fail(hostile), 500],
        [Effect.die(hostile), 500],
        [Effect.fail(Object.create(null)), 500]
      ]
      for (const [effect, status] of cases) {
        const service = yield* webhooks([Webhooks.otherwise(() => effect)])
        for (const _ of [1, 2]) {
          const [answer] = yield* logged(statusOf(service))
          strictEqual(answer, status)
        }
      }
    }))

  it.effect("what a handler returns that shows that it did not succeed is a failure", () =>
    Effect.gen(function*() {
      const saved = Effect.succeed("saved")
      const cases: ReadonlyArray<readonly [returned: unknown, status: number, reason: string]> = [
        [new Error("down"), 500, "returned an error"],
        [new Response(null, { status: 500 }), 500, "a Response of status 500, which does not reach Hookrail"],
        [new Response(null, { status: 404 }), 500, "status 404"],
        [Effect.andThen(saved, saved), 500, "an Effect inside its Effect, which has not run"],
        [Effect.map(saved, () => 1), 500, "use flatMap"],
        [Response.json({}), 204, ""],
        [Option.some(1), 204, ""],
        [Exit.succeed(1), 204, ""],
        [yield* Effect.forkDaemon(Effect.void), 204, ""],
        [{ status: 500 }, 204, ""],
        [
          new Proxy({}, {
            get: () => {
              throw new Error("hostile")
            }
          }),
          204,
          ""
        ],
        [false, 204, ""]
      ]
      for (const [returned, status, reason] of cases) {
        const service = yield* webhooks([Webhooks.otherwise(() => Effect.succeed(returned))])
        const [answer, lines] = yield* logged(statusOf(service))
        strictEqual(answer, status, reason)
        assert.include(JSON.stringify(lines), reason)
      }
    }))

  it("retryLater refuses what is no duration: Hookrail would not wait", () => {
    for (const options of [60, "1 minute", null, { after: "1 min" }, { after: -1 }, { after: "soon" }]) {
      assert.throws(() => Webhooks.retryLater(options as never), /such as \{ after: "1 minute" \}/)
    }
    for (const options of [undefined, {}, { after: 0 }, { after: "1 minute" as const }, { reason: "busy" }]) {
      assert.instanceOf(Webhooks.retryLater(options), Webhooks.RetryLater)
    }
  })

  it.effect("a logger that throws changes nothing", () =>
    Effect.gen(function*() {
      const broken = Logger.replace(
        Logger.defaultLogger,
        Logger.make(() => {
          throw new Error("disk full")
        })
      )
      for (
        const [effect, status] of [
          [Webhooks.reject("no"), 422],
          [Webhooks.retryLater({ reason: "busy" }), 503],
          [Effect.fail("down"), 500]
        ] as ReadonlyArray<readonly [Effect.Effect<never, unknown>, number]>
      ) {
        const service = yield* webhooks([Webhooks.otherwise(() => effect)])
        for (const _ of [1, 2]) {
          const answer = yield* statusOf(service).pipe(
            Effect.provide(broken),
            Logger.withMinimumLogLevel(LogLevel.All)
          )
          strictEqual(answer, status)
        }
        const forged = yield* statusOf(service, { secret: "whsec_another_secret" }).pipe(Effect.provide(broken))
        strictEqual(forged, 503)
      }
    }))

  it.effect("options are checked when it is made", () =>
    Effect.gen(function*() {
      for (
        const options of [
          { onUnverified: "Retry" },
          { onInvalidPayload: "acknowledge" },
          { onUnhandled: "drop" },
          { timeout: "soon" },
          { maxBodyBytes: Number.NaN }
        ]
      ) {
        const error = yield* Effect.flip(webhooks([], options as never))
        deepStrictEqual([error._tag, error.option], ["HookrailConfigError", Object.keys(options)[0]])
      }
    }))
})

describe("verification", () => {
  const ran = () => Effect.dieMessage("a handler must not run")

  it.effect("refuses forged, stale and altered requests, and runs nothing", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_781_092_800_000)
      const good = yield* request()
      const headers = good.headers as Record<string, string>
      const change = (changed: Record<string, string | undefined>, body?: string): Webhooks.WebhookRequest => ({
        ...good,
        headers: { ...headers, ...changed },
        ...(body === undefined ? {} : { body: () => Effect.succeed(new TextEncoder().encode(body)) })
      })
      const cases: ReadonlyArray<readonly [Webhooks.WebhookRequest, retry: number, reject: number]> = [
        [change({ "hookrail-signature": headers["hookrail-signature"]!.replace(/.$/, "x") }), 400, 400],
        [change({ "hookrail-signature": undefined }), 400, 400],
        [change({ "hookrail-delivery-id": undefined }), 400, 400],
        [change({ "hookrail-delivery-id": "01DELIVERY.x" }), 400, 400],
        [change({ "hookrail-topic": undefined }), 400, 400],
        [change({ "hookrail-event-id": undefined }), 400, 400],
        [change({ "hookrail-delivery-id": "01DELIVERY, 01OTHER" }), 503, 401],
        [change({}, `{"order_id": "o_2"}`), 503, 401],
        [change({}, ""), 503, 401],
        [change({}, `{"order_id": "o_1"`), 503, 401],
        [yield* request({ timestamp: 1_781_092_800 - 301 }), 503, 401],
        [yield* request({ timestamp: 1_781_092_800 + 301 }), 503, 401],
        [yield* request({ secret: "whsec_another_secret" }), 503, 401]
      ]
      const retrying = yield* webhooks([Webhooks.otherwise(ran)])
      const rejecting = yield* webhooks([Webhooks.otherwise(ran)], { onUnverified: "reject" })
      for (const [index, [bad, retry, reject]] of cases.entries()) {
        const [answer, log] = yield* logged(Effect.all([retrying.handle(bad), rejecting.handle(bad)]))
        deepStrictEqual([index, ...answer.map(({ status }) => status)], [index, retry, reject])
        assertTrue(!/whsec_[0-9a-z]|o_1|o_2/.test(log), log)
      }
    }))

  it.effect("explains a mismatch in the log, with the line to change: after the answer, and not in it", () =>
    Effect.gen(function*() {
      const service = yield* webhooks([Webhooks.otherwise(ran)])
      const good = yield* request()
      const parsed = { ...good, body: () => Effect.succeed(new TextEncoder().encode(`{"order_id":"o_1"}`)) }
      const lines: Array<string> = []
      const handle = Effect.provide(service.handle(parsed), logTo(lines))
      deepStrictEqual(yield* handle, { status: 503, headers: {}, outcome: "unverified" })
      deepStrictEqual(lines, [])
      yield* TestClock.adjust(0)
      yield* until(() => lines.length > 0)
      strictEqual(lines.length, 1)
      assertTrue(/WARN.*parsed and written again.*the line to change/.test(lines[0]!), lines[0])
    }))

  it.effect("looks for an explanation once in 10 seconds, for the first mismatch and then for the last one", () =>
    Effect.gen(function*() {
      const service = yield* webhooks([Webhooks.otherwise(ran)])
      const good = yield* request()
      const withBody = (body: string): Webhooks.WebhookRequest => ({
        ...good,
        body: () => Effect.succeed(new TextEncoder().encode(body))
      })
      const lines: Array<string> = []
      const handle = (body: string) => Effect.provide(service.handle(withBody(body)), logTo(lines))
      // A forgery comes first.
      yield* handle("forged")
      yield* TestClock.adjust(0)
      yield* until(() => lines.length > 0)
      strictEqual(lines.filter((line) => line.includes("parsed")).length, 0)
      for (let times = 0; times < 20; times++) yield* handle(`{"order_id":"o_1"}`)
      yield* TestClock.adjust(9_999)
      strictEqual(lines.filter((line) => line.includes("parsed")).length, 0)
      yield* TestClock.adjust(1)
      yield* until(() => lines.length > 2)
      strictEqual(lines.filter((line) => line.includes("parsed")).length, 1)
      // The forgery, an explanation and a sum of the others.
      strictEqual(lines.length, 3, lines.join("\n"))
      yield* TestClock.adjust(60_000)
      strictEqual(lines.length, 3, lines.join("\n"))
    }))

  it.effect("10,000 unsigned requests leave two lines: the first one's, and a sum", () =>
    Effect.gen(function*() {
      const service = yield* webhooks([Webhooks.otherwise(ran)])
      const good = yield* request()
      const unsigned = { ...good, headers: {}, body: () => Effect.dieMessage("must not be read") }
      const lines: Array<string> = []
      const handle = Effect.provide(service.handle(unsigned), logTo(lines))
      for (let times = 0; times < 10_000; times++) strictEqual((yield* handle).status, 400)
      yield* Effect.provide(
        service.handle(yield* request({ timestamp: 1_000_000 })),
        logTo(lines)
      )
      strictEqual(lines.length, 1)
      yield* TestClock.adjust("1 hour")
      strictEqual(lines.length, 2, lines.join("\n"))
      assertTrue(
        /WARN 10000 more webhooks refused within 10 seconds: 9999 x .*missing.*; 1 x /.test(lines[1]!),
        lines[1]
      )
      strictEqual((yield* handle).status, 400)
      strictEqual(lines.length, 3)
    }))

  it.effect("reads no body for a request that is unsigned, of another product, stale or no POST", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_781_092_800_000)
      const service = yield* webhooks([Webhooks.otherwise(ran)])
      const body = () => Effect.dieMessage("must not be read")
      const good = yield* request()
      const cases: ReadonlyArray<readonly [Webhooks.WebhookRequest, number]> = [
        [{ ...good, headers: {} }, 400],
        [{ ...good, headers: { "stripe-signature": "t=1,v1=0" } }, 400],
        [{ ...good, headers: { ...good.headers, "hookrail-signature": "t=1" } }, 400],
        [yield* request({ timestamp: 1_781_092_800 - 301 }), 503],
        [yield* request({ timestamp: 1_781_092_800 + 301 }), 503],
        [{ ...good, method: "PUT" }, 405]
      ]
      for (const [refused, status] of cases) {
        const [answer] = yield* logged(service.handle({ ...refused, body }))
        strictEqual(answer.status, status)
      }
    }))
})

describe("duplicates", () => {
  it.effect("a delivery that is done is acknowledged and not handled again; another id is", () =>
    Effect.gen(function*() {
      let runs = 0
      const service = yield* webhooks([Webhooks.otherwise(() => Effect.sync(() => runs++))])
      strictEqual(yield* statusOf(service), 204)
      deepStrictEqual(yield* Effect.flatMap(request(), service.handle), {
        status: 200,
        headers: {},
        outcome: "duplicate"
      })
      strictEqual(runs, 1)
      strictEqual(yield* statusOf(service, { deliveryId: "other" }), 204)
      strictEqual(runs, 2)
    }))

  it.effect("200 at once: one runs, the others are told to come back", () =>
    Effect.gen(function*() {
      let runs = 0
      const go = yield* Deferred.make<void>()
      const service = yield* webhooks([
        Webhooks.otherwise(() => Effect.zipRight(Effect.sync(() => runs++), Deferred.await(go)))
      ])
      const fiber = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 200 }), () => Effect.flatMap(request(), service.handle), {
          concurrency: "unbounded"
        })
      )
      yield* TestClock.adjust(1)
      yield* Deferred.succeed(go, undefined)
      const answers = yield* Fiber.join(fiber)
      strictEqual(runs, 1)
      strictEqual(answers.filter(({ status }) => status === 204).length, 1)
      const twins = answers.filter(({ status }) => status === 425)
      strictEqual(twins.length, 199)
      deepStrictEqual(twins[0], { status: 425, headers: { "retry-after": "2" }, outcome: "running" })
    }))

  it.effect("a delivery that is sent again under another topic or event does not shadow the genuine one", () =>
    Effect.gen(function*() {
      const ran: Array<string> = []
      const service = yield* webhooks([
        Webhooks.on(OrderCreated, ({ topic }) => Effect.sync(() => void ran.push(topic))),
        Webhooks.on(
          Topic.make("refunds.created", Schema.Struct({ refund_id: Schema.String })),
          ({ topic }) => Effect.sync(() => void ran.push(topic))
        ),
        Webhooks.otherwise(({ topic }) => Effect.sync(() => void ran.push(topic)))
      ])
      // Its payload does not fit, and it claims nothing.
      const [refused] = yield* logged(statusOf(service, { topic: "refunds.created" }))
      strictEqual(refused, 422)
      strictEqual(yield* statusOf(service, { topic: "orders.cancelled" }), 204)
      strictEqual(yield* statusOf(service, { headers: { "hookrail-event-id": "01OTHER" } }), 204)
      strictEqual(yield* statusOf(service), 204)
      strictEqual(yield* statusOf(service), 200)
      deepStrictEqual(ran, ["orders.cancelled", "orders.created", "orders.created"])
      // So that no two triples have the same name.
      const [dots] = yield* logged(statusOf(service, { headers: { "hookrail-event-id": "01EVENT.orders" } }))
      strictEqual(dots, 400)
    }))

  for (
    const [name, effect] of [
      ["failure", Effect.fail("down")],
      ["crash", Effect.die("bug")],
      ["retryLater", Webhooks.retryLater()],
      ["reject", Webhooks.reject("no")]
    ] as ReadonlyArray<readonly [string, Effect.Effect<never, unknown>]>
  ) {
    it.effect(`after a ${name} it runs again`, () =>
      Effect.gen(function*() {
        let runs = 0
        const service = yield* webhooks([
          Webhooks.otherwise(() => Effect.suspend(() => ++runs === 1 ? effect : Effect.void))
        ])
        const [first] = yield* logged(statusOf(service))
        assertTrue(first >= 400)
        strictEqual(yield* statusOf(service), 204)
        strictEqual(runs, 2)
      }))
  }

  it.effect("a log that fails: 503, and nothing runs", () =>
    Effect.gen(function*() {
      const broken: DeliveryLog.Service = {
        claim: (deliveryId) =>
          Effect.fail(
            new HookrailError.DeliveryLogError({ operation: "claim", deliveryId, cause: "connection refused" })
          ),
        renew: () => Effect.succeed(true),
        done: () => Effect.void,
        release: () => Effect.void
      }
      const service = yield* Effect.provide(
        Webhooks.make([Webhooks.otherwise(() => Effect.dieMessage("must not run"))]),
        Layer.merge(verifier, Layer.succeed(DeliveryLog.DeliveryLog, broken))
      )
      const [answer, log] = yield* logged(statusOf(service))
      strictEqual(answer, 503)
      assertTrue(log.includes("claim of delivery 01DELIVERY.01EVENT.orders.created failed"), log)
    }))

  it.effect("work that is done is acknowledged, even if the log cannot note it", () =>
    Effect.gen(function*() {
      const forgetful: DeliveryLog.Service = {
        claim: () => Effect.succeed({ _tag: "Claimed", token: "1" }),
        renew: () => Effect.succeed(true),
        done: () => Effect.dieMessage("disk full"),
        release: () => Effect.void
      }
      const service = yield* Effect.provide(
        Webhooks.make([Webhooks.otherwise(() => Effect.void)]),
        Layer.merge(verifier, Layer.succeed(DeliveryLog.DeliveryLog, forgetful))
      )
      const [answer, log] = yield* logged(statusOf(service))
      strictEqual(answer, 204)
      assertTrue(log.includes("disk full"), log)
    }))
})

describe("time", () => {
  it.effect("a handler that runs for 8 seconds is interrupted, answered with 503, and may run again", () =>
    Effect.gen(function*() {
      const interrupted = yield* Ref.make(0)
      let runs = 0
      const service = yield* webhooks([
        Webhooks.otherwise(() =>
          Effect.suspend(() =>
            ++runs === 1 ? Effect.onInterrupt(Effect.never, () => Ref.update(interrupted, (n) => n + 1)) : Effect.void
          )
        )
      ])
      const fiber = yield* Effect.fork(logged(Effect.flatMap(request(), service.handle)))
      yield* TestClock.adjust("7999 millis")
      strictEqual(fiber.unsafePoll(), null)
      yield* TestClock.adjust("1 millis")
      const [answer] = yield* Fiber.join(fiber)
      deepStrictEqual(answer, { status: 503, headers: { "retry-after": "10" }, outcome: "timeout" })
      yield* TestClock.adjust(0)
      strictEqual(yield* Ref.get(interrupted), 1)
      strictEqual(yield* statusOf(service), 204)
    }))

  it.effect("one that cannot be interrupted is answered in time, and keeps its claim until it has ended", () =>
    Effect.gen(function*() {
      let runs = 0
      const service = yield* webhooks([
        Webhooks.otherwise(() =>
          Effect.suspend(() => ++runs === 1 ? Effect.uninterruptible(Effect.sleep("20 seconds")) : Effect.void)
        )
      ])
      const fiber = yield* Effect.fork(logged(statusOf(service)))
      yield* TestClock.adjust("8 seconds")
      strictEqual((yield* Fiber.join(fiber))[0], 503)
      strictEqual(yield* statusOf(service), 425)
      yield* TestClock.adjust("12 seconds")
      strictEqual(yield* statusOf(service), 204)
      strictEqual(runs, 2)
    }))

  it.effect("one that has marked its delivery as done is not run again, though it was interrupted", () =>
    Effect.gen(function*() {
      const service = yield* webhooks([{
        pattern: "*",
        decode: undefined,
        handle: (_: Webhooks.WebhookEvent, done: Effect.Effect<void>) => Effect.zipRight(done, Effect.never)
      }])
      const fiber = yield* Effect.fork(logged(statusOf(service)))
      yield* TestClock.adjust("8 seconds")
      strictEqual((yield* Fiber.join(fiber))[0], 503)
      strictEqual(yield* statusOf(service), 200)
    }))

  it.effect("a log that hangs keeps nobody waiting, and what came before the handler counts", () =>
    Effect.gen(function*() {
      const slow = (delay: Duration.DurationInput): DeliveryLog.Service => ({
        ...DeliveryLog.none,
        claim: () => Effect.uninterruptible(Effect.delay(Effect.succeed({ _tag: "Claimed", token: "1" }), delay))
      })
      const service = (delay: Duration.DurationInput) =>
        Effect.provide(
          Webhooks.make([Webhooks.otherwise(() => Effect.sleep("2 seconds"))]),
          Layer.merge(verifier, Layer.succeed(DeliveryLog.DeliveryLog, slow(delay)))
        )
      const hanging = yield* Effect.fork(logged(Effect.flatMap(service("1 hour"), statusOf)))
      const late = yield* Effect.fork(logged(Effect.flatMap(service("7 seconds"), statusOf)))
      const timely = yield* Effect.fork(Effect.flatMap(service("5 seconds"), statusOf))
      yield* TestClock.adjust("8 seconds")
      strictEqual((yield* Fiber.join(hanging))[0], 503)
      strictEqual((yield* Fiber.join(late))[0], 503)
      strictEqual(yield* Fiber.join(timely), 204)
    }))

  it.effect("a claim lives as long as its handler, however long that runs", () =>
    Effect.gen(function*() {
      let runs = 0
      const service = yield* webhooks([
        Webhooks.otherwise(() =>
          Effect.suspend(() => ++runs === 1 ? Effect.uninterruptible(Effect.sleep("10 minutes")) : Effect.void)
        )
      ])
      const fiber = yield* Effect.fork(logged(statusOf(service)))
      yield* TestClock.adjust("8 seconds")
      strictEqual((yield* Fiber.join(fiber))[0], 503)
      for (let minute = 0; minute < 9; minute++) {
        yield* TestClock.adjust("1 minute")
        strictEqual(yield* statusOf(service), 425)
      }
      yield* TestClock.adjust("1 minute")
      strictEqual(yield* statusOf(service), 204)
      strictEqual(runs, 2)
    }))

  it.effect("a handler whose claim was taken by another process is interrupted, and the log says so", () =>
    Effect.gen(function*() {
      const renewals: Array<string> = []
      const log: DeliveryLog.Service = {
        ...DeliveryLog.none,
        claim: () => Effect.succeed({ _tag: "Claimed", token: "t" }),
        renew: (_, token) =>
          Effect.suspend(() => {
            renewals.push(token)
            return renewals.length < 3 ? Effect.die("away") : Effect.succeed(false)
          })
      }
      let ended = false
      const service = yield* Effect.provide(
        Webhooks.make([Webhooks.otherwise(() =>
          // Not at the first interruption, that of the answer.
          Effect.onInterrupt(Effect.never, () =>
            Effect.zipRight(Effect.sleep("5 minutes"), Effect.sync(() => void (ended = true))))
        )]),
        Layer.merge(verifier, Layer.succeed(DeliveryLog.DeliveryLog, log))
      )
      const lines: Array<string> = []
      yield* Effect.fork(Effect.provide(statusOf(service), logTo(lines)))
      yield* TestClock.adjust("10 minutes")
      strictEqual(ended, true)
      deepStrictEqual(renewals, ["t", "t", "t"])
      strictEqual(lines.filter((line) => line.includes("could not be renewed")).length, 2)
      strictEqual(lines.filter((line) => line.includes("another process has taken it")).length, 1)
    }))

  it.effect("a log that hangs when the work is done: answered 204 when the time is over, and 500 after a failure", () =>
    Effect.gen(function*() {
      for (
        const [effect, status] of [[Effect.void, 204], [Effect.fail("down"), 500]] as ReadonlyArray<
          readonly [Effect.Effect<void, string>, number]
        >
      ) {
        const log: DeliveryLog.Service = { ...DeliveryLog.none, done: () => Effect.never, release: () => Effect.never }
        const service = yield* Effect.provide(
          Webhooks.make([Webhooks.otherwise(() => effect)]),
          Layer.merge(verifier, Layer.succeed(DeliveryLog.DeliveryLog, log))
        )
        const lines: Array<string> = []
        const fiber = yield* Effect.fork(Effect.provide(statusOf(service), logTo(lines)))
        yield* TestClock.adjust("7999 millis")
        strictEqual(fiber.unsafePoll(), null)
        yield* TestClock.adjust("1 millis")
        strictEqual(yield* Fiber.join(fiber), status)
        // Nor is it waited for for ever.
        const drained = yield* Effect.fork(service.drain)
        yield* TestClock.adjust("38 seconds")
        yield* Fiber.join(drained)
        assertTrue(lines.some((line) => line.includes("could not be written")), lines.join())
      }
    }))

  it.effect("a claim that comes too late is given back", () =>
    Effect.gen(function*() {
      const released: Array<string> = []
      const log: DeliveryLog.Service = {
        ...DeliveryLog.none,
        claim: () =>
          Effect.uninterruptible(Effect.delay(Effect.succeed({ _tag: "Claimed", token: "late" }), "9 seconds")),
        release: (delivery, token) => Effect.sync(() => void released.push(`${delivery} ${token}`))
      }
      const service = yield* Effect.provide(
        Webhooks.make([Webhooks.otherwise(() => Effect.dieMessage("must not run"))]),
        Layer.merge(verifier, Layer.succeed(DeliveryLog.DeliveryLog, log))
      )
      const fiber = yield* Effect.fork(logged(statusOf(service)))
      yield* TestClock.adjust("8 seconds")
      strictEqual((yield* Fiber.join(fiber))[0], 503)
      yield* TestClock.adjust("1 seconds")
      // An interrupted claim ends as interrupted, and its lease runs out; one that succeeds is given back.
      assertTrue(released.length <= 1)
    }))

  it.effect("a body that does not come: 408 when the time is over", () =>
    Effect.gen(function*() {
      const service = yield* webhooks([])
      const good = yield* request()
      let stopped = false
      const body = () =>
        Webhooks.streamedBody(1000, (listener) => {
          listener.onChunk(new Uint8Array(1))
          return () => {
            stopped = true
          }
        })
      const fiber = yield* Effect.fork(logged(service.handle({ ...good, body })))
      yield* TestClock.adjust("8 seconds")
      const [answer] = yield* Fiber.join(fiber)
      deepStrictEqual(answer, { status: 408, headers: { connection: "close" }, outcome: "timeout" })
      strictEqual(stopped, true)
    }))

  it.effect("interrupting the request interrupts the handler and gives the claim back", () =>
    Effect.gen(function*() {
      let runs = 0
      const service = yield* webhooks([
        Webhooks.otherwise(() => Effect.suspend(() => ++runs === 1 ? Effect.never : Effect.void))
      ])
      const fiber = yield* Effect.fork(statusOf(service))
      yield* TestClock.adjust(1)
      yield* Fiber.interrupt(fiber)
      strictEqual(yield* statusOf(service), 204)
      strictEqual(runs, 2)
    }))
})

describe("drain", () => {
  it.effect("takes no new work, and ends when all handlers have ended and their claims are settled", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const service = yield* webhooks([Webhooks.otherwise(() => Deferred.await(go))])
      const running = yield* Effect.fork(statusOf(service))
      yield* TestClock.adjust(0)
      const drained = yield* Effect.fork(service.drain)
      yield* TestClock.adjust("1 second")
      strictEqual(drained.unsafePoll(), null)
      deepStrictEqual(yield* Effect.flatMap(request({ deliveryId: "new" }), service.handle), {
        status: 503,
        headers: { connection: "close", "retry-after": "1" },
        outcome: "draining"
      })
      yield* Deferred.succeed(go, undefined)
      strictEqual(yield* Fiber.join(running), 204)
      yield* Fiber.join(drained)
      yield* service.drain
    }))

  it.effect("waits for a handler that has outlived its answer", () =>
    Effect.gen(function*() {
      const service = yield* webhooks([Webhooks.otherwise(() => Effect.uninterruptible(Effect.sleep("1 minute")))])
      const fiber = yield* Effect.fork(logged(statusOf(service)))
      yield* TestClock.adjust("8 seconds")
      yield* Fiber.join(fiber)
      const drained = yield* Effect.fork(service.drain)
      yield* TestClock.adjust("51 seconds")
      strictEqual(drained.unsafePoll(), null)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(drained)
    }))

  it.effect("is what a layer does at its end, before what its handlers need is closed", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      class Shop extends Context.Tag("Shop")<Shop, { readonly sell: Effect.Effect<void> }>() {}
      const ShopLive = Layer.scoped(
        Shop,
        Effect.acquireRelease(
          Effect.succeed({ sell: Effect.sync(() => void events.push("sold")) }),
          () => Effect.sync(() => void events.push("closed"))
        )
      )
      const live = Webhooks.layer([
        Webhooks.otherwise(() => Effect.zipRight(Effect.sleep("2 seconds"), Effect.flatMap(Shop, ({ sell }) => sell)))
      ]).pipe(Layer.provide([ShopLive, verifier, DeliveryLog.layerMemory()]))
      const scope = yield* Scope.make()
      const context = yield* Scope.extend(Layer.build(live), scope)
      const fiber = yield* Effect.fork(statusOf(Context.get(context, Webhooks.Webhooks)))
      yield* TestClock.adjust("1 second")
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      strictEqual(yield* Fiber.join(fiber), 204)
      deepStrictEqual(events, ["sold", "closed"])
    }))
})

describe("what is seen from outside", () => {
  it.effect("logs carry the ids, metrics count the outcomes and the use of each secret", () =>
    Effect.gen(function*() {
      const counted = (outcome: string) =>
        Effect.map(
          Metric.value(Metric.tagged(webhooksMetric, "outcome", outcome)),
          ({ count }) => count
        )
      const before = yield* counted("rejected")
      const service = yield* webhooks([Webhooks.otherwise(() => Webhooks.reject("no such order"))])
      const [, log] = yield* logged(statusOf(service))
      strictEqual(yield* counted("rejected"), before + 1)
      for (const part of ["no such order", "orders.created", "01EVENT", "01DELIVERY", "WARN"]) {
        assertTrue(log.includes(part), log)
      }
    }))

  it.effect("the span of a request has what was in it, and the handler's spans are its children", () =>
    Effect.gen(function*() {
      const parents: Array<string> = []
      const attributes: Array<ReadonlyMap<string, unknown>> = []
      const service = yield* Effect.withSpan(
        webhooks([
          Webhooks.otherwise(() =>
            Effect.flatMap(Effect.currentSpan, (span) =>
              Effect.sync(() => {
                parents.push(span.name)
                attributes.push(span.attributes)
              }))
          )
        ]),
        "start-up"
      )
      const { context, span } = yield* Effect.tracer
      yield* Effect.withTracer(statusOf(service), Tracer.make({ context, span }))
      deepStrictEqual(parents, ["hookrail.webhook"])
      strictEqual(attributes[0]!.get("hookrail.topic"), "orders.created")
      strictEqual(attributes[0]!.get("hookrail.delivery_id"), "01DELIVERY")
      strictEqual(attributes[0]!.get("hookrail.outcome"), "handled")
      strictEqual(attributes[0]!.get("http.response.status_code"), 204)
    }))
})

it("ways in take a runtime, and say so to whoever gives them the layer", () => {
  const layer = Webhooks.layer([Webhooks.otherwise(() => Effect.void)]) as never
  for (const way of [Webhooks.toCallback, Webhooks.toPromise, Webhooks.toWebHandler, Webhooks.toLambdaHandler]) {
    assert.throws(() => way(layer), /ManagedRuntime.make\(layer\)/)
    assert.throws(() => way(undefined as never), /ManagedRuntime.make\(layer\)/)
  }
})
