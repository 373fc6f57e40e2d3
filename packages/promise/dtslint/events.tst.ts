/** What a catalogue tells the compiler, whichever library made its schemas. */
import { signWebhook } from "@hookrail/emulator"
import { type EventInput, Hookrail, type SendResult } from "@hookrail/promise"
import {
  codec,
  defineEvents,
  type EventCatalogue,
  type EventCodec,
  isEventCatalogue,
  type ReceivedPayload,
  type SentPayload,
  type StandardSchema
} from "@hookrail/promise/events"
import { toJsonSchema, toOpenApi } from "@hookrail/promise/openapi"
import { type CatalogueEvent, createWebhookHandler, type WebhookEvent } from "@hookrail/promise/webhooks"
import type { StandardSchemaV1 } from "@standard-schema/spec"
import { toStandardJsonSchema } from "@valibot/to-json-schema"
import { type } from "arktype"
import { Schema as Schema4 } from "effect"
import { Schema as Schema3 } from "effect-3"
import { Topic } from "hookrail"
import { describe, expect, test } from "tstyche"
import * as v from "valibot"
import { z } from "zod"
import * as mini from "zod/mini"

interface Wire {
  readonly id: string
  readonly at: string
}

interface Order {
  readonly id: string
  readonly at: Date
}

const timestamp = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString()
})
const Zod = z.object({ id: z.string(), at: timestamp }).readonly()
const Valibot = v.pipe(
  v.object({ id: v.string(), at: v.pipe(v.string(), v.transform((text) => new Date(text))) }),
  v.readonly()
)
const Ark = type({ id: "string", at: "string.date.iso.parse" }).readonly()
const Effect4 = Schema4.Struct({ id: Schema4.String, at: Schema4.DateFromString })
const Effect3 = Schema3.Struct({ id: Schema3.String, at: Schema3.Date })

const events = defineEvents({
  "orders.created": Zod,
  "orders.paid": codec(Zod, (order) => z.encode(Zod, order)),
  "orders.items.added": z.object({ sku: z.string() }),
  ping: z.null()
})

declare const hookrail: Hookrail
const typed = new Hookrail({ events })

describe("payloads", () => {
  test("are inferred from the schemas of all libraries", () => {
    const _all = defineEvents({
      zod: Zod,
      mini: mini.object({ id: mini.string() }),
      valibot: Valibot,
      valibotJson: toStandardJsonSchema(Valibot),
      arktype: Ark,
      effect4: Schema4.toStandardSchemaV1(Effect4),
      effect4Json: Schema4.toStandardJSONSchemaV1(Schema4.toStandardSchemaV1(Effect4)),
      effect3: Schema3.standardSchemaV1(Effect3)
    })
    type Sent<T extends string> = SentPayload<typeof _all, T>
    type Received<T extends string> = ReceivedPayload<typeof _all, T>
    expect<Sent<"zod">>().type.toBe<Readonly<{ id: string; at: string }>>()
    expect<Received<"zod">>().type.toBe<Readonly<{ id: string; at: Date }>>()
    expect<Sent<"mini">>().type.toBe<{ id: string }>()
    // Read-only or not, that is up to the library.
    expect<Wire>().type.toBeAssignableTo<Sent<"valibot" | "valibotJson" | "arktype">>()
    expect<Received<"valibot" | "valibotJson" | "arktype">>().type.toBeAssignableTo<Order>()
    expect<Sent<"effect4" | "effect4Json" | "effect3">>().type.toBe<Wire>()
    expect<Received<"effect4" | "effect4Json" | "effect3">>().type.toBe<Order>()
  })

  test("of a codec are its output on both ends", () => {
    const _all = defineEvents({
      zod: codec(Zod, (order) => z.encode(Zod, order)),
      valibot: codec(Valibot, (order) => ({ ...order, at: order.at.toISOString() })),
      arktype: codec(Ark, (order) => ({ ...order, at: order.at.toISOString() })),
      effect4: codec(Schema4.toStandardSchemaV1(Effect4), Schema4.encodeSync(Effect4)),
      effect3: codec(Schema3.standardSchemaV1(Effect3), Schema3.encodeSync(Effect3)),
      later: codec(Schema4.toStandardSchemaV1(Effect4), Schema4.encodePromise(Effect4))
    })
    expect<SentPayload<typeof _all, "zod" | "valibot" | "arktype" | "effect4" | "effect3" | "later">>()
      .type.toBeAssignableTo<Order>()
    expect<Order>().type.toBeAssignableTo<SentPayload<typeof _all, "effect4">>()
    expect(codec).type.not.toBeCallableWith(Zod, () => ({ id: "a" }))
    expect(codec).type.not.toBeCallableWith(Zod, (order: Order) => order)
  })

  test("of topics of Effect are what their Schemas say", () => {
    const topics = defineEvents(Topic.toEvents([Topic.make("a", Effect4), Topic.make("b", Schema4.Number)]))
    expect(topics.topics).type.toBe<ReadonlyArray<"a" | "b">>()
    expect<SentPayload<typeof topics, "a">>().type.toBe<Order>()
    expect<ReceivedPayload<typeof topics, "b">>().type.toBe<number>()
    const again = Topic.fromEvents(topics)
    expect(again.a).type.toBeAssignableTo<Topic.Typed<Order, Order>>()
    expect(again.b.name).type.toBe<"b">()
  })

  test("are known by topic", () => {
    expect(events.topics).type.toBe<ReadonlyArray<"orders.created" | "orders.paid" | "orders.items.added" | "ping">>()
    expect(events.encode("ping", null)).type.toBe<Promise<unknown>>()
    expect(events.decode("ping", {})).type.toBe<Promise<null>>()
    expect(events.encode).type.not.toBeCallableWith("orders", null)
    expect(events.encode).type.not.toBeCallableWith("ping", 1)
    const topic = "" as string
    if (events.has(topic)) expect(topic).type.toBe<"orders.created" | "orders.paid" | "orders.items.added" | "ping">()
    const unknown = {} as unknown
    if (isEventCatalogue(unknown)) expect(unknown.topics).type.toBe<ReadonlyArray<string>>()
  })
})

