import { type RunningEmulator, startEmulator } from "@hookrail/emulator"
import * as util from "node:util"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import * as Node from "../src/index.js"
import * as Verify from "../src/verify.js"
import * as Web from "../src/web.js"

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
  vi.unstubAllEnvs()
  await Promise.all(open.splice(0).map((made) => made.close()))
  await emulator.close()
})

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => assert.fail("it did not fail"), (error: unknown) => error)

const rejects = async <E extends Error>(
  promise: Promise<unknown>,
  type: abstract new(...args: Array<never>) => E
): Promise<E> => {
  const error = await failure(promise)
  assert.isTrue(error instanceof type, util.inspect(error))
  return error as E
}

const throws = <E extends Error>(run: () => unknown, type: abstract new(...args: Array<never>) => E): E => {
  try {
    run()
  } catch (error) {
    assert.isTrue(error instanceof type, util.inspect(error))
    return error as E
  }
  return assert.fail("it did not throw")
}

const events = (count: number): Array<Node.EventInput> =>
  Array.from({ length: count }, (_, n) => ({ topic: "orders.created", payload: { n }, idempotencyKey: `k${n}` }))

const topic = "orders.created"

/** Resolves once the emulator has seen so many requests. */
const requests = (count: number) => vi.waitFor(() => assert.isAtLeast(emulator.ledger().requests.length, count))

for (const [name, entry] of [["node", Node], ["web", Web]] as const) {
  describe(`the ${name} entry`, () => {
    it("sends, replays, reads and awaits", async () => {
      const hookrail = client({}, entry.Hookrail)
      const sent = await hookrail.sendEvent(topic, { n: 1 }, { idempotencyKey: "k" })
      assert.isFalse(sent.replayed)
      const again = await hookrail.sendEvent(topic, { n: 1 }, { idempotencyKey: "k" })
      assert.deepStrictEqual(again, { ...sent, replayed: true })
      const status = await hookrail.getEvent(sent.eventId)
      assert.deepStrictEqual(status, { eventId: sent.eventId, topic, deliveries: [] })
      assert.deepStrictEqual(await hookrail.awaitEvent(sent.eventId, { pollInterval: "10 millis" }), status)
    })

    it("sends an encoded event, and the server knows it again", async () => {
      const hookrail = client({}, entry.Hookrail)
      const sent = await hookrail.sendEvent(topic, { n: 1 }, { idempotencyKey: "k", orderingKey: "o" })
      const body = new TextEncoder().encode(`{"topic":"${topic}","payload":{"n":1}}`)
      const encoded = { topic, body, idempotencyKey: "k", orderingKey: "o" }
      assert.deepStrictEqual(await hookrail.sendEncoded(encoded), { ...sent, replayed: true })
      const other = rejects(hookrail.sendEncoded({ ...encoded, orderingKey: "p" }), Node.ConflictError)
      assert.deepInclude(await other, { idempotencyKey: "k", outcome: "refused" })
    })

    it("gives up when the signal says so", async () => {
      const hookrail = client({}, entry.Hookrail)
      const reason = new DOMException("enough", "AbortError")
      const early = await rejects(
        hookrail.sendEvent(topic, {}, { signal: AbortSignal.abort(reason), idempotencyKey: "k" }),
        Node.HookrailAbortedError
      )
      assert.deepInclude(early, { name: "AbortError", cause: reason, topic, idempotencyKey: "k", outcome: "not-sent" })
      assert.lengthOf(emulator.ledger().requests, 0)
      const stall = emulator.fault({ kind: "stall" })
      const controller = new AbortController()
      const remove = vi.spyOn(controller.signal, "removeEventListener")
      const sending = rejects(
        hookrail.sendEvent(topic, {}, { signal: controller.signal }),
        Node.HookrailAbortedError
      )
      await requests(1)
      controller.abort(reason)
      const { cause, idempotencyKey, message, name, outcome } = await sending
      assert.deepStrictEqual({ cause, name, outcome }, { cause: reason, name: "AbortError", outcome: "unknown" })
      assert.strictEqual(idempotencyKey, emulator.ledger().requests[0]?.headers["idempotency-key"])
      assert.include(message, "send it again with the same idempotency key")
      assert.strictEqual(remove.mock.calls.length, 1)
      // undici may hold a fresh connection by now, in place of the one that was dropped.
      await vi.waitFor(() => assert.isAtMost(emulator.openConnections(), 1))
      await vi.waitFor(() => assert.notStrictEqual(emulator.ledger().requests[0]?.outcome, "open"))
      stall.remove()
      await hookrail.sendEvent(topic, {})
    })
  })
}

