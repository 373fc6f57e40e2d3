/**
 * An event, as it is sent, as it is accepted, and as its status is told (protocol sections 1 and 2).
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { DeliverySchema } from "./Delivery.js"
import type { Retry } from "./HookrailConfig.js"
import type * as Topic from "./Topic.js"
import type { EventAccepted, EventStatus, Problem } from "./wire/model.js"

export type { EventAccepted, EventStatus }

/**
 * Options of a status read.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadOptions {
  /** How long an attempt may take as a whole. Default: the client's. */
  readonly timeout?: Duration.DurationInput | undefined
  /** How failed attempts are retried. Default: the client's. */
  readonly retry?: Retry | undefined
}

/**
 * Options of a send.
 *
 * @since 0.1.0
 * @category models
 */
export interface SendOptions extends ReadOptions {
  /**
   * What makes two sends the same event: the server stores one per key, for 24 hours. Visible ASCII, at most 2,048
   * characters. Default: from `IdempotencyKeys`, a new random one per send.
   */
  readonly idempotencyKey?: string | undefined
  /**
   * Events with the same key reach an ordered subscription one after the other. Visible ASCII, at most 256 bytes; for
   * other texts put a member `ordering_key` into the payload (protocol section 1.7).
   */
  readonly orderingKey?: string | undefined
}

/**
 * An event to be sent, for `HookrailClient.sendEvents`.
 *
 * @since 0.1.0
 * @category models
 */
export interface EventInput extends SendOptions {
  readonly topic: string | Topic.Any
  readonly payload: unknown
}

/**
 * Makes an event for `HookrailClient.sendEvents`; with a typed topic, its payload is checked by the compiler.
 *
 * @example
 * import { Event, HookrailClient } from "hookrail"
 * import { Stream } from "effect"
 *
 * const results = HookrailClient.sendEvents(
 *   Stream.range(1, 100).pipe(
 *     Stream.map((n) => Event.make("orders.created", { order_id: `o_${n}` }, { idempotencyKey: `order-${n}` }))
 *   )
 * )
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  <A, I>(topic: Topic.Topic<A, I>, payload: A, options?: SendOptions): EventInput
  (topic: string, payload: {} | null, options?: SendOptions): EventInput
} = (topic: string | Topic.Any, payload: unknown, options?: SendOptions): EventInput => ({ ...options, topic, payload })

const emptyIfNull = <A, I>(items: Schema.Schema<A, I>) =>
  Schema.transform(Schema.NullOr(Schema.Array(items)), Schema.Array(Schema.typeSchema(items)), {
    strict: true,
    decode: (array) => array ?? [],
    encode: (array) => array
  })

/**
 * From and to the body of a 202. `null` instead of an empty list is read as one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventAcceptedBody = Schema.Struct({
  eventId: Schema.propertySignature(Schema.NonEmptyString).pipe(Schema.fromKey("event_id")),
  deliveryIds: Schema.propertySignature(emptyIfNull(Schema.String)).pipe(Schema.fromKey("delivery_ids"))
})

/**
 * From and to the body of an event's status. `null` instead of an empty list is read as one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventStatusBody = Schema.Struct({
  eventId: Schema.propertySignature(Schema.NonEmptyString).pipe(Schema.fromKey("event_id")),
  topic: Schema.String,
  deliveries: emptyIfNull(DeliverySchema)
})

/**
 * A problem document (protocol section 1.4).
 *
 * @since 0.1.0
 * @category schemas
 */
export const ProblemBody: Schema.Schema<Problem> = Schema.Struct({
  type: Schema.optional(Schema.String),
  title: Schema.optional(Schema.String),
  status: Schema.optional(Schema.Number),
  detail: Schema.optional(Schema.String)
})
