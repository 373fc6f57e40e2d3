/// <reference lib="esnext.disposable" preserve="true" />
/**
 * What the client takes and gives.
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
 * When failed attempts are repeated: with exponential delays, drawn at random up to a ceiling.
 *
 * @since 0.1.0
 */
export interface RetryOptions extends Plain.RetryOptions<Duration> {}

type Retry = RetryOptions | false

/** What each call takes beside the options of the core. */
interface Abortable {
  /** Gives the call up; it then rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined
}

/**
 * How connections are made. Only on Node: elsewhere they are those of `fetch`, and `transport` is refused. All of it is checked
 * when the client is built. Certificates and keys are PEM: the content of a file, not its name.
 *
 * @since 0.1.0
 */
export interface TransportOptions {
  /** How many connections to hold at most. Default: `maxInFlight`, so that no request waits for a connection. */
  readonly connections?: number | undefined
  /** How long establishing a connection may take, proxy and TLS included. Default 5 seconds. */
  readonly connectTimeout?: Duration | undefined
  /** How long an idle connection is kept, unless the server asks for less. Default 30 seconds. */
  readonly keepAliveTimeout?: Duration | undefined
  /** Certificate authorities to trust instead of Node's own, for the server and for an `https` proxy. */
  readonly ca?: string | Uint8Array | ReadonlyArray<string | Uint8Array> | undefined
  /** The certificate of the client, and those between it and the authority, for a server that asks for one. Needs `key`. */
  readonly cert?: string | Uint8Array | undefined
  /** The private key of `cert`. */
  readonly key?: string | Uint8Array | undefined
  /** What opens an encrypted `key` or `pfx`. */
  readonly passphrase?: string | undefined
  /** Certificate and key in one, as PKCS #12, instead of `cert` and `key`. */
  readonly pfx?: Uint8Array | undefined
  /**
   * The URL of the HTTP proxy that every request goes through, with a user name and password if it needs them; `false` for
   * none, whatever the environment says. Default: `HTTPS_PROXY` or `HTTP_PROXY`, and `NO_PROXY`.
   */
  readonly proxy?: string | URL | false | undefined
}

/**
 * The options of a client.
 *
 * @since 0.1.0
 */
export interface HookrailOptions extends Plain.ClientOptions<string, Duration, Retry> {
  /** A proxy, certificates and limits of connections. Only on Node. */
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
 * Options of waiting for an event.
 *
 * @since 0.1.0
 */
export interface AwaitOptions extends Plain.AwaitOptions<Duration, Retry>, Abortable {
  /** How long between two looks. Default: 250 milliseconds, doubling up to 5 seconds. */
  readonly pollInterval?: Duration | undefined
}

/**
 * An event to be sent, for `sendEvents`.
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
