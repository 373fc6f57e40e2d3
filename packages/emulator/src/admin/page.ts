import { parseInteger, type Query } from "../http/query.js"
import { type Answer, json } from "../http/wire.js"
import { strictUtf8 } from "../json/text.js"
import { badCursor, listFailed } from "./problems.js"

/** A request for one page of a list. */
export interface PageRequest {
  readonly limit: number
  /** The decoded cursor; empty for the first page. */
  readonly after: string
}

/** Reads `limit` and `cursor`; a bad limit is never an error (protocol section 5.1). */
export const pageRequest = (query: Query, failedTitle?: string): PageRequest | Answer => {
  const asked = parseInteger(query.get("limit")) ?? 0
  const limit = asked <= 0 ? 50 : Math.min(asked, 200)
  // Go's base64 decoder skips line breaks.
  const cursor = query.get("cursor").replace(/[\r\n]/g, "")
  if (!/^[A-Za-z0-9_-]*$/.test(cursor) || cursor.length % 4 === 1) return badCursor()
  const after = strictUtf8(Buffer.from(cursor, "base64url"))
  // PostgreSQL takes neither NUL nor broken UTF-8 in a text.
  return after === undefined || after.includes("\0") ? listFailed(failedTitle) : { limit, after }
}

const encodeCursor = (text: string): string => Buffer.from(text, "utf8").toString("base64url")

/**
 * Answers with one page of sorted rows that begin after the cursor. A full page has a cursor, so the next page may be
 * empty; an empty page has `null` items (protocol section 5.1).
 */
export const page = <A>(
  request: PageRequest,
  rows: ReadonlyArray<A>,
  cursorOf: (row: A) => string,
  render: (row: A) => unknown,
  whenEmpty: ReadonlyArray<never> | null = null
): Answer => {
  const shown = rows.slice(0, request.limit)
  const last = shown[shown.length - 1]
  return json(200, {
    items: shown.length > 0 ? shown.map(render) : whenEmpty,
    next_cursor: last !== undefined && shown.length === request.limit ? encodeCursor(cursorOf(last)) : ""
  })
}

/** Rows by id, newest first, beginning after the cursor. */
export const newestFirst = <A extends { readonly id: string }>(
  rows: Iterable<A>,
  after: string,
  keep: (row: A) => boolean = () => true
): Array<A> =>
  [...rows].filter((row) => (after === "" || row.id < after) && keep(row)).sort((a, b) => a.id < b.id ? 1 : -1)
