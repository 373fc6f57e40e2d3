/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The arguments and results of the client.
 *
 * @since 0.1.0
 */
import type * as Plain from "hookrail/options/model"
import type { Attempt, Delivery, EventAccepted, EventStatus } from "hookrail/wire/model"

export type { Attempt, Delivery, EventAccepted, EventStatus }

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
 * How failed attempts are retried: exponential backoff with full jitter.
 *
 * @since 0.1.0
 */
export interface RetryOptions extends Plain.RetryOptions<Duration> {}

type Retry = RetryOptions | false

/** Options of each call in addition to those of the core. */
interface Abortable {
  /** Gives the call up; it then rejects with `HookrailAbortedError`, whose `cause` is the reason of the signal. */
  readonly signal?: AbortSignal | undefined
}

/**
 * How connections are made. Only on Node: elsewhere the client uses `fetch`, and `transport` is refused. All options are checked
 * when the client is built. Certificates and keys are PEM: the content of a file, not its name.
 *
 * @since 0.1.0
 */
export interface TransportOptions {
  /** The maximum number of connections. Default: `maxInFlight`, so that no request waits for a connection. */
  readonly connections?: number | undefined
  /** How long establishing a connection may take, including proxy and TLS. Default 5 seconds. */
  readonly connectTimeout?: Duration | undefined
  /** How long an idle connection is kept. A shorter hint from the server takes precedence. Default 30 seconds. */
  readonly keepAliveTimeout?: Duration | undefined
  /** Certificate authorities to trust instead of Node's own, for the server and for an `https` proxy. */
  readonly ca?: string | Uint8Array | ReadonlyArray<string | Uint8Array> | undefined
  /** The client certificate, with its intermediate certificates, for a server that asks for one. Requires `key`. */
  readonly cert?: string | Uint8Array | undefined
  /** The private key of `cert`. */
  readonly key?: string | Uint8Array | undefined
  /** Decrypts an encrypted `key` or `pfx`. */
  readonly passphrase?: string | undefined
  /** Certificate and key in one PKCS #12 archive, instead of `cert` and `key`. */
  readonly pfx?: Uint8Array | undefined
  /**
   * The URL of the HTTP proxy for all requests, with a user name and password if it needs them; `false` for none, even if the
   * environment names one. Default: `HTTPS_PROXY` or `HTTP_PROXY`, and `NO_PROXY`.
   */
  readonly proxy?: string | URL | false | undefined
}

/**
 * The options of a client.
 *
 * @since 0.1.0
 */
export interface HookrailOptions extends Plain.ClientOptions<string, Duration, Retry> {
  /** Proxy, certificates and connection limits. Only on Node. */
  readonly transport?: TransportOptions | undefined
}

/**
 * Options of a read.
 *
 * @since 0.1.0
 */
export interface ReadOptions extends Plain.ReadOptions<Duration, Retry>, Abortable {}

/**
 * Options of a send.
 *
 * @since 0.1.0
 */
export interface SendOptions extends Plain.SendOptions<Duration, Retry>, Abortable {}

/**
 * An event whose bytes and keys are fixed, as `@hookrail/outbox` stores it.
 *
 * @since 0.1.0
 */
export interface EncodedEvent {
  readonly topic: string
  /** The body of the request, `{"topic":...,"payload":...}` as JSON in UTF-8. */
  readonly body: Uint8Array
  readonly idempotencyKey: string
  /** The value of the header `X-Hookrail-Ordering-Key`, if it is sent with one. */
  readonly orderingKey: string | undefined
}

/**
 * Options of sending an encoded event. Its keys are in the event.
 *
 * @since 0.1.0
 */
export interface SendEncodedOptions extends Omit<SendOptions, "idempotencyKey" | "orderingKey"> {}

/**
 * Options of waiting for an event.
 *
 * @since 0.1.0
 */
export interface AwaitOptions extends Plain.AwaitOptions<Duration, Retry>, Abortable {
  /** The time between two reads. Default: 250 milliseconds, doubling up to 5 seconds. */
  readonly pollInterval?: Duration | undefined
}

/**
 * An event to send, for `sendEvents`.
 *
 * @since 0.1.0
 */
export interface EventInput extends Pick<SendOptions, "idempotencyKey" | "orderingKey"> {
  readonly topic: string
  readonly payload: {} | null
}

/**
 * Options of sending many events.
 *
 * @since 0.1.0
 */
export interface SendEventsOptions<OnError extends "fail" | "collect" = "fail" | "collect">
  extends Plain.SendEventsOptions<OnError>, Abortable
{}

/**
 * The result of one event of `sendEvents`, with `onError: "collect"`.
 *
 * @since 0.1.0
 */
export type SendResult =
  | { readonly _tag: "Accepted"; readonly input: EventInput; readonly accepted: EventAccepted }
  | { readonly _tag: "Failed"; readonly input: EventInput; readonly error: unknown }

/**
 * Events in memory, or from a source of any length.
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
   * Sends an event that was encoded before: exactly its bytes, with its keys. However often it is sent, the server stores it once
   * within 24 hours.
   */
  sendEncoded(event: EncodedEvent, options?: SendEncodedOptions): Promise<EventAccepted>
  /**
   * Sends events concurrently and yields the results in the order of the events. Leaving the loop aborts the sends in flight.
   * Events with the same ordering key are sent one after the other.
   */
  sendEvents(events: Events, options?: SendEventsOptions<"fail">): AsyncIterableIterator<EventAccepted>
  sendEvents(events: Events, options: SendEventsOptions<"collect">): AsyncIterableIterator<SendResult>
  /** Reads the status of an event: its deliveries and their attempts. */
  getEvent(eventId: string, options?: ReadOptions): Promise<EventStatus>
  /** Waits until every delivery of an event is terminal, or until a condition of your own holds. */
  awaitEvent(eventId: string, options?: AwaitOptions): Promise<EventStatus>
  /**
   * Closes the client and its connections. No call begins any more; those under way reject at once with
   * `HookrailClosedError`, which has their key and outcome, or end first with `drain`.
   */
  close(options?: CloseOptions): Promise<void>
  /** `close({ drain: true })`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Options of closing a client.
 *
 * @since 0.1.0
 */
export interface CloseOptions {
  /** Whether to wait for the calls under way, or how long at most. Default `false`. */
  readonly drain?: boolean | Duration | undefined
}

/**
 * Makes a client. Throws a `HookrailConfigError` if an option is missing or wrong.
 *
 * @since 0.1.0
 */
export interface HookrailConstructor {
  new(options?: HookrailOptions): Hookrail
}
