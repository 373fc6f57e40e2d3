/** Byte arrays: joining, text encodings, random ids. */

/** Joins byte arrays; a single one is returned as it is. `size` is their total length. */
export const concat = (pieces: ReadonlyArray<Uint8Array>, size: number): Uint8Array => {
  if (pieces.length === 1) return pieces[0]!
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const piece of pieces) {
    bytes.set(piece, offset)
    offset += piece.length
  }
  return bytes
}

/** Encodes bytes in lower-case hexadecimal. */
export const toHex = (bytes: Uint8Array): string => {
  let hex = ""
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0")
  return hex
}

/** Decodes base64; `undefined` if the text is invalid. */
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> | undefined => {
  let binary: string
  try {
    binary = atob(text)
  } catch {
    return undefined
  }
  // A loop: `Uint8Array.from` with a function takes twenty times as long.
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < bytes.length; index++) bytes[index] = binary.charCodeAt(index)
  return bytes
}

/**
 * A random UUID, version 4, from the platform's cryptographic source. `randomUUID` exists only in secure contexts,
 * `getRandomValues` everywhere.
 */
export const uuid = (): string => {
  const crypto = globalThis.crypto
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = toHex(bytes)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
