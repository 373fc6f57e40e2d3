/** The arguments and results of a client, shared by `HookrailClient` and this room. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { Retry } from "../HookrailConfig.js"
import type { AwaitError, OrderingKeyHeldError, ReadError, SendContext, SendError } from "../HookrailError.js"
import type * as Plain from "../options/model.js"
import type * as Topic from "../Topic.js"
import type { EventAccepted, EventStatus } from "../wire/model.js"

/**
 * Options of a status read.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadOptions extends Plain.ReadOptions<Duration.DurationInput, Retry> {}

/**
 * Options of a send.
 *
 * @since 0.1.0
 * @category models
 */
export interface SendOptions extends Plain.SendOptions<Duration.DurationInput, Retry> {
  /**
   * Runs when the send is interrupted, with the topic, the idempotency key, and what is known about the event: an interrupted
   * effect has no error that could tell. It cannot be interrupted itself.
   */
  readonly onInterrupt?: ((send: SendContext) => Effect.Effect<void>) | undefined
}

/**
 * An event to send, for `HookrailClient.sendEvents`.
 *
 * @since 0.1.0
 * @category models
 */
export interface EventInput extends SendOptions {
  readonly topic: string | Topic.Any
  readonly payload: unknown
}

/**
 * An encoded event: its bytes and its idempotency key are fixed. It can be stored and sent any number of times; to the server it
 * is the same event.
 *
 * @since 0.1.0
 * @category models
 */
export interface EncodedEvent {
  readonly topic: string
  /** The body of the request, `{"topic":...,"payload":...}` as JSON in UTF-8 (protocol section 1.3). */
  readonly body: Uint8Array
  /** The value of the header `Idempotency-Key` (protocol section 1.6). */
  readonly idempotencyKey: string
  /** The value of the header `X-Hookrail-Ordering-Key`, if it is sent with one (protocol section 1.7). */
  readonly orderingKey: string | undefined
}

/**
 * Options of sending an encoded event. Its keys are in the event.
 *
 * @since 0.1.0
 * @category models
 */
export interface SendEncodedOptions extends Omit<SendOptions, "idempotencyKey" | "orderingKey"> {}

/**
 * Options of waiting for an event.
 *
 * @since 0.1.0
 * @category models
 */
export interface AwaitOptions extends Plain.AwaitOptions<Duration.DurationInput, Retry> {
  /** When to read the status again. Default: after 250 milliseconds, doubling up to 5 seconds. */
  readonly schedule?: Schedule.Schedule<unknown, EventStatus> | undefined
}

/**
 * Options of sending a stream of events.
 *
 * @since 0.1.0
 * @category models
 */
export interface SendEventsOptions<OnError extends "fail" | "collect" = "fail">
  extends Plain.SendEventsOptions<OnError>
{}

/**
 * The result of one event of a stream, with `onError: "collect"`.
 *
 * @since 0.1.0
 * @category models
 */
export type SendResult =
  | { readonly _tag: "Accepted"; readonly input: EventInput; readonly accepted: EventAccepted }
  | { readonly _tag: "Failed"; readonly input: EventInput; readonly error: SendError | OrderingKeyHeldError }

/**
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** See the accessor `sendEvent`. */
  readonly sendEvent: {
    <Sent>(
      topic: Topic.Typed<Sent, unknown>,
      payload: NoInfer<Sent>,
      options?: SendOptions
    ): Effect.Effect<EventAccepted, SendError>
    (topic: string, payload: {} | null, options?: SendOptions): Effect.Effect<EventAccepted, SendError>
  }
  /** See the accessor `sendEncoded`. */
  readonly sendEncoded: (event: EncodedEvent, options?: SendEncodedOptions) => Effect.Effect<EventAccepted, SendError>
  /** See the accessor `getEvent`. */
  readonly getEvent: (eventId: string, options?: ReadOptions) => Effect.Effect<EventStatus, ReadError>
  /** See the accessor `awaitEvent`. */
  readonly awaitEvent: (eventId: string, options?: AwaitOptions) => Effect.Effect<EventStatus, AwaitError>
}
