/** Checks payloads by a catalogue, before their bytes are fixed. What it does comes with it, from `@hookrail/promise/events`. */
import { InvalidEventError, OutboxConfigError } from "../errors.js"
import type { EncodedEvent, Event } from "./freeze.js"
import type { Catalogue, Verdict } from "./options.js"

/** An event before it is checked: a schema may encode anything. */
export type Given = (Omit<Event, "payload"> & { readonly payload: unknown }) | EncodedEvent

type Checks = Catalogue["~hookrail/EventCatalogue"]

const checksOf = (events: unknown): Checks | undefined => {
  if (events === undefined) return undefined
  const checks = (events as Partial<Catalogue> | null)?.["~hookrail/EventCatalogue"]
  if (checks === undefined) throw new OutboxConfigError({ option: "events", reason: "must be from defineEvents" })
  return checks
}

const fitting = (event: Given, checks: Checks, verdict: Verdict | undefined): Event => {
  const { idempotencyKey, topic } = event
  if (verdict !== undefined && !("reason" in verdict)) return { ...event, payload: verdict.value } as Event
  const [where, reason] = verdict === undefined
    ? ["topic", checks.unknown(String(topic))]
    : [verdict.path, verdict.reason]
  throw new InvalidEventError({ topic: String(topic), idempotencyKey, where, reason })
}

/** The event as its schema encodes it, at once unless the schema is asynchronous. Throws an `InvalidEventError`. */
export const checked = (
  event: Given,
  events: Catalogue | undefined
): Event | EncodedEvent | Promise<Event> => {
  const checks = checksOf(events)
  // What is no event is refused later.
  if (checks === undefined || typeof event !== "object" || event === null || "body" in event) {
    return event as Event | EncodedEvent
  }
  const verdict = checks.encode(event.topic, event.payload)
  return verdict !== undefined && "then" in verdict
    ? verdict.then((verdict) => fitting(event, checks, verdict))
    : fitting(event, checks, verdict)
}

/** Whether its check is still running. An event that is a promise itself is a mistake, which is refused later. */
export const isPending = (made: Event | EncodedEvent | Promise<Event>, event: unknown): made is Promise<Event> =>
  made !== event && made instanceof Promise

/** The same where nothing may wait. */
export const checkedSync = (
  event: Given,
  events: Catalogue | undefined
): Event | EncodedEvent => {
  const made = checked(event, events)
  if (!isPending(made, event)) return made
  made.catch(() => {})
  const { idempotencyKey, topic } = event
  throw new InvalidEventError({
    topic,
    idempotencyKey,
    where: "payload",
    reason:
      "its schema is asynchronous: await `events.encode(topic, payload)` before, and enqueue the result without `events`"
  })
}
