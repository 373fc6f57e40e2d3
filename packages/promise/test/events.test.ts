import { type RunningEmulator, signWebhook, startEmulator } from "@hookrail/emulator"
import { type } from "arktype"
import { Schema as Schema4 } from "effect"
import { Schema as Schema3 } from "effect-3"
import { Topic } from "hookrail"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { inspect } from "node:util"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { z } from "zod"
import {
  codec,
  defineEvents,
  type EventCatalogue,
  type EventDefinition,
  HookrailConfigError,
  InvalidArgumentError,
  InvalidPayloadError,
  isEventCatalogue,
  type StandardSchema
} from "../src/events.js"
import * as Node from "../src/index.js"
import * as Web from "../src/web.js"
import {
  createWebhookHandler,
  type LogEntry,
  type WebhookEvent,
  type WebhookHandler,
  type WebhookHandlerOptions
} from "../src/webhooks.js"
import * as catalogues from "./catalogues.js"

const secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef"
const at = "2026-01-02T03:04:05.000Z"
const wire = { order_id: "o_1", total: 5, placed: at }
const order = { ...wire, placed: new Date(at) }

let emulator: RunningEmulator
const servers: Array<Server> = []
const clients: Array<{ readonly close: () => Promise<void> }> = []

beforeEach(async () => {
  emulator = await startEmulator({ adminPort: false })
})

afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(clients.splice(0).map((client) => client.close()))
  for (const server of servers.splice(0)) server.close().closeAllConnections()
  await emulator.close()
})

const options = <Sent extends object>(events: EventCatalogue<Sent, object>): Node.HookrailOptions<Sent> => ({
  apiKey: emulator.apiKey,
  baseUrl: emulator.url,
  onUnmatched: "ignore",
  events
})

const client = <Sent extends object>(events: EventCatalogue<Sent, object>): Node.Hookrail<Sent> => {
  const made = new Node.Hookrail(options(events))
  clients.push(made as { readonly close: () => Promise<void> })
  return made
}

/** A schema of this test's own. */
const schema = <A = unknown>(validate: StandardSchema<A>["~standard"]["validate"]): StandardSchema<A> => ({
  "~standard": { version: 1, vendor: "test", validate }
})

const passing = schema((value) => ({ value }))

const never = schema(() => new Promise<never>(() => {}))

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => assert.fail("it did not fail"), (error: unknown) => error)

const rejects = async <E extends Error>(
  promise: Promise<unknown>,
  type: abstract new(...args: Array<never>) => E
): Promise<E> => {
  const error = await failure(promise)
  assert.isTrue(error instanceof type, inspect(error))
  return error as E
}

const throws = (run: () => unknown): HookrailConfigError => {
  try {
    run()
  } catch (error) {
    assert.instanceOf(error, HookrailConfigError)
    return error
  }
  return assert.fail("it did not throw")
}

const requests = () => emulator.ledger().requests

const bodies = () =>
  requests().map(({ body }) => JSON.parse(String(body)) as { readonly topic: string; payload: unknown })

/** A receiver over a socket, subscribed to everything. */
const receive = async (handler: WebhookHandler): Promise<void> => {
  const server = createServer((request, response) => void handler.node(request, response))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  emulator.subscribe({ url: `http://127.0.0.1:${port}/`, topic: "*", secret })
}

