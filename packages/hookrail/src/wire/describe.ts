/** How messages speak of a call: which one it is, and what is known about its event. */
import { type AdminOperation, adminVerdictOf } from "./admin.js"
import type { Outcome } from "./model.js"
import { quote } from "./shorten.js"

/** What is known about a call. A send has a topic, a read has an event id, one of the admin API an operation. */
export interface Described {
  readonly topic?: string | undefined
  readonly idempotencyKey?: string | undefined
  readonly eventId?: string | undefined
  readonly outcome?: Outcome | undefined
  readonly operation?: AdminOperation | undefined
  /** What it is about: an id, or a URL without its query. */
  readonly target?: string | undefined
}

/** The call, as the subject of a sentence. */
export const callOf = (error: Described): string => {
  if (error.operation !== undefined) {
    return error.target === undefined ? error.operation : `${error.operation} ${quote(error.target)}`
  }
  if (error.topic !== undefined) {
    const key = error.idempotencyKey === undefined ? "" : ` (Idempotency-Key ${quote(error.idempotencyKey)})`
    return `event on topic ${quote(error.topic)}${key}`
  }
  return error.eventId === undefined ? "request" : `status of event ${quote(error.eventId)}`
}

/** What is known about the event, as a sentence after a blank; empty for a read. */
export const verdictOf = (error: Described): string => {
  if (error.operation !== undefined) return adminVerdictOf(error.operation, error.outcome)
  switch (error.outcome) {
    case "not-sent":
      return " Nothing was sent."
    case "refused":
      return " The server did not store the event."
    case "unknown":
      return " The event may be stored: to be sure, send it again with the same idempotency key and payload."
    default:
      return ""
  }
}
