/** `sendEvents`, awaited: what resolves, what rejects, and what is told if nobody does. */
import { type RunningEmulator, startEmulator } from "@hookrail/emulator"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import * as Hookrail from "../src/index.js"

let emulator: RunningEmulator
let log: Array<Hookrail.LogEntry>
const open: Array<Hookrail.Hookrail> = []

const client = (options: Hookrail.HookrailOptions = {}): Hookrail.Hookrail => {
  const made = new Hookrail.Hookrail({
    apiKey: emulator.apiKey,
    baseUrl: emulator.url,
    onUnmatched: "ignore",
    log: (entry) => log.push(entry),
    ...options
  })
  open.push(made)
  return made
}

beforeEach(async () => {
  log = []
  emulator = await startEmulator({ adminPort: false })
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((made) => made.close()))
  await emulator.close()
})

const failure = (promise: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(promise).then(() => assert.fail("it did not fail"), (error: unknown) => error)

const events = (count: number, from = 0): Array<Hookrail.EventInput> =>
  Array.from({ length: count }, (_, n) => ({ topic: "orders", payload: { n }, idempotencyKey: `k${n + from}` }))

const stored = () => emulator.ledger().events.length

const empty = { total: 0, accepted: 0, replayed: 0, failed: 0, failures: [] }

describe("sendEvents, awaited", () => {
  it("sends everything and resolves to a summary", async () => {
    const hookrail = client()
    await hookrail.sendEvent("orders", { n: 3 }, { idempotencyKey: "k3" })
    assert.deepStrictEqual(await hookrail.sendEvents(events(40)), { ...empty, total: 40, accepted: 40, replayed: 1 })
    assert.strictEqual(stored(), 40)
    assert.deepStrictEqual(await hookrail.sendEvents([]), empty)
  })

  it("does nothing until then, and sends once however often it is awaited", async () => {
    const hookrail = client()
    let taken = 0
    const source = function*() {
      for (const event of events(3)) {
        taken++
        yield event
      }
    }
    const sending = hookrail.sendEvents(source())
    await new Promise(setImmediate)
    assert.strictEqual(taken, 0)
    const summary = await sending
    assert.deepStrictEqual(summary, { ...empty, total: 3, accepted: 3 })
    assert.strictEqual(await sending, summary)
    assert.strictEqual(await sending.then((again) => again), summary)
    let ended = 0
    assert.strictEqual(await sending.finally(() => ended++), summary)
    assert.deepStrictEqual([taken, ended, emulator.ledger().requests.length], [3, 1, 3])
  })

  it("works with Promise.all, and as the result of an async function", async () => {
    const hookrail = client()
    const sendAll = async () => hookrail.sendEvents(events(2, 10))
    const [first, second] = await Promise.all([hookrail.sendEvents(events(3)), sendAll()])
    assert.deepStrictEqual([first.accepted, second.accepted, stored()], [3, 2, 5])
  })

  it("takes no more events than are in flight", async () => {
    const hookrail = client()
    let most = 0
    let taken = 0
    const source = async function*() {
      for (const event of events(60)) {
        most = Math.max(most, ++taken - stored())
        yield event
      }
    }
    assert.strictEqual((await hookrail.sendEvents(source(), { concurrency: 4 })).accepted, 60)
    assert.isAtMost(most, 5)
  })

  it("rejects with the first error, as the loop does", async () => {
    const hookrail = client()
    const inputs = events(5).map((event, n) => n === 2 ? { ...event, topic: "" } : event)
    assert.instanceOf(await failure(hookrail.sendEvents(inputs)), Hookrail.InvalidArgumentError)
    assert.instanceOf(await hookrail.sendEvents(inputs).catch((error: unknown) => error), Hookrail.InvalidArgumentError)
    const wrong = await failure(hookrail.sendEvents(events(1), { concurrency: 0 }))
    assert.deepInclude(wrong, { _tag: "InvalidArgumentError", argument: "concurrency" })
    const source = function*() {
      yield* events(2)
      throw new Error("no more")
    }
    assert.strictEqual((await failure(hookrail.sendEvents(source())) as Error).message, "no more")
  })

  it("with collect counts the failures, and lists them with keys and outcomes", async () => {
    const hookrail = client({ retry: false })
    const inputs = events(4).map((event, n) => n === 1 ? { ...event, topic: "" } : event)
    const generated = { topic: "orders", payload: { n: Number.NaN }, idempotencyKey: undefined }
    emulator.fault({ kind: "status", status: 503, nth: 3, times: 1 })
    const summary = await hookrail.sendEvents([...inputs, generated], { concurrency: 1, onError: "collect" })
    assert.deepInclude(summary, { total: 5, accepted: 2, replayed: 0, failed: 3 })
    assert.deepStrictEqual(
      summary.failures.map(({ error, ...rest }) => ({ ...rest, tag: error._tag })),
      [
        { index: 1, topic: "", idempotencyKey: "k1", outcome: "not-sent", tag: "InvalidArgumentError" },
        { index: 3, topic: "orders", idempotencyKey: "k3", outcome: "unknown", tag: "RetryError" },
        { index: 4, topic: "orders", idempotencyKey: undefined, outcome: "not-sent", tag: "InvalidPayloadError" }
      ]
    )
  })

  it("says which key to use again, if the key was generated", async () => {
    const hookrail = client({ retry: false })
    emulator.fault({ kind: "status", status: 503, times: 1 })
    const { failures: [failed] } = await hookrail.sendEvents([{ topic: "orders", payload: 1 }], { onError: "collect" })
    assert.isString(failed?.idempotencyKey)
    assert.strictEqual(failed?.idempotencyKey, emulator.ledger().requests[0]?.headers["idempotency-key"])
  })

  it("keeps a thousand failures, however many there are", async () => {
    const wrong = function*() {
      for (let n = 0; n < 1_200; n++) yield { topic: "", payload: n }
    }
    const { failed, failures, total } = await client().sendEvents(wrong(), { onError: "collect" })
    assert.deepStrictEqual([total, failed, failures.length, failures.at(-1)?.index], [1_200, 1_200, 1_000, 999])
  })

  it("is aborted by its signal", async () => {
    const hookrail = client()
    const controller = new AbortController()
    emulator.fault({ kind: "stall" })
    const sending = failure(hookrail.sendEvents(events(3), { onError: "collect", signal: controller.signal }))
    await vi.waitFor(() => assert.lengthOf(emulator.ledger().requests, 3))
    controller.abort("enough")
    assert.deepInclude(await sending, { _tag: "HookrailAbortedError", cause: "enough" })
    const early = await failure(hookrail.sendEvents(events(3), { signal: controller.signal }))
    assert.deepInclude(early, { _tag: "HookrailAbortedError" })
    assert.lengthOf(emulator.ledger().requests, 3)
  })
})

describe("the result of sendEvents", () => {
  const misused = async (promise: PromiseLike<unknown>, says: string) => {
    const error = await failure(promise)
    assert.deepInclude(error, { _tag: "InvalidArgumentError", argument: "events" })
    assert.include((error as Error).message, says)
  }

  it("is iterated or awaited, not both", async () => {
    const hookrail = client()
    const iterated = hookrail.sendEvents(events(3))
    await iterated.next()
    await misused(iterated, "iterated already")
    await iterated.return?.()
    await misused(iterated, "iterated already")
    const awaited = hookrail.sendEvents(events(3))
    await awaited
    await misused(awaited.next(), "awaited already")
    await misused(
      (async () => {
        for await (const _ of awaited);
      })(),
      "awaited already"
    )
  })

  it("is iterated once: a second loop would send nothing", async () => {
    const loop = async (sending: AsyncIterable<unknown>) => {
      for await (const _ of sending);
    }
    const sending = client().sendEvents(events(2))
    await loop(sending)
    await misused(loop(sending), "at its end")
    assert.isTrue((await sending.next()).done)
  })

  it("left unused is told when the client is closed, once, with the place of the call", async () => {
    const hookrail = client()
    void hookrail.sendEvents(events(1))
    await hookrail.sendEvents(events(1))
    await hookrail.sendEvents(events(1)).return?.()
    await hookrail.close()
    await hookrail.close()
    assert.strictEqual(stored(), 1)
    assert.lengthOf(log, 1)
    assert.strictEqual(log[0]?.level, "warning")
    assert.match(log[0]?.message ?? "", /sent nothing.*await hookrail\.sendEvents.*called at .*awaited\.test\.ts/)
  })

  it("left unused is told when it is gone for good", async () => {
    setFlagsFromString("--expose-gc")
    const collect = runInNewContext("gc") as () => void
    const hookrail = client()
    void hookrail.sendEvents(events(1))
    await vi.waitFor(() => {
      collect()
      assert.lengthOf(log, 1)
    }, { timeout: 20_000 })
  })
})
