/**
 * The Effect client. The path of one event starts at `sendEvent`: `sender.ts` checks and encodes the event once and gets a key;
 * `call/` sends attempts through the gate, classifies the answers and retries by the policy.
 */
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import type { CallError, CallObserver } from "../call/calls.js"
import { scheduled } from "../call/pauses.js"
import { run } from "../fiber/callback.js"
import { withClock } from "../fiber/services.js"
import { addEvent, runInSpan } from "../fiber/tracing.js"
import type { ReadError, SendError } from "../HookrailError.js"
import { awaitOptionsFault } from "../options/calls.js"
import type * as Topic from "../Topic.js"
import type { EventAccepted, EventStatus } from "../wire/model.js"
import { traceparentOf } from "../wire/traceparent.js"
import type { ClientCalls } from "./calls.js"
import { encodeTyped, isTyped } from "./encode.js"
import type { EncodedEvent, ReadOptions, SendEncodedOptions, SendOptions, Service } from "./model.js"
import { awaitEvent, invalidArgument, type Limited } from "./reader.js"

export const make = ({ reader, sender }: ClientCalls, propagateTrace: boolean): Service => {
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
      (clock, observer, span) => {
        const trace = propagateTrace && span !== undefined
          ? traceparentOf(span.traceId, span.spanId, span.sampled)
          : undefined
        return options.onInterrupt === undefined
          ? prepare(sender, clock, topic, payload, options, observer, trace)
          : telling(
            options.onInterrupt,
            name,
            options,
            observer,
            (observer) => prepare(sender, clock, topic, payload, options, observer, trace)
          )
      }
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
      (clock, observer) =>
        options.onInterrupt === undefined
          ? sender.prepareEncoded(clock, event, options, observer)
          : telling(
            options.onInterrupt,
            event.topic,
            event,
            observer,
            (observer) => sender.prepareEncoded(clock, event, options, observer)
          )
    ) as Effect.Effect<EventAccepted, SendError>

  const getEvent = (eventId: string, options: ReadOptions = {}): Effect.Effect<EventStatus, ReadError> =>
    carryOut(
      "HookrailClient.getEvent",
      "hookrail.event_id",
      eventId,
      (clock, observer) => reader.prepare(clock, eventId, options, observer)
    ) as Effect.Effect<EventStatus, ReadError>

  return {
    sendEvent,
    sendEncoded,
    getEvent,
    awaitEvent: (eventId, options = {}) => {
      const fault = awaitOptionsFault(options, "schedule")
      return fault === undefined
        ? awaitEvent(getEvent, eventId, options, limited, options.schedule && scheduled(options.schedule))
        : Effect.fail(invalidArgument(eventId, "options", fault))
    }
  }
}

const limited: Limited = (effect, millis, onTimeout) => Effect.timeoutFail(effect, { duration: millis, onTimeout })

/** The payload of a typed topic is encoded first. */
const prepare = (
  sender: ClientCalls["sender"],
  clock: Clock,
  topic: string | Topic.Any,
  payload: unknown,
  options: SendOptions,
  observer: CallObserver | undefined,
  trace: string | undefined
): Effect.Effect<EventAccepted, CallError> =>
  isTyped(topic)
    ? Effect.flatMap(
      encodeTyped(topic, payload, options),
      (json) => sender.prepare(clock, topic.name, json, options, observer, trace)
    )
    : sender.prepare(clock, topic, payload, options, observer, trace)

/** Tells what is known about a send that is interrupted. */
const telling = (
  onInterrupt: NonNullable<SendOptions["onInterrupt"]>,
  topic: string,
  { idempotencyKey }: Pick<SendOptions, "idempotencyKey">,
  observer: CallObserver = { call: undefined },
  prepare: (observer: CallObserver) => Effect.Effect<EventAccepted, CallError>
): Effect.Effect<EventAccepted, CallError> =>
  Effect.onInterrupt(prepare(observer), () =>
    onInterrupt({
      topic: String(topic),
      idempotencyKey,
      // As long as there is no call, nothing has been sent.
      outcome: "not-sent",
      ...observer.call?.interruption()
    }))

/** Runs a call, with a span around it where somebody listens. */
const carryOut = <A extends EventAccepted | EventStatus>(
  name: string,
  attribute: string,
  value: string,
  prepare: (clock: Clock, observer?: CallObserver, span?: Tracer.Span) => Effect.Effect<A, CallError>
): Effect.Effect<A, CallError> =>
  withClock((clock, isTraced, wait) => {
    if (!isTraced) return run(prepare(clock), clock, wait)
    const options = { kind: "client", captureStackTrace: false, attributes: { [attribute]: String(value) } } as const
    const observer: CallObserver = { call: undefined }
    return runInSpan(
      name,
      options,
      clock,
      (span) => prepare(clock, observer, span),
      (span, result) => annotate(span, result, observer.call?.attempts ?? 1, clock)
    )
  })

/** Adds the attempt that succeeded, and the attributes of an accepted event. `call/calls.ts` adds the failed attempts. */
const annotate = (span: Tracer.Span, result: EventAccepted | EventStatus, attempts: number, clock: Clock): void => {
  addEvent(span, "hookrail.attempt", clock, { "hookrail.attempt": attempts })
  span.attribute("hookrail.attempts", attempts)
  if (!("idempotencyKey" in result)) return
  span.attribute("hookrail.event_id", result.eventId)
  span.attribute("hookrail.deliveries", result.deliveryIds.length)
  span.attribute("hookrail.replayed", result.replayed)
}
