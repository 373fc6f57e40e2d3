/** Which events have to keep their order: by the payload that goes out, not by the one that was passed in. */
import { encode, payloadOf, topicText } from "./payload.js"

/** A payload, and the ordering key that it brings along (protocol section 1.7). */
export interface Ordered {
  readonly payload: unknown
  readonly orderingKey: string | undefined
}

const anyTopic = topicText("")

/**
 * Finds the ordering key of a payload. Where that takes the JSON of it, for a `toJSON` or a getter may decide, the payload is
 * replaced by what that JSON says: neither is asked a second time.
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
    // A getter or a proxy that throws: whoever sends the event meets it again, and reports it.
    return { payload, orderingKey: undefined }
  }
  const encoded = encode(anyTopic, payload)
  return encoded._tag === "Encoded"
    ? { payload: JSON.parse(new TextDecoder().decode(payloadOf(encoded))), orderingKey: encoded.orderingKey }
    : { payload, orderingKey: undefined }
}
