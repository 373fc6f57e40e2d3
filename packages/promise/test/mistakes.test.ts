/** Mistakes of untyped callers: none is lost without a word, and each message says what to do. */
import { type RunningEmulator, startEmulator } from "@hookrail/emulator"
import {
  BigDecimal,
  Cause,
  Chunk,
  Context,
  Deferred,
  Duration,
  Effect,
  Exit,
  HashMap,
  HashSet,
  Layer,
  Option,
  Redacted,
  Ref,
  Result,
  Schedule,
  Stream
} from "effect"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { Hookrail, HookrailError } from "../src/index.js"

const topic = "orders.created"
let emulator: RunningEmulator
let hookrail: Hookrail

beforeEach(async () => {
  emulator = await startEmulator({ adminPort: false })
  hookrail = new Hookrail({ apiKey: emulator.apiKey, baseUrl: emulator.url, onUnmatched: "ignore", retry: false })
})

afterEach(async () => {
  await hookrail.close()
  await emulator.close()
})

/** The message of a typed error, and that nothing was sent. */
const refusal = async (call: () => PromiseLike<unknown>): Promise<string> => {
  const error = await Promise.resolve(call()).then(() => assert.fail("it did not fail"), (error: unknown) => error)
  assert.isTrue(error instanceof HookrailError, String(error))
  assert.lengthOf(emulator.ledger().requests, 0)
  return (error as Error).message
}

