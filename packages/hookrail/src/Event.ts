/**
 * Events: as input, as accepted by the server, and their status (protocol sections 1 and 2).
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DeliverySchema } from "./Delivery.js"
import type { InvalidArgumentError, InvalidPayloadError, PayloadTooLargeError } from "./HookrailError.js"
import { IdempotencyKeys } from "./IdempotencyKeys.js"
import * as encoding from "./send/encode.js"
import type { EncodedEvent, EventInput, ReadOptions, SendOptions } from "./send/model.js"
import type * as Topic from "./Topic.js"
import type { EventAccepted, EventStatus, Problem } from "./wire/model.js"

export type { EncodedEvent, EventAccepted, EventInput, EventStatus, ReadOptions, SendOptions }

/**
 * Makes an event for `HookrailClient.sendEvents`. With a typed topic, the compiler checks the payload.
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
  <Sent>(topic: Topic.Typed<Sent, unknown>, payload: NoInfer<Sent>, options?: SendOptions): EventInput
  (topic: string, payload: {} | null, options?: SendOptions): EventInput
} = (topic: string | Topic.Any, payload: unknown, options?: SendOptions): EventInput => ({ ...options, topic, payload })

/**
 * Checks an event and fixes its bytes and idempotency key without sending it, in order to store it or to inspect it. The key is
 * the event's own, or comes from `IdempotencyKeys`.
 *
 * @example
 * import { Event } from "hookrail"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { body, idempotencyKey } = yield* Event.encode(Event.make("orders.created", { order_id: "o_1" }))
 *   yield* Effect.log(`${idempotencyKey}: ${body.length} bytes`)
 * })
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (
  event: EventInput
): Effect.Effect<EncodedEvent, InvalidPayloadError | InvalidArgumentError | PayloadTooLargeError> =>
  Effect.flatMap(IdempotencyKeys, (keys) => encoding.encodeEvent(keys, event))

const emptyIfNull = <A, I>(items: Schema.Schema<A, I>) =>
  Schema.transform(Schema.NullOr(Schema.Array(items)), Schema.Array(Schema.typeSchema(items)), {
    strict: true,
    decode: (array) => array ?? [],
    encode: (array) => array
  })

/**
 * Decodes and encodes the body of a 202. A `null` list decodes as empty.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventAcceptedBody = Schema.Struct({
  eventId: Schema.propertySignature(Schema.NonEmptyString).pipe(Schema.fromKey("event_id")),
  deliveryIds: Schema.propertySignature(emptyIfNull(Schema.String)).pipe(Schema.fromKey("delivery_ids"))
})

/**
 * Decodes and encodes the body of an event's status. A `null` list decodes as empty.
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
