/**
 * JSON as Hookrail's two readers of it see it: Go's `encoding/json` finds where a value ends, PostgreSQL's JSONB decides
 * what a receiver is sent. `JSON.parse` can stand in for neither: it loses the text of numbers, their precision, and the
 * order of keys that look like integers.
 */

/** The text is not JSON, as Go's `encoding/json` judges it. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError"

  constructor(
    message: string,
    /** Index of the first invalid character; the length of the text if it ended too early. */
    readonly offset: number
  ) {
    super(message)
  }
}

/** Valid JSON that PostgreSQL cannot keep as JSONB. */
class Refused extends Error {}

/** Deepest nesting that Go accepts. */
const maxDepth = 10_000

/** Most digits before the decimal point of a PostgreSQL `numeric`. */
const maxWholeDigits = 131_072

/** Most digits after the decimal point of a PostgreSQL `numeric`. */
const maxDecimals = 16_383

/**
 * PostgreSQL up to 15 refuses an exponent this large (of either sign) for any number, even zero. Since 16 the limit is one
 * higher.
 */
const maxExponent = 1_073_741_823

/**
 * How many characters the numbers of one value may grow by when written out. PostgreSQL allows a gigabyte of text; a
 * payload of 256 KB can expand to three (`[1e131071, 1e131071, …]`), more than a JavaScript string can hold. Only such a
 * payload reaches this limit.
 */
const maxGrowth = 1 << 26

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const backslash = 0x5c
const openBracket = 0x5b
const openBrace = 0x7b
const closeBrace = 0x7d

const unexpected = (text: string, at: number): JsonSyntaxError =>
  new JsonSyntaxError(at < text.length ? `unexpected character at offset ${at}` : "unexpected end of JSON input", at)

/** Skips JSON's whitespace, which is less than JavaScript's. */
export const skipBlanks = (text: string, start: number): number => {
  let at = start
  for (;;) {
    const char = text.charCodeAt(at)
    if (char !== 0x20 && char !== 0x0a && char !== 0x0d && char !== 0x09) return at
    at++
  }
}

const isDigit = (char: number): boolean => char >= 0x30 && char <= 0x39

/** True for the digits, and for `a` to `f` in either case. */
const isHex = (char: number): boolean => isDigit(char) || ((char | 0x20) >= 0x61 && (char | 0x20) <= 0x66)

const stringEnd = (text: string, start: number): number => {
  if (text.charCodeAt(start) !== quote) throw unexpected(text, start)
  let at = start + 1
  for (;;) {
    const char = text.charCodeAt(at)
    if (char === quote) return at + 1
    // Negated, so that the NaN past the end of the text fails too.
    if (!(char >= 0x20)) throw unexpected(text, at)
    at++
    if (char !== backslash) continue
    const escape = text.charAt(at)
    if (escape === "" || !"\"\\/bfnrtu".includes(escape)) throw unexpected(text, at)
    at++
    if (escape !== "u") continue
    for (const end = at + 4; at < end; at++) {
      if (!isHex(text.charCodeAt(at))) throw unexpected(text, at)
    }
  }
}

/** Skips one or more digits. */
const digitsEnd = (text: string, start: number): number => {
  let at = start
  while (isDigit(text.charCodeAt(at))) at++
  if (at === start) throw unexpected(text, at)
  return at
}

const numberEnd = (text: string, start: number): number => {
  let at = text[start] === "-" ? start + 1 : start
  // Only a point or an exponent may follow a leading zero; the caller checks what follows.
  at = text[at] === "0" ? at + 1 : digitsEnd(text, at)
  if (text[at] === ".") at = digitsEnd(text, at + 1)
  if (text[at] === "e" || text[at] === "E") {
    at++
    at = digitsEnd(text, text[at] === "+" || text[at] === "-" ? at + 1 : at)
  }
  return at
}

const scalarEnd = (text: string, start: number): number => {
  const first = text[start]
  if (first === "\"") return stringEnd(text, start)
  const literal = first === "t" ? "true" : first === "f" ? "false" : first === "n" ? "null" : undefined
  if (literal === undefined) return numberEnd(text, start)
  for (let at = 0; at < literal.length; at++) {
    if (text[start + at] !== literal[at]) throw unexpected(text, start + at)
  }
  return start + literal.length
}

