/**
 * The Effect client. The path of one event starts at `sendEvent`: `sender.ts` checks and encodes the event once and gets a key;
 * `call/` sends attempts through the gate, classifies the answers and retries by the policy.
 */
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import type { CallError } from "../call/calls.js"
import { run } from "../fiber/callback.js"
import { withClock } from "../fiber/services.js"
import { runInSpan } from "../fiber/tracing.js"
import type { ReadError, SendError } from "../HookrailError.js"
import { awaitOptionsFault } from "../options/calls.js"
import type * as Topic from "../Topic.js"
import type { EventAccepted, EventStatus } from "../wire/model.js"
import type { ClientCalls } from "./calls.js"
import type { ReadOptions, SendOptions, Service } from "./model.js"
import { awaitEvent, invalidArgument } from "./reader.js"

export const make = ({ reader, sender }: ClientCalls): Service => {
  const sendEvent = (
    topic: string | Topic.Any,
    payload: unknown,
    options: SendOptions = {}
  ): Effect.Effect<EventAccepted, SendError> =>
    carryOut(
      "HookrailClient.sendEvent",
      "hookrail.topic",
      typeof topic === "string" ? topic : topic?.name,
      (clock) => sender.prepare(clock, topic, payload, options)
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
    getEvent,
    awaitEvent: (eventId, options = {}) => {
      const fault = awaitOptionsFault(options, "schedule")
      return fault === undefined
        ? awaitEvent(getEvent, eventId, options)
        : Effect.fail(invalidArgument(eventId, "options", fault))
    }
  }
}

/** Runs a call, in a span if there is a tracer. */
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
