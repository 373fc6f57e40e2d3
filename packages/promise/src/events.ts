/**
 * A catalogue of events: the topics of a system, with the schemas of their payloads. Write it once, in a module that senders and
 * receivers import; both ends then check payloads by it, and the compiler knows them.
 *
 * @example
 * ```ts
 * import { Hookrail } from "@hookrail/promise"
 * import { defineEvents } from "@hookrail/promise/events"
 * import { createWebhookHandler } from "@hookrail/promise/webhooks"
 * import { z } from "zod"
 *
 * export const events = defineEvents({
 *   "orders.created": z.object({ order_id: z.string(), total: z.number() }),
 *   "orders.cancelled": z.object({ order_id: z.string(), reason: z.string().optional() })
 * })
 *
 * const hookrail = new Hookrail({ events })
 * await hookrail.sendEvent("orders.created", { order_id: "o_1", total: 99 })
 *
 * export const POST = createWebhookHandler({
 *   secrets: () => process.env["HOOKRAIL_WEBHOOK_SECRET"],
 *   events,
 *   on: {
 *     "orders.created": ({ payload }) => console.log(payload.total),
 *     "orders.*": ({ payload, topic }) => console.log(topic, payload.order_id)
 *   }
 * })
 * ```
 *
 * @since 0.1.0
 */
import { decoded, encoded } from "hookrail/catalogue/check"
import type {
  Catalogue,
  EventCodec,
  EventDefinition,
  EventDefinitions,
  ReceivedBy,
  SentBy,
  StandardIssue,
  StandardResult,
  StandardSchema,
  Verdict
} from "hookrail/catalogue/model"
import { closest } from "hookrail/options/check"
import { checkTopic } from "hookrail/wire/arguments"
import { callOf, type Described, verdictOf } from "hookrail/wire/describe"
import { quote, shorten } from "hookrail/wire/shorten"
import { located } from "./caller.js"
import type { Checks as Internal, Found, Input } from "./catalogue.js"
import { configError, InvalidArgumentError, InvalidPayloadError } from "./errors.js"

export {
  HookrailConfigError,
  HookrailError,
  InvalidArgumentError,
  InvalidPayloadError,
  isHookrailError
} from "./errors.js"
export type {
  Catalogue,
  EventCodec,
  EventDefinition,
  EventDefinitions,
  ReceivedBy,
  SentBy,
  StandardIssue,
  StandardResult,
  StandardSchema,
  Verdict
}

/**
 * A catalogue, with the payloads of its topics: as senders give them, and as handlers get them.
 *
 * @since 0.1.0
 */
export interface EventCatalogue<Sent extends object, Received extends object = Sent> extends Catalogue<Sent, Received> {
  /** All topics, in the order of the definitions. */
  readonly topics: ReadonlyArray<keyof Sent & string>
  /** Whether there is such a topic. */
  has(topic: string): topic is keyof Sent & string
  /**
   * Checks a payload as a client does before it sends it, without sending. Resolves to the JSON value that would be sent. Rejects
   * with an `InvalidPayloadError`, or with an `InvalidArgumentError` if there is no such topic.
   */
  encode<T extends keyof Sent & string>(topic: T, payload: Sent[T]): Promise<unknown>
  /**
   * Checks a received payload as a webhook handler does: for those who receive in another way. Resolves to what a handler gets.
   * Rejects as `encode` does, and with whatever a schema throws.
   */
  decode<T extends keyof Received & string>(topic: T, json: unknown): Promise<Received[T]>
}

/**
 * The payload of a topic as senders give it.
 *
 * @example
 * ```ts
 * import { defineEvents, type SentPayload } from "@hookrail/promise/events"
 * import { z } from "zod"
 *
 * export const events = defineEvents({ "orders.created": z.object({ order_id: z.string() }) })
 *
 * export const orderCreated = (orderId: string): SentPayload<typeof events, "orders.created"> => ({ order_id: orderId })
 * ```
 *
 * @since 0.1.0
 */
export type SentPayload<Events, Topic extends string> = Events extends Catalogue<infer Sent, object>
  ? Topic extends keyof Sent ? Sent[Topic] : never
  : never

/**
 * The payload of a topic as handlers get it.
 *
 * @since 0.1.0
 */
