import { bodyTooLarge, expectedBody, requiredBody } from "../http/problem.js"
import type { Answer } from "../http/wire.js"
import { skipBlanks } from "../json/jsonb.js"
import { eachMember, firstValue, unquote } from "../json/members.js"

/** Most bytes of a request body that the server reads (protocol section 1.3). */
export const maxBodyBytes = 262_144 + 4096

/** Most bytes of the payload's JSON text as sent (protocol section 1.3). */
export const maxPayloadBytes = 262_144

/** A decoded ingest body. */
export interface Envelope {
  readonly topic: string
  /** The payload's JSON text as sent. */
  readonly payload: Buffer
  /** The ordering key inside the payload, empty if there is none (protocol section 1.7). */
  readonly orderingKey: string
}

/** The member named exactly `ordering_key` at the top of a payload, when it is a non-empty string. */
const orderingKeyOf = (payload: string): string => {
  let key = ""
  // Most payloads have none, and this test is far cheaper than a second walk.
  if (payload[0] !== "{" || !(payload.includes("ordering_key") || payload.includes("\\u"))) return key
  eachMember(payload, 0, (name, value) => {
    if (name === "ordering_key") key = value[0] === "\"" ? unquote(value) : ""
  })
  return key
}

/**
 * Reads an ingest body as Go's decoder does: only the first JSON value counts, names match in any case, the last of
 * duplicates wins (protocol section 1.3). `truncated` says that the body goes on beyond `bytes`.
 */
export const readEnvelope = (bytes: Buffer, truncated: boolean): Envelope | Answer => {
  // One character per byte: the structure of JSON is ASCII, and offsets stay byte offsets.
  const text = bytes.toString("latin1")
  const start = skipBlanks(text, 0)
  const found = firstValue(text, start, truncated)
  if (found === "unfinished") return bodyTooLarge
  if (found === "malformed") return expectedBody
  if (text[start] === "n") return requiredBody
  if (text[start] !== "{") return expectedBody
  let topic = ""
  let payload: string | undefined
  let mistyped = false
  eachMember(text, start, (name, value) => {
    const folded = name.toLowerCase()
    if (folded === "payload") payload = value
    if (folded !== "topic") return
    if (value[0] === "\"") topic = unquote(value)
    // Go leaves the field unchanged for null, and reports another type at the end.
    else if (value !== "null") mistyped = true
  })
  if (mistyped) return expectedBody
  if (topic === "" || payload === undefined) return requiredBody
  return { topic, payload: Buffer.from(payload, "latin1"), orderingKey: orderingKeyOf(payload) }
}
