/** What a client takes and gives, shared by `HookrailClient` and this room. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { EventAccepted, EventInput, EventStatus, ReadOptions, SendOptions } from "../Event.js"
import type { Retry } from "../HookrailConfig.js"
import type { AwaitError, ReadError, SendError } from "../HookrailError.js"
import type * as Topic from "../Topic.js"

/**
 * Options of waiting for an event.
 *
 * @since 0.1.0
 * @category models
 */
export interface AwaitOptions {
  /** How long to wait in all. Default 1 minute; a failed first delivery alone may take 35 seconds to be tried again. */
  readonly timeout?: Duration.DurationInput | undefined
  /** When to look again. Default: after 250 milliseconds, doubling up to 5 seconds. */
  readonly schedule?: Schedule.Schedule<unknown, EventStatus> | undefined
  /** What to wait for. Default: until each delivery is terminal. */
  readonly until?: ((status: EventStatus) => boolean) | undefined
  /** How each failed look is retried. Default: the client's. */
  readonly retry?: Retry | undefined
}

/**
 * Options of sending a stream of events.
 *
 * @since 0.1.0
 * @category models
 */
export interface SendEventsOptions<OnError extends "fail" | "collect" = "fail"> {
  /** How many events may be under way at a time. Default 16. The client's `maxInFlight` holds as well. */
  readonly concurrency?: number | undefined
  /** Whether the first error ends the stream (the default), or becomes a result like the others. */
  readonly onError?: OnError | undefined
}

/**
 * What became of one event of a stream, with `onError: "collect"`.
 *
 * @since 0.1.0
 * @category models
 */
export type SendResult =
  | { readonly _tag: "Accepted"; readonly input: EventInput; readonly accepted: EventAccepted }
  | { readonly _tag: "Failed"; readonly input: EventInput; readonly error: SendError }

/**
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** See the accessor `sendEvent`. */
  readonly sendEvent: {
    <A, I>(topic: Topic.Topic<A, I>, payload: A, options?: SendOptions): Effect.Effect<EventAccepted, SendError>
    (topic: string, payload: {} | null, options?: SendOptions): Effect.Effect<EventAccepted, SendError>
  }
  /** See the accessor `getEvent`. */
  readonly getEvent: (eventId: string, options?: ReadOptions) => Effect.Effect<EventStatus, ReadError>
  /** See the accessor `awaitEvent`. */
  readonly awaitEvent: (eventId: string, options?: AwaitOptions) => Effect.Effect<EventStatus, AwaitError>
}
