import type { Core } from "../core.js"
import { eventNotFound, statusFailed } from "../http/problem.js"
import { type Answer, json } from "../http/wire.js"
import type { DatabaseState } from "../model.js"
import type { Attempt, Delivery } from "../store/store.js"

const attemptBody = (attempt: Attempt): Record<string, unknown> => ({
  attempt_no: attempt.attemptNo,
  claim_version: attempt.claimVersion,
  status: attempt.status,
  http_status: attempt.httpStatus,
  error_class: attempt.errorClass,
  latency_ms: Math.round(attempt.latencyMs)
})

/** The attempts that are kept, and whether older ones were dropped (protocol section 4.7). */
export const keptAttempts = (
  delivery: Delivery,
  oldest: number
): { readonly attempts_truncated: boolean; readonly attempts: ReadonlyArray<Record<string, unknown>> } => {
  const kept = delivery.attempts.filter((attempt) => attempt.at >= oldest)
  return { attempts_truncated: kept.length < delivery.attempts.length, attempts: kept.map(attemptBody) }
}

/** Answers `GET /v1/events/{id}` for any authenticated producer (protocol section 2). */
export const eventStatus = (core: Core, id: string, database: DatabaseState): Answer => {
  const { clock, settings, store } = core
  // PostgreSQL refuses NUL in text.
  if (database === "failing" || id.includes("\0")) return settings.statusErrorsAre404 ? eventNotFound : statusFailed
  const event = store.events.get(id)
  if (event === undefined) return eventNotFound
  const oldest = clock.now() - settings.retentionMs
  const deliveries = [...event.deliveries].sort((a, b) => a.id < b.id ? -1 : 1).map((delivery) => ({
    delivery_id: delivery.id,
    state: delivery.state,
    ...keptAttempts(delivery, oldest)
  }))
  return json(200, { event_id: event.id, topic: event.topic, deliveries: deliveries.length > 0 ? deliveries : null })
}