/** Called for each part of a value in source order; `start` and `end` bound a lexeme, quotes included. */
interface Visitor {
  readonly open: (isObject: boolean) => void
  readonly key: (start: number, end: number) => void
  readonly scalar: (start: number, end: number) => void
  readonly close: () => void
}

/** Walks one value and returns where it ends. Not recursive: 10000 levels would overflow the stack. */
const walk = (text: string, start: number, visitor: Visitor): number => {
  const closers: Array<number> = []

  /** Reads a key and its colon; returns where the value of the member begins. */
  const member = (from: number): number => {
    const end = stringEnd(text, from)
    visitor.key(from, end)
    const at = skipBlanks(text, end)
    if (text.charCodeAt(at) !== colon) throw unexpected(text, at)
    return skipBlanks(text, at + 1)
  }

  let at = start
  for (;;) {
    // A value begins here.
    const opener = text.charCodeAt(at)
    if (opener === openBrace || opener === openBracket) {
      if (closers.length === maxDepth) throw new JsonSyntaxError("exceeded max depth", at)
      visitor.open(opener === openBrace)
      // In ASCII, either closer is its opener + 2.
      closers.push(opener + 2)
      at = skipBlanks(text, at + 1)
      if (text.charCodeAt(at) !== opener + 2) {
        if (opener === openBrace) at = member(at)
        continue
      }
    } else {
      const end = scalarEnd(text, at)
      visitor.scalar(at, end)
      at = end
    }
    // A value ended here, or an empty container ends here.
    for (;;) {
      const closer = closers[closers.length - 1]
      if (closer === undefined) return at
      at = skipBlanks(text, at)
      const char = text.charCodeAt(at)
      if (char === closer) {
        closers.pop()
        visitor.close()
        at++
        continue
      }
      if (char !== comma) throw unexpected(text, at)
      at = skipBlanks(text, at + 1)
      if (closer === closeBrace) at = member(at)
      break
    }
  }
}

const ignore = (): void => {}
const nobody: Visitor = { open: ignore, key: ignore, scalar: ignore, close: ignore }

/**
 * The index at which the JSON value that begins exactly at `start` (no blanks before it) ends. What follows the value
 * is ignored. Throws a {@link JsonSyntaxError} for what Go's `encoding/json` refuses, such as nesting beyond 10000.
 */
export const scanValue = (text: string, start: number): number => walk(text, start, nobody)

const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text)

/** The characters that a string's lexeme stands for. */
const decodeString = (lexeme: string): string => {
  if (!lexeme.includes("\\")) return lexeme.slice(1, -1)
  const value = JSON.parse(lexeme) as string
  if (value.includes("\0")) throw new Refused("\\u0000 cannot be converted to text")
  // The source is well-formed, so a lone surrogate here comes from an escape.
  if (!isWellFormed(value)) throw new Refused("a Unicode surrogate escape has no partner")
  return value
}

/** JSON.stringify escapes exactly as PostgreSQL does. Most strings need no escape at all. */
const encodeString = (lexeme: string, value: string): string =>
  lexeme.length === value.length + 2 ? lexeme : JSON.stringify(value)

/** A `numeric` of the same value, with as many decimals as were written, less the exponent. */
const renderNumber = (lexeme: string): string => {
  const exponentAt = lexeme.search(/[eE]/)
  // Nothing to change: JSON has no leading zeros, and decimals stay.
  if (exponentAt < 0 && lexeme.length <= maxDecimals && !lexeme.startsWith("-0")) return lexeme
  const mantissa = exponentAt < 0 ? lexeme : lexeme.slice(0, exponentAt)
  const exponent = exponentAt < 0 ? 0 : Number(lexeme.slice(exponentAt + 1))
  const unsigned = mantissa.startsWith("-") ? mantissa.slice(1) : mantissa
  const [whole = "", fraction = ""] = unsigned.split(".")
  const digits = whole + fraction
  const decimals = Math.max(0, fraction.length - exponent)
  // Position of the decimal point in `digits`; it may lie outside.
  const point = whole.length + exponent
  const first = digits.search(/[1-9]/)
  const wholeDigits = first < 0 ? 0 : Math.max(0, point - first)
  if (Math.abs(exponent) >= maxExponent || decimals > maxDecimals || wholeDigits > maxWholeDigits) {
    throw new Refused("value overflows numeric format")
  }
  return (first >= 0 && lexeme.startsWith("-") ? "-" : "") +
    (wholeDigits === 0 ? "0" : digits.slice(first, point).padEnd(wholeDigits, "0")) +
    (decimals === 0 ? "" : "." + digits.slice(Math.max(0, point)).padStart(decimals, "0"))
}

