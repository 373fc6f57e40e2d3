/**
 * A topic with the Schema of its payloads, shared by senders and receivers.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as JSONSchema from "effect/JSONSchema"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type {
  Catalogue,
  EventCodec,
  EventDefinition,
  EventDefinitions,
  ReceivedBy,
  SentBy,
  StandardIssue,
  StandardSchema
} from "./catalogue/model.js"
import { Typed as DefinedTopic } from "./catalogue/typed.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~hookrail/Topic"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~hookrail/Topic"

/**
 * Why a payload does not match its topic's Schema, without the values of the payload.
 *
 * @since 0.1.0
 * @category models
 */
export interface PayloadFault {
  /** Such as `$.items[3].price`. */
  readonly path: string
  readonly reason: string
}

/**
 * A topic whose payloads are `A` in the program and `I` in JSON.
 *
 * @since 0.1.0
 * @category models
 */
export interface Topic<in out A, in out I = A> extends Typed<A, A> {
  readonly schema: Schema.Schema<A, I>
  readonly encode: (payload: A) => Effect.Effect<I, PayloadFault>
  readonly decode: (payload: unknown) => Effect.Effect<A, PayloadFault>
}

/**
 * A topic whose payloads are `Sent` where they are sent and `Received` where they are handled. A `Topic` is one of these,
 * and so is each event of a plain catalogue: see `fromEvents`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Typed<in Sent, out Received> extends Any {
  readonly encode: (payload: Sent) => Effect.Effect<unknown, PayloadFault>
  readonly decode: (payload: unknown) => Effect.Effect<Received, PayloadFault>
}

/**
 * A topic with payloads of any type.
 *
 * @since 0.1.0
 * @category models
 */
export interface Any {
  readonly [TypeId]: TypeId
  readonly name: string
  readonly encode: (payload: never) => Effect.Effect<unknown, PayloadFault>
  readonly decode: (payload: unknown) => Effect.Effect<unknown, PayloadFault>
}

/**
 * Defines a topic. In `sendEvent(OrderCreated, payload)` the compiler then checks the payload, and the Schema encodes it.
 *
 * @example
 * import { HookrailClient, Topic } from "hookrail"
 * import { Schema } from "effect"
 *
 * const OrderCreated = Topic.make("orders.created", Schema.Struct({ order_id: Schema.String, placed: Schema.Date }))
 *
 * const program = HookrailClient.sendEvent(OrderCreated, { order_id: "o_1", placed: new Date() })
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, I, const Name extends string = string>(
  name: Name,
  schema: Schema.Schema<A, I>
): Topic<A, I> & { readonly name: Name } => {
  const encode = ParseResult.encodeUnknown(schema, { onExcessProperty: "ignore" })
  const decode = ParseResult.decodeUnknown(schema, { onExcessProperty: "ignore" })
  return {
    [TypeId]: TypeId,
    name,
    schema,
    encode: (payload) => Effect.mapError(encode(payload), faultOf),
    decode: (payload) => atOnce(decode(payload))
  }
}

/** As a rule it is decoded at once: then the effect is an `Exit`, which needs no fiber. */
const atOnce = <A>(decoded: Effect.Effect<A, ParseResult.ParseIssue>): Effect.Effect<A, PayloadFault> => {
  if (!Either.isEither(decoded)) return Effect.mapError(decoded, faultOf)
  return Either.match(decoded as Either.Either<A, ParseResult.ParseIssue>, {
    onLeft: (issue) => Effect.fail(faultOf(issue)),
    onRight: Effect.succeed
  })
}

/**
 * @since 0.1.0
 * @category guards
 */
export const isTopic = (u: unknown): u is Any => typeof u === "object" && u !== null && TypeId in u

type TopicsOf<Definitions> = {
  readonly [T in keyof Definitions & string]:
    & Typed<SentBy<Definitions[T]>, ReceivedBy<Definitions[T]>>
    & { readonly name: T }
}

type TopicsIn<Sent, Received> = {
  readonly [T in keyof Sent & keyof Received & string]: Typed<Sent[T], Received[T]> & { readonly name: T }
}

