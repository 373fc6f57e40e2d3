/** The data types of the protocol, shared by the public modules and the rooms. */

/**
 * The state of a delivery. Newer servers may have more states than this library knows: they are passed through unchanged.
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
 * How an attempt ended. Newer servers may have more statuses: they are passed through unchanged.
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
  /** Counts from 1, and from 1 again after a replay. */
  readonly attemptNo: number
  /** Increases with every attempt, with gaps, even across a replay. */
  readonly claimVersion: number
  readonly status: AttemptStatus
  /** The status that the endpoint answered with; absent if it did not answer. */
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
  /** The same in every attempt: receivers detect duplicates by it. */
  readonly deliveryId: string
  readonly state: DeliveryState
  /** Older attempts have been deleted by the server's retention. */
  readonly attemptsTruncated: boolean
  /** In chronological order. */
  readonly attempts: ReadonlyArray<Attempt>
}

/**
 * The server has stored the event.
 *
 * @since 0.1.0
 * @category models
 */
export interface EventAccepted {
  /** 26 characters (a ULID). */
  readonly eventId: string
  /** One per matching subscription. Empty: nobody will receive this event. */
  readonly deliveryIds: ReadonlyArray<string>
  /** The server already had this event, from an earlier request with the same idempotency key. */
  readonly replayed: boolean
  readonly idempotencyKey: string
}

/**
 * The status of an event.
 *
 * @since 0.1.0
 * @category models
 */
export interface EventStatus {
  readonly eventId: string
  readonly topic: string
  readonly deliveries: ReadonlyArray<Delivery>
}

/**
 * The problem document of the server (protocol section 1.4). Members of unexpected types are left out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Problem {
  readonly type?: string | undefined
  readonly title?: string | undefined
  readonly status?: number | undefined
  readonly detail?: string | undefined
}

/**
 * Which argument an `InvalidArgumentError` is about.
 *
 * @since 0.1.0
 * @category models
 */
export type Argument =
  | "topic"
  | "idempotencyKey"
  | "orderingKey"
  | "eventId"
  | "headers"
  | "traceparent"
  | "timeout"
  | "retry"
  | "until"
  | "concurrency"
  | "onError"
  /** An option that does not exist. */
  | "options"

/**
 * What is known about the event after a send failed.
 *
 * - `"not-sent"`: no request reached the server. Nothing is stored.
 * - `"refused"`: the server refused the event. Nothing is stored.
 * - `"unknown"`: a request was sent and no conclusive answer came back. Send again with the same idempotency key and the same
 *   bytes: the server then stores the event once (protocol section 1.6).
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = "not-sent" | "refused" | "unknown"