const utf8Length = (text: string): number => {
  let bytes = text.length
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80) continue
    // Each half of a surrogate pair counts for two of its four bytes.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return bytes
}

/** UTF-16 units sort like UTF-8 bytes, except surrogates, which sort after U+FFFF. */
const utf8Rank = (unit: number): number => unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800

interface Member {
  readonly key: string
  readonly keyBytes: number
  readonly text: string
}

const byLengthThenBytes = (a: Member, b: Member): number => {
  if (a.keyBytes !== b.keyBytes) return a.keyBytes - b.keyBytes
  for (let at = 0; at < a.key.length; at++) {
    const difference = utf8Rank(a.key.charCodeAt(at)) - utf8Rank(b.key.charCodeAt(at))
    if (difference !== 0) return difference
  }
  return 0
}

/** An open container. An array's text grows as it is read; an object's is built when it closes. */
interface Frame {
  readonly members: Map<string, Member> | undefined
  elements: string
  key: string
  keyText: string
}

const render = (raw: string): string => {
  if (!isWellFormed(raw)) throw new Refused("invalid byte sequence for encoding \"UTF8\"")
  const frames: Array<Frame> = []
  let result = ""
  let growth = 0

  // Only `+`, which V8 does without copying: `join` would copy the innermost value once per level.
  const add = (text: string): void => {
    const frame = frames[frames.length - 1]
    if (frame === undefined) {
      result = text
    } else if (frame.members === undefined) {
      frame.elements += frame.elements === "" ? text : ", " + text
    } else {
      frame.members.set(frame.key, {
        key: frame.key,
        keyBytes: utf8Length(frame.key),
        text: frame.keyText + ": " + text
      })
    }
  }

  const end = walk(raw, skipBlanks(raw, 0), {
    open: (isObject) => {
      frames.push({ members: isObject ? new Map<string, Member>() : undefined, elements: "", key: "", keyText: "" })
    },
    key: (start, end) => {
      const frame = frames[frames.length - 1]
      if (frame === undefined) return
      const lexeme = raw.slice(start, end)
      frame.key = decodeString(lexeme)
      frame.keyText = encodeString(lexeme, frame.key)
    },
    scalar: (start, end) => {
      const lexeme = raw.slice(start, end)
      const first = lexeme.charCodeAt(0)
      if (first === quote) {
        add(encodeString(lexeme, decodeString(lexeme)))
      } else if (first === 0x2d || isDigit(first)) {
        const text = renderNumber(lexeme)
        growth += Math.max(0, text.length - lexeme.length)
        if (growth > maxGrowth) throw new Refused("the numbers are too long when written out")
        add(text)
      } else {
        add(lexeme)
      }
    },
    close: () => {
      const frame = frames.pop()
      if (frame?.members === undefined) return add("[" + (frame?.elements ?? "") + "]")
      let text = ""
      for (const member of [...frame.members.values()].sort(byLengthThenBytes)) {
        text += text === "" ? member.text : ", " + member.text
      }
      add("{" + text + "}")
    }
  })
  const rest = skipBlanks(raw, end)
  if (rest < raw.length) throw unexpected(raw, rest)
  return result
}

/**
 * The text that PostgreSQL gives back for a JSON value stored as JSONB, which is what a receiver is sent: keys ordered by
 * the length of their UTF-8, then bytewise; of duplicates the last; numbers without exponent; one space after `:` and
 * `,`. Or, in `reason`, why PostgreSQL would refuse the value.
 */
export const renderJsonb = (
  raw: string
): { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string } => {
  try {
    return { ok: true, text: render(raw) }
  } catch (error) {
    if (error instanceof Refused || error instanceof JsonSyntaxError) return { ok: false, reason: error.message }
    throw error
  }
}
