/** Finds the ordering key of an event, in the JSON that is sent rather than in the object that was passed. */
import { encode, payloadOf, topicText } from "./payload.js"

/** A payload and the ordering key in it (protocol section 1.7). */
export interface Ordered {
  readonly payload: unknown
  readonly orderingKey: string | undefined
}

const anyTopic = topicText("")

/**
 * Finds the ordering key in a payload. If a `toJSON` or a getter may decide it, the payload is encoded and replaced by the parsed
 * JSON, so that neither is called a second time.
 */
export const orderedPayload = (payload: unknown): Ordered => {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
    return { payload, orderingKey: undefined }
  }
  try {
    const hasToJSON = typeof (payload as { readonly toJSON?: unknown }).toJSON === "function"
    const member = Object.getOwnPropertyDescriptor(payload, "ordering_key")
    if (!hasToJSON && (member === undefined || typeof member.value === "string" || member.value === null)) {
      return { payload, orderingKey: member?.value === "" ? undefined : member?.value ?? undefined }
    }
  } catch {
    // A getter or a proxy threw. Sending the event fails in the same way, and reports it.
    return { payload, orderingKey: undefined }
  }
  const encoded = encode(anyTopic, payload)
  return encoded._tag === "Encoded"
    ? { payload: JSON.parse(new TextDecoder().decode(payloadOf(encoded))), orderingKey: encoded.orderingKey }
    : { payload, orderingKey: undefined }
}