/**
 * The topics of a plain catalogue, for `HookrailClient.sendEvent` and `Webhooks.on`: give it what `defineEvents` of
 * `@hookrail/promise/events` returns. Or the schemas of any Standard Schema library by topic, or `{ schema, encode }` with the
 * way back.
 *
 * What is sent is the input of a schema as JSON; handlers get its output. Senders give the input, or with an `encode` the
 * output. A payload is checked before it is sent, as JSON, exactly as its receivers will check it.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromEvents: {
  <Sent extends object, Received extends object>(catalogue: Catalogue<Sent, Received>): TopicsIn<Sent, Received>
  <const Definitions extends EventDefinitions>(definitions: Definitions): TopicsOf<Definitions>
} = (events: Catalogue | EventDefinitions) =>
  Object.fromEntries(
    Array.from(definitionsIn(events), ([name, definition]) => [name, new DefinedTopic(name, definition)])
  ) as never

const definitionsIn = (events: Catalogue | EventDefinitions): Iterable<readonly [string, EventDefinition]> =>
  isCatalogue(events) ? events["~hookrail/EventCatalogue"].definitions : Object.entries(events)

const isCatalogue = (events: object): events is Catalogue => "~hookrail/EventCatalogue" in events

type EventsOf<Topics extends ReadonlyArray<Any>> = {
  readonly [T in Topics[number] as T["name"]]: T extends Topic<infer A, infer I> ? EventCodec<I, A> : EventDefinition
}

/**
 * Topics for programs without Effect code: the argument of `defineEvents` of `@hookrail/promise/events`. Senders and handlers
 * there use the type of the Schema, such as `Date`, and the Schema encodes and decodes it. The Schemas can be exported as JSON
 * Schema and OpenAPI.
 *
 * @example
 * import { Topic } from "hookrail"
 * import { Schema } from "effect"
 *
 * const OrderCreated = Topic.make("orders.created", Schema.Struct({ order_id: Schema.String, placed: Schema.Date }))
 *
 * // In a module for all: export const events = defineEvents(Topic.toEvents([OrderCreated]))
 * const definitions = Topic.toEvents([OrderCreated])
 *
 * @since 0.1.0
 * @category conversions
 */
export const toEvents = <const Topics extends ReadonlyArray<Any>>(topics: Topics): EventsOf<Topics> =>
  Object.fromEntries(topics.map((topic) => [topic.name, definitionOf(topic)])) as never

const definitionOf = (topic: Any): EventDefinition => {
  // One of `fromEvents`, whichever copy of this package made it.
  if ("definition" in topic) return topic.definition as EventDefinition
  const { schema } = topic as Topic<unknown>
  const encode = ParseResult.encodeUnknown(schema, { onExcessProperty: "ignore" })
  return { schema: standardOf(schema), encode: (payload: never) => settled(encode(payload)) }
}

/** The Schema as a Standard Schema that can be exported as JSON Schema. */
const standardOf = (schema: Schema.Schema<unknown>): StandardSchema => {
  const { "~standard": standard } = Schema.standardSchemaV1(schema)
  const input = () => JSONSchema.make(schema, { target: "jsonSchema2020-12" }) as object
  return { "~standard": { ...standard, jsonSchema: { input } } } as StandardSchema
}

/** What a Schema gives at once, or a promise of it. */
const settled = (encoded: Effect.Effect<unknown, ParseResult.ParseIssue>): unknown => {
  const outcome = Effect.match(encoded, {
    onFailure: (issue) => new NotEncoded(issuesOf(issue)),
    onSuccess: (value) => value
  })
  return Either.isEither(encoded) ? fitting(Effect.runSync(outcome)) : Effect.runPromise(outcome).then(fitting)
}

const fitting = (outcome: unknown): unknown => {
  if (outcome instanceof NotEncoded) throw outcome
  return outcome
}

/** A payload that a Schema cannot encode, with issues as those of Standard Schema. */
class NotEncoded extends Error {
  constructor(readonly issues: ReadonlyArray<StandardIssue>) {
    super("the payload does not fit the topic's Schema")
  }
}

/** The first issue, without the actual value: payloads may hold data that must not be logged. */
const faultOf = (issue: ParseResult.ParseIssue): PayloadFault => {
  const first = issuesOf(issue)[0]
  const keys = first?.path?.map((part) => typeof part === "object" ? part.key : part) ?? []
  const path = keys.map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`).join("")
  const message = first?.message ?? "it does not fit the topic's Schema"
  const end = message.indexOf(", actual ")
  return { path: `$${path}`, reason: end < 0 ? message : message.slice(0, end) }
}

const issuesOf = (issue: ParseResult.ParseIssue): ReadonlyArray<StandardIssue> =>
  ParseResult.ArrayFormatter.formatIssueSync(issue)
