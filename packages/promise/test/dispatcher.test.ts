import { type RunningEmulator, startEmulator } from "@hookrail/emulator"
import { inspect } from "node:util"
import { Agent, MockAgent, request } from "undici"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { HookrailAdmin } from "../src/admin.js"
import { type Dispatcher, Hookrail, HookrailConfigError, type HookrailOptions, RetryError } from "../src/index.js"

const topic = "orders.created"
const closing: Array<() => unknown> = []
let emulator: RunningEmulator

beforeEach(async () => {
  emulator = await startEmulator({ adminPort: false })
})

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await emulator.close()
})

const client = (dispatcher: Dispatcher, options: HookrailOptions = {}): Hookrail => {
  const hookrail = new Hookrail({
    apiKey: emulator.apiKey,
    baseUrl: emulator.url,
    onUnmatched: "ignore",
    retry: { base: 1 },
    log: false,
    transport: { dispatcher },
    ...options
  })
  closing.push(() => hookrail.close())
  return hookrail
}

const agent = (): Agent => {
  const made = new Agent()
  closing.push(() => made.close())
  return made
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => assert.fail("it did not fail"), (error: unknown) => error)

describe("over a dispatcher", () => {
  it("a lost answer is asked for again, with the same key", async () => {
    emulator.fault({ kind: "reset", when: "after", times: 1 })
    const sent = await client(agent()).sendEvent(topic, { n: "ü" })
    assert.isTrue(sent.replayed)
    const { events, requests } = emulator.ledger()
    assert.deepStrictEqual(events.map(({ payload }) => JSON.parse(payload)), [{ n: "ü" }])
    assert.deepStrictEqual(
      requests.map(({ headers }) => headers["idempotency-key"]),
      Array(2).fill(sent.idempotencyKey)
    )
  })

  it("a signal frees the socket", async () => {
    emulator.fault({ kind: "stall", times: 1 })
    const hookrail = client(agent())
    const controller = new AbortController()
    const sending = failure(hookrail.sendEvent(topic, {}, { signal: controller.signal }))
    await vi.waitFor(() => assert.lengthOf(emulator.ledger().requests, 1))
    controller.abort()
    assert.deepInclude(await sending, { _tag: "HookrailAbortedError", outcome: "unknown" })
    await vi.waitFor(() => assert.isAtMost(emulator.openConnections(), 1))
    await vi.waitFor(() => assert.notStrictEqual(emulator.ledger().requests[0]?.outcome, "open"))
    await hookrail.sendEvent(topic, {})
  })

  it("closing the client leaves it to its owner", async () => {
    const dispatcher = agent()
    emulator.fault({ kind: "stall", times: 1 })
    const hookrail = client(dispatcher)
    const sending = failure(hookrail.sendEvent(topic, {}))
    await vi.waitFor(() => assert.lengthOf(emulator.ledger().requests, 1))
    await hookrail.close()
    assert.deepInclude(await sending, { _tag: "HookrailClosedError", outcome: "unknown" })
    const { body, statusCode } = await request(`${emulator.url}/healthz`, { dispatcher })
    await body.dump()
    assert.strictEqual(statusCode, 200)
  })

  it("one that never answers: the outcome is unknown, and each attempt had the same key", async () => {
    const keys: Array<string | undefined> = []
    const error = await failure(
      client({
        dispatch: ({ headers }) => {
          keys.push(headers["idempotency-key"])
          return true
        }
      }, { timeout: 20, retry: { maxRetries: 2, base: 1 } }).sendEvent(topic, {})
    )
    assert.instanceOf(error, RetryError)
    assert.deepInclude(error, { outcome: "unknown", attempts: 3 })
    assert.strictEqual((error as RetryError).cause._tag, "HookrailTimeoutError")
    assert.deepStrictEqual(keys, Array(3).fill((error as RetryError).idempotencyKey))
  })

  it("mocks see what is sent, and what they do not know shows no key", async () => {
    const mock = new MockAgent()
    closing.push(() => mock.close())
    mock.disableNetConnect()
    const pool = mock.get("https://hooks.test")
    const sent: Array<string> = []
    pool.intercept({ path: "/v1/events", method: "POST", headers: { authorization: "Bearer hk_secret" } })
      .reply(202, ({ body }) => {
        sent.push(String(body))
        return { event_id: "01JZ8Q4T6WABCDEFGHJKMNPQRS", delivery_ids: [] }
      })
    const hookrail = client(mock, { apiKey: "hk_secret", baseUrl: "https://hooks.test", retry: false })
    await hookrail.sendEvent(topic, { n: "ü" })
    assert.deepStrictEqual(sent, [`{"topic":"${topic}","payload":{"n":"ü"}}`])

    pool.intercept({ path: "/v1/events", method: "POST", headers: { authorization: "Bearer hk_other" } }).reply(202)
    const error = await failure(hookrail.sendEvent(topic, {}))
    assert.deepInclude(error, { _tag: "RetryError", outcome: "not-sent" })
    assert.include((error as Error).message, "Mock dispatch not matched for headers")
    assert.notInclude(inspect(error, { depth: null, showHidden: true }), "hk_secret")
  })
})

it("the admin client takes one too", async () => {
  const running = await startEmulator()
  closing.push(() => running.close())
  let requests = 0
  const inner = agent()
  const dispatcher: Dispatcher = {
    dispatch: (options, handler) => {
      requests++
      return inner.dispatch(options, handler)
    }
  }
  const admin = new HookrailAdmin({
    adminToken: running.adminToken,
    baseUrl: String(running.adminUrl),
    transport: { dispatcher }
  })
  closing.push(() => admin.close())
  assert.strictEqual((await admin.whoami()).role, "admin")
  assert.strictEqual(requests, 1)
})

describe("options", () => {
  const refused = (options: object): HookrailConfigError => {
    try {
      void new Hookrail({ apiKey: "hk_key", ...options })
    } catch (error) {
      assert.instanceOf(error, HookrailConfigError)
      return error
    }
    return assert.fail("it was accepted")
  }

  it("nothing else goes with it", () => {
    const dispatcher = agent()
    const error = refused({ transport: { dispatcher, connections: 3 } })
    assert.strictEqual(error.option, "connections")
    assert.include(error.message, "has no meaning beside `dispatcher`")
    assert.include(refused({ transport: { dispatcher: {} } }).message, "such as `new Agent()`")
  })

  it("one level too high, it is told where it belongs", () => {
    assert.include(refused({ dispatcher: agent() }).message, "belongs into transport: { dispatcher }")
    assert.include(refused({ proxy: "http://127.0.0.1:1" }).message, "belongs into transport: { proxy }")
    assert.include(refused({ fetch: () => Promise.reject(new Error("no")) }).message, "transport: { dispatcher }")
  })
})