describe("what is no schema", () => {
  test("does not compile", () => {
    expect(defineEvents).type.not.toBeCallableWith({ a: "string" })
    expect(defineEvents).type.not.toBeCallableWith({ a: { schema: z.string() } })
    expect(defineEvents).type.not.toBeCallableWith({ a: Schema4.String })
    expect(defineEvents).type.not.toBeCallableWith(undefined)
  })

  test("is not what Standard Schema says", () => {
    expect<StandardSchemaV1<Wire, Order>>().type.toBeAssignableTo<StandardSchema<Wire, Order>>()
    expect<StandardSchema<Wire, Order>>().type.toBeAssignableTo<StandardSchemaV1<Wire, Order>>()
    expect(codec({} as StandardSchemaV1<Wire, Order>, () => ({} as Wire))).type.toBe<EventCodec<Wire, Order>>()
  })
})

describe("a client with a catalogue", () => {
  test("sends its events", () => {
    expect(typed.sendEvent).type.toBeCallableWith("orders.created", { id: "a", at: "2026" })
    expect(typed.sendEvent).type.toBeCallableWith("orders.paid", { id: "a", at: new Date() }, { idempotencyKey: "k" })
    expect(typed.sendEvent).type.toBeCallableWith("ping", null)
    expect(typed.sendEvent).type.not.toBeCallableWith("orders.created", { id: "a" })
    expect(typed.sendEvent).type.not.toBeCallableWith("orders.created", { id: "a", at: new Date() })
    expect(typed.sendEvent).type.not.toBeCallableWith("order.created", { id: "a", at: "2026" })
    expect(typed.sendEvent).type.not.toBeCallableWith("orders.created", { id: "a", at: "2026", more: 1 })
  })

  test("sends many of them", () => {
    expect(typed.sendEvents).type.toBeCallableWith([
      { topic: "orders.created", payload: { id: "a", at: "2026" } },
      { topic: "ping", payload: null, idempotencyKey: "k" }
    ])
    expect(typed.sendEvents).type.not.toBeCallableWith([{ topic: "ping", payload: { id: "a", at: "2026" } }])
    expect(typed.sendEvents).type.not.toBeCallableWith([{ topic: "pong", payload: null }])
    type Sent = typeof events extends EventCatalogue<infer S, object> ? S : never
    const input = {} as EventInput<Sent>
    if (input.topic === "ping") expect(input.payload).type.toBe<null>()
    void (async () => {
      for await (const result of typed.sendEvents([input], { onError: "collect" })) {
        expect(result).type.toBe<SendResult<Sent>>()
      }
    })
  })

  test("is no client for those who send anything, but one for the rest", () => {
    expect(typed).type.not.toBeAssignableTo<Hookrail>()
    expect(typed).type.toBeAssignableTo<Pick<Hookrail, "awaitEvent" | "close" | "getEvent" | "sendEncoded">>()
  })

  test("is nothing else without one", () => {
    expect(new Hookrail()).type.toBe<Hookrail>()
    expect(new Hookrail({ apiKey: "hk_a" })).type.toBe<Hookrail>()
    expect(hookrail.sendEvent).type.toBeCallableWith("any", { n: 1 })
    expect(hookrail.sendEvent).type.toBeCallableWith("" as string, null, {})
    expect(hookrail.sendEvent).type.not.toBeCallableWith("any", undefined)
    expect(Hookrail).type.not.toBeConstructableWith({ events: { "orders.created": Zod } })
  })
})

