import { JsonSyntaxError, scanValue, skipBlanks } from "./jsonb.js"
import { lenientUtf8, wellFormed } from "./text.js"

/** Visits the members of an object known to be valid. All strings hold one byte per character. */
export const eachMember = (text: string, start: number, visit: (name: string, value: string) => void): void => {
  let at = skipBlanks(text, start + 1)
  while (text[at] !== "}") {
    const nameEnd = scanValue(text, at)
    const name = unquote(text.slice(at, nameEnd))
    const valueStart = skipBlanks(text, skipBlanks(text, nameEnd) + 1)
    const valueEnd = scanValue(text, valueStart)
    visit(name, text.slice(valueStart, valueEnd))
    at = skipBlanks(text, valueEnd)
    if (text[at] === ",") at = skipBlanks(text, at + 1)
  }
}

/** The text of a JSON string whose bytes are given as characters, as Go decodes it (protocol section 1.3). */
export const unquote = (lexeme: string): string =>
  wellFormed(JSON.parse(lenientUtf8(Buffer.from(lexeme, "latin1"))) as string)

/**
 * Where the value that begins at `start` ends, as Go's streaming decoder finds it. `truncated` means that the input goes on
 * beyond the cap: the value is `malformed` if a syntax error comes first, and `unfinished` if the decoder needs more.
 */
export const firstValue = (text: string, start: number, truncated: boolean): number | "malformed" | "unfinished" => {
  let end: number
  try {
    end = scanValue(text, start)
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    return truncated && error.offset >= text.length ? "unfinished" : "malformed"
  }
  // At the top level, a scalar ends only when the next character is read.
  const isContainer = text[start] === "{" || text[start] === "["
  return truncated && end === text.length && !isContainer ? "unfinished" : end
}
