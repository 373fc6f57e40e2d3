import { type Answer, encodeJson } from "./wire.js"

/** Makes a problem document: four members in alphabetical order, one line and a newline (protocol section 1.4). */
export const problem = (
  status: number,
  title: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {}
): Answer => ({
  status,
  headers: { "Content-Type": "application/problem+json", ...headers },
  body: encodeJson({ detail, status, title, type: "about:blank" }) + "\n"
})

/** 400: the body is not the JSON object that ingest expects (protocol section 1.4). */
export const expectedBody = problem(400, "invalid body", "expected {\"topic\": string, \"payload\": object}")
/** 400: topic or payload is absent or empty (protocol section 1.4). */
export const requiredBody = problem(400, "invalid body", "topic and payload are required")
/** 400: header and payload name different ordering keys (protocol section 1.7). */
export const orderingConflict = problem(
  400,
  "ordering_key conflict",
  "X-Hookrail-Ordering-Key and body.ordering_key differ"
)
/** 400: the ordering key has more bytes than configured, which the server calls characters (protocol section 1.7). */
export const orderingTooLong = (max: number): Answer =>
  problem(400, "ordering_key too long", `ordering_key exceeds ${max} characters`)
/** 401: no `Authorization: Bearer ` (protocol section 3). */
export const missingCredentials = problem(
  401,
  "missing credentials",
  "Authorization: Bearer <producer key> required"
)
/** 401: the key is unknown or revoked, or the database is down (protocol section 3). */
export const invalidCredentials = problem(401, "invalid credentials", "unknown or revoked producer key")
/** 403: no scope of the key covers the topic (protocol section 1.4). */
export const topicNotPermitted = problem(
  403,
  "topic not permitted",
  "this producer key is not authorized to publish to this topic"
)
/** 404: no such event (protocol section 2). */
export const eventNotFound = problem(404, "event not found", "no event with that id")
/** 409: the idempotency key was used with another body (protocol section 1.6). */
export const idempotencyConflict = problem(
  409,
  "idempotency conflict",
  "Idempotency-Key was reused with a different body"
)
/** 413: the payload or the whole body is over its cap (protocol section 1.3). */
export const payloadTooLarge = problem(413, "payload too large", "payload is capped at 256KB")
/** 413 that also closes the connection, as the whole-body cap does (protocol section 1.4). */
export const bodyTooLarge: Answer = { ...payloadTooLarge, headers: { ...payloadTooLarge.headers, Connection: "close" } }
/** 429 of the per-key limit, without `Retry-After` (protocol section 1.4). */
export const rateLimited = problem(429, "rate limited", "per-key ingest rate exceeded")
/** 429 of a full ordering key, the only answer with `Retry-After` (protocol section 1.7). */
export const backlogFull = problem(429, "backlog full", "ordered key backlog at capacity; retry later", {
  "Retry-After": "30"
})
/** 500: the server could not look the event up (protocol section 2). */
export const statusFailed = problem(500, "internal error", "failed to load event status")
/** 503: the scope lookup failed (protocol section 1.4). */
export const notAuthorizable = problem(503, "ingest unavailable", "could not authorize the event")
/** 503: the transaction failed (protocol section 1.4). */
export const notRecorded = problem(503, "ingest unavailable", "could not durably record the event")
/** 503 of `/readyz` (protocol section 6). */
export const notReady = problem(503, "not ready", "postgres unreachable")
