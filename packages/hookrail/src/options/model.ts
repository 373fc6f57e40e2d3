/**
 * The options of clients and calls as plain shapes, over what stands for a duration and for a retry policy. The Effect
 * client fills in those of Effect, the facade its own.
 */
import type { EventStatus } from "../wire/model.js"

/** When failed attempts are repeated. What is left out takes its default. */
export interface RetryOptions<Duration> {
  /** Attempts after the first one. Default 3; 0 makes one request. */
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

/** The options of a client. */
export interface ClientOptions<Key, Duration, Retry> {
  /** The producer key. Default: `HOOKRAIL_API_KEY`. */
  readonly apiKey?: Key | undefined
  /**
   * Where the server is, `http` or `https`, with a path prefix if it has one. Default: `HOOKRAIL_BASE_URL`, else
   * `http://localhost:8080`.
   */
  readonly baseUrl?: string | URL | undefined
  /** How long an attempt may take as a whole. Default 15 seconds. */
  readonly timeout?: Duration | undefined
  /** How long the start of an answer may take. Default 10 seconds. */
  readonly responseTimeout?: Duration | undefined
  /** How failed attempts are retried; `false` for one request. Default: 3 retries within 1 minute. */
  readonly retry?: Retry | undefined
  /** How many sends, and how many reads, may be under way at a time; the others wait for their turn. Default 64. */
  readonly maxInFlight?: number | undefined
  /** An event that no subscription matches: log it once per topic (the default), let it pass, or fail. */
  readonly onUnmatched?: "log" | "ignore" | "fail" | undefined
  /**
   * Whether to ask `/readyz` before a 401, or a 404 on a read, is believed: the server gives both while its database is
   * down (protocol sections 2 and 3). Default true.
   */
  readonly probeOutages?: boolean | undefined
}

/** Options of a status read. */
export interface ReadOptions<Duration, Retry> {
  /** How long an attempt may take as a whole. Default: the client's. */
  readonly timeout?: Duration | undefined
  /** How failed attempts are retried. Default: the client's. */
  readonly retry?: Retry | undefined
}

/** Options of a send. */
export interface SendOptions<Duration, Retry> extends ReadOptions<Duration, Retry> {
  /**
   * What makes two sends the same event: the server stores one per key, for 24 hours. Visible ASCII, at most 2,048
   * characters. Default: a new random one per send.
   */
  readonly idempotencyKey?: string | undefined
  /**
   * Events with the same key reach an ordered subscription one after the other. Visible ASCII, at most 256 bytes; for
   * other texts put a member `ordering_key` into the payload (protocol section 1.7).
   */
  readonly orderingKey?: string | undefined
}

/** Options of waiting for an event. */
export interface AwaitOptions<Duration, Retry> {
  /** How long to wait in all. Default 1 minute; a failed first delivery alone may take 35 seconds to be tried again. */
  readonly timeout?: Duration | undefined
  /** What to wait for. Default: until each delivery is over. */
  readonly until?: ((status: EventStatus) => boolean) | undefined
  /** How each failed look is retried. Default: the client's. */
  readonly retry?: Retry | undefined
}

/** Options of sending many events. */
export interface SendEventsOptions<OnError> {
  /** How many events may be under way at a time. Default 16. The client's `maxInFlight` holds as well. */
  readonly concurrency?: number | undefined
  /** Whether the first error ends it (the default), or becomes a result like the others. */
  readonly onError?: OnError | undefined
  /**
   * With `onError: "collect"`: whether the later events of an ordering key stay behind once one of them may have to be sent
   * again (retries exhausted, or the outcome is unknown). They fail at once with `OrderingKeyHeldError`, `not-sent`, so that
   * the order can be kept. Default true; `false` sends them all the same.
   */
  readonly holdKeys?: boolean | undefined
}
