/**
 * How the trace of a sender reaches the receiver (protocol section 1.6): the server keeps no header, so it travels in the payload.
 *
 * The server compares the payload with the first one of the same idempotency key. The member is therefore a function of the key:
 * a generated key contains the trace, and whoever sends again with that key sends the same bytes, in whichever trace.
 */

/** The member of the payload. */
export const traceMember = "hookrail_traceparent"

const form = "00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"

const whole = new RegExp(`^${form}$`)

const inKey = new RegExp(`^traceparent\\.(${form})\\.`)

/** Whether a value is a `traceparent` of W3C Trace Context, version 00. */
export const isTraceparent = (value: unknown): value is string => typeof value === "string" && whole.test(value)

export const traceparentOf = (traceId: string, spanId: string, isSampled: boolean): string | undefined => {
  const text = `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`
  return whole.test(text) ? text : undefined
}

/** A new idempotency key that contains a trace. */
export const tracedKey = (traceparent: string, random: string): string => `traceparent.${traceparent}.${random}`

/** The trace in an idempotency key. */
export const traceparentIn = (key: unknown): string | undefined =>
  typeof key === "string" ? inKey.exec(key)?.[1] : undefined

/** Adds the member to the text of an object. A payload that is none, or has the name in it, stays as it is. */
export const withTrace = (payload: string, traceparent: string): string =>
  payload[0] !== "{" || payload.includes(`"${traceMember}"`)
    ? payload
    : `{"${traceMember}":"${traceparent}"${payload === "{}" ? "" : ","}${payload.slice(1)}`

/** Takes the member out of a payload, and returns it. A value that is no trace is the program's own, and stays. */
export const takeTrace = (payload: unknown): string | undefined => {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return undefined
  const value = (payload as Record<string, unknown>)[traceMember]
  if (value === undefined || !isTraceparent(value)) return undefined
  delete (payload as Record<string, unknown>)[traceMember]
  return value
}
