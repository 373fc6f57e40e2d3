/** What the two databases write differently, and values as their drivers give them. */

/**
 * The SQL that a database speaks.
 *
 * @since 0.1.0
 * @category models
 */
export type Dialect = "postgres" | "sqlite"

/**
 * A value to bind to a statement. Every driver can bind these. Times are passed as numbers, in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export type Value = string | number | boolean | null | Uint8Array

/**
 * One statement and its values. Placeholders are `$1`, `$2` and so on in Postgres, and `?` for one value after the other in SQLite.
 *
 * @since 0.1.0
 * @category models
 */
export interface Statement {
  readonly sql: string
  readonly params: ReadonlyArray<Value>
}

/**
 * A row as a driver gives it. Read its columns with the functions of `sql/values`: drivers differ.
 *
 * @since 0.1.0
 * @category models
 */
export type Row = Readonly<Record<string, unknown>>

interface Positional {
  readonly sql: string
  /** Which value goes where, from 0. */
  readonly order: ReadonlyArray<number>
}

const known = new Map<string, Positional>()

/** SQL with `?` in place of `$1`, `$2` and so on, for drivers that count. Texts are remembered: there are few, used often. */
export const positional = (sql: string): Positional => {
  const found = known.get(sql)
  if (found !== undefined) return found
  const order: Array<number> = []
  const made = {
    sql: sql.replace(/\$(\d+)/g, (_, n: string) => {
      order.push(Number(n) - 1)
      return "?"
    }),
    order
  }
  if (known.size < 1_000) known.set(sql, made)
  return made
}

/** A statement in the placeholders of a dialect, of SQL with `$1`, `$2` and so on. A value may be used twice. */
export const statement = (dialect: Dialect, sql: string, params: ReadonlyArray<Value>): Statement => {
  if (dialect === "postgres") return { sql, params }
  const { order, sql: text } = positional(sql)
  return { sql: text, params: order.map((index) => params[index]!) }
}

/** How SQL of a dialect is written. Times in SQLite are integers, in milliseconds since 1970. */
export interface Writing {
  readonly dialect: Dialect
  /** The time of the database now, within a statement: it advances during a transaction. */
  readonly now: string
  /** The time after the time of `from` by a number of milliseconds. */
  readonly later: (from: string, millis: string) => string
  /** A time that never comes. */
  readonly never: string
  /** A time as a number, in milliseconds. */
  readonly millis: (time: string) => string
}

const postgres: Writing = {
  dialect: "postgres",
  now: "clock_timestamp()",
  later: (from, millis) => `(${from} + ${millis} * interval '1 millisecond')`,
  never: "'infinity'::timestamptz",
  // `extract` calculates with decimal numbers.
  millis: (time) => `(date_part('epoch', ${time}) * 1000)`
}

const sqlite: Writing = {
  dialect: "sqlite",
  now: "cast(unixepoch('subsec') * 1000 as integer)",
  later: (from, millis) => `(${from} + ${millis})`,
  never: "9007199254740991",
  millis: (time) => time
}

export const writingOf = (dialect: Dialect): Writing => dialect === "postgres" ? postgres : sqlite
