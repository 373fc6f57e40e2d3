/**
 * The Effect client. The path of one event starts at `sendEvent`: `sender.ts` checks and encodes the event once and gets a key;
 * `call/` sends attempts through the gate, classifies the answers and retries by the policy.
 */
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import type { CallError, CallObserver } from "../call/calls.js"
import { run } from "../fiber/callback.js"
import { withClock } from "../fiber/services.js"
import { runInSpan } from "../fiber/tracing.js"
import type { ReadError, SendError } from "../HookrailError.js"
import { awaitOptionsFault } from "../options/calls.js"
import type * as Topic from "../Topic.js"
import type { EventAccepted, EventStatus } from "../wire/model.js"
import type { ClientCalls } from "./calls.js"
import type { EncodedEvent, ReadOptions, SendEncodedOptions, SendOptions, Service } from "./model.js"
import { awaitEvent, invalidArgument } from "./reader.js"

export const make = ({ reader, sender }: ClientCalls): Service => {
  const sendEvent = (
    topic: string | Topic.Any,
    payload: unknown,
    options: SendOptions = {}
  ): Effect.Effect<EventAccepted, SendError> => {
    const name = typeof topic === "string" ? topic : topic?.name
    return carryOut(
      "HookrailClient.sendEvent",
      "hookrail.topic",
      name,
      (clock) =>
        options.onInterrupt === undefined
          ? sender.prepare(clock, topic, payload, options)
          : telling(options.onInterrupt, name, options, (observer) =>
            sender.prepare(clock, topic, payload, options, observer))
    ) as Effect.Effect<EventAccepted, SendError>
  }

  const sendEncoded = (
    event: EncodedEvent,
    options: SendEncodedOptions = {}
  ): Effect.Effect<EventAccepted, SendError> =>
    carryOut(
      "HookrailClient.sendEncoded",
      "hookrail.topic",
      event.topic,
      (clock) =>
        options.onInterrupt === undefined
          ? sender.prepareEncoded(clock, event, options)
          : telling(
            options.onInterrupt,
            event.topic,
            event,
            (observer) => sender.prepareEncoded(clock, event, options, observer)
          )
    ) as Effect.Effect<EventAccepted, SendError>

  const getEvent = (eventId: string, options: ReadOptions = {}): Effect.Effect<EventStatus, ReadError> =>
    carryOut(
      "HookrailClient.getEvent",
      "hookrail.event_id",
      eventId,
      (clock) => reader.prepare(clock, eventId, options)
    ) as Effect.Effect<EventStatus, ReadError>

  return {
    sendEvent,
    sendEncoded,
    getEvent,
    awaitEvent: (eventId, options = {}) => {
      const fault = awaitOptionsFault(options, "schedule")
      return fault === undefined
        ? awaitEvent(getEvent, eventId, options)
        : Effect.fail(invalidArgument(eventId, "options", fault))
    }
  }
}

/** Tells what is known about a send that is interrupted. */
const telling = (
  onInterrupt: NonNullable<SendOptions["onInterrupt"]>,
  topic: string,
  { idempotencyKey }: Pick<SendOptions, "idempotencyKey">,
  prepare: (observer: CallObserver) => Effect.Effect<EventAccepted, CallError>
): Effect.Effect<EventAccepted, CallError> => {
  const observer: CallObserver = { call: undefined }
  return Effect.onInterrupt(prepare(observer), () =>
    onInterrupt({
      topic: String(topic),
      idempotencyKey,
      // As long as there is no call, nothing has been sent.
      outcome: "not-sent",
      ...observer.call?.interruption()
    }))
}

/** Runs a call, with a span around it where somebody listens. */
const carryOut = <A extends EventAccepted | EventStatus>(
  name: string,
  attribute: string,
  value: string,
  prepare: (clock: Clock) => Effect.Effect<A, CallError>
): Effect.Effect<A, CallError> =>
  withClock((clock, isTraced) => {
    if (!isTraced) return run(prepare(clock), clock)
    const options = { kind: "client", captureStackTrace: false, attributes: { [attribute]: String(value) } } as const
    return runInSpan(name, options, clock, () => prepare(clock), annotate)
  })

/** Adds the attributes of an accepted event. */
const annotate = (span: Tracer.Span, result: EventAccepted | EventStatus): void => {
  if (!("idempotencyKey" in result)) return
  span.attribute("hookrail.event_id", result.eventId)
  span.attribute("hookrail.deliveries", result.deliveryIds.length)
  span.attribute("hookrail.replayed", result.replayed)
}