it("many calls may share a signal", async () => {
  const warnings: Array<Error> = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on("warning", note)
  const hookrail = client()
  const controller = new AbortController()
  const add = vi.spyOn(controller.signal, "addEventListener")
  const remove = vi.spyOn(controller.signal, "removeEventListener")
  const { signal } = controller
  await Promise.all(events(50).map(({ payload, topic }) => hookrail.sendEvent(topic, payload, { signal })))
  assert.deepStrictEqual([add.mock.calls.length, remove.mock.calls.length], [1, 1])
  const stall = emulator.fault({ kind: "stall" })
  const sending = events(50).map(({ payload, topic }) => failure(hookrail.sendEvent(topic, payload, { signal })))
  await requests(100)
  const reason = new Error("enough")
  controller.abort(reason)
  assert.deepStrictEqual(
    new Set((await Promise.all(sending)).map((error) => (error as Error).cause)),
    new Set([reason])
  )
  stall.remove()
  // Warnings come with the next turn of the event loop.
  await new Promise(setImmediate)
  process.off("warning", note)
  assert.deepStrictEqual(warnings, [])
})

describe("errors", () => {
  it("are instances of their classes", async () => {
    const hookrail = client({ retry: false })
    await rejects(hookrail.sendEvent("", {}), Node.InvalidArgumentError)
    await rejects(hookrail.sendEvent(topic, { n: Number.NaN }), Node.InvalidPayloadError)
    await hookrail.sendEvent(topic, 1, { idempotencyKey: "k" })
    const conflict = await rejects(hookrail.sendEvent(topic, 2, { idempotencyKey: "k" }), Node.ConflictError)
    assert.strictEqual(conflict.outcome, "refused")
    assert.strictEqual(conflict.name, "ConflictError")
    assert.isTrue(conflict instanceof Node.HookrailError)
    assert.isFalse(Node.isRetryable(conflict))
    await rejects(hookrail.getEvent("01ARZ3NDEKTSV4RRFFQ69G5FAV"), Node.NotFoundError)
    const key = "hk_some_other_secret_key"
    const auth = await rejects(client({ apiKey: key }).sendEvent(topic, {}), Node.AuthenticationError)
    for (const text of [util.inspect(auth), JSON.stringify(auth), util.inspect(client({ apiKey: key }), true, 9)]) {
      assert.notInclude(text, key)
    }
    await rejects(client({ onUnmatched: "fail" }).sendEvent(topic, {}), Node.UnmatchedEventError)
    for (
      const [status, type] of [
        [400, Node.BadRequestError],
        [403, Node.ForbiddenError],
        [413, Node.PayloadTooLargeError],
        [302, Node.UnexpectedResponseError]
      ] as const
    ) {
      emulator.fault({ kind: "status", status, times: 1 })
      await rejects<Node.HookrailError>(hookrail.sendEvent(topic, {}), type)
    }
  })

  it("tell what retrying ended with", async () => {
    const hookrail = client({ retry: { maxRetries: 1, base: 1 } })
    const fault = emulator.fault({ kind: "status", status: 429, retryAfter: "0" })
    const error = await rejects(hookrail.sendEvent(topic, {}), Node.RetryError)
    assert.strictEqual(error.attempts, 2)
    assert.isNumber(error.elapsedMs)
    assert.isTrue(error.cause instanceof Node.RateLimitError)
    assert.strictEqual((error.cause as Node.RateLimitError).retryAfterMs, 0)
    assert.isTrue(Node.isRetryable(error))
    assert.propertyVal((JSON.parse(JSON.stringify(error)) as { cause: object }).cause, "_tag", "RateLimitError")
    fault.remove()
    const single = { retry: false } as const
    for (const [status, type] of [[503, Node.ServerError], [429, Node.RateLimitError]] as const) {
      emulator.fault({ kind: "status", status, times: 1 })
      assert.isTrue((await rejects(hookrail.sendEvent(topic, {}, single), Node.RetryError)).cause instanceof type)
    }
    emulator.fault({ kind: "reset", times: 1 })
    const reset = await rejects(hookrail.sendEvent(topic, {}, single), Node.RetryError)
    assert.isTrue(reset.cause instanceof Node.HookrailConnectionError)
    emulator.fault({ kind: "stall", times: 1 })
    const late = await rejects(hookrail.sendEvent(topic, {}, { ...single, timeout: "50 millis" }), Node.RetryError)
    assert.strictEqual((late.cause as Node.HookrailTimeoutError).limitMs, 50)
  })

  it("tell that an awaited state did not come", async () => {
    const hookrail = client()
    const { eventId } = await hookrail.sendEvent(topic, {})
    const error = await rejects(
      hookrail.awaitEvent(eventId, { until: () => false, timeout: 30, pollInterval: 5 }),
      Node.AwaitTimeoutError
    )
    assert.strictEqual(error.limitMs, 30)
    await rejects(hookrail.awaitEvent(eventId, { pollInterval: -1 }), Node.InvalidArgumentError)
  })

  it("of verification are the same classes in each entry", () => {
    assert.strictEqual(Node.SignatureError, Verify.SignatureError)
    assert.strictEqual(Web.verifyRequest, Verify.verifyRequest)
  })
})

