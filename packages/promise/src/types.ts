/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The arguments and results of the client.
 *
 * @since 0.1.0
 */
import type { Catalogue } from "hookrail/catalogue/model"
import type * as Plain from "hookrail/options/model"
import type { Dispatcher } from "hookrail/transport/dispatcher"
import type { Attempt, Delivery, EventAccepted, EventStatus, Outcome } from "hookrail/wire/model"
import type { HookrailError, RetryableError } from "./errors.js"

export type { Attempt, Delivery, Dispatcher, EventAccepted, EventStatus }

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
  /**
   * The maximum number of connections. Default: `maxInFlight`, so that no send waits for a connection. While sends have all of them,
   * reads may open as many more, unless this option is given.
   */
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
  /**
   * A dispatcher of your own undici, of any version, which carries out the requests: an `Agent`, a `ProxyAgent`, a `MockAgent`.
   * Time limits and `signal` work as without it. Everything else about connections is then its own, so no other option may be
   * given, and the environment's proxy does not apply. It is yours: `close` does not close it.
   */
  readonly dispatcher?: Dispatcher | undefined
}

/**
 * A line for the log. It contains no secret, no signature and no payload.
 *
 * @since 0.1.0
 */
export interface LogEntry {
  readonly level: "debug" | "info" | "warning" | "error"
  readonly message: string
  /** What it is about, such as `hookrail.topic`, `hookrail.event_id` and `hookrail.delivery_id`. */
  readonly annotations: { readonly [name: string]: unknown }
  /** The error of an attempt that is repeated, or what a handler of webhooks threw. */
  readonly error?: unknown
}

/**
 * Where log lines go: a function, or an object with the methods of `console`, which gets each line as a text, followed by the error
 * if there is one. `false`: nowhere.
 *
 * What either throws or rejects with is ignored.
 *
 * @since 0.1.0
 */
export type Log =
  | ((entry: LogEntry) => unknown)
  | {
    readonly [Method in "debug" | "info" | "warn" | "error"]: (message: string, ...details: Array<unknown>) => unknown
  }
  | false

/**
 * A retry, before its delay begins.
 *
 * @since 0.1.0
 */
export interface RetryNotice {
  /** The error of the attempt that has failed. It has the topic and the idempotency key, or the event id. */
  readonly error: RetryableError
  /** The number of attempts so far: 1 before the first retry. */
  readonly attempts: number
  /** How long the client waits before the next attempt. */
  readonly delayMs: number
}

/**
 * The options of a client.
 *
 * @since 0.1.0
 */
