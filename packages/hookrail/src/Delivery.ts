/**
 * A delivery: one event on its way to one endpoint, and its attempts (protocol section 2).
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The state of a delivery. Newer servers may know more states than this library: any other text is kept as it is.
 *
 * @since 0.1.0
 * @category models
 */
export type DeliveryState =
  | "pending"
  | "in_flight"
  | "retry_scheduled"
  | "succeeded"
  | "dead_lettered"
  | "cancelled"
  | "skipped"
  | (string & {})

/**
 * How an attempt ended. Newer servers may know more: any other text is kept as it is.
 *
 * @since 0.1.0
 * @category models
 */
export type AttemptStatus = "success" | "retryable_failure" | "permanent_failure" | (string & {})

/**
 * One attempt of a delivery.
 *
 * @since 0.1.0
 * @category models
 */
export interface Attempt {
  /** From 1; begins again at 1 after a replay. */
  readonly attemptNo: number
  /** Rises with every attempt, with gaps, also over a replay. */
  readonly claimVersion: number
  readonly status: AttemptStatus
  /** The answer of the endpoint; absent if there was none. */
  readonly httpStatus?: number | undefined
  /** Why it failed, such as `timeout`, `connection` or `http_500`; absent on success. */
  readonly errorClass?: string | undefined
  /** In milliseconds. */
  readonly latencyMs: number
}

/**
 * One delivery of an event.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delivery {
  /** The same in every attempt: what a receiver finds duplicates by. */
  readonly deliveryId: string
  readonly state: DeliveryState
  /** Older attempts have been deleted by the server's retention. */
  readonly attemptsTruncated: boolean
  /** In the order they were made. */
  readonly attempts: ReadonlyArray<Attempt>
}

const optionalAs = <S extends Schema.Schema.All>(schema: S, key: string) =>
  Schema.optional(schema).pipe(Schema.fromKey(key))

const renamed = <S extends Schema.Schema.All>(schema: S, key: string) =>
  Schema.propertySignature(schema).pipe(Schema.fromKey(key))

/**
 * From and to the wire form of an attempt.
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
 * From and to the wire form of a delivery. Servers before P1 do not tell `attempts_truncated`.
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
 * Whether a delivery in this state is over: `succeeded`, `dead_lettered`, `cancelled` or `skipped`. A replay of the
 * dead letter can set it going again.
 *
 * @since 0.1.0
 * @category guards
 */
export { isTerminal } from "./internal/deliveryState.js"
