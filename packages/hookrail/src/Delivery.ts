/**
 * A delivery: one event to one endpoint, with its attempts (protocol section 2).
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { Attempt, AttemptStatus, Delivery, DeliveryState } from "./wire/model.js"

export type { Attempt, AttemptStatus, Delivery, DeliveryState }

// The key by its own type: as any text, it becomes an index signature in the encoded form, which the other fields
// contradict.
const optionalAs = <S extends Schema.Schema.All, const Key extends string>(schema: S, key: Key) =>
  Schema.optional(schema).pipe(Schema.fromKey(key))

const renamed = <S extends Schema.Schema.All, const Key extends string>(schema: S, key: Key) =>
  Schema.propertySignature(schema).pipe(Schema.fromKey(key))

/**
 * Decodes and encodes the wire form of an attempt.
 *
 * @since 0.1.0
 * @category schemas
 */
export const AttemptSchema = Schema.Struct({
  attemptNo: renamed(Schema.Number, "attempt_no"),
  claimVersion: renamed(Schema.Number, "claim_version"),
  status: Schema.String as Schema.Schema<AttemptStatus, string>,
  httpStatus: optionalAs(Schema.Number, "http_status"),
  errorClass: optionalAs(Schema.String, "error_class"),
  latencyMs: renamed(Schema.Number, "latency_ms")
})

/**
 * Decodes and encodes the wire form of a delivery. Servers before P1 omit `attempts_truncated`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DeliverySchema = Schema.Struct({
  deliveryId: renamed(Schema.String, "delivery_id"),
  state: Schema.String as Schema.Schema<DeliveryState, string>,
  attemptsTruncated: Schema.optionalWith(Schema.Boolean, { default: () => false }).pipe(
    Schema.fromKey("attempts_truncated")
  ),
  attempts: Schema.Array(AttemptSchema)
})

/**
 * Whether a delivery state is terminal: `succeeded`, `dead_lettered`, `cancelled` or `skipped`. Replaying a dead letter can
 * start the delivery again.
 *
 * @since 0.1.0
 * @category guards
 */
export { isTerminal } from "./wire/deliveryState.js"
