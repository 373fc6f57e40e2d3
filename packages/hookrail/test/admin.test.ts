import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Fiber, Layer, Redacted, Stream, TestClock } from "effect"
import { inspect } from "node:util"
import { HookrailAdmin, type HookrailConfig, type HookrailError, Transport } from "../src/index.js"
import { type Answer, brokenConnection, refusedConnection, responseOf, scripted } from "./utils/memoryTransport.js"
import { everything } from "./utils/observed.js"

const adminToken = `hkadm_${"ab".repeat(24)}`
const secret = `whsec_${"cd".repeat(24)}`

type Admin<A, E> = Effect.Effect<A, E, HookrailAdmin.HookrailAdmin>

const layer = (transport: Transport.Service, options: HookrailConfig.AdminOptions = {}) =>
  HookrailAdmin.layer({ adminToken: Redacted.make(adminToken), baseUrl: "http://a.test", ...options }).pipe(
    Layer.provide(Layer.succeed(Transport.Transport, transport)),
    Layer.orDie
  )

/** Runs a test over these answers. */
const over = <A, E>(transport: Transport.Service, test: Admin<A, E>, options?: HookrailConfig.AdminOptions) =>
  Effect.provide(test, layer(transport, options))

/** Advances the clock until a call with retries has ended. */
const ended = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("2 minutes")
    return yield* Fiber.join(fiber)
  })

const rows = <A, E, R>(list: Stream.Stream<A, E, R>): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.map(Stream.runCollect(list), (all) => [...all])

const ok = (body: unknown, headers?: Readonly<Record<string, string>>): Answer => ({
  status: 200,
  body,
  ...(headers === undefined ? {} : { headers })
})

const problem = (status: number, title: string, detail = ""): Answer => ({
  status,
  body: { type: "about:blank", title, detail, status }
})

const createdAt = "2026-01-02T03:04:05.123456+02:00"
const endpoint = { id: "e1", url: "https://example.com/", description: "", created_at: createdAt }
const empty = ok({ items: null, next_cursor: "" })

describe("rows", () => {
  const read = <A, E>(body: unknown, test: Admin<A, E>, headers?: Readonly<Record<string, string>>) =>
    over(scripted([ok(body, headers)]), test)

  it.effect("times have the server's offset, and up to six digits", () =>
    Effect.gen(function*() {
      const row = yield* read({ ...endpoint, deleted_at: "2026-01-02T03:04:05Z" }, HookrailAdmin.endpoints.get("e1"))
      assert.deepStrictEqual(row.createdAt, new Date("2026-01-02T01:04:05.123Z"))
      assert.deepStrictEqual(row.deletedAt, new Date("2026-01-02T03:04:05Z"))
    }))

  it.effect("whoami is JSON that travels as plain text", () =>
    Effect.gen(function*() {
      const type = { "content-type": "text/plain; charset=utf-8" }
      assert.deepStrictEqual(yield* read("{\"role\":\"viewer\"}\n", HookrailAdmin.whoami(), type), { role: "viewer" })
    }))

  it.effect("of older servers: Go's names of tokens, no ordering keys, no order, no attempts_truncated", () =>
    Effect.gen(function*() {
      const token = { ID: "t1", Role: "admin", Label: "l", CreatedAt: createdAt, RevokedAt: null }
      const tokens = yield* read({ items: [token], next_cursor: "" }, HookrailAdmin.tokens.page())
      assert.deepStrictEqual(tokens.items, [
        { id: "t1", role: "admin", label: "l", createdAt: new Date("2026-01-02T01:04:05.123Z") }
      ])
      const subscription = { id: "s1", topic_pattern: "*", endpoint_id: "e1", max_attempts: 8, active: true }
      assert.isFalse((yield* read(subscription, HookrailAdmin.subscriptions.get("s1"))).ordered)
      const timeline = { delivery_id: "d1", state: "pending", attempts: [] }
      assert.deepStrictEqual(yield* read(timeline, HookrailAdmin.deliveries.get("d1")), {
        deliveryId: "d1",
        state: "pending",
        attemptsTruncated: false,
        attempts: []
      })
      const letter = { delivery_id: "d1", final_error: "timeout", dead_at: createdAt }
      const letters = yield* read({ items: [letter], next_cursor: "" }, HookrailAdmin.deadLetters.page())
      assert.deepStrictEqual(Object.keys(letters.items[0]!), ["deliveryId", "finalError", "deadAt"])
    }))

  it.effect("of newer servers: unknown members, states, roles and errors", () =>
    Effect.gen(function*() {
      const row = { id: "d1", event_id: "v1", endpoint_id: "e1", state: "paused", ordering_key: null, shards: [1] }
      const page = yield* read({ items: [row], next_cursor: "x", total: 5 }, HookrailAdmin.deliveries.page())
      assert.deepStrictEqual(page, {
        items: [{ deliveryId: "d1", eventId: "v1", endpointId: "e1", state: "paused" }],
        nextCursor: "x"
      })
      assert.deepStrictEqual(yield* read({ role: "owner", since: 1 }, HookrailAdmin.whoami()), { role: "owner" })
    }))

  it.effect("a skip that drains the key, an ordered key without a head", () =>
    Effect.gen(function*() {
      const skipped = { delivery_id: "d1", state: "skipped", next_head_delivery_id: null }
      assert.deepStrictEqual(yield* read(skipped, HookrailAdmin.deliveries.skip("d1")), {
        deliveryId: "d1",
        state: "skipped"
      })
      const key = {
        subscription_id: "s1",
        ordering_key: "",
        head_delivery_id: null,
        blocked_since: null,
        backlog_count: 1
      }
      const page = yield* read({ items: [key], next_cursor: "" }, HookrailAdmin.orderedKeys.page())
      assert.deepStrictEqual(page.items, [{ subscriptionId: "s1", orderingKey: "", backlogCount: 1 }])
    }))
})