describe.each(["zod", "valibot", "arktype", "effect4", "effect3"] as const)("a catalogue of %s", (name) => {
  const events = catalogues[name]

  it("is checked, sent and received over sockets", async () => {
    const received: Array<WebhookEvent> = []
    await receive(createWebhookHandler({
      secrets: secret,
      events,
      on: {
        "orders.*": (event) => void received.push(event),
        "invoices.paid": (event) => void received.push(event)
      }
    }))
    const hookrail = client(events as typeof catalogues.zod)
    await hookrail.sendEvent("orders.created", wire)
    await hookrail.sendEvent("orders.placed", order)
    await hookrail.sendEvent("invoices.paid", { invoice: "i_1" })
    await emulator.idle()
    assert.deepStrictEqual(bodies().map(({ payload }) => payload), [wire, wire, { invoice: "i_1" }])
    received.sort((a, b) => a.topic < b.topic ? -1 : 1)
    assert.deepStrictEqual(received.map(({ payload, topic }) => [topic, payload]), [
      ["invoices.paid", { invoice: "i_1", paid: true }],
      ["orders.created", order],
      ["orders.placed", order]
    ])
  })

  it("sends nothing that does not fit, and says where, without the values", async () => {
    const hookrail = client(events as typeof catalogues.zod)
    for (
      const [topic, payload, path] of [
        ["orders.created", { ...wire, order_id: 98765432 }, "$.order_id"],
        ["orders.created", { ...wire, placed: "98765432" }, "$.placed"],
        ["orders.created", { ...wire, total: "98765432" }, "$.total"],
        ["orders.placed", { ...order, order_id: 98765432 }, "$.order_id"],
        ["orders.placed", { order_id: "o_1", placed: order.placed }, "$.total"],
        ["orders.created", "98765432", "$"],
        ["orders.created", null, "$"]
      ] as const
    ) {
      const error = await rejects(
        hookrail.sendEvent(topic, payload as never, { idempotencyKey: "k" }),
        Node.InvalidPayloadError
      )
      assert.deepInclude(error, { topic, path, idempotencyKey: "k", outcome: "not-sent" })
      assert.include(error.stack, "events.test.ts")
      assert.notInclude(error.message, "98765432")
      assert.include(error.message, `event on topic "${topic}" (Idempotency-Key "k"): invalid payload at ${path}: `)
      assert.isTrue(error.message.endsWith(". Nothing was sent."), error.message)
    }
    assert.lengthOf(requests(), 0)
  })

  it("answers what does not fit with 422, and tells the log, without the values", async () => {
    const log: Array<LogEntry> = []
    const handler = createWebhookHandler({
      secrets: secret,
      events,
      log: (entry) => log.push(entry),
      on: { "*": () => assert.fail("it was handled") }
    })
    const webhook = signWebhook({ secret, topic: "orders.created", payload: { ...wire, total: "98765432" } })
    assert.strictEqual((await handler(webhook.toRequest())).status, 422)
    assert.lengthOf(log, 1)
    assert.deepInclude(log[0], { level: "error" })
    assert.include(log[0]!.message, "webhook rejected: its payload does not fit: at $.total, ")
    assert.notInclude(log[0]!.message, "98765432")
    assert.strictEqual(log[0]!.annotations["hookrail.topic"], "orders.created")
  })

  it("signs webhooks for tests, checked and encoded", () => {
    const { body } = signWebhook({ secret, events, topic: "orders.placed", payload: order })
    assert.deepStrictEqual(JSON.parse(body), wire)
    assert.throws(
      () => signWebhook({ secret, events, topic: "orders.placed", payload: { ...order, total: "98765432" as never } }),
      TypeError,
      /^payload does not fit topic "orders.placed": at \$\.total, (?!.*98765432)/
    )
  })
})

it("topics of Effect make a catalogue for plain programs", async () => {
  const received: Array<unknown> = []
  await receive(createWebhookHandler({
    secrets: secret,
    events: catalogues.topics,
    on: { "orders.*": ({ payload }) => void received.push(payload.placed.getTime()) }
  }))
  const hookrail = client(catalogues.topics)
  await hookrail.sendEvent("orders.created", order)
  await emulator.idle()
  assert.deepStrictEqual(received, [order.placed.getTime()])
  const error = await rejects(
    hookrail.sendEvent("orders.created", { ...order, total: "98765432" as never }),
    Node.InvalidPayloadError
  )
  assert.strictEqual(error.path, "$.total")
})

it("a catalogue makes topics of Effect", () => {
  const topics = Topic.fromEvents(catalogues.zod)
  assert.deepStrictEqual(Object.keys(topics), ["orders.created", "orders.placed", "invoices.paid"])
})

