/**
 * Undoes the compression of an answer. The client asks for `identity`, but a proxy on the way may compress all the same.
 */
import { maxBodyBytes } from "./model.js"

/** What this module needs of `node:zlib`. */
interface Zlib {
  readonly gunzipSync: Inflate
  readonly inflateSync: Inflate
  readonly inflateRawSync: Inflate
  readonly brotliDecompressSync: Inflate
}

type Inflate = (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array

declare const process: { readonly getBuiltinModule?: (name: "node:zlib") => Zlib | undefined } | undefined

/**
 * Looked up instead of imported, since this package runs anywhere. Where there is no such module there is only `fetch`,
 * which decompresses by itself.
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
      // Some servers leave out the header of zlib, whose first byte names its method: 8.
      return (bytes[0]! & 0x0f) === 8 ? zlib()?.inflateSync(bytes, options) : zlib()?.inflateRawSync(bytes, options)
    case "br":
      return zlib()?.brotliDecompressSync(bytes, options)
    default:
      return undefined
  }
}

/** The bytes of a body as they were before compression. */
export interface Decompressed {
  readonly bytes: Uint8Array
  /** They are more than `maxBodyBytes`; none of them is kept. */
  readonly truncated: boolean
}

/** Undoes a `content-encoding`. `undefined` if it is not known, or if the bytes are not what it says. */
export const decompress = (contentEncoding: string, bytes: Uint8Array): Decompressed | undefined => {
  const codings = contentEncoding.toLowerCase().split(",").map((coding) => coding.trim()).filter((coding) =>
    coding !== ""
  )
  let result = bytes
  try {
    // The last one was applied last.
    for (const coding of codings.reverse()) {
      if (coding === "identity" || result.length === 0) continue
      const inflated = inflate(coding, result)
      if (inflated === undefined) return undefined
      result = inflated
    }
    return { bytes: result, truncated: false }
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"
      ? { bytes: new Uint8Array(0), truncated: true }
      : undefined
  }
}