describe("a hostile server", () => {
  const bodies: ReadonlyArray<readonly [string, unknown]> = [
    ["HTML", "<html><body>Sign in</body></html>"],
    ["nothing", ""],
    ["a number", "5"],
    ["a list", []],
    ["no items", { next_cursor: "" }],
    ["items that are an object", { items: {}, next_cursor: "" }],
    ["rows that are texts", { items: ["a"], next_cursor: "" }],
    ["an id that is a number", { items: [{ ...endpoint, id: 5 }], next_cursor: "" }],
    ["an id that is empty", { items: [{ ...endpoint, id: "" }], next_cursor: "" }],
    ["a time that is none", { items: [{ ...endpoint, created_at: "yesterday" }], next_cursor: "" }],
    ["a time that is a number", { items: [{ ...endpoint, deleted_at: 5 }], next_cursor: "" }],
    ["a cursor that is a number", { items: [], next_cursor: 5 }]
  ]
  it.effect.each(bodies)("%s instead of a page", ([_, body]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        over(scripted([ok(body)]), HookrailAdmin.endpoints.page({}, { retry: false }))
      )
      assert.strictEqual(error._tag, "RetryError")
      const { cause } = error as HookrailError.RetryError
      assert.deepInclude(cause, { _tag: "UnexpectedResponseError", operation: "endpoints.list", retryable: true })
    }))

  const pages = (next: (cursor: string | undefined) => unknown) => {
    const paths: Array<string> = []
    const { request } = Transport.fromCallbacks((request, listener) => {
      paths.push(request.path)
      const cursor = new URL(request.path, "http://a.test").searchParams.get("cursor") ?? undefined
      listener.resume(Effect.succeed(responseOf({ status: 200, body: next(cursor) })))
      return { abort: () => {} }
    })
    return { request, paths }
  }

  it.effect("a cursor that repeats", () =>
    Effect.gen(function*() {
      const transport = pages(() => ({ items: [endpoint], next_cursor: "same" }))
      const error = yield* Effect.flip(over(transport, rows(HookrailAdmin.endpoints.list())))
      assert.strictEqual(error._tag, "UnexpectedResponseError")
      assert.include(error.message, "comes back to a page")
      assert.isAtMost(transport.paths.length, 4)
    }))

  it.effect("cursors that go round in a circle", () =>
    Effect.gen(function*() {
      const transport = pages((cursor = "0") => ({ items: [endpoint], next_cursor: String((Number(cursor) + 1) % 50) }))
      const error = yield* Effect.flip(over(transport, rows(HookrailAdmin.endpoints.list())))
      assert.strictEqual(error._tag, "UnexpectedResponseError")
      assert.isAtMost(transport.paths.length, 200)
    }))

  it.effect("empty pages without end", () =>
    Effect.gen(function*() {
      const transport = pages((cursor = "0") => ({ items: null, next_cursor: String(Number(cursor) + 1) }))
      const error = yield* Effect.flip(over(transport, rows(HookrailAdmin.endpoints.list())))
      assert.include(error.message, "empty pages")
      assert.isAtMost(transport.paths.length, 5)
    }))

  it.effect("a page that is too long is asked for in halves", () =>
    Effect.gen(function*() {
      const limits: Array<string> = []
      const { request } = Transport.fromCallbacks((request, listener) => {
        const limit = new URL(request.path, "http://a.test").searchParams.get("limit")!
        limits.push(limit)
        const response = responseOf({ status: 200, body: { items: [endpoint], next_cursor: "" } })
        listener.resume(Effect.succeed({ ...response, truncated: Number(limit) > 30 }))
        return { abort: () => {} }
      })
      assert.lengthOf(yield* over({ request }, rows(HookrailAdmin.endpoints.list())), 1)
      assert.deepStrictEqual(limits, ["100", "50", "25"])
    }))

  it.effect("a single row that is too long is an error", () =>
    Effect.gen(function*() {
      const { request } = Transport.fromCallbacks((_, listener) => {
        listener.resume(Effect.succeed({ ...responseOf({ status: 200, body: "{" }), truncated: true }))
        return { abort: () => {} }
      })
      const error = yield* Effect.flip(over({ request }, HookrailAdmin.endpoints.page({}, { retry: false })))
      assert.include(error.message, "The body is too long")
    }))

  it.effect("errors of others: HTML of a proxy, a redirect, an empty 403", () =>
    Effect.gen(function*() {
      const errorOf = (answer: Answer) =>
        Effect.flip(over(scripted([answer]), HookrailAdmin.endpoints.delete("e1", { retry: false })))
      const proxy = yield* errorOf({ status: 403, body: "<html>Forbidden by WAF</html>" })
      assert.strictEqual(proxy._tag, "ForbiddenError")
      assert.include(proxy.message, "a proxy or firewall did")
      const moved = yield* errorOf({ status: 301, headers: { location: "https://b.test/v1/endpoints/e1" } })
      assert.strictEqual(moved._tag, "UnexpectedResponseError")
      assert.strictEqual(
        (yield* errorOf({ status: 405, body: "Method Not Allowed\n" }))._tag,
        "UnexpectedResponseError"
      )
      assert.strictEqual((yield* errorOf(problem(415, "bad content-type")))._tag, "UnexpectedResponseError")
      const other = yield* errorOf(problem(403, "insufficient role", "requires role king"))
      assert.deepInclude(other, { _tag: "InsufficientRoleError", required: "admin" })
    }))

  it.effect("a problem of another kind with each status", () =>
    Effect.gen(function*() {
      const tags = {
        400: "BadRequestError",
        401: "AuthenticationError",
        403: "ForbiddenError",
        404: "NotFoundError",
        409: "ConflictError",
        410: "ReplayExpiredError",
        413: "PayloadTooLargeError",
        422: "UnprocessableError"
      }
      for (const [status, tag] of Object.entries(tags)) {
        const transport = scripted([problem(Number(status), "constructor", "toString")])
        const error = yield* Effect.flip(over(transport, HookrailAdmin.deliveries.skip("d1")))
        assert.deepInclude(error as unknown, {
          _tag: tag,
          status: Number(status),
          operation: "deliveries.skip",
          target: "d1"
        })
        assert.lengthOf(transport.requests.filter(({ method }) => method === "POST"), 1)
      }
    }))
})