export type ReceivedPayload<Events, Topic extends string> = Events extends Catalogue<object, infer Received>
  ? Topic extends keyof Received ? Received[Topic] : never
  : never

/**
 * Defines the events of a system: a schema for each topic, of any library that implements Standard Schema, such as Zod, Valibot and
 * ArkType; for a Schema of Effect, `Schema.toStandardSchemaV1(schema)` (in Effect 3 `Schema.standardSchemaV1(schema)`).
 *
 * What is sent is the input of a schema as JSON, so senders give the input. Handlers get the output. If the two differ, as with a
 * schema that reads a text as a `Date`, `codec` lets senders give the output too.
 *
 * Throws a `HookrailConfigError` for a topic that cannot be sent, and for what is no schema.
 *
 * @since 0.1.0
 */
export const defineEvents = <const Definitions extends EventDefinitions>(
  definitions: Definitions
): EventCatalogue<
  { readonly [T in keyof Definitions & string]: SentBy<Definitions[T]> },
  { readonly [T in keyof Definitions & string]: ReceivedBy<Definitions[T]> }
> => {
  const fault = definitionsFault(definitions)
  if (fault !== undefined) throw located(configError("events", fault))
  return new Events(new Map(Object.entries(definitions))) as never
}

/**
 * A schema with the way back: senders give what handlers get, and `encode` turns it into what is sent.
 *
 * @example
 * ```ts
 * import { codec, defineEvents } from "@hookrail/promise/events"
 * import { z } from "zod"
 *
 * const timestamp = z.codec(z.iso.datetime(), z.date(), {
 *   decode: (text) => new Date(text),
 *   encode: (date) => date.toISOString()
 * })
 * const OrderCreated = z.object({ order_id: z.string(), placed: timestamp })
 *
 * export const events = defineEvents({
 *   "orders.created": codec(OrderCreated, (order) => z.encode(OrderCreated, order))
 * })
 * ```
 *
 * @since 0.1.0
 */
export const codec = <Input, Output>(
  schema: StandardSchema<Input, Output>,
  encode: (payload: NoInfer<Output>) => NoInfer<Input> | Promise<NoInfer<Input>>
): EventCodec<Input, Output> => ({ schema, encode })

/**
 * Whether something is a catalogue, whichever copy and format of this package made it.
 *
 * @since 0.1.0
 */
export const isEventCatalogue = (u: unknown): u is EventCatalogue<{ readonly [topic: string]: unknown }> =>
  typeof u === "object" && u !== null && "~hookrail/EventCatalogue" in u

/** How long a schema may take before an event is sent. Receivers have the timeout of their handlers. */
const encodeLimit = 10_000

/** What clients, webhook handlers and emulators use. */
class Checks implements Internal {
  constructor(readonly definitions: ReadonlyMap<string, EventDefinition>) {}

  // Properties, which can be passed on.
  readonly encode = (topic: string, payload: unknown): Verdict | Promise<Verdict> | undefined => {
    const definition = this.definitions.get(topic)
    if (definition === undefined) return undefined
    const verdict = encoded(definition, payload)
    return "then" in verdict ? inTime(verdict) : verdict
  }

  readonly decode = (topic: string, json: unknown): Verdict | Promise<Verdict> | undefined => {
    const definition = this.definitions.get(topic)
    return definition === undefined ? undefined : decoded(definition, json)
  }

  readonly unknown = (topic: string): string => {
    const meant = closest(topic, Array.from(this.definitions.keys()))
    return `the catalogue has no such topic${meant === undefined ? "" : `: did you mean ${quote(meant)}?`}`
  }

  readonly find = (event: Input | null | undefined): Found | Promise<Found> => {
    const { idempotencyKey, payload, topic } = event ?? {}
    const about: About = { topic: String(topic), idempotencyKey, outcome: "not-sent" }
    const verdict = this.encode(topic as string, payload)
    return verdict !== undefined && "then" in verdict
      ? verdict.then((verdict) => this.found(about, verdict))
      : this.found(about, verdict)
  }

  /** The value of a verdict, or the error that says why there is none. */
  found(about: About, verdict: Verdict | undefined): Found {
    if (verdict === undefined) {
      const fields = { ...about, argument: "topic", reason: this.unknown(about.topic) }
      const message = sentence(about, `invalid topic: ${fields.reason}`)
      return { error: new InvalidArgumentError("InvalidArgumentError", message, fields) }
    }
    if (!("reason" in verdict)) return verdict
    const { path, reason } = verdict
    const message = sentence(about, `invalid payload at ${shorten(`${path}: ${reason}`, 300)}`)
    return { error: new InvalidPayloadError("InvalidPayloadError", message, { ...about, path, reason }) }
  }
}

