/** What users see: their own line in stacks, the log, retries. */
import { type RunningEmulator, startEmulator } from "@hookrail/emulator"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import * as Node from "../src/index.js"
import * as Web from "../src/web.js"
import { createWebhookHandler } from "../src/webhooks.js"

let emulator: RunningEmulator
const open: Array<Node.Hookrail> = []

const client = (options: Node.HookrailOptions = {}, Hookrail = Node.Hookrail): Node.Hookrail => {
  const made = new Hookrail({ apiKey: emulator.apiKey, baseUrl: emulator.url, onUnmatched: "ignore", ...options })
  open.push(made)
  return made
}

beforeEach(async () => {
  emulator = await startEmulator({ adminPort: false })
})

afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(open.splice(0).map((made) => made.close()))
  await emulator.close()
})

const failure = async (call: () => unknown): Promise<Error> => {
  try {
    await call()
  } catch (error) {
    assert.instanceOf(error, Error)
    return error
  }
  return assert.fail("it did not fail")
}

/** Late failures: the server has answered, or the time is over. */
const down = { retry: { maxRetries: 1, base: 1 } } as const

describe("the stack of an error", () => {
  const calls: Readonly<Record<string, (hookrail: Node.Hookrail) => unknown>> = {
    sendEvent: (hookrail) => hookrail.sendEvent("orders", {}),
    getEvent: (hookrail) => hookrail.getEvent("e1"),
    awaitEvent: (hookrail) => hookrail.awaitEvent("e1"),
    "awaitEvent in time": (hookrail) => hookrail.awaitEvent("e1", { timeout: 1 }),
    "sendEvents, awaited": (hookrail) => hookrail.sendEvents([{ topic: "orders", payload: {} }]),
    "sendEvents, iterated": (hookrail) => hookrail.sendEvents([{ topic: "orders", payload: {} }]).next(),
    "sendEvent in Promise.all": (hookrail) => Promise.all([hookrail.sendEvent("orders", {})]),
    "sendEvent with catch": (hookrail) =>
      hookrail.sendEvent("orders", {}).catch((error: unknown) => {
        throw error
      }),
    "sendEvent with a signal": (hookrail) => hookrail.sendEvent("orders", {}, { signal: AbortSignal.timeout(1) }),
    "a wrong argument": (hookrail) => hookrail.sendEvent("", {}),
    "a wrong option": (hookrail) => hookrail.close({ drain: "soon" as never })
  }

  for (const [name, entry] of [["node", Node], ["web", Web]] as const) {
    it.each(Object.keys(calls))(`has the caller's line, for %s, ${name}`, async (call) => {
      const hookrail = client(down, entry.Hookrail)
      emulator.fault({ kind: "status", status: 503 })
      const placeOrder = async () => {
        await calls[call]!(hookrail)
      }
      const { message, name: type, stack } = await failure(placeOrder)
      assert.match(stack ?? "", /\bplaceOrder .*seeing\.test\.ts/)
      assert.isTrue(stack?.startsWith(`${type}: ${message}\n`), stack)
    })
  }

  it("has it where nobody waits, if the mistake is in the call", async () => {
    const placeOrder = (hookrail: Node.Hookrail) => void hookrail.sendEvent("orders", { n: NaN }).catch(seen)
    const seen = vi.fn<(error: Error) => void>()
    placeOrder(client())
    await vi.waitFor(() => assert.lengthOf(seen.mock.calls, 1))
    assert.match(seen.mock.calls[0]![0].stack ?? "", /\bplaceOrder .*seeing\.test\.ts/)
  })

  it("has it for a result of sendEvents", async () => {
    const sendOrders = (hookrail: Node.Hookrail) =>
      hookrail.sendEvents([{ topic: "orders", payload: {} }], { onError: "collect" })
    emulator.fault({ kind: "status", status: 503 })
    const { failures: [failed] } = await sendOrders(client(down))
    assert.match(failed?.error.stack ?? "", /\bsendOrders .*seeing\.test\.ts/)
  })

  it("has it when a client or a handler cannot be made", async () => {
    const makeClient = () => new Node.Hookrail({ apiKey: "k", timeout: -1 })
    const makeHandler = () => createWebhookHandler({ secrets: "" })
    assert.match((await failure(makeClient)).stack ?? "", /\bmakeClient .*seeing\.test\.ts/)
    assert.match((await failure(makeHandler)).stack ?? "", /\bmakeHandler .*seeing\.test\.ts/)
  })

  it("of the user's own errors is left alone", async () => {
    const own = new Error("mine")
    const { stack } = own
    const hookrail = client()
    const { eventId } = await hookrail.sendEvent("orders", {})
    const thrown = await failure(() =>
      hookrail.awaitEvent(eventId, {
        until: () => {
          throw own
        }
      })
    )
    assert.strictEqual(thrown, own)
    assert.strictEqual(thrown.stack, stack)
  })
})

/** All methods of `console` that print. */
const consoleMethods = ["debug", "info", "log", "warn", "error", "trace", "dir", "group"] as const

const watched = () => {
  const printed: Array<readonly [method: string, text: string]> = []
  for (const method of consoleMethods) {
    vi.spyOn(console, method).mockImplementation((...args: Array<unknown>) => {
      printed.push([method, args.map(String).join(" ")])
    })
  }
  return printed
}