for (const [name, Hookrail] of [["node", Node.Hookrail], ["web", Web.Hookrail as typeof Node.Hookrail]] as const) {
  describe(`a client with a catalogue, ${name}`, () => {
    it("refuses a topic that is not in it, with the one that was probably meant", async () => {
      const hookrail = new Hookrail(options(catalogues.zod))
      for (const topic of ["order.created", "orders_created", "toString", "__proto__", ""]) {
        const sending = hookrail.sendEvent(topic as "orders.created", wire, { idempotencyKey: "k" })
        const error = await rejects(sending, Node.InvalidArgumentError)
        assert.deepInclude(error, { topic, argument: "topic", idempotencyKey: "k", outcome: "not-sent" })
        assert.strictEqual(/did you mean "orders.created"\?/.test(error.message), topic.startsWith("order"), topic)
      }
      for (const topic of [undefined, null, 7, {}, Topic.make("orders.created", Schema4.Unknown)]) {
        await rejects(hookrail.sendEvent(topic as never, wire as never), Node.InvalidArgumentError)
      }
      assert.lengthOf(requests(), 0)
      await hookrail.close()
    })

    it("sends many events, checked in their place", async () => {
      const hookrail = new Hookrail(options(catalogues.zod))
      const events: Array<Node.EventInput<typeof catalogues.zod extends EventCatalogue<infer S, object> ? S : never>> =
        [
          { topic: "orders.placed", payload: order, idempotencyKey: "k1" },
          { topic: "orders.placed", payload: { ...order, total: "5" as never }, idempotencyKey: "k2" },
          { topic: "invoices.paid", payload: { invoice: "i_1" } },
          { topic: "invoice.paid" as "invoices.paid", payload: { invoice: "i_2" } }
        ]
      const results: Array<unknown> = []
      for await (const result of hookrail.sendEvents(events, { onError: "collect" })) {
        assert.strictEqual(result.input, events[results.length])
        results.push(result._tag === "Failed" ? result.error._tag : result._tag)
      }
      assert.deepStrictEqual(results, ["Accepted", "InvalidPayloadError", "Accepted", "InvalidArgumentError"])
      assert.deepStrictEqual(
        new Set(bodies().map(({ payload, topic }) => JSON.stringify([topic, payload]))),
        new Set([JSON.stringify(["orders.placed", wire]), JSON.stringify(["invoices.paid", { invoice: "i_1" }])])
      )
      const summary = await hookrail.sendEvents(events.slice(0, 2), { onError: "collect" })
      assert.deepInclude(summary, { accepted: 1, failed: 1 })
      assert.deepInclude(summary.failures[0], {
        index: 1,
        topic: "orders.placed",
        idempotencyKey: "k2",
        outcome: "not-sent"
      })
      await rejects(hookrail.sendEvents(events.slice(1)), Node.InvalidPayloadError)
      await hookrail.close()
    })
  })
}

describe("sendEvents with a catalogue", () => {
  it("encodes each payload once, and takes the ordering key from what is sent", async () => {
    let encoded = 0
    const events = defineEvents({
      "orders.changed": codec(
        z.object({ ordering_key: z.string(), n: z.number() }).transform(({ n, ordering_key: id }) => ({ id, n })),
        ({ id, n }) => {
          encoded++
          return { ordering_key: id, n }
        }
      )
    })
    emulator.fault({ kind: "delay", ms: 20 })
    const inputs = Array.from({ length: 6 }, (_, n) => ({
      topic: "orders.changed" as const,
      payload: { id: n % 2 === 0 ? "even" : "odd", n }
    }))
    const { accepted } = await client(events).sendEvents(inputs)
    assert.strictEqual(accepted, 6)
    assert.strictEqual(encoded, 6)
    const order = bodies().map(({ payload }) => (payload as { readonly n: number }).n)
    assert.deepStrictEqual(order.filter((n) => n % 2 === 0), [0, 2, 4])
    assert.deepStrictEqual(order.filter((n) => n % 2 === 1), [1, 3, 5])
  })

  it("keeps the order with a schema that takes its time, from any source", async () => {
    const delays = [3, 0, 2, 0, 1, 0]
    const slow = defineEvents({
      slow: schema<{ readonly n: number }>(async (value) => {
        for (let turns = delays[(value as { readonly n: number }).n]!; turns > 0; turns--) await Promise.resolve()
        return { value: value as { readonly n: number } }
      })
    })
    const inputs = delays.map((_, n) => ({ topic: "slow" as const, payload: { n }, orderingKey: "k" }))
    const hookrail = client(slow)
    assert.strictEqual((await hookrail.sendEvents(inputs)).accepted, 6)
    assert.strictEqual(
      (await hookrail.sendEvents((async function*() {
        yield* inputs
      })())).accepted,
      6
    )
    assert.deepStrictEqual(
      bodies().map(({ payload }) => (payload as { readonly n: number }).n),
      [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]
    )
  })

  it("ends when it is aborted, although a schema does not answer", async () => {
    const controller = new AbortController()
    const hookrail = client(defineEvents({ never, now: schema((value) => ({ value })) }))
    const inputs = [{ topic: "now", payload: 1 }, { topic: "never", payload: 1 }, { topic: "now", payload: 2 }] as const
    const results = hookrail.sendEvents(inputs, { signal: controller.signal })
    assert.isFalse((await results.next()).done)
    const next = rejects(results.next(), Node.HookrailAbortedError)
    controller.abort()
    await next
    assert.lengthOf(requests(), 1)
  })
})