type About = Described & { readonly topic: string }

const sentence = (about: About, what: string): string => `${callOf(about)}: ${what}.${verdictOf(about)}`

/** A schema that never answers must not keep its sender waiting for ever. */
const inTime = (verdict: Promise<Verdict>): Promise<Verdict> =>
  new Promise((resolve) => {
    const reason = `its schema did not answer within ${encodeLimit / 1000} seconds`
    const timer = setTimeout(() => resolve({ path: "$", reason }), encodeLimit)
    void verdict.then((verdict) => {
      clearTimeout(timer)
      resolve(verdict)
    })
  })

class Events implements EventCatalogue<{ readonly [topic: string]: unknown }> {
  readonly topics: ReadonlyArray<string>
  readonly "~hookrail/EventCatalogue": Checks

  constructor(definitions: ReadonlyMap<string, EventDefinition>) {
    this.topics = Array.from(definitions.keys())
    this["~hookrail/EventCatalogue"] = new Checks(definitions)
  }

  has(topic: string): topic is string {
    return this["~hookrail/EventCatalogue"].definitions.has(topic)
  }

  async encode(topic: string, payload: unknown): Promise<unknown> {
    return valueOf(await this["~hookrail/EventCatalogue"].find({ topic, payload }))
  }

  async decode(topic: string, json: unknown): Promise<unknown> {
    const checks = this["~hookrail/EventCatalogue"]
    return valueOf(checks.found({ topic }, await checks.decode(topic, json)))
  }
}

const valueOf = (found: Found): unknown => {
  if (found.error !== undefined) throw located(found.error)
  return found.value
}

// ---------------------------------------------------------------------------------------------------------------
// checks of what callers without types may pass
// ---------------------------------------------------------------------------------------------------------------

const definitionsFault = (definitions: unknown): string | undefined => {
  if (typeof definitions !== "object" || definitions === null || Array.isArray(definitions)) return noObject
  if (isEventCatalogue(definitions)) return "is a catalogue already"
  const prototype: unknown = Object.getPrototypeOf(definitions)
  if (prototype !== null && prototype !== Object.prototype) {
    return `${noObject}, without a class. A topic "__proto__" is written ["__proto__"]`
  }
  for (const [topic, definition] of Object.entries(definitions)) {
    const reason = checkTopic(topic) ?? (topic.includes("*") ? pattern : undefined) ?? definitionFault(definition)
    if (reason !== undefined) return `${quote(topic)}: ${reason}`
  }
  return undefined
}

const noObject = "must be an object: a schema for each topic"

const pattern = "it is a pattern, and a catalogue lists topics"

const definitionFault = (definition: unknown): string | undefined => {
  if (!isObject(definition)) return "it is no schema"
  if ("~hookrail/Topic" in definition) return "it is a Topic: give defineEvents(Topic.toEvents([topic]))"
  if ("~standard" in definition) return schemaFault(definition)
  if (!("encode" in definition) || !("schema" in definition) || "ast" in definition) return schemaFault(definition)
  if (typeof definition.encode !== "function") return "its encode is no function"
  return isObject(definition.schema) ? schemaFault(definition.schema) : "its schema is no schema"
}

const isObject = (u: unknown): u is object => (typeof u === "object" && u !== null) || typeof u === "function"

const schemaFault = (schema: object): string | undefined => {
  if ("~standard" in schema) {
    const standard = schema["~standard"] as Partial<StandardSchema["~standard"]> | null | undefined
    return standard?.version === 1 && typeof standard.validate === "function"
      ? undefined
      : "its schema is not of version 1 of Standard Schema"
  }
  if ("ast" in schema) {
    return "it is a Schema of Effect: give Schema.toStandardSchemaV1(schema), in Effect 3 Schema.standardSchemaV1(schema)"
  }
  if ("safeParse" in schema) return "it is no Standard Schema: update its library (Zod has it since 3.24)"
  return "it is no Standard Schema, as those of Zod, Valibot and ArkType are"
}
