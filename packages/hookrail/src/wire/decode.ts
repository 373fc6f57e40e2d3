/**
 * Decodes response bodies. Hand-written, because the client must not load Schema: that alone takes longer than loading the rest
 * of the client. A property test checks these decoders against the Schemas of `Event` and `Delivery`.
 */
import type { Attempt, Delivery, EventStatus, Problem } from "./model.js"

export type Json = Record<string, unknown>

export const isObject = (u: unknown): u is Json => typeof u === "object" && u !== null && !Array.isArray(u)

/** JSON, or `undefined`. */
export const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isOptionalString = (u: unknown): u is string | undefined => u === undefined || typeof u === "string"

const isOptionalNumber = (u: unknown): u is number | undefined => u === undefined || typeof u === "number"

/** Decodes a list, `null` as an empty one; `undefined` if it is not a list or an item is invalid. */
export const list = <A>(u: unknown, item: (u: unknown) => A | undefined): ReadonlyArray<A> | undefined => {
  if (u === null) return []
  if (!Array.isArray(u)) return undefined
  const out: Array<A> = []
  for (const value of u) {
    const read = item(value)
    if (read === undefined) return undefined
    out.push(read)
  }
  return out
}

const isText = (u: unknown): u is string => typeof u === "string"

const attempt = (u: unknown): Attempt | undefined =>
  isObject(u) && typeof u["attempt_no"] === "number" && typeof u["claim_version"] === "number" &&
    typeof u["status"] === "string" && typeof u["latency_ms"] === "number" &&
    isOptionalNumber(u["http_status"]) && isOptionalString(u["error_class"])
    ? {
      attemptNo: u["attempt_no"],
      claimVersion: u["claim_version"],
      status: u["status"],
      ...(u["http_status"] === undefined ? {} : { httpStatus: u["http_status"] }),
      ...(u["error_class"] === undefined ? {} : { errorClass: u["error_class"] }),
      latencyMs: u["latency_ms"]
    }
    : undefined

/** A delivery with its attempts. */
export const delivery = (u: unknown): Delivery | undefined => {
  if (!isObject(u) || typeof u["delivery_id"] !== "string" || typeof u["state"] !== "string") return undefined
  const truncated = u["attempts_truncated"]
  if (truncated !== undefined && typeof truncated !== "boolean") return undefined
  const attempts = Array.isArray(u["attempts"]) ? list(u["attempts"], attempt) : undefined
  if (attempts === undefined) return undefined
  return { deliveryId: u["delivery_id"], state: u["state"], attemptsTruncated: truncated ?? false, attempts }
}

/** The body of a 202 on ingest (protocol section 1.5); `undefined` if it is anything else. */
export const acceptedBody = (
  body: string
): { eventId: string; deliveryIds: ReadonlyArray<string> } | undefined => {
  const json = parse(body)
  if (!isObject(json) || typeof json["event_id"] !== "string" || json["event_id"] === "") return undefined
  // Like `list`, but without a copy: this is the response to every send.
  const deliveryIds = json["delivery_ids"] === null ? [] : json["delivery_ids"]
  if (!Array.isArray(deliveryIds) || !deliveryIds.every(isText)) return undefined
  // Not a literal, since callers keep it: V8 would soon allocate it in the old generation.
  const accepted = {} as { eventId: string; deliveryIds: ReadonlyArray<string> }
  accepted.eventId = json["event_id"]
  accepted.deliveryIds = deliveryIds
  return accepted
}

/** The body of an event's status (protocol section 2); `undefined` if it is anything else. */
export const statusBody = (body: string): EventStatus | undefined => {
  const json = parse(body)
  if (!isObject(json) || typeof json["event_id"] !== "string" || json["event_id"] === "") return undefined
  if (typeof json["topic"] !== "string") return undefined
  const deliveries = list(json["deliveries"], delivery)
  return deliveries === undefined ? undefined : { eventId: json["event_id"], topic: json["topic"], deliveries }
}

/** Decodes the members of a problem document that have the expected type; `undefined` if the body is not a problem document. */
export const problemBody = (body: string, clean: (text: string) => string): Problem | undefined => {
  const json = parse(body)
  if (!isObject(json)) return undefined
  const problem: { -readonly [K in keyof Problem]: Problem[K] } = {}
  if (typeof json["type"] === "string") problem.type = clean(json["type"])
  if (typeof json["title"] === "string") problem.title = clean(json["title"])
  if (typeof json["status"] === "number") problem.status = json["status"]
  if (typeof json["detail"] === "string") problem.detail = clean(json["detail"])
  return problem.title === undefined && problem.detail === undefined ? undefined : problem
}