describe("a hostile caller", () => {
  const bad = (value: unknown) => value as never
  const calls: ReadonlyArray<readonly [string, Admin<unknown, HookrailError.HookrailError>, string]> = [
    ["an empty id", HookrailAdmin.endpoints.get(""), "id"],
    [".", HookrailAdmin.endpoints.delete("."), "id"],
    ["..", HookrailAdmin.deliveries.replay(".."), "id"],
    ["an id with NUL", HookrailAdmin.deliveries.get("a\u0000"), "id"],
    ["an id with half a surrogate", HookrailAdmin.deliveries.skip("\ud800"), "id"],
    ["an id that is a number", HookrailAdmin.tokens.revoke(bad(5)), "id"],
    ["an id that is nothing", HookrailAdmin.endpoints.rotateSecret(bad(undefined)), "id"],
    ["an endless id", HookrailAdmin.endpoints.get("a".repeat(10_000)), "id"],
    ["a limit that is NaN", HookrailAdmin.endpoints.page({ limit: Number.NaN }), "limit"],
    ["a limit of 0", HookrailAdmin.deliveries.page({ limit: 0 }), "limit"],
    ["a limit of 201", HookrailAdmin.deliveries.page({ limit: 201 }), "limit"],
    ["a limit that is a text", HookrailAdmin.tokens.page({ limit: bad("5") }), "limit"],
    ["a page size of NaN", rows(HookrailAdmin.endpoints.list({ pageSize: Number.NaN })), "pageSize"],
    ["a cursor for a list", rows(HookrailAdmin.endpoints.list(bad({ cursor: "x" }))), "filter"],
    ["a cursor that is a number", HookrailAdmin.endpoints.page({ cursor: bad(5) }), "cursor"],
    ["an unknown state", HookrailAdmin.deliveries.page({ state: bad("bogus") }), "state"],
    ["an unknown filter", HookrailAdmin.deliveries.page(bad({ endpoint: "e1" })), "filter"],
    ["a filter that is a text", HookrailAdmin.deliveries.page(bad("dead_lettered")), "filter"],
    ["an invalid date", HookrailAdmin.deadLetters.page({ since: new Date("x") }), "since"],
    ["a date that is a text", HookrailAdmin.deadLetters.page({ until: bad("2026-01-01") }), "until"],
    ["a date in the year 10000", HookrailAdmin.deadLetters.page({ until: new Date(Date.UTC(10_000, 0)) }), "until"],
    ["a filter for replayed that is a text", HookrailAdmin.deadLetters.page({ replayed: bad("true") }), "replayed"],
    ["no input", HookrailAdmin.endpoints.create(bad(undefined)), "url"],
    ["an empty URL", HookrailAdmin.endpoints.create({ url: "" }), "url"],
    [
      "a description with NUL",
      HookrailAdmin.endpoints.create({ url: "https://a.test", description: "\u0000" }),
      "description"
    ],
    [
      "a description of 70 kB",
      HookrailAdmin.endpoints.create({ url: "https://a.test", description: "a".repeat(70_000) }),
      "input"
    ],
    ["a misspelt member", HookrailAdmin.endpoints.create(bad({ url: "https://a.test", descripton: "d" })), "input"],
    ["an empty URL in a change", HookrailAdmin.endpoints.update("e1", { url: "" }), "url"],
    ["null for a change", HookrailAdmin.endpoints.update("e1", { url: bad(null) }), "url"],
    ["a star within a topic", HookrailAdmin.subscriptions.create({ topic: "a*b", endpointId: "e1" }), "topic"],
    [
      "max_attempts 0",
      HookrailAdmin.subscriptions.create({ topic: "a", endpointId: "e1", maxAttempts: 0 }),
      "maxAttempts"
    ],
    ["max_attempts 101", HookrailAdmin.subscriptions.update("s1", { maxAttempts: 101 }), "maxAttempts"],
    ["half an attempt", HookrailAdmin.subscriptions.update("s1", { maxAttempts: 1.5 }), "maxAttempts"],
    ["a rate of 0", HookrailAdmin.subscriptions.update("s1", { rateLimitRps: 0 }), "rateLimitRps"],
    ["a rate of NaN", HookrailAdmin.subscriptions.update("s1", { rateLimitRps: Number.NaN }), "rateLimitRps"],
    ["no rate any more", HookrailAdmin.subscriptions.update("s1", { rateLimitRps: bad(null) }), "rateLimitRps"],
    ["no policy any more", HookrailAdmin.subscriptions.update("s1", { backoffPolicy: bad(null) }), "backoffPolicy"],
    [
      "a cap below the base",
      HookrailAdmin.subscriptions.update("s1", { backoffPolicy: { baseMs: 2, capMs: 1 } }),
      "backoffPolicy"
    ],
    [
      "a policy of seconds",
      HookrailAdmin.subscriptions.update("s1", { backoffPolicy: bad({ base: 2, cap: 1 }) }),
      "backoffPolicy"
    ],
    ["another order", HookrailAdmin.subscriptions.update("s1", bad({ ordered: true })), "ordered"],
    ["active as a text", HookrailAdmin.subscriptions.update("s1", { active: bad("no") }), "active"],
    ["an unknown role", HookrailAdmin.tokens.create({ role: bad("root"), label: "l" }), "role"],
    ["no label", HookrailAdmin.tokens.create({ role: "viewer", label: "" }), "label"],
    ["a label of 201 bytes", HookrailAdmin.tokens.create({ role: "viewer", label: "é".repeat(101) }), "label"],
    [
      "another end for a lost secret",
      HookrailAdmin.tokens.create({ role: "viewer", label: "l" }, { onLostSecret: bad("ignore") }),
      "onLostSecret"
    ],
    ["an option that does not exist", HookrailAdmin.endpoints.get("e1", bad({ includeDelete: true })), "options"],
    ["a timeout of nothing", HookrailAdmin.endpoints.get("e1", { timeout: 0 }), "timeout"],
    ["a retry that is a text", HookrailAdmin.endpoints.get("e1", { retry: bad("often") }), "retry"],
    ["a rate of 0 replays", rows(HookrailAdmin.replayAll({}, { rate: 0 })), "rate"],
    ["half a replay at a time", rows(HookrailAdmin.replayAll({}, { concurrency: 0.5 })), "concurrency"],
    ["a dry run that is a text", rows(HookrailAdmin.replayAll({}, { dryRun: bad("yes") })), "dryRun"],
    ["a replay of what was replayed", rows(HookrailAdmin.replayAll(bad({ replayed: true }))), "replayed"],
    ["a condition that is none", rows(HookrailAdmin.replayAll({ where: bad(true) })), "where"],
    ["an ensured star", HookrailAdmin.ensureSubscription({ topic: "a*b", url: "https://a.test" }), "topic"],
    ["an ensured nothing", HookrailAdmin.ensureSubscription(bad(undefined)), "input"],
    ["an ensured text", HookrailAdmin.ensureSubscription(bad("a.b")), "input"],
    [
      "a receiver with ftp",
      HookrailAdmin.checkReceiver({ url: "ftp://a.test", secrets: [Redacted.make(secret)] }),
      "url"
    ],
    ["a receiver without secrets", HookrailAdmin.checkReceiver({ url: "https://a.test", secrets: [] }), "secrets"],
    [
      "a secret that is a text",
      HookrailAdmin.checkReceiver({ url: "https://a.test", secrets: bad([secret]) }),
      "secrets"
    ],
    [
      "a topic with a line break",
      HookrailAdmin.checkReceiver({ url: "https://a.test", secrets: [Redacted.make(secret)], topic: "a\r\nb: c" }),
      "topic"
    ],
    [
      "a rotation without a way to deploy",
      HookrailAdmin.rotateWithReceiver("e1", bad({ current: Redacted.make(secret) })),
      "deploy"
    ]
  ]

  it.effect.each(calls)("%s is refused before anything is sent", ([_, call, argument]) =>
    Effect.gen(function*() {
      const transport = scripted([empty])
      const error = yield* Effect.flip(over(transport, call))
      assert.deepInclude(error as unknown, { _tag: "InvalidArgumentError", argument })
      assert.isDefined((error as HookrailError.AdminError).operation)
      assert.isEmpty(transport.requests)
    }))

  it.effect("ids and filters are escaped: slashes, dots, blanks, plus signs", () =>
    Effect.gen(function*() {
      const transport = scripted([problem(404, "not found")], 200)
      const ids = ["a/b", "../v1/whoami", "a?b#c", "a b+c", "%2e%2e", "é"]
      for (const id of ids) yield* Effect.flip(over(transport, HookrailAdmin.endpoints.delete(id)))
      assert.deepStrictEqual(
        transport.requests.map(({ path }) => path),
        ids.map((id) => `/v1/endpoints/${encodeURIComponent(id)}`)
      )
      const lists = scripted([empty])
      yield* over(lists, HookrailAdmin.deliveries.page({ topic: "a&state=x+y", endpointId: "é/" }))
      yield* over(lists, HookrailAdmin.deadLetters.page({ since: new Date("2026-01-02T03:04:05.678+02:00") }))
      assert.deepStrictEqual(lists.requests.map(({ path }) => path), [
        "/v1/deliveries?endpoint_id=%C3%A9%2F&topic=a%26state%3Dx%2By&limit=100",
        "/v1/dlq?since=2026-01-02T01%3A04%3A05.678Z&limit=100"
      ])
    }))

  it.effect("a getter that throws is a defect, not an error of the library", () =>
    Effect.gen(function*() {
      const input = {
        get url(): string {
          throw new Error("mine")
        }
      }
      const exit = yield* Effect.exit(
        over(scripted([empty]), Effect.suspend(() => HookrailAdmin.endpoints.create(input)))
      )
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
    }))
})

