/**
 * Decompresses responses. The client asks for `identity`, but a proxy may compress anyway.
 */
import { maxBodyBytes } from "./model.js"

/** The part of `node:zlib` that is used here. */
interface Zlib {
  readonly gunzipSync: Inflate
  readonly inflateSync: Inflate
  readonly inflateRawSync: Inflate
  readonly brotliDecompressSync: Inflate
}

type Inflate = (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array

declare const process: { readonly getBuiltinModule?: (name: "node:zlib") => Zlib | undefined } | undefined

/**
 * Looked up instead of imported, since this package runs anywhere. Runtimes without this module only have `fetch`, which
 * decompresses by itself.
 */
const zlib = (): Zlib | undefined =>
  typeof process === "undefined" ? undefined : process.getBuiltinModule?.("node:zlib")

const inflate = (coding: string, bytes: Uint8Array): Uint8Array | undefined => {
  const options = { maxOutputLength: maxBodyBytes }
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return zlib()?.gunzipSync(bytes, options)
    case "deflate":
      // Some servers omit the zlib header, whose first byte contains the compression method: 8.
      return (bytes[0]! & 0x0f) === 8 ? zlib()?.inflateSync(bytes, options) : zlib()?.inflateRawSync(bytes, options)
    case "br":
      return zlib()?.brotliDecompressSync(bytes, options)
    default:
      return undefined
  }
}

/** A decompressed body. */
export interface Decompressed {
  readonly bytes: Uint8Array
  /** The body is longer than `maxBodyBytes`; `bytes` is empty. */
  readonly truncated: boolean
}

/** Decodes a `content-encoding`. `undefined` if it is unknown or does not match the bytes. */
export const decompress = (contentEncoding: string, bytes: Uint8Array): Decompressed | undefined => {
  const codings = contentEncoding.toLowerCase().split(",").map((coding) => coding.trim()).filter((coding) =>
    coding !== ""
  )
  let result = bytes
  try {
    // They are listed in the order in which they were applied.
    for (const coding of codings.reverse()) {
      if (coding === "identity" || result.length === 0) continue
      const inflated = inflate(coding, result)
      if (inflated === undefined) return undefined
      result = inflated
    }
    return { bytes: result, truncated: false }
  } catch (error) {
    // In Jest, the errors of Node are no instances of `Error`.
    return (Object(error) as { readonly code?: unknown }).code === "ERR_BUFFER_TOO_LARGE"
      ? { bytes: new Uint8Array(0), truncated: true }
      : undefined
  }
}
