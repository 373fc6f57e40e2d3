/**
 * Sends events to a Hookrail server and reads their status.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { scheduled } from "./call/pauses.js"
import { logged } from "./fiber/log.js"
import { withService } from "./fiber/services.js"
import { loggedBy } from "./gate/report.js"
import * as HookrailConfig from "./HookrailConfig.js"
import type { AwaitError, HookrailConfigError, ReadError, SendError } from "./HookrailError.js"
import { InvalidArgumentError } from "./HookrailError.js"
import { IdempotencyKeys } from "./IdempotencyKeys.js"
import { sendEventsFault, streamFault } from "./options/calls.js"
import * as calls from "./send/calls.js"
import * as client from "./send/client.js"
import { metricsOf } from "./send/metrics.js"
import type {
  AwaitOptions,
  EncodedEvent,
  EventInput,
  ReadOptions,
  SendEncodedOptions,
  SendEventsOptions,
  SendOptions,
  SendResult,
  Service
} from "./send/model.js"
import * as SendEvents from "./send/sendEvents.js"
import { SendGate } from "./SendGate.js"
import type * as Topic from "./Topic.js"
import { Transport } from "./Transport.js"
import type { EventAccepted, EventStatus } from "./wire/model.js"

export type {
  AwaitOptions,
  EncodedEvent,
  ReadOptions,
  SendEncodedOptions,
  SendEventsOptions,
  SendOptions,
  SendResult,
  Service
}

/**
 * Sends an event and waits until the server has stored it (protocol section 1).
 *
 * The payload is encoded once, with one idempotency key. Each attempt sends the same bytes and key, so the server stores the
 * event once, however often it is retried. The policy retries connection errors, timeouts, 408, 425, 429 and 5xx. An error
 * carries `outcome` and `idempotencyKey`: they tell whether to send again, and how to do so without a duplicate.
 *
 * @example
 * import { HookrailClient } from "hookrail"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const accepted = yield* HookrailClient.sendEvent("orders.created", { order_id: "o_1", total: 4200 }, {
 *     idempotencyKey: "order-o_1-created"
 *   })
 *   yield* Effect.log(accepted.eventId)
 * })
 *
 * @since 0.1.0
 * @category accessors
 */
export const sendEvent: {
  <Sent>(
    topic: Topic.Typed<Sent, unknown>,
    payload: NoInfer<Sent>,
    options?: SendOptions
  ): Effect.Effect<EventAccepted, SendError, HookrailClient>
  (topic: string, payload: {} | null, options?: SendOptions): Effect.Effect<EventAccepted, SendError, HookrailClient>
} = (topic: string | Topic.Any, payload: unknown, options?: SendOptions) =>
  withService(HookrailClient, (client) => client.sendEvent(topic as string, payload as {}, options))

/**
 * Sends an event that was encoded before, by `Event.encode` or in an outbox: exactly its bytes, with its keys. However often it is
 * sent, the server stores it once within 24 hours. Retries and errors are those of `sendEvent`.
 *
 * @example
 * import { Event, HookrailClient } from "hookrail"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const event = yield* Event.encode(Event.make("orders.created", { order_id: "o_1" }))
 *   yield* HookrailClient.sendEncoded(event)
 *   const { replayed } = yield* HookrailClient.sendEncoded(event)
 *   yield* Effect.log(replayed)
 * })
 *
 * @since 0.1.0
 * @category accessors
 */
export const sendEncoded = (
  event: EncodedEvent,
  options?: SendEncodedOptions
): Effect.Effect<EventAccepted, SendError, HookrailClient> =>
  withService(HookrailClient, (client) => client.sendEncoded(event, options))

/**
 * Reads the status of an event: its deliveries and their attempts (protocol section 2). Retried like a send.
 *
 * @since 0.1.0
 * @category accessors
 */
export const getEvent = (
  eventId: string,
  options?: ReadOptions
): Effect.Effect<EventStatus, ReadError, HookrailClient> =>
  Effect.flatMap(HookrailClient, (client) => client.getEvent(eventId, options))

/**
 * Waits until every delivery of an event is terminal, or until a condition of your own holds. An event without subscribers has
 * no deliveries and succeeds at once.
 *
 * @since 0.1.0
 * @category accessors
 */
export const awaitEvent = (
  eventId: string,
  options?: AwaitOptions
): Effect.Effect<EventStatus, AwaitError, HookrailClient> =>
  Effect.flatMap(HookrailClient, (client) => client.awaitEvent(eventId, options))

