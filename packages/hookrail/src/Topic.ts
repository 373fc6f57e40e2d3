/**
 * A topic with the Schema of its payloads, shared by senders and receivers.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import type { EventDefinitions, ReceivedBy, SentBy } from "./catalogue/model.js"
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

/**
 * The topics of a plain catalogue, for `HookrailClient.sendEvent` and `Webhooks.on`: give it the schemas of any Standard
 * Schema library by topic, or `{ schema, encode }` with the way back.
 *
 * What is sent is the input of a schema as JSON; handlers get its output. Senders give the input, or with an `encode` the
 * output. A payload is checked before it is sent, as JSON, exactly as its receivers will check it.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromEvents = <const Definitions extends EventDefinitions>(
  definitions: Definitions
): TopicsOf<Definitions> =>
  Object.fromEntries(
    Object.entries(definitions).map(([name, definition]) => [name, new DefinedTopic(name, definition)])
  ) as never

/** The first issue, without the actual value: payloads may hold data that must not be logged. */
const faultOf = (issue: ParseResult.ParseIssue): PayloadFault => {
  const first = ParseResult.ArrayFormatter.formatIssueSync(issue)[0]
  const path = first?.path.map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`).join("") ?? ""
  const message = first?.message ?? "it does not fit the topic's Schema"
  const end = message.indexOf(", actual ")
  return { path: `$${path}`, reason: end < 0 ? message : message.slice(0, end) }
}
