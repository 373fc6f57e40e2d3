/**
 * What came into being meanwhile. A write of the admin API has no idempotency key, so an attempt whose answer is lost may have
 * made something: what is in the list now, and was not in it before the first attempt.
 *
 * The clocks of client and server play no part in this.
 */
import * as Effect from "effect/Effect"
import type { Page } from "./model.js"
import { Cursors } from "./wire/pages.js"

interface Row {
  readonly id: string
}

/** What was there before. */
interface Seen {
  readonly ids: ReadonlySet<string>
  /** The list was read from its newest row down to this id; to its end, if it is `undefined`. */
  readonly last: string | undefined
}

export interface Source<A extends Row, E> {
  readonly page: (cursor: string | undefined) => Effect.Effect<Page<A>, E>
  /** Whether the newest rows come first: the start of the list is then enough. */
  readonly newestFirst: boolean
  /** Whether a row is what would have been made. */
  readonly matches: (row: A) => boolean
}

/** The rows of a list, down to an id, or those of its first page. */
const rowsOf = <A extends Row, E>(
  { newestFirst, page }: Source<A, E>,
  last: string | undefined,
  isOnePage: boolean
): Effect.Effect<{ readonly rows: ReadonlyArray<A>; readonly isWhole: boolean }, E> =>
  Effect.suspend(() => {
    const cursors = new Cursors()
    const rows: Array<A> = []
    const from = (cursor: string | undefined): Effect.Effect<{ rows: ReadonlyArray<A>; isWhole: boolean }, E> =>
      Effect.flatMap(page(cursor), ({ items, nextCursor }) => {
        rows.push(...items)
        const end = items.at(-1)
        const isAtLast = newestFirst && last !== undefined && end !== undefined && end.id <= last
        if (nextCursor === undefined) return Effect.succeed({ rows, isWhole: true })
        if (isOnePage || isAtLast || cursors.follow(nextCursor, items.length) !== undefined) {
          return Effect.succeed({ rows, isWhole: false })
        }
        return from(nextCursor)
      })
    return from(undefined)
  })

/** Looks at what is there before the first attempt. */
export const seen = <A extends Row, E>(source: Source<A, E>): Effect.Effect<Seen, E> =>
  Effect.map(rowsOf(source, undefined, source.newestFirst), ({ isWhole, rows }) => ({
    ids: new Set(rows.map(({ id }) => id)),
    last: isWhole ? undefined : rows.at(-1)?.id
  }))

/** What is like it, and has come into being since. */
export const madeSince = <A extends Row, E>(
  source: Source<A, E>,
  { ids, last }: Seen
): Effect.Effect<ReadonlyArray<A>, E> =>
  Effect.map(
    rowsOf(source, last, false),
    ({ rows }) => rows.filter((row) => source.matches(row) && !ids.has(row.id) && (last === undefined || row.id > last))
  )