/**
 * Sends a stream of events concurrently and emits the results in the order of the events. It takes no more events from the
 * stream than are in flight. Events with the same ordering key, given as an option or in the payload, are sent one after the
 * other. By default an error ends the stream after the results before it (see `onError`), and later sends are interrupted.
 * Invalid options, such as a `concurrency` of 0, are a defect: an `InvalidArgumentError`.
 *
 * @example
 * import { Event, HookrailClient } from "hookrail"
 * import { Effect, Stream } from "effect"
 *
 * const program = HookrailClient.sendEvents(
 *   Stream.make(Event.make("orders.created", { order_id: "o_1" }), Event.make("orders.created", { order_id: "o_2" })),
 *   { onError: "collect" }
 * ).pipe(
 *   Stream.runForEach((result) =>
 *     result._tag === "Accepted" ? Effect.log(result.accepted.eventId) : Effect.logError(result.error)
 *   )
 * )
 *
 * @since 0.1.0
 * @category accessors
 */
export const sendEvents: {
  <E, R>(
    events: Stream.Stream<EventInput, E, R>,
    options?: SendEventsOptions<"fail">
  ): Stream.Stream<EventAccepted, E | SendError, R | HookrailClient>
  <E, R>(
    events: Stream.Stream<EventInput, E, R>,
    options: SendEventsOptions<"collect">
  ): Stream.Stream<SendResult, E, R | HookrailClient>
} = <E, R>(
  events: Stream.Stream<EventInput, E, R>,
  options: SendEventsOptions<"fail" | "collect"> = {}
): Stream.Stream<never, E, R | HookrailClient> => {
  const fault = sendEventsFault(options) ?? streamFault(events)
  return fault === undefined
    ? SendEvents.sendEvents(HookrailClient, events, options) as Stream.Stream<never, E, R | HookrailClient>
    // A bug in the program; and with "collect" the stream has no error type that could carry it.
    : Stream.die(new InvalidArgumentError({ ...fault, outcome: "not-sent" }))
}

/**
 * @since 0.1.0
 * @category tags
 */
export class HookrailClient extends Context.Tag("hookrail/HookrailClient")<HookrailClient, Service>() {
  /** @since 0.1.0 */
  static readonly sendEvent = sendEvent
  /** @since 0.1.0 */
  static readonly sendEncoded = sendEncoded
  /** @since 0.1.0 */
  static readonly sendEvents = sendEvents
  /** @since 0.1.0 */
  static readonly getEvent = getEvent
  /** @since 0.1.0 */
  static readonly awaitEvent = awaitEvent
}

/**
 * Makes a client. It uses the `SendGate` in its context, or else creates its own. A program with two clients gives each its own
 * `Context.Tag`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options?: HookrailConfig.Options
): Effect.Effect<Service, HookrailConfigError, Transport> =>
  Effect.gen(function*() {
    const config = yield* HookrailConfig.make(options)
    const transport = yield* Transport
    const keys = yield* IdempotencyKeys
    const gate = Option.getOrUndefined(yield* Effect.serviceOption(SendGate))
    const runtime = yield* Effect.runtime<never>()
    return client.make(
      calls.make({
        config,
        transport,
        keys,
        gate,
        report: loggedBy(runtime),
        log: logged,
        scheduled,
        metrics: metricsOf(runtime)
      }),
      config.propagateTrace
    )
  })

/**
 * A client with these options. The API key and base URL default to `HOOKRAIL_API_KEY` and `HOOKRAIL_BASE_URL`.
 *
 * @example
 * import { HookrailClient, Transport } from "hookrail"
 * import { Layer } from "effect"
 *
 * const layer = HookrailClient.layer({ timeout: "5 seconds" }).pipe(Layer.provide(Transport.layerFetch))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options?: HookrailConfig.Options
): Layer.Layer<HookrailClient, HookrailConfigError, Transport> => Layer.effect(HookrailClient, make(options))

/**
 * A client whose options are `Config`s.
 *
 * @example
 * import { HookrailClient } from "hookrail"
 * import { Config } from "effect"
 *
 * const layer = HookrailClient.layerConfig({ apiKey: Config.redacted("ORDERS_HOOKRAIL_KEY") })
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: HookrailConfig.ConfigOptions
): Layer.Layer<HookrailClient, ConfigError.ConfigError | HookrailConfigError, Transport> =>
  Layer.effect(HookrailClient, Effect.flatMap(HookrailConfig.fromConfig(options), make))