describe("schemas that misbehave", () => {
  const misfit = async (definition: EventDefinition, payload: unknown = { n: 1 }): Promise<InvalidPayloadError> => {
    const hookrail = client(defineEvents({ topic: definition }))
    const error = await rejects(hookrail.sendEvent("topic", payload as never), Node.InvalidPayloadError)
    assert.lengthOf(requests(), 0)
    return error
  }

  it("and throw, or answer nonsense", async () => {
    const thrown = () => {
      throw new RangeError("98765432")
    }
    for (
      const definition of [schema<unknown>(thrown), schema<unknown>(async () => thrown()), {
        schema: passing,
        encode: thrown
      }]
    ) {
      const { message, path, reason } = await misfit(definition)
      assert.strictEqual(path, "$")
      assert.match(reason, /^the (schema|encode) of its topic threw RangeError/)
      assert.notInclude(message, "98765432")
    }
    for (const answer of [undefined, true, {}, Promise.resolve("no"), { issues: 7 }]) {
      assert.include((await misfit(schema(() => answer as never))).reason, "{ value } or { issues }")
    }
    const getter = {
      get issues(): never {
        return thrown()
      }
    }
    assert.include((await misfit(schema(() => getter as never))).reason, "threw RangeError")
  })

  it("and never answer: after ten seconds, or sooner if the caller wishes", async () => {
    const hookrail = client(defineEvents({ never }))
    const controller = new AbortController()
    const aborted = rejects(hookrail.sendEvent("never", 1, { signal: controller.signal }), Node.HookrailAbortedError)
    controller.abort()
    assert.deepInclude(await aborted, { topic: "never", outcome: "not-sent" })
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    const late = rejects(hookrail.sendEvent("never", 1), Node.InvalidPayloadError)
    await vi.advanceTimersByTimeAsync(10_000)
    assert.strictEqual((await late).reason, "its schema did not answer within 10 seconds")
    assert.strictEqual(vi.getTimerCount(), 0)
    vi.useRealTimers()
    const closed = rejects(hookrail.sendEvent("never", 1), Node.HookrailClosedError)
    await hookrail.close()
    assert.deepInclude(await closed, { topic: "never", outcome: "not-sent" })
    assert.lengthOf(requests(), 0)
  })

  it("and take their time, which a client that is closed waits for", async () => {
    let answer = (): void => {}
    const slow = schema((value) => new Promise<{ value: unknown }>((resolve) => (answer = () => resolve({ value }))))
    const hookrail = client(defineEvents({ slow }))
    const sending = hookrail.sendEvent("slow", { n: 1 })
    const closing = hookrail.close({ drain: true })
    answer()
    assert.isFalse((await sending).replayed)
    await closing
  })

  it("and change what they read: senders send what they were given, handlers get what they return", async () => {
    const spoiling = defineEvents({
      spoilt: schema<{ n: number; items?: Array<number> }>((value) => {
        const object = value as { n: number; items?: Array<number> }
        object.n = 0
        object.items?.push(4)
        return { value: object }
      })
    })
    const payload = { n: 1, items: [3] }
    await client(spoiling).sendEvent("spoilt", payload)
    assert.deepStrictEqual(payload, { n: 1, items: [3] })
    assert.deepStrictEqual(bodies()[0]?.payload, { n: 1, items: [3] })
  })

  it("and fail at a receiver: Hookrail delivers again, and the log has the error", async () => {
    const log: Array<LogEntry> = []
    const broken = new RangeError("broken")
    const events = defineEvents({
      throws: schema(() => {
        throw broken
      }),
      rejects: schema(() => Promise.reject(broken)),
      junk: schema(() => undefined as never),
      never
    })
    const handler = createWebhookHandler({
      secrets: secret,
      events,
      timeout: 30,
      log: (entry) => log.push(entry),
      on: { "*": () => assert.fail("it was handled") }
    })
    const statuses: Array<number> = []
    for (const topic of events.topics) {
      statuses.push((await handler(signWebhook({ secret, topic, payload: {} }).toRequest())).status)
    }
    assert.deepStrictEqual(statuses, [500, 500, 500, 503])
    assert.deepStrictEqual(log.map(({ error }) => error instanceof Error ? error.name : error), [
      "RangeError",
      "RangeError",
      "JunkError",
      undefined
    ])
    assert.include(log[3]!.message, "the schema takes too long")
  })
})