describe("configuration", () => {
  it("falls back to the environment", async () => {
    vi.stubEnv("HOOKRAIL_API_KEY", emulator.apiKey)
    vi.stubEnv("HOOKRAIL_BASE_URL", emulator.url)
    await using hookrail = new Node.Hookrail({ onUnmatched: "ignore" })
    await hookrail.sendEvent(topic, {})
  })

  it("throws at once", () => {
    vi.stubEnv("HOOKRAIL_API_KEY", "")
    assert.strictEqual(throws(() => new Node.Hookrail(), Node.HookrailConfigError).option, "apiKey")
    for (const options of [{ apiKey: 1 as never }, { baseUrl: "nowhere" }, { timeout: -1 }, { retry: { base: 0 } }]) {
      throws(() => new Node.Hookrail({ apiKey: "k", ...options }), Node.HookrailConfigError)
    }
    const wrong: ReadonlyArray<[options: object, option: string, reason: string]> = [
      [{ baseURL: "http://h" }, "baseURL", "did you mean baseUrl?"],
      [{ apikey: "k" }, "apikey", "did you mean apiKey?"],
      [{ retires: 1 }, "retires", "did you mean retry?"],
      [{ retry: { retries: 1 } }, "retry.retries", "did you mean maxRetries?"],
      [{ onUnmatched: "throw" }, "onUnmatched", "must be \"log\", \"ignore\" or \"fail\""],
      [{ probeOutages: "no" }, "probeOutages", "must be true or false"],
      [{ maxInFlight: 0 }, "maxInFlight", "must be a whole number, 1 or more"],
      [{ timeout: "soon" }, "timeout", "such as \"20 seconds\" (a number alone is milliseconds)"]
    ]
    for (const [options, option, reason] of wrong) {
      const error = throws(() => new Node.Hookrail({ apiKey: "k", ...options }), Node.HookrailConfigError)
      assert.strictEqual(error.option, option)
      assert.include(error.reason, reason)
    }
    assert.strictEqual(throws(() => new Node.Hookrail("k" as never), Node.HookrailConfigError).option, "options")
  })

  it("takes durations as texts", async () => {
    await using hookrail = client({ timeout: "20 seconds", retry: { base: "1 second", maxElapsed: "1 day" } })
    const { eventId } = await hookrail.sendEvent(topic, {}, { timeout: "20 seconds", retry: { cap: "1 minute" } })
    await hookrail.awaitEvent(eventId, { timeout: "20 seconds", pollInterval: "100 millis" })
  })

  it("refuses options of calls that do not exist or cannot work", async () => {
    await using hookrail = client()
    const all = async (options: object) => {
      for await (const _ of hookrail.sendEvents(events(1), options));
    }
    const refused: ReadonlyArray<[call: () => Promise<unknown>, argument: string, reason: string]> = [
      [
        () => hookrail.sendEvent(topic, {}, { idempotencykey: "k" } as object),
        "options",
        "did you mean idempotencyKey?"
      ],
      [() => hookrail.sendEvent(topic, {}, { timeout: "soon" as never }), "timeout", "such as \"20 seconds\""],
      [() => hookrail.getEvent("e", { timout: 1 } as object), "options", "did you mean timeout?"],
      [() => hookrail.awaitEvent("e", { pollinterval: 1 } as object), "options", "did you mean pollInterval?"],
      [() => hookrail.awaitEvent("e", { pollInterval: -1 }), "pollInterval", "such as \"20 seconds\""],
      [() => hookrail.awaitEvent("e", { until: 5 as never }), "until", "must be a function"],
      [() => all({ concurrency: 0 }), "concurrency", "must be a whole number, 1 or more"],
      [() => all({ concurency: 2 }), "options", "did you mean concurrency?"],
      [() => all({ onError: "ignore" }), "onError", "must be \"fail\" or \"collect\""]
    ]
    for (const [call, argument, reason] of refused) {
      const error = await rejects(call(), Node.InvalidArgumentError)
      assert.strictEqual(error.argument, argument)
      assert.include(error.reason, reason)
    }
  })
})

