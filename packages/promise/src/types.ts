/**
 * What the client takes and gives.
 *
 * @since 0.1.0
 */

type Unit =
  | "milli"
  | "millis"
  | "second"
  | "seconds"
  | "minute"
  | "minutes"
  | "hour"
  | "hours"
  | "day"
  | "days"
  | "week"
  | "weeks"

/**
 * Milliseconds, or a text such as `"5 seconds"`.
 *
 * @since 0.1.0
 */
export type Duration = number | `${number} ${Unit}`

/**
 * When failed attempts are repeated: with exponential delays, drawn at random up to a ceiling.
 *
 * @since 0.1.0
 */
export interface RetryOptions {
  /** Attempts after the first one. Default 3. */
  readonly maxRetries?: number | undefined
  /** The ceiling of the first delay, doubled for each further one. Default 200 milliseconds. */
  readonly base?: Duration | undefined
  /** The ceiling of any delay. Default 10 seconds. */
  readonly cap?: Duration | undefined
  /** No attempt begins later than this after the call did. Default 1 minute. */
  readonly maxElapsed?: Duration | undefined
  /** Whether `Retry-After` is a floor under the delay. Default true. */
  readonly respectRetryAfter?: boolean | undefined
}

/**
 * The options of a client.
 *
 * @since 0.1.0
 */
export interface HookrailOptions {
  /** The producer key. Default: `HOOKRAIL_API_KEY`. */
  readonly apiKey?: string | undefined
  /** Default: `HOOKRAIL_BASE_URL`, else `http://localhost:8080`. */
  readonly baseUrl?: string | URL | undefined
  /** How long an attempt may take as a whole. Default 15 seconds. */
  readonly timeout?: Duration | undefined
  /** How long the start of an answer may take. Default 10 seconds. */
  readonly responseTimeout?: Duration | undefined
  /** How failed attempts are retried; `false` for one request. */
  readonly retry?: RetryOptions | false | undefined
  /** How many requests may be under way at a time. Default 64. */
  readonly maxInFlight?: number | undefined
  /** An event that no subscription matches: log it once per topic (the default), let it pass, or fail. */
  readonly onUnmatched?: "log" | "ignore" | "fail" | undefined
  /** Whether to ask `/readyz` before a 401, or a 404 on a read, is believed. Default true. */
  readonly probeOutages?: boolean | undefined
}

/**
 * Options of a read.
 *
 * @since 0.1.0
 */
export interface ReadOptions {
  /** How long an attempt may take as a whole. Default: the client's. */
  readonly timeout?: Duration | undefined
  /** How failed attempts are retried. Default: the client's. */
  readonly retry?: RetryOptions | false | undefined
  /** Gives the call up; it then rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Options of a send.
 *
 * @since 0.1.0
 */
export interface SendOptions extends ReadOptions {
  /** What makes two sends the same event. Default: a new random one per send. */
  readonly idempotencyKey?: string | undefined
  /** Events with the same key reach an ordered subscription one after the other. */
  readonly orderingKey?: string | undefined
}

/**
 * Options of waiting for an event.
 *
 * @since 0.1.0
 */
export interface AwaitOptions {
  /** How long to wait in all. Default 1 minute. */
  readonly timeout?: Duration | undefined
  /** What to wait for. Default: until each delivery is over. */
  readonly until?: ((status: EventStatus) => boolean) | undefined
  /** How long between two looks. Default: 250 milliseconds, doubling up to 5 seconds. */
  readonly pollInterval?: Duration | undefined
  /** How each failed look is retried. Default: the client's. */
  readonly retry?: RetryOptions | false | undefined
  /** Gives the call up; it then rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined
}

/**
 * An event to be sent, for `sendEvents`.
 *
 * @since 0.1.0
 */
export interface EventInput {
  readonly topic: string
  readonly payload: {} | null
  readonly idempotencyKey?: string | undefined
  readonly orderingKey?: string | undefined
}

/**
 * Options of sending many events.
 *
 * @since 0.1.0
 */
export interface SendEventsOptions<OnError extends "fail" | "collect" = "fail" | "collect"> {
  /** How many events may be under way at a time. Default 16. */
  readonly concurrency?: number | undefined
  /** Whether the first error ends it (the default), or becomes a result like the others. */
  readonly onError?: OnError | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The server has stored the event.
 *
 * @since 0.1.0
 */
export interface EventAccepted {
  readonly eventId: string
  /** One per matching subscription. Empty: nobody will receive this event. */
  readonly deliveryIds: ReadonlyArray<string>
  /** The server had this event already, from an earlier request with the same idempotency key. */
  readonly replayed: boolean
  readonly idempotencyKey: string
}

/**
 * One attempt of a delivery.
 *
 * @since 0.1.0
 */
export interface Attempt {
  readonly attemptNo: number
  readonly claimVersion: number
  readonly status: "success" | "retryable_failure" | "permanent_failure" | (string & {})
  readonly httpStatus?: number | undefined
  readonly errorClass?: string | undefined
  readonly latencyMs: number
}

/**
 * One event on its way to one endpoint.
 *
 * @since 0.1.0
 */
export interface Delivery {
  readonly deliveryId: string
  readonly state:
    | "pending"
    | "in_flight"
    | "retry_scheduled"
    | "succeeded"
    | "dead_lettered"
    | "cancelled"
    | "skipped"
    | (string & {})
  readonly attemptsTruncated: boolean
  readonly attempts: ReadonlyArray<Attempt>
}

/**
 * What has become of an event.
 *
 * @since 0.1.0
 */
export interface EventStatus {
  readonly eventId: string
  readonly topic: string
  readonly deliveries: ReadonlyArray<Delivery>
}

/**
 * What became of one event of `sendEvents`, with `onError: "collect"`.
 *
 * @since 0.1.0
 */
export type SendResult =
  | { readonly _tag: "Accepted"; readonly input: EventInput; readonly accepted: EventAccepted }
  | { readonly _tag: "Failed"; readonly input: EventInput; readonly error: unknown }

/**
 * Events, from memory or from a source of any length.
 *
 * @since 0.1.0
 */
export type Events = Iterable<EventInput> | AsyncIterable<EventInput>

/**
 * A client of a Hookrail server.
 *
 * @since 0.1.0
 */
export interface Hookrail {
  /** Sends an event and waits until the server has stored it. Each retry carries the same bytes and idempotency key. */
  sendEvent(topic: string, payload: {} | null, options?: SendOptions): Promise<EventAccepted>
  /**
   * Sends events, several at a time, and gives the results in their order. Leaving the loop drops what is under way.
   * Events with the same ordering key go one after the other.
   */
  sendEvents(events: Events, options?: SendEventsOptions<"fail">): AsyncIterableIterator<EventAccepted>
  sendEvents(events: Events, options: SendEventsOptions<"collect">): AsyncIterableIterator<SendResult>
  /** Reads the deliveries of an event and their attempts. */
  getEvent(eventId: string, options?: ReadOptions): Promise<EventStatus>
  /** Waits until every delivery of an event is over, or until a condition of your own holds. */
  awaitEvent(eventId: string, options?: AwaitOptions): Promise<EventStatus>
  /** Drops what is under way and closes the connections. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Makes a client. Throws a `HookrailConfigError` if an option is missing or wrong.
 *
 * @since 0.1.0
 */
export interface HookrailConstructor {
  new(options?: HookrailOptions): Hookrail
}
