/** The vocabulary of the wire as plain data, shared by the public modules and the rooms. */

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
  /** The server had this event already, from an earlier request with the same idempotency key. */
  readonly replayed: boolean
  readonly idempotencyKey: string
}

/**
 * What has become of an event.
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
 * The problem document of the server (protocol section 1.4). A member of another type than promised is left out.
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
 * What an `InvalidArgumentError` is about.
 *
 * @since 0.1.0
 * @category models
 */
export type Argument =
  | "topic"
  | "idempotencyKey"
  | "orderingKey"
  | "eventId"
  | "timeout"
  | "retry"
  | "concurrency"
  | "onError"
  /** An option that does not exist. */
  | "options"

/**
 * What is known about the event after a send failed.
 *
 * - `"not-sent"`: no request reached the server. Nothing is stored.
 * - `"refused"`: the server answered that it does not take the event. Nothing is stored.
 * - `"unknown"`: a request went out and no conclusive answer came back. Send again with the same idempotency key and
 *   the same bytes: the server then stores the event once (protocol section 1.6).
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = "not-sent" | "refused" | "unknown"
