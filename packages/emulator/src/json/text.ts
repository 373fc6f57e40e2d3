const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Decodes UTF-8; undefined for bytes that are not UTF-8, which PostgreSQL refuses. */
export const strictUtf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

const sequenceLength = (first: number): number =>
  first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0

/**
 * Decodes bytes as Go's JSON decoder does: each byte outside a valid sequence becomes one U+FFFD (protocol section 1.3).
 * A `TextDecoder` would replace several bytes with one.
 */
export const lenientUtf8 = (bytes: Uint8Array): string => {
  const whole = strictUtf8(bytes)
  if (whole !== undefined) return whole
  let text = ""
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes[at]!)
    const character = length === 0 || at + length > bytes.length
      ? undefined
      : strictUtf8(bytes.subarray(at, at + length))
    text += character ?? "\ufffd"
    at += character === undefined ? 1 : length
  }
  return text
}

/** Replaces each lone surrogate with U+FFFD, as Go does for such escapes. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd")

/** The bytes of a header value; Node decodes each byte as one character. */
export const headerBytes = (value: string): Buffer => Buffer.from(value, "latin1")