describe("what is refused", () => {
  it("options that are none", async () => {
    for (const options of ["order-1-created", null, 7]) {
      assert.include(
        await refusal(() => hookrail.sendEvent(topic, {}, options as never)),
        "must be an object, such as { timeout: 5000 }"
      )
      await refusal(() => hookrail.getEvent("e", options as never))
    }
  })

  it("a Schedule of Effect: this package would retry nothing by it", async () => {
    const retry = Schedule.recurs(3) as never
    const options = { apiKey: emulator.apiKey, baseUrl: emulator.url, retry }
    for (
      const call of [async () => await hookrail.sendEvent(topic, {}, { retry }), async () => new Hookrail(options)]
    ) {
      const message = await refusal(call)
      assert.include(message, "retry")
      assert.include(message, "{ maxRetries: 5 }")
    }
  })

  it("a method that was taken off its client", async () => {
    const { awaitEvent, getEvent, sendEncoded, sendEvent, sendEvents } = hookrail
    const calls: Readonly<Record<string, () => PromiseLike<unknown>>> = {
      sendEvent: () => sendEvent(topic, {}),
      sendEvents: async () => await sendEvents([{ topic, payload: {} }]),
      sendEncoded: () => sendEncoded({ topic, body: new Uint8Array(), idempotencyKey: "k", orderingKey: undefined }),
      getEvent: () => getEvent("e"),
      awaitEvent: () => awaitEvent("e")
    }
    for (const [name, call] of Object.entries(calls)) {
      assert.include(await refusal(call), `call it as hookrail.${name}(...)`)
      assert.include(await refusal(() => call.call({ [name]: sendEvent })), `call it as hookrail.${name}(...)`)
    }
    const { close } = hookrail
    assert.include(await refusal(async () => await close()), "call it as hookrail.close(...)")
  })

  it("settings of retries that do not exist, in one sentence", async () => {
    const message = await refusal(() => hookrail.sendEvent(topic, {}, { retry: { times: 3 } as never }))
    assert.include(message, "invalid retry: times: there is no such option: there are maxRetries")
    assert.include(
      await refusal(() => hookrail.sendEvent(topic, {}, { retry: 3 as never })),
      "invalid retry: must be settings"
    )
  })

  it("a signal that is none", async () => {
    for (const signal of [new AbortController(), null, 5_000]) {
      const message = await refusal(() => hookrail.sendEvent(topic, {}, { signal: signal as never }))
      assert.include(message, "controller.signal")
    }
  })

  it("an option that does not exist, in one sentence", async () => {
    const message = await refusal(() => hookrail.sendEvent(topic, {}, { idempotencykey: "k" } as never))
    assert.include(message, "did you mean idempotencyKey? Nothing was sent.")
  })

  it("headers of fetch", async () => {
    const message = await refusal(() => hookrail.sendEvent(topic, {}, { headers: new Headers({ a: "b" }) as never }))
    assert.include(message, "Object.fromEntries(headers)")
  })

  it("keys of events under another spelling: they would be sent without", async () => {
    const event = { topic, payload: {} }
    for (const name of ["idempotency_key", "idempotencykey", "Idempotency-Key"]) {
      assert.include(
        await refusal(() => hookrail.sendEvents([{ ...event, [name]: "k" }])),
        `${name}: an event has no such member: did you mean idempotencyKey?`
      )
    }
    assert.include(
      await refusal(() => hookrail.sendEvents([{ ...event, ordering_key: "k" } as never])),
      "did you mean orderingKey?"
    )
    const { failures } = await hookrail.sendEvents([{ ...event, idempotency_key: "k" } as never], {
      onError: "collect"
    })
    assert.deepInclude(failures[0], { topic, outcome: "not-sent" })
  })

  it("promises of events", async () => {
    assert.include(
      await refusal(() => hookrail.sendEvents([Promise.resolve({ topic, payload: {} })] as never)),
      "an event is a Promise: await it first"
    )
    assert.include(await refusal(() => hookrail.sendEvents(Promise.resolve([]) as never)), "await a Promise")
  })

  it("a duration without a unit, with an example", async () => {
    const message = await refusal(() => hookrail.awaitEvent("e", { timeout: "2" as never }))
    assert.include(message, "such as \"20 seconds\" (a number alone is milliseconds)")
  })

  const values: ReadonlyArray<readonly [name: string, value: {}, reason: string]> = [
    ["Effect", Effect.sync(() => 1), "did you forget yield*?"],
    ["Effect.succeed", Effect.succeed(1), "did you forget yield*?"],
    ["Exit", Exit.fail("x"), "did you forget yield*?"],
    ["Option", Option.some(1), "an Option"],
    ["None", Option.none(), "an Option"],
    ["Result", Result.succeed(1), "a Result"],
    ["Redacted", Redacted.make("hk_secret"), "Redacted.value"],
    ["Chunk", Chunk.make(1), "Chunk.toReadonlyArray"],
    ["HashMap", HashMap.make(["a", 1]), "a HashMap"],
    ["HashSet", HashSet.make(1), "a HashSet"],
    ["Duration", Duration.seconds(1), "Duration.toMillis"],
    ["BigDecimal", BigDecimal.make(15n, 1), "BigDecimal.format"],
    ["Cause", Cause.fail("hk_secret"), "a Cause"],
    ["Layer", Layer.empty, "a Layer"],
    ["Stream", Stream.make(1), "run it first"],
    ["Context", Context.empty(), "a Context"],
    ["Ref", Effect.runSync(Ref.make(1)), "a Ref"],
    ["Deferred", Effect.runSync(Deferred.make()), "a Deferred"],
    ["Fiber", Effect.runFork(Effect.void), "a Fiber"]
  ]
  it.each(values)("in the payload, what is of Effect 4: %s", async (_, value, reason) => {
    for (const payload of [value, { a: [{ b: value }] }]) {
      const message = await refusal(() => hookrail.sendEvent(topic, payload))
      assert.include(message, reason)
      assert.notInclude(message, "hk_secret")
    }
  })
})

it("an event may carry other members, such as the row it was made from", async () => {
  const row = { id: 7, topic, payload: { ordering_key: "o" }, idempotencyKey: "k", idempotency_key: "k", created_at: 0 }
  const { accepted } = await hookrail.sendEvents([row])
  assert.strictEqual(accepted, 1)
})

it("https to a server that speaks http is explained at once", async () => {
  const secure = new Hookrail({ apiKey: "hk_key", baseUrl: emulator.url.replace("http:", "https:"), retry: false })
  const error = await secure.sendEvent(topic, {}).then(() => assert.fail("sent"), (error: unknown) => error as Error)
  assert.include(error.message, "the server does not speak TLS on this port: begin the base URL with http://")
  assert.match(error.message, /gave up after 1 attempt in (\d+s )?\d+ms\./)
  await secure.close()
})
