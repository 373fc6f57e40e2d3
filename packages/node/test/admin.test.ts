import { FetchHttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { type RunningEmulator, startEmulator, strictUrlPolicy } from "@hookrail/emulator"
import { Effect, Layer, Redacted, Stream } from "effect"
import { HookrailAdmin, type HookrailError } from "hookrail"
import { layerFetch, layerHttpClient, type Transport } from "hookrail/Transport"
import { afterAll, beforeAll } from "vitest"
import { admin, died, inState, rows, send, withDead } from "./admin.js"
import { nodeTransport } from "./nodeTransport.js"

let emulator: RunningEmulator

beforeAll(async () => {
  emulator = await startEmulator({ sweepIntervalMs: 0 })
})

afterAll(() => emulator.close())

type Test<E> = Effect.Effect<void, E, HookrailAdmin.HookrailAdmin>

/** With the environment token, or another one. */
const as = (transport: Layer.Layer<Transport>, token = () => emulator.adminToken) => <E>(test: Test<E>) =>
  Effect.suspend(() => Effect.provide(test, admin(emulator, transport, { adminToken: token() })))

const transports: ReadonlyArray<readonly [string, Layer.Layer<Transport>]> = [
  ["NodeTransport", nodeTransport],
  ["layerFetch", layerFetch],
  ["layerHttpClient", Layer.provide(layerHttpClient, NodeHttpClient.layerUndici)],
  ["layerHttpClient over fetch", Layer.provide(layerHttpClient, FetchHttpClient.layer)]
]

describe.each(transports)("HookrailAdmin over %s", (_, transport) => {
  const live = as(transport)

  it.live("endpoints: created, read, changed, rotated, deleted", () =>
    live(Effect.gen(function*() {
      const url = "https://example.com/a?key=1"
      const { duplicateIds, id, secret, ...made } = yield* HookrailAdmin.endpoints.create({ url, description: "d é" })
      assert.deepStrictEqual([made, duplicateIds], [{ url }, []])
      assert.match(Redacted.value(secret), /^whsec_[0-9a-f]{48}$/)
      const row = yield* HookrailAdmin.endpoints.get(id)
      assert.instanceOf(row.createdAt, Date)
      assert.deepStrictEqual(row, { id, url, description: "d é", createdAt: row.createdAt })

      yield* HookrailAdmin.endpoints.update(id, { url: "https://example.com/b" })
      yield* HookrailAdmin.endpoints.update(id, {})
      assert.deepInclude(yield* HookrailAdmin.endpoints.get(id), { url: "https://example.com/b", description: "d é" })

      const rotated = yield* HookrailAdmin.endpoints.rotateSecret(id)
      assert.match(Redacted.value(rotated), /^whsec_/)
      assert.notStrictEqual(Redacted.value(rotated), Redacted.value(secret))

      yield* HookrailAdmin.endpoints.delete(id)
      const error = yield* Effect.flip(HookrailAdmin.endpoints.get(id))
      assert.deepInclude(error, { _tag: "NotFoundError", operation: "endpoints.get", target: id, status: 404 })
      const deleted = yield* HookrailAdmin.endpoints.get(id, { includeDeleted: true })
      assert.instanceOf(deleted.deletedAt, Date)
      assert.notInclude((yield* rows(HookrailAdmin.endpoints.list())).map(({ id }) => id), id)
      assert.include((yield* rows(HookrailAdmin.endpoints.list({ includeDeleted: true }))).map(({ id }) => id), id)
      for (
        const again of [
          HookrailAdmin.endpoints.delete(id),
          HookrailAdmin.endpoints.update(id, { description: "" }),
          Effect.asVoid(HookrailAdmin.endpoints.rotateSecret(id))
        ]
      ) assert.deepInclude(yield* Effect.flip(again), { _tag: "NotFoundError", outcome: "refused" })
    })))

  it.live("subscriptions: created, read, changed, deleted", () =>
    live(Effect.gen(function*() {
      const { id: endpointId } = yield* HookrailAdmin.endpoints.create({ url: "https://example.com/" })
      const backoffPolicy = { baseMs: 10, capMs: 20 }
      const { id } = yield* HookrailAdmin.subscriptions.create({
        topic: "orders.*",
        endpointId,
        maxAttempts: 3,
        rateLimitRps: 0.5,
        backoffPolicy,
        ordered: true
      })
      const row = yield* HookrailAdmin.subscriptions.get(id)
      const expected = { id, topic: "orders.*", endpointId, maxAttempts: 3, active: true, ordered: true }
      assert.deepStrictEqual(row, { ...expected, rateLimitRps: 0.5, backoffPolicy })
      const plain = yield* HookrailAdmin.subscriptions.create({ topic: "*", endpointId })
      assert.deepStrictEqual(yield* HookrailAdmin.subscriptions.get(plain.id), {
        id: plain.id,
        topic: "*",
        endpointId,
        maxAttempts: 8,
        active: true,
        ordered: false
      })
      yield* HookrailAdmin.subscriptions.update(id, { active: false, maxAttempts: 4 })
      assert.deepInclude(yield* HookrailAdmin.subscriptions.get(id), { active: false, maxAttempts: 4 })
      const listed = yield* rows(HookrailAdmin.subscriptions.list({ endpointId }))
      assert.deepStrictEqual(listed.map(({ id }) => id), [plain.id, id])
      yield* HookrailAdmin.subscriptions.delete(id)
      assert.strictEqual((yield* Effect.flip(HookrailAdmin.subscriptions.get(id)))._tag, "NotFoundError")
      const deleted = yield* HookrailAdmin.subscriptions.get(id, { includeDeleted: true })
      assert.instanceOf(deleted.deletedAt, Date)
      const changed = yield* Effect.flip(HookrailAdmin.subscriptions.update(id, { active: true }))
      assert.deepInclude(changed, { _tag: "ConflictError", hint: "Make a new one." })
      yield* HookrailAdmin.endpoints.delete(endpointId)
      const gone = yield* Effect.flip(HookrailAdmin.subscriptions.create({ topic: "*", endpointId }))
      assert.deepInclude(gone, { _tag: "ConflictError", status: 409, outcome: "refused" })
    })))

  it.live("deliveries: listed, timeline, replayed, skipped", () =>
    live(withDead(emulator, (dead) =>
      Effect.gen(function*() {
        const { deliveryIds: [first = "", second = ""], endpointId, eventIds } = yield* dead(2, "key")
        const [row] = yield* rows(HookrailAdmin.deliveries.list({ endpointId, state: "dead_lettered" }))
        assert.deepStrictEqual(row, {
          deliveryId: first,
          eventId: eventIds[0]!,
          endpointId,
          state: "dead_lettered",
          orderingKey: "key"
        })
        const ofEvent = yield* rows(
          HookrailAdmin.deliveries.list({ endpointId, eventId: eventIds[1], topic: "dead.topic" })
        )
        assert.deepStrictEqual(ofEvent.map(({ deliveryId }) => deliveryId), [second])
        assert.isEmpty(yield* rows(HookrailAdmin.deliveries.list({ endpointId, topic: "dead.*" })))

        const timeline = yield* HookrailAdmin.deliveries.get(first)
        assert.deepInclude(timeline, { deliveryId: first, attemptsTruncated: false, orderingKey: "key" })
        assert.deepInclude(timeline.attempts[0], { attemptNo: 1, status: "permanent_failure", httpStatus: 400 })

        const [blocked] = (yield* rows(HookrailAdmin.orderedKeys.list())).filter((it) => it.headDeliveryId === first)
        assert.deepInclude(blocked, { orderingKey: "key", backlogCount: 2 })
        assert.instanceOf(blocked?.blockedSince, Date)
        assert.isNumber(blocked?.oldestSuccessorAgeSeconds)

        const [letter] = yield* rows(HookrailAdmin.deadLetters.list({ endpointId }))
        assert.deepInclude(letter, { deliveryId: first, endpointId, finalError: "http_400", orderingKey: "key" })
        assert.instanceOf(letter?.deadAt, Date)

        const early = yield* Effect.flip(HookrailAdmin.deliveries.skip(second))
        assert.deepInclude(early, { _tag: "ConflictError", operation: "deliveries.skip", outcome: "refused" })
        const skipped = yield* HookrailAdmin.deliveries.skip(first)
        assert.deepStrictEqual(skipped, { deliveryId: first, state: "skipped", nextHeadDeliveryId: second })
        yield* died(second)
        const again = yield* HookrailAdmin.deliveries.skip(first)
        assert.strictEqual(again.nextHeadDeliveryId, second)
        const replayed = yield* HookrailAdmin.deliveries.replay(second)
        assert.deepStrictEqual(replayed, { deliveryId: second, state: "pending" })
        yield* inState(second, "dead_lettered")
        const [unreplayed] = yield* rows(HookrailAdmin.deadLetters.list({ endpointId, replayed: false }))
        assert.strictEqual(unreplayed?.deliveryId, second)
      }))))

  it.live("tokens: made, listed, used, revoked; whoami", () =>
    live(Effect.gen(function*() {
      const { duplicateIds: _, id, token, ...made } = yield* HookrailAdmin.tokens.create({
        role: "operator",
        label: "on call"
      })
      assert.deepStrictEqual(made, { role: "operator", label: "on call" })
      const listed = (yield* rows(HookrailAdmin.tokens.list())).find((row) => row.id === id)
      assert.instanceOf(listed?.createdAt, Date)
      assert.deepStrictEqual(listed, { id, role: "operator", label: "on call", createdAt: listed!.createdAt })
      assert.deepStrictEqual(yield* HookrailAdmin.whoami(), { role: "admin" })
      const operator = admin(emulator, transport, { adminToken: Redacted.value(token) })
      assert.deepStrictEqual(yield* Effect.provide(HookrailAdmin.whoami(), operator), { role: "operator" })
      yield* HookrailAdmin.tokens.revoke(id)
      yield* HookrailAdmin.tokens.revoke(id)
      const revoked = (yield* rows(HookrailAdmin.tokens.list())).find((row) => row.id === id)
      assert.instanceOf(revoked?.revokedAt, Date)
      const error = yield* Effect.flip(Effect.provide(HookrailAdmin.whoami(), operator))
      assert.deepInclude(error, { _tag: "AuthenticationError", status: 401 })
      assert.include(error.message, "HOOKRAIL_ADMIN_TOKEN")
      assert.strictEqual((yield* Effect.flip(HookrailAdmin.tokens.revoke("none")))._tag, "NotFoundError")
    })))

  it.live("an answer that is cut off is another attempt, and finds what the first one has made", () =>
    live(Effect.gen(function*() {
      const { id: endpointId } = yield* HookrailAdmin.endpoints.create({ url: "https://example.com/cut" })
      const fault = emulator.fault({ on: "admin", kind: "truncate", bytes: 5, nth: 2 })
      const { duplicateIds, id } = yield* HookrailAdmin.subscriptions.create({ topic: "cut", endpointId })
      fault.remove()
      assert.deepStrictEqual(yield* rows(HookrailAdmin.subscriptions.list({ endpointId })), [
        yield* HookrailAdmin.subscriptions.get(id)
      ])
      assert.isEmpty(duplicateIds)
    })))
})

const live = as(nodeTransport)

describe("lists", () => {
  it.live("go on to their end: an empty list, a full page, a last page that is empty", () =>
    live(Effect.gen(function*() {
      const { id: endpointId } = yield* HookrailAdmin.endpoints.create({ url: "https://example.com/" })
      const list = (pageSize?: number) => rows(HookrailAdmin.subscriptions.list({ endpointId, pageSize }))
      assert.deepStrictEqual(yield* HookrailAdmin.subscriptions.page({ endpointId }), { items: [] })
      assert.isEmpty(yield* list())
      const ids: Array<string> = []
      for (const topic of ["a", "b", "c", "d"]) {
        ids.unshift((yield* HookrailAdmin.subscriptions.create({ topic, endpointId })).id)
      }
      for (const size of [1, 2, 3, 4, 5, undefined]) {
        assert.deepStrictEqual((yield* list(size)).map(({ id }) => id), ids, `${size}`)
      }
      const first = yield* HookrailAdmin.subscriptions.page({ endpointId, limit: 2 })
      const { nextCursor: cursor } = first
      assert.isString(cursor)
      const second = yield* HookrailAdmin.subscriptions.page({ endpointId, limit: 2, cursor })
      assert.deepStrictEqual([...first.items, ...second.items].map(({ id }) => id), ids)
      const third = yield* HookrailAdmin.subscriptions.page({ endpointId, limit: 2, cursor: second.nextCursor })
      assert.deepStrictEqual(third, { items: [] })
    })))

  it.live("read no more pages than are taken", () =>
    live(Effect.gen(function*() {
      for (let n = 0; n < 3; n++) yield* HookrailAdmin.endpoints.create({ url: "https://example.com/" })
      emulator.clearLedger()
      yield* Stream.runDrain(Stream.take(HookrailAdmin.endpoints.list({ pageSize: 1 }), 2))
      assert.isAtMost(emulator.ledger().requests.length, 3)
    })))

  it.live("a cursor that is none is a typed error", () =>
    live(Effect.gen(function*() {
      const error = yield* Effect.flip(HookrailAdmin.endpoints.page({ cursor: "a=" }))
      assert.deepInclude(error, { _tag: "BadRequestError", status: 400 })
      assert.include(error.message, "nextCursor")
      assert.strictEqual(
        (yield* Effect.flip(HookrailAdmin.deadLetters.page({ cursor: "YWJj" })))._tag,
        "BadRequestError"
      )
    })))

  it.live("times of a filter reach the server as they are: since is inclusive, until is not", () =>
    live(withDead(emulator, (dead) =>
      Effect.gen(function*() {
        const { endpointId } = yield* dead(1)
        const [letter] = yield* rows(HookrailAdmin.deadLetters.list({ endpointId }))
        const at = letter!.deadAt
        const after = new Date(at.getTime() + 1)
        const count = (filter: HookrailAdmin.DeadLetterFilter) =>
          Effect.map(rows(HookrailAdmin.deadLetters.list({ ...filter, endpointId })), ({ length }) => length)
        assert.strictEqual(yield* count({ since: at }), 1)
        assert.strictEqual(yield* count({ since: after }), 0)
        assert.strictEqual(yield* count({ until: after }), 1)
        assert.strictEqual(yield* count({ until: at }), 0)
        assert.strictEqual(yield* count({ replayed: true }), 0)
      }))))
})

describe("roles", () => {
  const operations: ReadonlyArray<
    readonly [
      HookrailAdmin.Role,
      HookrailError.AdminOperation,
      Effect.Effect<unknown, HookrailError.AdminError, HookrailAdmin.HookrailAdmin>
    ]
  > = [
    ["viewer", "endpoints.list", HookrailAdmin.endpoints.page()],
    ["viewer", "endpoints.get", HookrailAdmin.endpoints.get("x")],
    ["viewer", "subscriptions.list", HookrailAdmin.subscriptions.page()],
    ["viewer", "subscriptions.get", HookrailAdmin.subscriptions.get("x")],
    ["viewer", "deliveries.list", HookrailAdmin.deliveries.page()],
    ["viewer", "deliveries.get", HookrailAdmin.deliveries.get("x")],
    ["viewer", "deadLetters.list", HookrailAdmin.deadLetters.page()],
    ["viewer", "orderedKeys.list", HookrailAdmin.orderedKeys.page()],
    ["viewer", "whoami", HookrailAdmin.whoami()],
    ["operator", "deliveries.skip", HookrailAdmin.deliveries.skip("x")],
    ["operator", "deliveries.replay", HookrailAdmin.deadLetters.replay("x")],
    ["admin", "endpoints.create", HookrailAdmin.endpoints.create({ url: "https://example.com/" })],
    ["admin", "endpoints.update", HookrailAdmin.endpoints.update("x", {})],
    ["admin", "endpoints.delete", HookrailAdmin.endpoints.delete("x")],
    ["admin", "endpoints.rotateSecret", HookrailAdmin.endpoints.rotateSecret("x")],
    ["admin", "subscriptions.create", HookrailAdmin.subscriptions.create({ topic: "t", endpointId: "x" })],
    ["admin", "subscriptions.update", HookrailAdmin.subscriptions.update("x", {})],
    ["admin", "subscriptions.delete", HookrailAdmin.subscriptions.delete("x")],
    ["admin", "tokens.create", HookrailAdmin.tokens.create({ role: "admin", label: "l" })],
    ["admin", "tokens.list", HookrailAdmin.tokens.page()],
    ["admin", "tokens.revoke", HookrailAdmin.tokens.revoke("x")]
  ]
  const order = ["viewer", "operator", "admin"] as const

  it.live.each(order.slice(0, 2))(
    "an error says which role is needed, and that this one is %s",
    (role) =>
      live(Effect.gen(function*() {
        const { token } = yield* HookrailAdmin.tokens.create({ role, label: role })
        const client = admin(emulator, nodeTransport, { adminToken: Redacted.value(token) })
        yield* Effect.provide(
          Effect.gen(function*() {
            for (const [required, operation, effect] of operations) {
              const error = yield* Effect.match(effect, { onFailure: (error) => error, onSuccess: () => undefined })
              if (order.indexOf(required) <= order.indexOf(role)) {
                assert.notStrictEqual(error?._tag, "InsufficientRoleError", operation)
              } else {
                assert.deepInclude(
                  error,
                  { _tag: "InsufficientRoleError", operation, required, actual: role, status: 403 },
                  operation
                )
                assert.include(error?.message, `needs the role ${required}, and the token has ${role}`)
              }
            }
          }),
          client
        )
      }))
  )

  it.live("a producer key is told apart", () =>
    as(nodeTransport, () => emulator.apiKey)(Effect.gen(function*() {
      const error = yield* Effect.flip(HookrailAdmin.endpoints.page())
      assert.strictEqual(error._tag, "AuthenticationError")
      assert.include(error.message, "producer key")
    })))

  it.live("at the port for sending, the error says where the admin API is", () =>
    Effect.gen(function*() {
      const client = admin(emulator, nodeTransport, { baseUrl: emulator.url })
      const error = yield* Effect.flip(Effect.provide(HookrailAdmin.endpoints.page(), client))
      assert.strictEqual(error._tag, "NotFoundError")
      assert.include(error.message, "a port of its own, 8082")
    }))
})

describe("errors", () => {
  it.live("a URL that the server's policy refuses", () =>
    Effect.gen(function*() {
      const strict = yield* Effect.acquireRelease(
        Effect.promise(() => startEmulator({ urlPolicy: strictUrlPolicy })),
        (strict) => Effect.promise(() => strict.close())
      )
      yield* Effect.provide(
        Effect.gen(function*() {
          for (
            const url of ["http://example.com/", "https://127.0.0.1/?token=s3cret", "https://user:pw@example.com/"]
          ) {
            const error = yield* Effect.flip(HookrailAdmin.endpoints.create({ url }))
            assert.deepInclude(error, { _tag: "UrlRejectedError", status: 422, outcome: "refused" })
            assert.notMatch(JSON.stringify(error) + error.message, /s3cret|user:|pw@/)
          }
          const { id } = yield* HookrailAdmin.endpoints.create({ url: "https://example.com/" })
          const error = yield* Effect.flip(HookrailAdmin.endpoints.update(id, { url: "https://10.0.0.1/" }))
          assert.strictEqual(error._tag, "UrlRejectedError")
        }),
        admin(strict, nodeTransport)
      )
    }).pipe(Effect.scoped))

  it.live("a replay after too long, twice, of what is live, and of what is deleted", () =>
    Effect.gen(function*() {
      const old = yield* Effect.acquireRelease(
        Effect.promise(() => startEmulator({ clock: "manual", retentionMs: 60_000 })),
        (old) => Effect.promise(() => old.close())
      )
      yield* Effect.provide(
        withDead(old, (dead) =>
          Effect.gen(function*() {
            const { deliveryIds: [expired = ""], endpointId } = yield* dead(1)
            yield* Effect.promise(() => old.advance(61_000))
            const error = yield* Effect.flip(HookrailAdmin.deliveries.replay(expired))
            assert.deepInclude(error, { _tag: "ReplayExpiredError", status: 410, outcome: "refused" })
            yield* HookrailAdmin.endpoints.delete(endpointId)
            const gone = yield* Effect.flip(HookrailAdmin.deliveries.replay(expired))
            assert.deepInclude(gone, { _tag: "ConflictError", status: 409 })
            assert.include(gone.message, "deliveries.get")
            const none = yield* Effect.flip(HookrailAdmin.deliveries.replay("none"))
            assert.deepInclude(none, { _tag: "NotFoundError", operation: "deliveries.replay", target: "none" })
          })),
        admin(old, nodeTransport)
      )
    }).pipe(Effect.scoped))

  it.live("an outage hides behind the 404 of a single thing", () =>
    live(Effect.gen(function*() {
      const { id } = yield* HookrailAdmin.endpoints.create({ url: "https://example.com/" })
      emulator.setDatabase("down")
      const errors = yield* Effect.all([
        Effect.flip(HookrailAdmin.endpoints.get(id, { retry: false })),
        Effect.flip(HookrailAdmin.endpoints.page({}, { retry: false })),
        Effect.flip(HookrailAdmin.endpoints.delete(id, { retry: false }))
      ])
      emulator.setDatabase("up")
      const causes = errors.map((error) => error._tag === "RetryError" ? error.cause : error)
      assert.deepInclude(causes[0], { _tag: "ServerError", status: 503, maskedStatus: 404 })
      assert.deepInclude(causes[1], { _tag: "ServerError", status: 503 })
      assert.deepInclude(causes[2], { _tag: "ServerError", status: 503, outcome: "unknown" })
      assert.strictEqual((yield* HookrailAdmin.endpoints.get(id)).id, id)
    })))

  it.live("headers of a call, and options that do not exist", () =>
    live(Effect.gen(function*() {
      emulator.clearLedger()
      yield* HookrailAdmin.whoami({ headers: { "X-Request-Id": "r1" } })
      assert.strictEqual(emulator.ledger().requests[0]?.headers["x-request-id"], "r1")
      const headers = yield* Effect.flip(HookrailAdmin.whoami({ headers: { authorization: "x" } }))
      assert.deepInclude(headers, { _tag: "InvalidArgumentError", argument: "headers" })
      const options = yield* Effect.flip(HookrailAdmin.whoami({ timeOut: 5 } as {}))
      assert.deepInclude(options, { _tag: "InvalidArgumentError", argument: "options", operation: "whoami" })
      assert.include(options.message, "did you mean timeout?")
    })))
})

describe("after an attempt whose answer was lost", () => {
  const lost = (nth: number) => emulator.fault({ on: "admin", kind: "reset", when: "after", nth })
  const quick = { retry: { base: 1 } } as const
  const posts = () => emulator.ledger().requests.filter(({ method }) => method === "POST").length
  const made = (url: string) =>
    Effect.map(rows(HookrailAdmin.endpoints.list()), (rows) => rows.filter((row) => row.url === url))

  it.live("no second endpoint is made: the error says which one has come into being", () =>
    live(Effect.gen(function*() {
      const url = "https://example.com/lost"
      yield* HookrailAdmin.endpoints.create({ url })
      emulator.clearLedger()
      // The list is the first request.
      const fault = lost(2)
      const error = yield* Effect.flip(HookrailAdmin.endpoints.create({ url }, quick))
      fault.remove()
      assert.strictEqual(posts(), 1)
      const [newest, ...older] = yield* made(url)
      assert.lengthOf(older, 1)
      assert.deepInclude(error, {
        _tag: "SecretLostError",
        operation: "endpoints.create",
        target: url,
        ids: [newest!.id]
      })
      assert.include(error.message, "rotateSecret")
    })))

  it.live("it gets another secret, if that is wanted", () =>
    live(Effect.gen(function*() {
      const url = "https://example.com/replaced"
      const fault = lost(2)
      const { id, secret } = yield* HookrailAdmin.endpoints.create({ url }, { ...quick, onLostSecret: "replace" })
      fault.remove()
      assert.deepStrictEqual((yield* made(url)).map((row) => row.id), [id])
      // The latest one: it is the answer to the rotation.
      const answers = emulator.ledger().requests.filter(({ path }) => path.endsWith("/rotate-secret"))
      assert.include(answers.at(-1)?.answer?.body, Redacted.value(secret))
    })))

  it.live("if nothing has come into being, another attempt makes it", () =>
    live(Effect.gen(function*() {
      const url = "https://example.com/again"
      const fault = emulator.fault({ on: "admin", kind: "reset", nth: 2 })
      const { duplicateIds, id } = yield* HookrailAdmin.endpoints.create({ url }, quick)
      fault.remove()
      assert.deepStrictEqual((yield* made(url)).map((row) => row.id), [id])
      assert.isEmpty(duplicateIds)
    })))

  it.live("what another program has made before is not taken for it", () =>
    live(Effect.gen(function*() {
      const { id: endpointId } = yield* HookrailAdmin.endpoints.create({ url: "https://example.com/" })
      const before = yield* HookrailAdmin.subscriptions.create({ topic: "t", endpointId })
      const fault = emulator.fault({ on: "admin", kind: "reset", nth: 2 })
      const { id } = yield* HookrailAdmin.subscriptions.create({ topic: "t", endpointId }, quick)
      fault.remove()
      assert.notStrictEqual(id, before.id)
      assert.lengthOf(yield* rows(HookrailAdmin.subscriptions.list({ endpointId })), 2)
    })))

  it.live("as long as it cannot be seen, nothing is made: the outcome is unknown", () =>
    live(Effect.gen(function*() {
      const url = "https://example.com/hidden"
      emulator.clearLedger()
      const first = emulator.fault({ on: "admin", kind: "delay", ms: 0, nth: 1 })
      const second = lost(1)
      const others = emulator.fault({ on: "admin", kind: "status", status: 503 })
      const error = yield* Effect.flip(
        HookrailAdmin.endpoints.create({ url }, { retry: { base: 1, maxRetries: 2 } })
      )
      for (const fault of [first, second, others]) fault.remove()
      assert.deepInclude(error, { _tag: "RetryError", operation: "endpoints.create", outcome: "unknown", attempts: 1 })
      assert.include(error.message, "look at the list before you repeat it")
      assert.strictEqual(posts(), 1)
      assert.lengthOf(yield* made(url), 1)
    })))

  it.live("a single request looks at nothing, and says that the outcome is unknown", () =>
    live(Effect.gen(function*() {
      const url = "https://example.com/once"
      emulator.clearLedger()
      const fault = lost(1)
      const error = yield* Effect.flip(HookrailAdmin.endpoints.create({ url }, { retry: false }))
      fault.remove()
      assert.lengthOf(emulator.ledger().requests, 1)
      assert.deepInclude(error, { _tag: "RetryError", outcome: "unknown", attempts: 1 })
    })))

  it.live("a token: the error, or another one in its place", () =>
    live(Effect.gen(function*() {
      const active = (label: string) =>
        Effect.map(
          rows(HookrailAdmin.tokens.list()),
          (rows) => rows.filter((row) => row.label === label && row.revokedAt === undefined)
        )
      const first = lost(2)
      const error = yield* Effect.flip(HookrailAdmin.tokens.create({ role: "viewer", label: "lost" }, quick))
      first.remove()
      const [row] = yield* active("lost")
      assert.deepInclude(error, { _tag: "SecretLostError", operation: "tokens.create", ids: [row!.id] })
      const second = lost(2)
      const { id, token } = yield* HookrailAdmin.tokens.create({ role: "viewer", label: "replaced" }, {
        ...quick,
        onLostSecret: "replace"
      })
      second.remove()
      assert.deepStrictEqual((yield* active("replaced")).map((row) => row.id), [id])
      const viewer = admin(emulator, nodeTransport, { adminToken: Redacted.value(token) })
      assert.deepStrictEqual(yield* Effect.provide(HookrailAdmin.whoami(), viewer), { role: "viewer" })
    })))

  it.live("deletes, revocations, skips, replays, changes and rotations are repeated", () =>
    live(withDead(emulator, (dead) =>
      Effect.gen(function*() {
        const cut = <A, E>(effect: Effect.Effect<A, E, HookrailAdmin.HookrailAdmin>) =>
          Effect.suspend(() => {
            const fault = lost(1)
            return Effect.ensuring(
              effect,
              Effect.sync(() => {
                assert.strictEqual(fault.hits, 1)
                fault.remove()
              })
            )
          })
        const { deliveryIds: [head = "", next = ""] } = yield* dead(2, "k")
        const { endpointId } = yield* Effect.map(
          rows(HookrailAdmin.deliveries.list({ state: "dead_lettered" })),
          (rows) => rows.find(({ deliveryId }) => deliveryId === head)!
        )
        const skipped = yield* cut(HookrailAdmin.deliveries.skip(head, quick))
        assert.deepInclude(skipped, { deliveryId: head, state: "skipped" })
        yield* died(next)
        yield* HookrailAdmin.endpoints.update(endpointId, { url: emulator.url })
        const replayed = yield* cut(HookrailAdmin.deliveries.replay(next, quick))
        assert.strictEqual(replayed.deliveryId, next)
        assert.match(Redacted.value(yield* cut(HookrailAdmin.endpoints.rotateSecret(endpointId, quick))), /^whsec_/)
        yield* cut(HookrailAdmin.endpoints.update(endpointId, { description: "changed" }, quick))
        const { id } = yield* HookrailAdmin.subscriptions.create({ topic: "t", endpointId })
        yield* cut(HookrailAdmin.subscriptions.update(id, { active: false }, quick))
        assert.isFalse((yield* HookrailAdmin.subscriptions.get(id)).active)
        yield* cut(HookrailAdmin.subscriptions.delete(id, quick))
        yield* cut(HookrailAdmin.endpoints.delete(endpointId, quick))
        const token = yield* HookrailAdmin.tokens.create({ role: "viewer", label: "cut" })
        yield* cut(HookrailAdmin.tokens.revoke(token.id, quick))
        // What was not there from the start is an error all the same.
        const none = yield* Effect.flip(HookrailAdmin.endpoints.delete(endpointId, quick))
        assert.strictEqual(none._tag, "NotFoundError")
      }))))
})

describe("ensureSubscription", () => {
  it.live("makes it once, and brings its settings up to date", () =>
    live(Effect.gen(function*() {
      const input = { topic: "ensured", url: "https://ensured.example.com" }
      const first = yield* HookrailAdmin.ensureSubscription(input)
      assert.match(Redacted.value(first.secret!), /^whsec_/)
      const { secret: _, ...made } = first
      assert.deepInclude(made, { endpointWas: "created", subscriptionWas: "created" })
      // Written in another way.
      const second = yield* HookrailAdmin.ensureSubscription({ ...input, url: "https://ensured.example.com/" })
      assert.deepStrictEqual(second, { ...made, endpointWas: "found", subscriptionWas: "found" })
      yield* HookrailAdmin.subscriptions.update(first.subscription.id, { active: false })
      const third = yield* HookrailAdmin.ensureSubscription({ ...input, maxAttempts: 2 })
      assert.deepStrictEqual(third, { ...made, endpointWas: "found", subscriptionWas: "updated" })
      assert.deepInclude(yield* HookrailAdmin.subscriptions.get(first.subscription.id), {
        active: true,
        maxAttempts: 2
      })
      const other = yield* HookrailAdmin.ensureSubscription({ ...input, topic: "another" })
      assert.deepInclude(other, { endpoint: first.endpoint, endpointWas: "found", subscriptionWas: "created" })
      const error = yield* Effect.flip(HookrailAdmin.ensureSubscription({ ...input, ordered: true }))
      assert.deepInclude(error, { _tag: "InvalidArgumentError", argument: "ordered", outcome: "not-sent" })
      assert.lengthOf(yield* rows(HookrailAdmin.subscriptions.list({ endpointId: first.endpoint.id })), 2)
    })))

  it.live("makes one endpoint and one subscription, however many calls are under way at a time", () =>
    live(Effect.gen(function*() {
      const url = "https://at-once.example.com/"
      const topics = ["a", "b", "a", "a", "b", "a"]
      const results = yield* Effect.forEach(topics, (topic) => HookrailAdmin.ensureSubscription({ topic, url }), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(results.filter((it) => it.endpointWas === "created").map((it) => it.duplicateIds), [[]])
      assert.lengthOf(results.filter((it) => it.secret !== undefined), 1)
      const endpoints = (yield* rows(HookrailAdmin.endpoints.list())).filter((row) => row.url === url)
      assert.lengthOf(endpoints, 1)
      assert.lengthOf(yield* rows(HookrailAdmin.subscriptions.list({ endpointId: endpoints[0]!.id })), 2)
    })))

  it.live("takes back an endpoint whose secret would be lost with the error", () =>
    live(Effect.gen(function*() {
      const url = "https://taken-back.example.com/"
      // The list of endpoints, the list before the first attempt, the endpoint, the list of endpoints, that of its
      // subscriptions, the list before the subscription.
      const fault = emulator.fault({
        on: "admin",
        kind: "status",
        status: 422,
        problem: { title: "invalid subscription", detail: "no" },
        nth: 7
      })
      const error = yield* Effect.flip(HookrailAdmin.ensureSubscription({ topic: "t", url }))
      fault.remove()
      assert.deepInclude(error, { _tag: "UnprocessableError", operation: "subscriptions.create" })
      assert.isEmpty((yield* rows(HookrailAdmin.endpoints.list())).filter((row) => row.url === url))
    })))
})

describe("replayAll", () => {
  it.live("a dry run tells, a run replays, another one finds nothing", () =>
    live(withDead(emulator, (dead, reply) =>
      Effect.gen(function*() {
        const { deliveryIds, endpointId } = yield* dead(5)
        const dry = yield* rows(HookrailAdmin.replayAll({ endpointId }, { dryRun: true }))
        assert.deepStrictEqual(dry.map((it) => it._tag), Array(5).fill("WouldReplay"))
        assert.sameMembers(dry.map((it) => it.deadLetter.deliveryId), [...deliveryIds])
        assert.isEmpty(yield* rows(HookrailAdmin.replayAll({ endpointId, where: () => false })))
        const promised = HookrailAdmin.replayAll({ endpointId, where: (() => Promise.resolve(false)) as never })
        assert.strictEqual((yield* Effect.flip(rows(promised)))._tag, "InvalidArgumentError")
        const one = HookrailAdmin.replayAll(
          { endpointId, where: ({ deliveryId }) => deliveryId === deliveryIds[0] },
          { rate: 1000 }
        )
        reply(204)
        assert.deepStrictEqual(yield* HookrailAdmin.countReplays(one), {
          total: 1,
          replayed: 1,
          wouldReplay: 0,
          notReplayed: 0
        })
        const rest = HookrailAdmin.replayAll({ endpointId }, { rate: 1000, concurrency: 3 })
        assert.strictEqual((yield* HookrailAdmin.countReplays(rest)).replayed, 4)
        for (const id of deliveryIds) yield* inState(id, "succeeded")
        assert.isEmpty(yield* rows(HookrailAdmin.replayAll({ endpointId })))
      }))))

  it.live("what cannot be replayed is a result, and the others go on", () =>
    live(withDead(emulator, (dead) =>
      Effect.gen(function*() {
        const { endpointId, subscriptionId } = yield* dead(2)
        yield* HookrailAdmin.subscriptions.delete(subscriptionId)
        const results = yield* rows(HookrailAdmin.replayAll({ endpointId }, { rate: 1000 }))
        assert.deepStrictEqual(
          results.map((it) => it._tag === "NotReplayed" ? it.error._tag : it._tag),
          ["ConflictError", "ConflictError"]
        )
      }))))

  it.live("keeps to its rate", () =>
    live(withDead(emulator, (dead) =>
      Effect.gen(function*() {
        const { endpointId } = yield* dead(3)
        emulator.clearLedger()
        yield* Stream.runDrain(HookrailAdmin.replayAll({ endpointId }, { rate: 20, concurrency: 3 }))
        const at = emulator.ledger().requests.filter(({ method }) => method === "POST").map(({ at }) => at)
        assert.lengthOf(at, 3)
        assert.isAtLeast(at[2]! - at[0]!, 80)
      }))))
})

describe("the receiver's help", () => {
  const secretOf = (text: string) => Redacted.make(text)

  it.live("a receiver that takes both, and refuses what is forged for now", () =>
    live(withDead(emulator, (_, reply, receiver) =>
      Effect.gen(function*() {
        reply(204)
        receiver.secrets = ["old", "new"]
        const secrets = [secretOf("old"), secretOf("new")]
        const check = HookrailAdmin.checkReceiver({ url: receiver.url, secrets })
        assert.deepStrictEqual(yield* check, {
          answers: [{ status: 204, isTaken: true }, { status: 204, isTaken: true }],
          forged: { status: 503 },
          takesAll: true,
          isPatient: true
        })
        reply(422)
        assert.isTrue((yield* check).takesAll, "a topic without a handler")
        reply(500)
        assert.isFalse((yield* check).takesAll)
        reply(204)
        receiver.secrets = ["old"]
        const half = yield* check
        assert.isFalse(half.takesAll)
        assert.include(half.problem, "secret 2 of 2 with 503")
        receiver.forged = 401
        assert.include((yield* check).problem, "signed with secret 2 of 2 with 401")
        receiver.secrets = ["old", "new"]
        assert.include((yield* check).problem, "would be lost")
        receiver.forged = 204
        assert.include((yield* check).problem, "does not verify")
        const closed = yield* HookrailAdmin.checkReceiver({ url: "http://127.0.0.1:1/", secrets })
        assert.isUndefined(closed.forged.status)
        assert.isFalse(closed.takesAll || closed.isPatient)
      }))))

  it.live("a rotation that loses nothing, and one that does not begin", () =>
    live(withDead(emulator, (_, reply, receiver) =>
      Effect.gen(function*() {
        reply(204)
        const { id, secret: current } = yield* HookrailAdmin.endpoints.create({ url: receiver.url })
        yield* HookrailAdmin.subscriptions.create({ topic: "rotated", endpointId: id })
        const old = Redacted.value(current)
        receiver.secrets = [old]
        receiver.forged = 401
        let deployed = 0
        const rotate = HookrailAdmin.rotateWithReceiver(id, {
          current,
          pause: "5 millis",
          deploy: (secret) =>
            Effect.promise(async () => {
              deployed++
              // An event meets the receiver before it has the new secret: it is delivered again.
              await send(emulator, "rotated", { n: 1 })
              receiver.secrets = [Redacted.value(secret), old]
            })
        })
        const error = yield* Effect.flip(rotate)
        assert.deepInclude(error, { _tag: "ReceiverCheckError", isRotated: false })
        assert.strictEqual(deployed, 0)
        receiver.forged = 503
        const secret = yield* rotate
        assert.strictEqual(deployed, 1)
        assert.strictEqual(receiver.secrets[0], Redacted.value(secret))
        const late = HookrailAdmin.rotateWithReceiver(id, {
          current: secret,
          pause: "5 millis",
          timeout: "20 millis",
          deploy: () => Effect.void
        })
        const failed = yield* Effect.flip(late)
        assert.deepInclude(failed, { _tag: "ReceiverCheckError", isRotated: true })
        assert.include(failed.message, "the endpoint has its new secret")
        const thrown = HookrailAdmin.rotateWithReceiver(id, { current: secret, deploy: () => Effect.fail("mine") })
        receiver.secrets = [Redacted.value(secret)]
        assert.include(["mine"], yield* Effect.flip(thrown))
      }))))
})
