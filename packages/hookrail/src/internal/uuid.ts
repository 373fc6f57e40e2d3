/** A random UUID, version 4, from the platform's cryptographic source. */
import { toHex } from "./hex.js"

/** `randomUUID` is there only in secure contexts; `getRandomValues` is there everywhere. */
export const uuid = (): string => {
  const crypto = globalThis.crypto
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = toHex(bytes)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