describe("sendEvents", () => {
  it("gives results in order", async () => {
    const hookrail = client()
    emulator.fault({ kind: "delay", ms: 50, times: 1 })
    const keys: Array<string> = []
    for await (const { idempotencyKey } of hookrail.sendEvents(events(20), { concurrency: 8 })) {
      keys.push(idempotencyKey)
    }
    assert.deepStrictEqual(keys, events(20).map((event) => event.idempotencyKey))
  })

  it("ends with the first error, or collects them", async () => {
    const hookrail = client()
    const inputs = events(5).map((event, n) => n === 2 ? { ...event, topic: "" } : event)
    const tags: Array<string> = []
    for await (const result of hookrail.sendEvents(inputs, { onError: "collect" })) tags.push(result._tag)
    assert.deepStrictEqual(tags, ["Accepted", "Accepted", "Failed", "Accepted", "Accepted"])
    let seen = 0
    await rejects(
      (async () => {
        for await (const _ of hookrail.sendEvents(inputs)) seen++
      })(),
      Node.InvalidArgumentError
    )
    assert.strictEqual(seen, 2)
  })

  it("takes no more than is under way, and drops it when the reader leaves", async () => {
    const hookrail = client()
    emulator.fault({ kind: "stall", nth: 2, times: 100 })
    let taken = 0
    let closed = false
    const source = async function*() {
      try {
        for (const event of events(100)) {
          taken++
          yield event
        }
      } finally {
        closed = true
      }
    }
    for await (const _ of hookrail.sendEvents(source(), { concurrency: 4 })) break
    assert.isAtMost(taken, 6)
    assert.isTrue(closed)
    emulator.clearFaults()
    await hookrail.sendEvent(topic, {})
  })

  it("stops by return() and by signal while it waits", async () => {
    const hookrail = client()
    emulator.fault({ kind: "stall" })
    const results = hookrail.sendEvents(events(3))
    const pending = results.next()
    await requests(3)
    await results.return?.()
    assert.isTrue((await pending).done)
    const controller = new AbortController()
    const next = failure(hookrail.sendEvents(events(3), { signal: controller.signal }).next())
    await requests(6)
    controller.abort("enough")
    assert.deepInclude(await next, { _tag: "HookrailAbortedError", name: "AbortError", cause: "enough" })
  })

  it("sends events of one ordering key one after the other", async () => {
    const hookrail = client()
    emulator.fault({ kind: "delay", ms: 20 })
    const inputs = events(4).map((event) => ({ ...event, orderingKey: "o" }))
    for await (const _ of hookrail.sendEvents(inputs)) {
      assert.isAtMost(emulator.ledger().requests.filter((request) => request.outcome === "open").length, 1)
    }
    assert.deepStrictEqual(
      emulator.ledger().events.map((event) => event.idempotencyKey),
      inputs.map((event) => event.idempotencyKey)
    )
  })

  it("takes the ordering key from the payload, too, and begins nothing that waits for it after an error", async () => {
    const hookrail = client()
    emulator.fault({ kind: "delay", ms: 50, times: 2 })
    const payload = { ordering_key: "ö" }
    const inputs = [{ topic, payload }, { topic, payload }, { topic: "", payload: {} }, { topic, payload: {} }]
    let seen = 0
    await rejects(
      (async () => {
        for await (const _ of hookrail.sendEvents(inputs, { concurrency: 3 })) seen++
      })(),
      Node.InvalidArgumentError
    )
    assert.strictEqual(seen, 1)
    assert.lengthOf(emulator.ledger().events, 1)
  })

  it("gives the results before the error of the source", async () => {
    const source = async function*() {
      yield* events(3)
      throw new Error("no more")
    }
    let seen = 0
    const error = await failure((async () => {
      for await (const _ of client().sendEvents(source())) seen++
    })())
    assert.strictEqual((error as Error).message, "no more")
    assert.strictEqual(seen, 3)
  })

  it("leaves a source alone that does not answer, and drops what it answers later", async () => {
    let answer = (_: IteratorResult<Node.EventInput>) => {}
    let closed = 0
    const source = {
      next: () => new Promise<IteratorResult<Node.EventInput>>((resolve) => answer = resolve),
      return: () => {
        closed++
        return Promise.resolve({ done: true as const, value: undefined })
      },
      [Symbol.asyncIterator]() {
        return this
      }
    }
    const results = client().sendEvents(source)
    const pending = results.next()
    await results.return?.()
    assert.isTrue((await pending).done)
    assert.strictEqual(closed, 1)
    answer({ done: false, value: events(1)[0]! })
    await new Promise(setImmediate)
    assert.lengthOf(emulator.ledger().requests, 0)
  })

  it("rejects with what reading an event throws", async () => {
    const bad = Object.defineProperty({ topic, payload: {} }, "payload", {
      get: () => {
        throw new Error("getter")
      }
    })
    const source = async function*() {
      yield bad
    }
    for (const inputs of [[bad], source()]) {
      assert.strictEqual((await failure(client().sendEvents(inputs).next()) as Error).message, "getter")
    }
  })

  it("refuses what is no event, and what has none", async () => {
    const hookrail = client()
    for (const input of [null, undefined, 1, {}]) {
      await rejects(hookrail.sendEvents([input as never]).next(), Node.InvalidArgumentError)
    }
    for (const source of [null, undefined, 1, {}]) {
      await rejects(hookrail.sendEvents(source as never).next(), Node.InvalidArgumentError)
    }
  })
})