describe("retries", () => {
  it.effect("a refused connection is repeated without a look", () =>
    Effect.gen(function*() {
      const made = ok({ id: "e9", url: "https://a.test", secret })
      const transport = scripted([empty, refusedConnection, made])
      const { id } = yield* ended(over(transport, HookrailAdmin.endpoints.create({ url: "https://a.test" })))
      assert.strictEqual(id, "e9")
      assert.deepStrictEqual(transport.requests.map(({ method }) => method), ["GET", "POST", "POST"])
    }))

  it.effect("C30: 204 has nothing to read, and is not read", () =>
    Effect.gen(function*() {
      for (const body of [undefined, "", "<html>"]) {
        const answers: ReadonlyArray<Answer> = [{ status: 204, body }]
        yield* over(scripted(answers), HookrailAdmin.endpoints.update("e1", { description: "d" }))
        yield* over(scripted(answers), HookrailAdmin.subscriptions.update("s1", { active: false }))
        yield* over(scripted(answers), HookrailAdmin.endpoints.delete("e1"))
        yield* over(scripted(answers), HookrailAdmin.subscriptions.delete("s1"))
        yield* over(scripted(answers), HookrailAdmin.tokens.revoke("t1"))
      }
    }))

  it.effect("C31: nothing is made again as long as it cannot be seen that it was not made", () =>
    Effect.gen(function*() {
      const creations: ReadonlyArray<Admin<unknown, unknown>> = [
        HookrailAdmin.endpoints.create({ url: "https://a.test" }),
        HookrailAdmin.subscriptions.create({ topic: "t", endpointId: "e1" }),
        HookrailAdmin.tokens.create({ role: "viewer", label: "l" })
      ]
      for (const create of creations) {
        const transport = scripted([empty, brokenConnection, problem(503, "list failed")])
        const error = yield* Effect.flip(ended(over(transport, create)))
        assert.deepInclude(error as unknown, { outcome: "unknown" })
        const sent = transport.requests.map(({ method }) => method)
        assert.lengthOf(sent.filter((method) => method === "POST"), 1)
        assert.strictEqual(sent[2], "GET")
      }
    }))

  it.effect("C31: a broken one looks first; what came up meanwhile after all is told", () =>
    Effect.gen(function*() {
      const row = (id: string) => ({ ...endpoint, id, url: "https://a.test" })
      const transport = scripted([
        ok({ items: [row("e1")], next_cursor: "" }),
        brokenConnection,
        ok({ items: [row("e1")], next_cursor: "" }),
        ok({ id: "e9", url: "https://a.test", secret }),
        ok({ items: [row("e9"), row("e8"), row("e1")], next_cursor: "" })
      ])
      const made = yield* ended(over(transport, HookrailAdmin.endpoints.create({ url: "https://a.test" })))
      assert.deepStrictEqual(made.duplicateIds, ["e8"])
      assert.deepStrictEqual(transport.requests.map(({ method }) => method), ["GET", "POST", "GET", "POST", "GET"])
    }))

  it.effect("two of them at once cannot be told apart", () =>
    Effect.gen(function*() {
      const row = (id: string) => ({ ...endpoint, id, url: "https://a.test" })
      const transport = scripted([empty, brokenConnection, ok({ items: [row("e9"), row("e8")], next_cursor: "" })])
      const error = yield* Effect.flip(
        ended(over(transport, HookrailAdmin.endpoints.create({ url: "https://a.test" }, { onLostSecret: "replace" })))
      )
      assert.deepInclude(error, { _tag: "SecretLostError", ids: ["e9", "e8"] })
    }))

  it.effect("a long list is read only down to what was seen", () =>
    Effect.gen(function*() {
      const row = (n: number) => ({ ...endpoint, id: `e${1000 - n}`, url: "https://other.test" })
      const page = (start: number, length: number) => Array.from({ length }, (_, n) => row(start + n))
      const transport = scripted([
        ok({ items: page(1, 200), next_cursor: "c" }),
        brokenConnection,
        ok({ items: page(0, 200), next_cursor: "c" }),
        ok({ items: page(200, 200), next_cursor: "d" }),
        ok({ id: "e9", url: "https://a.test", secret }),
        ok({ items: page(1, 200), next_cursor: "c" })
      ])
      yield* ended(over(transport, HookrailAdmin.endpoints.create({ url: "https://a.test" })))
      assert.lengthOf(transport.requests, 6)
    }))

  it.effect("an interrupted write", () =>
    Effect.gen(function*() {
      let aborted = 0
      const { request } = Transport.fromCallbacks(() => ({ abort: () => aborted++ }))
      const fiber = yield* Effect.fork(over({ request }, HookrailAdmin.endpoints.delete("e1")))
      yield* Effect.yieldNow()
      yield* TestClock.adjust(1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(aborted, 1)
    }))
})

describe("settings", () => {
  const withVariables = (variables: Record<string, string>, options: HookrailConfig.AdminOptions = {}) => {
    const transport = scripted([ok({ role: "admin" })])
    const client = HookrailAdmin.layer(options).pipe(
      Layer.provide(Layer.succeed(Transport.Transport, transport))
    )
    return Effect.map(
      Effect.exit(Effect.provide(HookrailAdmin.whoami(), client)).pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))
      ),
      (exit) => ({ exit, transport })
    )
  }

  it.effect("come from the environment, and have the server's port by default", () =>
    Effect.gen(function*() {
      const plain = yield* withVariables({ HOOKRAIL_ADMIN_TOKEN: adminToken })
      assert.strictEqual(plain.transport.requests[0]?.origin, "http://127.0.0.1:8082")
      assert.strictEqual(plain.transport.requests[0]?.headers["authorization"], `Bearer ${adminToken}`)
      const given = yield* withVariables({
        HOOKRAIL_ADMIN_TOKEN: adminToken,
        HOOKRAIL_ADMIN_URL: "https://ops.example.com/hookrail/"
      })
      assert.strictEqual(given.transport.requests[0]?.origin, "https://ops.example.com")
      assert.strictEqual(given.transport.requests[0]?.path, "/hookrail/v1/whoami")
    }))

  it.effect("are checked: a missing token, one with a line break, an option of the other client", () =>
    Effect.gen(function*() {
      const errorOf = (variables: Record<string, string>, options?: object) =>
        Effect.map(
          withVariables(variables, options),
          ({ exit }) => Exit.isFailure(exit) ? Cause.squash(exit.cause) as HookrailError.HookrailConfigError : undefined
        )
      const missing = yield* errorOf({ HOOKRAIL_API_KEY: "hk_1" })
      assert.deepInclude(missing, { _tag: "HookrailConfigError", option: "adminToken" })
      assert.include(missing?.reason, "HOOKRAIL_ADMIN_TOKEN")
      assert.strictEqual((yield* errorOf({ HOOKRAIL_ADMIN_TOKEN: "a\nb" }))?.option, "HOOKRAIL_ADMIN_TOKEN")
      assert.strictEqual((yield* errorOf({ HOOKRAIL_ADMIN_TOKEN: "a" }, { apiKey: "hk_1" }))?.option, "apiKey")
      assert.strictEqual(
        (yield* errorOf({ HOOKRAIL_ADMIN_TOKEN: "a", HOOKRAIL_ADMIN_URL: "x" }))?.option,
        "HOOKRAIL_ADMIN_URL"
      )
    }))
})