describe("webhook handlers of a catalogue", () => {
  const handled = async (
    handlers: (note: (by: string) => () => void) => Pick<WebhookHandlerOptions, "on" | "otherwise">,
    topics: ReadonlyArray<string>
  ): Promise<ReadonlyArray<string | number>> => {
    const events = defineEvents({ "a.b": passing, "a.b.c": passing, "a.d": passing, "e": passing })
    const got: Array<string | number> = []
    const handler = createWebhookHandler({
      secrets: secret,
      events,
      log: false,
      ...handlers((by) => () => void got.push(by)) as object
    })
    for (const topic of topics) {
      const { status } = await handler(signWebhook({ secret, topic, payload: {} }).toRequest())
      if (status !== 204) got.push(status)
    }
    return got
  }

  it("take the most specific pattern, in whatever order they are written", async () => {
    const patterns = ["a.*", "*", "a.b", "a.b.*"]
    for (const order of [patterns, [...patterns].reverse()]) {
      const got = await handled(
        (note) => ({ on: Object.fromEntries(order.map((pattern) => [pattern, note(pattern)])) }),
        ["a.b", "a.b.c", "a.d", "e"]
      )
      assert.deepStrictEqual(got, ["a.b", "a.b.*", "a.*", "*"])
    }
  })

  it("leave other topics to otherwise, whatever their payloads are", async () => {
    const on = (note: (by: string) => () => void) => ({ "a.*": note("a.*"), "*": note("*") })
    assert.deepStrictEqual(await handled((note) => ({ on: on(note) }), ["a.x", "a.b"]), [422, "a.*"])
    assert.deepStrictEqual(
      await handled((note) => ({ on: on(note), otherwise: note("otherwise") }), ["a.x", "f", "a.b", "e"]),
      ["otherwise", "otherwise", "a.*", "*"]
    )
    assert.deepStrictEqual(await handled((note) => ({ otherwise: note("otherwise") }), ["e"]), ["otherwise"])
  })

  it("are refused when they match nothing", () => {
    const on = (on: object) => throws(() => createWebhookHandler({ secrets: secret, events: catalogues.zod, on }))
    for (
      const [pattern, reason] of [
        ["order.*", "\"order.*\" matches no topic of the catalogue"],
        ["orders.created.*", "\"orders.created.*\" matches no topic of the catalogue"],
        ["order.created", "\"order.created\": the catalogue has no such topic: did you mean \"orders.created\"?"],
        ["shipments", "\"shipments\": the catalogue has no such topic"],
        ["*.created", "\"*.created\" must be a topic, a prefix followed by \".*\""]
      ] as const
    ) {
      const error = on({ [pattern]: () => {} })
      assert.strictEqual(error.option, "on")
      assert.include(error.reason, reason)
    }
  })

  it("get what is not traced, decoded, and answer as they are told", async () => {
    const strict = defineEvents({ strict: z.strictObject({ n: z.number() }) })
    const events: Array<WebhookEvent<{ readonly n: number }>> = []
    const handler = createWebhookHandler({
      secrets: secret,
      events: strict,
      onInvalidPayload: "retry",
      log: false,
      on: { strict: (event) => void events.push(event) }
    })
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    const traced = signWebhook({ secret, topic: "strict", payload: { n: 1, hookrail_traceparent: traceparent } })
    assert.strictEqual((await handler(traced.toRequest())).status, 204)
    assert.deepInclude(events[0], { topic: "strict", payload: { n: 1 }, traceparent })
    const invalid = signWebhook({ secret, topic: "strict", payload: { n: "1" } })
    assert.strictEqual((await handler(invalid.toRequest())).status, 503)
  })
})

