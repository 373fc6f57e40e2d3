/** Checks of all arguments except the payload. Each returns why the value is invalid, or `undefined`. */
import { unusableText } from "./payload.js"

/** In bytes. A longer key does not fit into an index row of the server's database: always 503 (protocol section 1.6). */
const maxKeyLength = 2_048

/** The server's limit, in bytes (protocol section 1.7). */
const maxOrderingKeyBytes = 256

const visibleAscii = /^[\x21-\x7e]+$/

const text = (value: unknown): string | undefined => {
  if (typeof value !== "string") return "it must be a text"
  return value === "" ? "it is empty" : undefined
}

export const checkTopic = (topic: unknown): string | undefined => {
  const problem = text(topic)
  if (problem !== undefined) return problem
  const name = topic as string
  // Each delivery carries it in a header, and Go refuses to write a header value with a control character.
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(name)) {
    return "it has a control character, with which it could be stored but never delivered"
  }
  const unusable = unusableText(name)
  if (unusable !== undefined) return unusable
  return bytesOf(name, maxKeyLength) > maxKeyLength ? `it is longer than ${maxKeyLength} bytes` : undefined
}

export const checkIdempotencyKey = (key: unknown): string | undefined => {
  const problem = text(key)
  if (problem !== undefined) return problem
  if (!visibleAscii.test(key as string)) {
    return "only visible ASCII characters (no blanks) travel safely: encode or hash the key"
  }
  return (key as string).length > maxKeyLength ? `it is longer than ${maxKeyLength} characters: hash it` : undefined
}

/** Checks the ordering key of the options. It must not differ from the one in the payload. */
export const checkOrderingKey = (key: unknown, inPayload: string | undefined): string | undefined => {
  const problem = text(key)
  if (problem !== undefined) return problem
  if (!visibleAscii.test(key as string)) {
    return "only visible ASCII characters (no blanks) travel safely in a header: put it into the payload, as ordering_key"
  }
  if ((key as string).length > maxOrderingKeyBytes) return `it is longer than ${maxOrderingKeyBytes} bytes`
  return inPayload !== undefined && inPayload !== key
    ? "the payload's own ordering_key is another one: give one of them, or both alike"
    : undefined
}

/** Checks the ordering key in a payload. */
export const checkPayloadOrderingKey = (key: string): string | undefined => {
  const bytes = bytesOf(key, maxOrderingKeyBytes)
  return bytes > maxOrderingKeyBytes
    ? `ordering_key has ${bytes} bytes, at most ${maxOrderingKeyBytes} are taken`
    : undefined
}

/** The length of a text in UTF-8, exact only near the limit: a UTF-16 unit takes at most 3 bytes, so short texts always fit. */
const bytesOf = (text: string, limit: number): number =>
  text.length * 3 <= limit ? text.length : new TextEncoder().encode(text).length

export const checkEventId = (id: unknown): string | undefined => {
  const problem = text(id)
  if (problem !== undefined) return problem
  // URL parsers resolve these even if they are percent-encoded, and the request would reach another route.
  if (id === "." || id === "..") return "it is not an event id"
  return unusableText(id as string)
}