describe("secrets", () => {
  const seen = (value: unknown): string =>
    [inspect(value, { depth: 9, showHidden: true }), JSON.stringify(value), String(value)].join("\n")

  it.effect("are redacted in results", () =>
    Effect.gen(function*() {
      const made = yield* over(
        scripted([ok({ id: "e9", url: "https://a.test", secret })]),
        HookrailAdmin.endpoints.create({ url: "https://a.test" }, { retry: false })
      )
      assert.notInclude(seen(made), secret)
      assert.strictEqual(Redacted.value(made.secret), secret)
      const token = yield* over(
        scripted([ok({ id: "t1", label: "l", role: "admin", token: adminToken })]),
        HookrailAdmin.tokens.create({ role: "admin", label: "l" }, { retry: false })
      )
      assert.notInclude(seen(token), adminToken)
      const rotated = yield* over(scripted([ok({ secret })]), HookrailAdmin.endpoints.rotateSecret("e1"))
      assert.notInclude(seen(rotated), secret)
    }))

  it.effect("are in no error, whatever they look like", () =>
    Effect.gen(function*() {
      const odd = "correct-horse-battery-staple"
      const answers: ReadonlyArray<Answer> = [
        // Without an id, so that it is not the promised answer.
        ok({ url: "https://a.test", secret: odd }),
        ok(`secret=${odd}`),
        problem(422, "url rejected", `token ${adminToken}`),
        { status: 500, body: `Authorization: Bearer ${adminToken}` }
      ]
      for (const answer of answers) {
        const error = yield* Effect.flip(over(
          scripted([answer]),
          HookrailAdmin.endpoints.create({ url: "https://a.test/?key=s3cret" }, { retry: false })
        ))
        const text = seen(error) + error.stack + inspect((error as { readonly cause?: unknown }).cause)
        for (const hidden of [odd, adminToken, "s3cret"]) assert.notInclude(text, hidden)
      }
    }))

  const list = (...items: ReadonlyArray<unknown>) => ok({ items, next_cursor: "" })
  const url = "https://a.test/"
  const made: Answer = { status: 201, body: { id: "e9", url, secret } }
  const madeToken: Answer = { status: 201, body: { id: "t9", label: "l", role: "admin", token: adminToken } }
  const rotated = ok({ secret })
  const secrets: ReadonlyArray<Answer> = [made, madeToken, rotated]
  const writes: ReadonlyArray<readonly [string, Admin<unknown, unknown>, ReadonlyArray<Answer>]> = [
    ["an endpoint", HookrailAdmin.endpoints.create({ url }), [empty, made]],
    [
      "one whose secret was lost",
      HookrailAdmin.endpoints.create({ url }, { onLostSecret: "replace" }),
      [empty, brokenConnection, list({ ...endpoint, id: "e9", url }), rotated, empty]
    ],
    ["another secret", HookrailAdmin.endpoints.rotateSecret("e9"), [problem(503, "rotate failed"), rotated]],
    ["a token", HookrailAdmin.tokens.create({ role: "admin", label: "l" }), [empty, madeToken]],
    [
      "a subscription and its endpoint",
      HookrailAdmin.ensureSubscription({ topic: "t", url }),
      [empty, empty, made, list({ ...endpoint, id: "e9", url }), empty, empty, { status: 201, body: { id: "s9" } }]
    ],
    [
      "a secret for a receiver",
      HookrailAdmin.rotateWithReceiver("e9", { current: Redacted.make(secret), deploy: () => Effect.void }),
      [
        ok(endpoint),
        { status: 204 },
        problem(503, "not mine"),
        rotated,
        { status: 204 },
        { status: 204 },
        problem(503, "not mine")
      ]
    ]
  ]

  it.effect.each(writes)("%s: nobody who watches a program sees them", ([_, call, answers]) =>
    Effect.gen(function*() {
      const failing: ReadonlyArray<Answer> = [
        // Secrets where there should be none, in an answer that means a failure, and one that is none.
        problem(409, `${secret} ${adminToken}`, `${secret} ${adminToken}`),
        { status: 500, body: `${secret} ${adminToken}`, headers: { "content-type": "text/plain" } },
        ok({ id: 5, secret, token: adminToken }),
        ok(`${JSON.stringify({ secret, token: adminToken }).slice(0, -1)}`)
      ]
      const shown = answers.findIndex((answer) => secrets.includes(answer))
      const runs = [
        answers,
        ...failing.map((failure) => [...answers.slice(0, shown), ...Array<Answer>(4).fill(failure)])
      ]
      for (const [index, answers] of runs.entries()) {
        const watched = everything()
        const transport = scripted(answers)
        const program = Effect.exit(ended(over(transport, Effect.tapErrorCause(call, Effect.logError)))).pipe(
          Effect.tap((exit) => Effect.logDebug("ended", exit)),
          Effect.provide(watched.layer)
        )
        const exit = yield* program
        assert.isNotEmpty(watched.spans)
        assert.isNotEmpty(watched.lines)
        if (index === 0) assert.isTrue(Exit.isSuccess(exit), seen(exit))
        const text = [
          yield* watched.seen,
          seen(exit),
          Exit.isFailure(exit) ? Cause.pretty(exit.cause) + seen(Cause.squash(exit.cause)) : ""
        ].join("\n")
        for (const hidden of [secret, adminToken]) assert.notInclude(text, hidden)
      }
    }))
})