describe("defineEvents", () => {
  it("refuses what is no catalogue, and says why", () => {
    const schemaLike = z.string()
    const definitions: ReadonlyArray<readonly [unknown, string]> = [
      [undefined, "must be an object: a schema for each topic"],
      [null, "must be an object"],
      [[schemaLike], "must be an object"],
      [new Map([["a", schemaLike]]), "must be an object: a schema for each topic, without a class"],
      [{ __proto__: schemaLike }, "A topic \"__proto__\" is written [\"__proto__\"]"],
      [catalogues.zod, "is a catalogue already"],
      [{ "": schemaLike }, "\"\": it is empty"],
      [{ "a\nb": schemaLike }, "control character"],
      [{ ["a".repeat(2_049)]: schemaLike }, "it is longer than 2048 bytes"],
      [{ "orders.*": schemaLike }, "\"orders.*\": it is a pattern, and a catalogue lists topics"],
      [{ a: undefined }, "\"a\": it is no schema"],
      [{ a: "string" }, "\"a\": it is no schema"],
      [{ a: {} }, "\"a\": it is no Standard Schema, as those of Zod, Valibot and ArkType are"],
      [{ a: { safeParse: () => {} } }, "update its library"],
      [{ a: Schema4.String }, "it is a Schema of Effect: give Schema.toStandardSchemaV1(schema)"],
      [{ a: Schema3.Struct({ a: Schema3.String }) }, "it is a Schema of Effect"],
      [{ a: Topic.make("a", Schema4.String) }, "it is a Topic: give defineEvents(Topic.toEvents([topic]))"],
      [{ a: { schema: schemaLike, encode: "no" } }, "its encode is no function"],
      [{ a: { schema: undefined, encode: () => {} } }, "its schema is no schema"],
      [{ a: { schema: {}, encode: () => {} } }, "it is no Standard Schema"],
      [{ a: { "~standard": { version: 2, validate: () => {} } } }, "is not of version 1 of Standard Schema"],
      [{ a: { "~standard": null } }, "is not of version 1 of Standard Schema"]
    ]
    for (const [given, reason] of definitions) {
      const error = throws(() => defineEvents(given as never))
      assert.strictEqual(error.option, "events")
      assert.include(error.reason, reason)
      assert.isBelow(error.message.length, 400)
      assert.include(error.stack, "events.test.ts")
    }
  })

  it("takes topics of any name that can be sent", async () => {
    const long = `orders.${"é".repeat(120)}`
    const events = defineEvents({
      ["__proto__"]: z.number(),
      constructor: z.number(),
      [long]: z.number(),
      "a b": z.number()
    })
    assert.deepStrictEqual(events.topics, ["__proto__", "constructor", long, "a b"] as never)
    assert.deepStrictEqual(["__proto__", "toString", long].map((topic) => events.has(topic)), [true, false, true])
    const received: Array<unknown> = []
    await receive(createWebhookHandler({
      secrets: secret,
      events,
      on: { "*": ({ payload, topic }) => void received.push([topic, payload]) }
    }))
    const hookrail = client<{ readonly [topic: string]: number }>(events as never)
    for (const [n, topic] of ["__proto__", "constructor", long, "a b"].entries()) await hookrail.sendEvent(topic, n)
    await rejects(hookrail.sendEvent("__proto__", "x" as never), Node.InvalidPayloadError)
    await emulator.idle()
    assert.sameDeepMembers(received, [["__proto__", 0], ["constructor", 1], [long, 2], ["a b", 3]])
  })

  it("takes ten thousand topics", async () => {
    const number = z.number()
    const definitions = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, n) => [`area${n % 100}.event${n}`, number])
    )
    const events = defineEvents(definitions)
    assert.lengthOf(events.topics, 10_000)
    const hookrail = client(events)
    await hookrail.sendEvent("area99.event9999", 1)
    const error = await rejects(hookrail.sendEvent("area99.event9998x", 1), Node.InvalidArgumentError)
    assert.include(error.message, "area99.event9998")
    const received: Array<string> = []
    const handler = createWebhookHandler({
      secrets: secret,
      events,
      on: { "area7.*": ({ topic }) => void received.push(topic), "*": () => {} }
    })
    for (const topic of ["area7.event107", "area8.event108"]) {
      assert.strictEqual((await handler(signWebhook({ secret, topic, payload: 1 }).toRequest())).status, 204)
    }
    assert.deepStrictEqual(received, ["area7.event107"])
  })

  it("does not follow later changes of the object", () => {
    const definitions: Record<string, EventDefinition> = { a: z.number() }
    const events = defineEvents(definitions)
    delete definitions["a"]
    definitions["b"] = z.number()
    assert.deepStrictEqual(events.topics, ["a"])
  })
})