describe("a webhook handler with a catalogue", () => {
  const secrets = "whsec_a"

  test("gets decoded payloads, by topic and by pattern", () => {
    createWebhookHandler({
      secrets,
      events,
      on: {
        "orders.created": ({ payload, topic }) => {
          expect(payload).type.toBe<Readonly<{ id: string; at: Date }>>()
          expect(topic).type.toBe<"orders.created">()
        },
        "orders.*": (event) => {
          expect(event.topic).type.toBe<"orders.created" | "orders.paid" | "orders.items.added">()
          if (event.topic === "orders.items.added") expect(event.payload).type.toBe<{ sku: string }>()
          else expect(event.payload.at).type.toBe<Date>()
        },
        "orders.items.*": ({ payload }) => expect(payload).type.toBe<{ sku: string }>(),
        "*": (event) => {
          if (event.topic === "ping") expect(event.payload).type.toBe<null>()
        }
      },
      otherwise: (event) => expect(event).type.toBe<WebhookEvent>()
    })
  })

  test("handles nothing that is not in it", () => {
    const nothing = () => {}
    expect(createWebhookHandler).type.toBeCallableWith({ secrets, events })
    expect(createWebhookHandler).type.toBeCallableWith({ secrets, events, on: { ping: nothing } })
    expect(createWebhookHandler).type.not.toBeCallableWith({ secrets, events, on: { "order.created": nothing } })
    expect(createWebhookHandler).type.not.toBeCallableWith({ secrets, events, on: { "invoices.*": nothing } })
    expect(createWebhookHandler).type.not.toBeCallableWith({ secrets, events, on: { "ping.*": nothing } })
    expect(createWebhookHandler).type.not.toBeCallableWith({
      secrets,
      events,
      on: { ping: (event: WebhookEvent<string>) => event }
    })
  })

  test("has functions of its own", () => {
    const ship = ({ payload }: CatalogueEvent<typeof events, "orders.created">) => payload.at
    const log = (event: CatalogueEvent<typeof events>) => event.topic
    expect(createWebhookHandler).type.toBeCallableWith({ secrets, events, on: { "orders.created": ship, "*": log } })
    expect<CatalogueEvent<typeof events, "orders.items.*">>().type.toBe<
      WebhookEvent<{ sku: string }, "orders.items.added">
    >()
  })

  test("infers as before without one", () => {
    createWebhookHandler<{ "orders.created": Wire }>({
      secrets,
      on: { "orders.created": ({ payload }) => expect(payload).type.toBe<Wire>() }
    })
    createWebhookHandler({ secrets, on: { any: ({ payload }) => expect(payload).type.toBe<unknown>() } })
    createWebhookHandler({ secrets, on: { any: ({ payload }: WebhookEvent<Wire>) => payload.at } })
  })
})

describe("the emulator and exports", () => {
  const secret = "whsec_a"

  test("know the payloads", () => {
    const at = new Date()
    expect(signWebhook).type.toBeCallableWith({ secret, events, topic: "orders.paid", payload: { id: "a", at } })
    expect(signWebhook).type.toBeCallableWith({ secret, topic: "any", payload: undefined })
    expect(signWebhook).type.not.toBeCallableWith({
      secret,
      events,
      topic: "orders.paid",
      payload: { id: "a", at: "2026" }
    })
    expect(signWebhook).type.not.toBeCallableWith({ secret, events, topic: "orders.pay", payload: {} })
  })

  test("know the topics", () => {
    const info = { title: "Shop", version: "1.0.0" }
    expect(toJsonSchema(events)).type.toHaveProperty("orders.created")
    expect(toOpenApi(events, info).webhooks).type.toHaveProperty("ping")
    expect(toOpenApi).type.toBeCallableWith(events, { ...info, schemas: { ping: { type: "null" } } })
    expect(toOpenApi).type.not.toBeCallableWith(events, { ...info, schemas: { pong: {} } })
    expect(toOpenApi).type.not.toBeCallableWith(events, { title: "Shop" })
  })
})
