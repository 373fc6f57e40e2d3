import { lenientUtf8, strictUtf8 } from "../json/text.js"

/** Whether every percent sign begins an escape. */
export const validEscapes = (text: string): boolean => !/%(?![0-9A-Fa-f]{2})/.test(text)

/** The bytes that a text with valid escapes stands for. */
export const unescapeBytes = (text: string): Buffer =>
  Buffer.from(
    text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    "latin1"
  )

/**
 * The query of a request as Go's `net/url` reads it: a pair with a broken escape or a semicolon is dropped, a plus is a
 * blank, and of a repeated name the first value counts. `URLSearchParams` keeps what Go drops.
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

  /** The value of a name, empty where there is none. */
  get(name: string): string {
    const value = this.values.get(name)
    return value === undefined ? "" : lenientUtf8(value)
  }

  /** Whether PostgreSQL takes the values of these names for texts: it refuses NUL and what is not UTF-8. */
  isText(...names: ReadonlyArray<string>): boolean {
    return names.every((name) => {
      const value = this.values.get(name)
      return value === undefined || (strictUtf8(value) !== undefined && !value.includes(0))
    })
  }
}

/** A whole number as Go's `strconv` reads it, or nothing where it is none or does not fit into 64 bits. */
export const parseInteger = (text: string): number | undefined => {
  if (!/^[+-]?\d+$/.test(text)) return undefined
  const value = BigInt(text.replace("+", ""))
  return BigInt.asIntN(64, value) === value ? Number(value) : undefined
}