describe("a catalogue", () => {
  it("checks payloads without sending or receiving them", async () => {
    const { zod } = catalogues
    assert.isTrue(isEventCatalogue(zod))
    for (const other of [undefined, null, 7, "a", {}, { topics: [] }]) assert.isFalse(isEventCatalogue(other))
    assert.deepStrictEqual(await zod.encode("orders.placed", order), wire)
    assert.deepStrictEqual(await zod.decode("orders.placed", wire), order)
    const unsent = await rejects(zod.encode("orders.created", { ...wire, total: "5" as never }), InvalidPayloadError)
    assert.deepInclude(unsent, { topic: "orders.created", path: "$.total", outcome: "not-sent" })
    const unread = await rejects(zod.decode("orders.created", { ...wire, total: "5" }), InvalidPayloadError)
    assert.deepInclude(unread, { topic: "orders.created", path: "$.total" })
    assert.isUndefined(unread.outcome)
    assert.match(unread.message, /^event on topic "orders.created": invalid payload at \$\.total: [^.]*\.$/)
    for (const method of [zod.encode, zod.decode]) {
      await rejects(method.call(zod, "orders.create" as never, wire as never), InvalidArgumentError)
    }
  })

  it("is no option that may be anything else", () => {
    for (const events of [null, {}, { "orders.created": z.string() }, "events", type({ a: "string" })]) {
      const build = () => new Node.Hookrail({ apiKey: "hk_a", events: events as never })
      assert.include(throws(build).message, "events: must be from defineEvents")
      const receiver = () => createWebhookHandler({ secrets: secret, events: events as never })
      assert.include(throws(receiver).message, "events: must be from defineEvents")
      assert.throws(
        () => signWebhook({ secret, events: events as never, topic: "a", payload: 1 }),
        /events must be (an object|made by defineEvents)/
      )
    }
  })

  it("with asynchronous schemas signs no webhook without being awaited", async () => {
    const events = defineEvents({ later: schema(async (value) => ({ value })) })
    assert.throws(() => signWebhook({ secret, events, topic: "later", payload: 1 }), /asynchronous/)
    assert.throws(
      () => signWebhook({ secret, events, topic: "latter" as "later", payload: 1 }),
      /did you mean "later"\?/
    )
    const payload = await events.encode("later", 1)
    assert.strictEqual(signWebhook({ secret, topic: "later", payload }).body, "1")
  })
})
