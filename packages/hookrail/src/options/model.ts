/**
 * The options of clients and calls, generic in their duration and retry types. The Effect client and the facade each supply
 * their own.
 */
import type { EventStatus } from "../wire/model.js"

/** When failed attempts are retried. */
export interface RetryOptions<Duration> {
  /** Attempts after the first one. Default 3; 0 disables retries. */
  readonly maxRetries?: number | undefined
  /** The ceiling of the first delay; it doubles with each further retry. Default 200 milliseconds. */
  readonly base?: Duration | undefined
  /** The ceiling of any delay. Default 10 seconds. */
  readonly cap?: Duration | undefined
  /** No attempt begins later than this after the start of the call. Default 1 minute. */
  readonly maxElapsed?: Duration | undefined
  /** Whether `Retry-After` is a lower bound for the delay. Default true. */
  readonly respectRetryAfter?: boolean | undefined
}

/** The program that a client belongs to. */
export interface AppInfo {
  /** Letters, digits and characters such as `-` and `.`, without blanks. */
  readonly name: string
  readonly version?: string | undefined
  readonly url?: string | undefined
}

/** The options of a client. */
export interface ClientOptions<Key, Duration, Retry> {
  /** The producer key. Default: `HOOKRAIL_API_KEY`. */
  readonly apiKey?: Key | undefined
  /**
   * The URL of the server: `http` or `https`, with a path prefix if it has one. Default: `HOOKRAIL_BASE_URL`, else
   * `http://localhost:8080`.
   */
  readonly baseUrl?: string | URL | undefined
  /** How long a whole attempt may take. Default 15 seconds. */
  readonly timeout?: Duration | undefined
  /** How long the server may take to begin its response. Default 10 seconds. */
  readonly responseTimeout?: Duration | undefined
  /** How failed attempts are retried; `false` disables retries. Default: 3 retries within 1 minute. */
  readonly retry?: Retry | undefined
  /** How many sends, and how many reads, may be under way at a time; the others wait for their turn. Default 64. */
  readonly maxInFlight?: number | undefined
  /** What to do if no subscription matches an event: log a warning once per topic (the default), ignore it, or fail. */
  readonly onUnmatched?: "log" | "ignore" | "fail" | undefined
  /**
   * Whether to ask `/readyz` before trusting a 401, or a 404 on a read: the server gives both while its database is down
   * (protocol sections 2 and 3). Default true.
   */
  readonly probeOutages?: boolean | undefined
  /** Names your program in the `user-agent` of each request. */
  readonly appInfo?: AppInfo | undefined
  /**
   * Allows a client in a browser, and in the window of an Electron program. It is refused by default: everybody who opens the
   * page can read the API key there, and send events with it. Default false.
   */
  readonly dangerouslyAllowBrowser?: boolean | undefined
}

/** The options of an admin client. */
export interface AdminClientOptions<Token, Duration, Retry> extends
  Pick<
    ClientOptions<Token, Duration, Retry>,
    "timeout" | "responseTimeout" | "retry" | "maxInFlight" | "appInfo"
  >
{
  /** The admin token, `hkadm_...`, or that of the server's environment. Default: `HOOKRAIL_ADMIN_TOKEN`. */
  readonly adminToken?: Token | undefined
  /**
   * The URL of the admin API: `http` or `https`, with a path prefix if it has one. Default: `HOOKRAIL_ADMIN_URL`, else
   * `http://127.0.0.1:8082`.
   */
  readonly baseUrl?: string | URL | undefined
  /**
   * Whether to ask `/readyz` before trusting a 404: the server gives it while its database is down (protocol section 5.1).
   * Default true.
   */
  readonly probeOutages?: boolean | undefined
  /**
   * Allows a client in a browser, and in the window of an Electron program. It is refused by default: everybody who opens the
   * page can read the token there, and administrate the server with it. Default false.
   */
  readonly dangerouslyAllowBrowser?: boolean | undefined
}

/** Options of a status read. */
export interface ReadOptions<Duration, Retry> {
  /** How long a whole attempt may take. Default: the client's. */
  readonly timeout?: Duration | undefined
  /** How failed attempts are retried. Default: the client's. */
  readonly retry?: Retry | undefined
  /**
   * More headers for each request of the call, such as `x-request-id` for a proxy: the Hookrail server ignores them and does not
   * pass them on. Values are ASCII. Headers of the client's own and of the connection are refused.
   */
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined
}

/** Options of a send. */
export interface SendOptions<Duration, Retry> extends ReadOptions<Duration, Retry> {
  /**
   * Identifies the event: for 24 hours the server stores one event per key. Visible ASCII, at most 2,048 characters. Default: a
   * new random key per send.
   */
  readonly idempotencyKey?: string | undefined
  /**
   * Events with the same key reach an ordered subscription one after the other. Visible ASCII, at most 256 bytes; for other text
   * put a member `ordering_key` into the payload (protocol section 1.7).
   */
  readonly orderingKey?: string | undefined
  /**
   * The W3C `traceparent` of the sender, for the handler of the event: it travels in the payload, as its member
   * `hookrail_traceparent`. With an `idempotencyKey` of your own, give the same one whenever you send the event again.
   */
  readonly traceparent?: string | undefined
}

/** Options of waiting for an event. */
export interface AwaitOptions<Duration, Retry> {
  /** How long to wait in total. Default 1 minute. Retrying a failed first delivery may take 35 seconds alone. */
  readonly timeout?: Duration | undefined
  /** The condition to wait for. Default: every delivery is terminal. */
  readonly until?: ((status: EventStatus) => boolean) | undefined
  /** How failed reads are retried. Default: the client's. */
  readonly retry?: Retry | undefined
  /**
   * More headers for each request of the call, such as `x-request-id` for a proxy: the Hookrail server ignores them and does not
   * pass them on. Values are ASCII. Headers of the client's own and of the connection are refused.
   */
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined
}

/** Options of sending many events. */
export interface SendEventsOptions<OnError> {
  /** How many events may be in flight at a time. Default 16. The client's `maxInFlight` applies too. */
  readonly concurrency?: number | undefined
  /** Whether the first error ends the results (`"fail"`, the default), or every error becomes a result (`"collect"`). */
  readonly onError?: OnError | undefined
  /**
   * With `onError: "collect"`: whether the later events of an ordering key are held back once one of them may have to be sent
   * again (retries exhausted, or the outcome is unknown). They fail at once with `OrderingKeyHeldError`, `not-sent`, so that the
   * caller can keep the order. Default true; `false` sends them anyway.
   */
  readonly holdKeys?: boolean | undefined
}