describe("close", () => {
  it("drops what is under way, and says of each event what is known", async () => {
    const hookrail = client({ maxInFlight: 1 })
    emulator.fault({ kind: "stall" })
    emulator.fault({ kind: "stall", on: "status" })
    const sending = rejects(hookrail.sendEvent(topic, {}), Node.HookrailClosedError)
    const waiting = rejects(hookrail.sendEvent(topic, {}, { idempotencyKey: "k2" }), Node.HookrailClosedError)
    const reading = rejects(hookrail.awaitEvent("e1"), Node.HookrailClosedError)
    await requests(2)
    await hookrail.close()
    assert.deepInclude(await sending, { topic, outcome: "unknown" })
    const posts = emulator.ledger().requests.filter(({ method }) => method === "POST")
    assert.deepEqual(posts.map(({ idempotencyKey }) => idempotencyKey), [(await sending).idempotencyKey])
    assert.lengthOf(emulator.ledger().requests, 2)
    assert.deepInclude(await waiting, { topic, outcome: "not-sent", idempotencyKey: "k2" })
    assert.deepInclude(await reading, { eventId: "e1" })
    assert.isUndefined((await reading).outcome)
    const late = await rejects(hookrail.sendEvent(topic, {}), Node.HookrailClosedError)
    assert.strictEqual(late.outcome, "not-sent")
    await vi.waitFor(() => assert.strictEqual(emulator.openConnections(), 0))
  })

  it("speaks of the call as the core does, and at bounded length", async () => {
    const hookrail = client()
    await hookrail.close()
    const late = await rejects(hookrail.sendEvent("t".repeat(2_000), {}), Node.HookrailClosedError)
    assert.match(late.message, /^event on topic "t+\[\.\.\.\]t+": the client is closed; .* Nothing was sent\.$/)
    assert.isBelow(late.message.length, 300)
    assert.lengthOf(late.topic!, 2_000)
  })

  it("waits for what is under way, with drain and with await using", async () => {
    const inFlight = async (hookrail: Node.Hookrail) => {
      const stall = emulator.fault({ kind: "stall" })
      const seen = emulator.ledger().requests.length
      const sending = hookrail.sendEvent(topic, {}, { timeout: "1 second" })
      await requests(seen + 1)
      stall.remove()
      return sending
    }
    const first = client()
    const sending = inFlight(first)
    await requests(1)
    const closing = first.close({ drain: true })
    await rejects(first.sendEvent(topic, {}), Node.HookrailClosedError)
    await closing
    assert.lengthOf((await sending).eventId, 26)
    let disposed: Promise<Node.EventAccepted> | undefined
    {
      await using second = client()
      disposed = second.sendEvent(topic, {})
    }
    assert.lengthOf((await disposed).eventId, 26)
  })

  it("drains no longer than it is told to, and stops draining when it is called again", async () => {
    emulator.fault({ kind: "stall" })
    for (const end of ["limit", "again"]) {
      const hookrail = client()
      const sending = rejects(hookrail.sendEvent(topic, {}), Node.HookrailClosedError)
      const seen = emulator.ledger().requests.length
      await requests(seen + 1)
      const closing = hookrail.close({ drain: end === "limit" ? "20 millis" : true })
      if (end === "again") void hookrail.close()
      await closing
      assert.strictEqual((await sending).outcome, "unknown")
    }
    await rejects(client().close({ drain: "soon" as never }), Node.InvalidArgumentError)
  })

  it("by a payload that is just being read sends nothing", async () => {
    const hookrail = client()
    const payload = {
      get name() {
        void hookrail.close()
        return "gone"
      }
    }
    await rejects(hookrail.sendEvent(topic, payload), Node.HookrailClosedError)
    await hookrail.close()
    assert.lengthOf(emulator.ledger().requests, 0)
  })
})

describe("a long-lived signal", () => {
  it("keeps no listener of calls that are over, however soon they ended", async () => {
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    const hookrail = client()
    await hookrail.sendEvent(topic, {}, { signal })
    await rejects(hookrail.sendEvent(topic, { n: NaN }, { signal }), Node.InvalidPayloadError)
    assert.strictEqual(listeners, 0)
    await hookrail.close()
  })
})
