/** Which answers tell the client as a whole to slow down. */
import type { TransportResponse } from "../transport/model.js"
import { problemBody } from "../wire/decode.js"
import type { Overload } from "./model.js"

/**
 * 429 and 503. A full backlog is a 429 too, but it concerns a single ordering key: the others need not wait for it
 * (protocol section 1.4).
 */
export const overloadOf = (response: TransportResponse): Overload | undefined => {
  const { status } = response
  if (status !== 429 && status !== 503) return undefined
  if (status === 429 && problemBody(response.body, (text) => text)?.title === "backlog full") return undefined
  return { status, retryAfter: response.header("retry-after") }
}

/** For requests whose answer says nothing about load. */
export const noOverload = (): undefined => undefined