export interface HookrailOptions<Sent extends object = AnyEvents> extends Plain.ClientOptions<string, Duration, Retry> {
  /**
   * The events that the client sends, from `defineEvents` of `@hookrail/promise/events`. Payloads are checked before they are sent:
   * one that does not fit is refused with `InvalidPayloadError`, a topic that is not in the catalogue with `InvalidArgumentError`.
   * Default: any topic, any payload. See docs/catalogue.md.
   */
  readonly events?: Catalogue<Sent> | undefined
  /**
   * Where log lines go, such as `console`. Retries are of level `"info"`, what deserves attention of level `"warning"`. Default:
   * warnings and errors go to `console.warn` and `console.error`, on Node that is the standard error output.
   */
  readonly log?: Log | undefined
  /** Is called before each retry. What it throws or rejects with is ignored. */
  readonly onRetry?: ((retry: RetryNotice) => unknown) | undefined
  /** Proxy, certificates and connection limits. Only on Node. */
  readonly transport?: TransportOptions | undefined
  /**
   * Sends the requests instead of the global `fetch`. It must pass on method, headers, body, signal and `redirect`, and must not
   * retry. Not on Node, where requests go over undici's pool: see `transport`.
   */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined
  /**
   * Returns the W3C `traceparent` of the current span, or `undefined`, for each event that has no `idempotencyKey` of its own. It
   * reaches the handler in the payload, as the member `hookrail_traceparent`. If it throws, the event is sent without. See
   * docs/opentelemetry.md.
   */
  readonly traceparent?: (() => string | undefined) | undefined
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
 * The payloads of a client without a catalogue: any topic, any payload.
 *
 * @since 0.1.0
 */
export interface AnyEvents {
  readonly [topic: string]: {} | null
}

interface OneOf<Sent extends object, T extends keyof Sent>
  extends Pick<SendOptions, "idempotencyKey" | "orderingKey" | "traceparent" | "headers">
{
  readonly topic: T
  readonly payload: Sent[T]
}

/**
 * An event to send, for `sendEvents`. Of a catalogue: one of its events.
 *
 * @since 0.1.0
 */
export type EventInput<Sent extends object = AnyEvents> = {
  readonly [T in keyof Sent & string]: OneOf<Sent, T>
}[keyof Sent & string]

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
export type SendResult<Sent extends object = AnyEvents> =
  | { readonly _tag: "Accepted"; readonly input: EventInput<Sent>; readonly accepted: EventAccepted }
  | { readonly _tag: "Failed"; readonly input: EventInput<Sent>; readonly error: HookrailError }

/**
 * An event that `sendEvents` could not send, in its summary.
 *
 * @since 0.1.0
 */
export interface SendFailure {
  /** The number of the event, from 0: its index, if the events are an array. */
  readonly index: number
  readonly topic: string
  /** The key to send it with again, unless nothing was sent: the event's own, or the generated one. */
  readonly idempotencyKey: string | undefined
  /** What is known about the event: `"accepted"` only with `onUnmatched: "fail"`. */
  readonly outcome: Outcome | "accepted"
  readonly error: HookrailError
}

/**
 * What awaiting `sendEvents` resolves to.
 *
 * @since 0.1.0
 */
export interface SendSummary {
  /** How many events there were: `accepted + failed`. */
  readonly total: number
  /** How many the server has stored. */
  readonly accepted: number
  /** How many of these it had stored before, under the same idempotency key. */
  readonly replayed: number
  /** How many were not accepted. Only with `onError: "collect"`; without it, the first error rejects. */
  readonly failed: number
  /** The first 1,000 of these, in the order of the events: `failed` tells how many there were. */
  readonly failures: ReadonlyArray<SendFailure>
}

/**
 * The sending of many events: iterate it, for a result per event, or await it, for a summary. It does nothing until then.
 *
 * `for await` takes the events as they are sent, and leaving the loop ends the sending. `await`, `then` and `Promise.all` send
 * everything; several of them share one sending. One object is either iterated or awaited: what comes second
 * rejects with an `InvalidArgumentError`.
 *
 * @since 0.1.0
 */
export interface SendingEvents<out A> extends AsyncIterableIterator<A>, Promise<SendSummary> {}

/**
 * Events in memory, or from a source of any length.
 *
 * @since 0.1.0
 */
export type Events<Sent extends object = AnyEvents> = Iterable<EventInput<Sent>> | AsyncIterable<EventInput<Sent>>

/**
 * A client of a Hookrail server. `Sent`: the payloads of its catalogue, by topic.
 *
 * @since 0.1.0
 */
export interface Hookrail<Sent extends object = AnyEvents> {
  /** Sends an event and waits until the server has stored it. Each retry carries the same bytes and idempotency key. */
  sendEvent<T extends keyof Sent & string>(
    topic: T,
    payload: NoInfer<Sent[T]>,
    options?: SendOptions
  ): Promise<EventAccepted>
  /**
   * Sends an event that was encoded before: exactly its bytes, with its keys. However often it is sent, the server stores it once
   * within 24 hours.
   */
  sendEncoded(event: EncodedEvent, options?: SendEncodedOptions): Promise<EventAccepted>
  /**
   * Sends events concurrently: `for await` yields the results in the order of the events, `await` resolves to a summary.
   * **Without one of the two nothing is sent.** Leaving the loop aborts the sends in flight. Events with the same ordering key
   * are sent one after the other.
   */
  sendEvents(events: Events<Sent>, options?: SendEventsOptions<"fail">): SendingEvents<EventAccepted>
  sendEvents(events: Events<Sent>, options: SendEventsOptions<"collect">): SendingEvents<SendResult<Sent>>
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
  new<Sent extends object = AnyEvents>(options?: HookrailOptions<Sent>): Hookrail<Sent>
}
