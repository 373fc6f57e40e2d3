import { lenientUtf8, strictUtf8 } from "../json/text.js"

/** Whether every percent sign starts a valid escape. */
export const validEscapes = (text: string): boolean => !/%(?![0-9A-Fa-f]{2})/.test(text)

/** Decodes a text whose escapes are valid. */
export const unescapeBytes = (text: string): Buffer =>
  Buffer.from(
    text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    "latin1"
  )

/**
 * A query string as Go's `net/url` parses it: pairs with a broken escape or a semicolon are dropped, a plus is a space, and
 * the first value of a repeated name counts. `URLSearchParams` keeps the pairs that Go drops.
 */
export class Query {
  private readonly values = new Map<string, Buffer>()

  constructor(search: string) {
    for (const pair of search.split("&")) {
      if (pair === "" || pair.includes(";") || !validEscapes(pair)) continue
      const [name = "", ...rest] = pair.replaceAll("+", " ").split("=")
      const key = lenientUtf8(unescapeBytes(name))
      if (!this.values.has(key)) this.values.set(key, unescapeBytes(rest.join("=")))
    }
  }

  /** The value of a name, or an empty string. */
  get(name: string): string {
    const value = this.values.get(name)
    return value === undefined ? "" : lenientUtf8(value)
  }

  /** Whether PostgreSQL accepts these values as text: it refuses NUL and invalid UTF-8. */
  isText(...names: ReadonlyArray<string>): boolean {
    return names.every((name) => {
      const value = this.values.get(name)
      return value === undefined || (strictUtf8(value) !== undefined && !value.includes(0))
    })
  }
}

/** Parses an integer as Go's `strconv` does; undefined if invalid or beyond 64 bits. */
export const parseInteger = (text: string): number | undefined => {
  if (!/^[+-]?\d+$/.test(text)) return undefined
  const value = BigInt(text.replace("+", ""))
  return BigInt.asIntN(64, value) === value ? Number(value) : undefined
}
