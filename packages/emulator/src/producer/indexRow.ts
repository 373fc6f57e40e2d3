/** Most bytes of one PostgreSQL b-tree entry. */
const maxEntry = 2704

/** PostgreSQL does not compress shorter values for an index. */
const compressAbove = 508

/**
 * Size of a value after PostgreSQL's compression: matches of 3 to 273 bytes within the last 4095, one control bit per
 * item. It gives up if the first KiB has no match, or if it saves less than a quarter.
 */
const compressedSize = (bytes: Buffer): number => {
  const seen = new Map<number, number>()
  let size = 4
  let items = 0
  let matched = false
  for (let at = 0; at < bytes.length;) {
    if (!matched && at >= 1024) return bytes.length
    const hash = at + 2 < bytes.length ? bytes.readUIntBE(at, 3) : -1
    const from = seen.get(hash)
    let length = 0
    if (from !== undefined && at - from < 4095) {
      while (length < 273 && at + length < bytes.length && bytes[from + length] === bytes[at + length]) length++
    }
    if (hash >= 0) seen.set(hash, at)
    matched ||= length >= 3
    size += length < 3 ? 1 : length < 18 ? 2 : 3
    at += length < 3 ? 1 : length
    items++
  }
  size += Math.ceil(items / 8)
  return size <= bytes.length * 0.75 ? size : bytes.length
}

const aligned = (size: number, to: number): number => Math.ceil(size / to) * to

/**
 * Whether a text fits into a b-tree entry next to a 26-character id, as idempotency keys and topics must (protocol
 * sections 1.6 and 1.8). Compression is estimated, so the limit is not exact for compressible texts.
 */
export const fitsIndex = (text: Buffer): boolean => {
  const stored = text.length > compressAbove ? compressedSize(text) : text.length
  return aligned(8 + 28 + 4 + stored, 8) <= maxEntry
}