describe("ensureSubscription, while others do the same", () => {
  const url = "https://ensured.example.com/"
  const input = { topic: "t", url }
  const made = (id: string): Answer => ({ status: 201, body: { id, url, secret } })
  const list = (...items: ReadonlyArray<unknown>) => ok({ items, next_cursor: "" })
  const row = (id: string) => ({ ...endpoint, id, url })
  const subscription = {
    id: "s1",
    topic_pattern: "t",
    endpoint_id: "e1",
    max_attempts: 8,
    active: true,
    ordered: false
  }
  const ensure = (...answers: ReadonlyArray<Answer>) => {
    const transport = scripted(answers)
    return {
      sent: () => transport.requests.map(({ method, path }) => `${method} ${path.replace(/[?&]limit=200/, "")}`),
      result: over(transport, HookrailAdmin.ensureSubscription(input, { retry: false }))
    }
  }
  const createdSubscription: Answer = { status: 201, body: { id: "s2" } }

  it.effect("settles on an older endpoint that came into being meanwhile, and its subscription", () =>
    Effect.gen(function*() {
      const { result, sent } = ensure(empty, made("e2"), list(row("e2"), row("e1")), empty, list(subscription))
      assert.deepStrictEqual(yield* result, {
        endpoint: { id: "e1", url },
        subscription: { id: "s1", topic: "t" },
        endpointWas: "found",
        subscriptionWas: "found",
        duplicateIds: ["e2"]
      })
      assert.deepStrictEqual(sent(), [
        "GET /v1/endpoints",
        "POST /v1/endpoints",
        "GET /v1/endpoints",
        "GET /v1/subscriptions?endpoint_id=e2",
        "GET /v1/subscriptions?endpoint_id=e1"
      ])
    }))

  it.effect("subscribes the older endpoint if nobody has yet", () =>
    Effect.gen(function*() {
      const { result, sent } = ensure(
        empty,
        made("e2"),
        list(row("e2"), row("e1")),
        empty,
        empty,
        createdSubscription
      )
      assert.deepInclude(yield* result, {
        endpoint: { id: "e1", url },
        endpointWas: "found",
        subscriptionWas: "created",
        duplicateIds: ["e2"]
      })
      assert.strictEqual(sent().at(-1), "POST /v1/subscriptions")
    }))

  it.effect("keeps its own if the other one is newer and has no subscription", () =>
    Effect.gen(function*() {
      const { result } = ensure(empty, made("e2"), list(row("e3"), row("e2")), empty, empty, createdSubscription)
      const ensured = yield* result
      assert.deepInclude(ensured, { endpoint: { id: "e2", url }, endpointWas: "created", duplicateIds: [] })
      assert.strictEqual(Redacted.value(ensured.secret!), secret)
    }))

  it.effect("settles on a newer one that has the subscription: its owner saw nothing else", () =>
    Effect.gen(function*() {
      const { result } = ensure(
        empty,
        made("e2"),
        list(row("e3"), row("e2")),
        list({ ...subscription, endpoint_id: "e3" })
      )
      assert.deepInclude(yield* result, { endpoint: { id: "e3", url }, endpointWas: "found", duplicateIds: ["e2"] })
    }))

  it.effect("takes back its own if it cannot look again", () =>
    Effect.gen(function*() {
      const { result, sent } = ensure(empty, made("e2"), problem(503, "list failed"), { status: 204 })
      const error = yield* Effect.flip(result)
      assert.deepInclude(error as unknown, { _tag: "RetryError" })
      assert.deepStrictEqual(sent(), [
        "GET /v1/endpoints",
        "POST /v1/endpoints",
        "GET /v1/endpoints",
        "DELETE /v1/endpoints/e2"
      ])
    }))

  it.effect("calls of one client wait for each other if the URL is the same, however it is written", () =>
    Effect.gen(function*() {
      const waiting: Array<{ readonly path: string; readonly answer: (answer: Exclude<Answer, Error>) => void }> = []
      const transport = Transport.fromCallbacks((request, listener) => {
        waiting.push({
          path: request.path,
          answer: (answer) => listener.resume(Effect.succeed(responseOf(answer as never)))
        })
        return { abort: () => {} }
      })
      yield* over(
        transport,
        Effect.gen(function*() {
          const ensure = (url: string) =>
            Effect.fork(HookrailAdmin.ensureSubscription({ topic: "t", url }, { retry: false }))
          const settled = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          const first = yield* ensure(url)
          const gone = yield* ensure(url)
          const third = yield* ensure("https://ENSURED.example.com")
          const other = yield* ensure("https://other.example.com/")
          yield* settled
          assert.lengthOf(waiting, 2, "the first one, and that of another URL")
          // One that gives up while it waits, and one that fails, leave the place to the next.
          yield* Fiber.interrupt(gone)
          waiting[0]!.answer(problem(403, "forbidden") as never)
          yield* settled
          assert.strictEqual((yield* Effect.flip(Fiber.join(first)))._tag, "ForbiddenError")
          assert.lengthOf(waiting, 3)
          yield* Fiber.interrupt(third)
          yield* Fiber.interrupt(other)
          yield* ensure(url)
          yield* settled
          assert.lengthOf(waiting, 4)
        })
      )
    }))
})