describe("the log", () => {
  /** A warning, and a retry. */
  const busy = async (options: Node.HookrailOptions, Hookrail = Node.Hookrail) => {
    const hookrail = client({ ...down, onUnmatched: "log", ...options }, Hookrail)
    emulator.fault({ kind: "status", status: 503, times: 1 })
    await hookrail.sendEvent("orders.created", { secret: "canary" }, { idempotencyKey: "k1" })
    return hookrail
  }

  for (const [name, entry] of [["node", Node], ["web", Web]] as const) {
    it(`is warnings alone by default, in plain words, and not on the standard output: ${name}`, async () => {
      const printed = watched()
      const out = vi.spyOn(process.stdout, "write")
      await busy({}, entry.Hookrail)
      assert.lengthOf(out.mock.calls, 0)
      assert.lengthOf(printed, 1)
      const [method, text] = printed[0]!
      assert.strictEqual(method, "warn")
      assert.match(text, /^hookrail: event "\w+" on topic "orders\.created" is stored, but no subscription matches/)
      assert.notMatch(text, /level=|fiber=|timestamp=/)
    })
  }

  it("goes to a function, with the retries", async () => {
    const printed = watched()
    const entries: Array<Node.LogEntry> = []
    await busy({ log: (entry) => entries.push(entry) })
    assert.lengthOf(printed, 0)
    assert.deepStrictEqual(entries.map(({ level }) => level), ["info", "warning"])
    const [retry, unmatched] = entries
    assert.match(retry!.message, /topic "orders\.created".*503.*Attempt 2 begins in \d+ ms\.$/)
    assert.deepStrictEqual(retry!.annotations, { "hookrail.topic": "orders.created" })
    assert.deepInclude(unmatched!.annotations, { "hookrail.topic": "orders.created" })
    assert.notMatch(JSON.stringify(entries), /canary|hk_/)
  })

  it("goes to an object like console, or nowhere", async () => {
    const printed = watched()
    await busy({ log: console })
    assert.deepStrictEqual(printed.map(([method]) => method), ["info", "warn"])
    await busy({ log: false })
    assert.lengthOf(printed, 2)
  })

  it("of a client that slows down goes there too", async () => {
    const printed = watched()
    const entries: Array<Node.LogEntry> = []
    emulator.fault({ kind: "status", status: 429, retryAfter: "0" })
    const hookrail = client({ retry: false, log: (entry) => entries.push(entry) })
    await Promise.allSettled(Array.from({ length: 40 }, () => hookrail.sendEvent("orders", {})))
    await vi.waitFor(() => assert.isTrue(entries.some(({ message }) => /slowed down|wait/.test(message))))
    assert.lengthOf(printed, 0)
  })

  it("that throws or rejects changes nothing", async () => {
    const thrower = () => {
      throw new Error("log")
    }
    const rejecter = () => Promise.reject(new Error("log"))
    for (const log of [thrower, rejecter, { debug: thrower, info: thrower, warn: thrower, error: rejecter }]) {
      await busy({ log })
    }
    assert.lengthOf(emulator.ledger().requests, 6)
  })

  it("is refused if it cannot be written to, like any option that does not exist", async () => {
    for (const log of [true, null, "console", {}, { warn: () => {} }]) {
      const error = await failure(() => client({ log: log as never }))
      assert.deepInclude(error as object, { _tag: "HookrailConfigError", option: "log" })
    }
    const wrong = await failure(() => client({ onRetry: {} as never }))
    assert.deepInclude(wrong as object, {
      _tag: "HookrailConfigError",
      option: "onRetry",
      reason: "must be a function"
    })
    const unknown = await failure(() => client({ onretries: () => {} } as object))
    assert.include(unknown.message, "did you mean onRetry?")
  })

  it("of webhooks may be console or nothing, too", async () => {
    const printed = watched()
    for (const log of [console, false, undefined] as const) {
      const handler = createWebhookHandler({ secrets: "whsec_0123456789abcdef", ...(log === undefined ? {} : { log }) })
      await handler(new Request("http://localhost/", { method: "POST", body: "{}" }))
    }
    await vi.waitFor(() => assert.isNotEmpty(printed))
    assert.deepStrictEqual(new Set(printed.map(([method]) => method)), new Set(["warn"]))
    assert.lengthOf(printed, 2)
  })
})

describe("onRetry", () => {
  it("is told of each retry of a send and of a read, with the error", async () => {
    const notices: Array<Node.RetryNotice> = []
    const hookrail = client({ retry: { maxRetries: 2, base: 1 }, onRetry: (notice) => notices.push(notice) })
    emulator.fault({ kind: "status", status: 503, times: 2 })
    const { eventId } = await hookrail.sendEvent("orders", {}, { idempotencyKey: "k" })
    assert.deepStrictEqual(notices.map(({ attempts }) => attempts), [1, 2])
    for (const { delayMs, error } of notices) {
      assert.isTrue(error instanceof Node.ServerError)
      assert.deepInclude(error, { topic: "orders", idempotencyKey: "k", outcome: "unknown", status: 503 })
      assert.isTrue(Number.isInteger(delayMs) && delayMs >= 0)
    }
    emulator.fault({ kind: "reset", on: "status", times: 1 })
    await hookrail.getEvent(eventId)
    assert.deepInclude(notices[2]?.error as object, { _tag: "HookrailConnectionError", eventId })
  })

  it("is not told of an error that ends the call", async () => {
    const notices: Array<Node.RetryNotice> = []
    const hookrail = client({ ...down, onRetry: (notice) => notices.push(notice) })
    await failure(() => hookrail.getEvent("01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    emulator.fault({ kind: "status", status: 503 })
    await failure(() => hookrail.sendEvent("orders", {}))
    await failure(() => hookrail.sendEvent("orders", {}, { retry: false }))
    assert.lengthOf(notices, 1)
  })

  it("that throws or rejects changes nothing", async () => {
    for (const onRetry of [() => Promise.reject(new Error("no")), () => assert.fail("no")]) {
      emulator.fault({ kind: "status", status: 503, times: 1 })
      await client({ ...down, onRetry }).sendEvent("orders", {})
    }
    assert.lengthOf(emulator.ledger().requests, 4)
  })
})
