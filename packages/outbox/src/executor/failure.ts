/** Turns the error of a driver into one that says what to do. */
import { DatabaseError, OutboxConfigError, SchemaError } from "../errors.js"
import type { Names } from "../sql/names.js"
import { currentVersion, keyConflict } from "../sql/schema.js"

interface Failure {
  readonly code?: unknown
  readonly errcode?: unknown
  readonly rawCode?: unknown
  readonly originalCode?: unknown
  readonly message?: unknown
  readonly originalMessage?: unknown
  readonly constraint?: unknown
  readonly cause?: unknown
  readonly meta?: unknown
  readonly driverAdapterError?: unknown
  readonly originalError?: unknown
}

/** An error and what it wraps: object mappers wrap the errors of drivers. */
const chainOf = (error: unknown): ReadonlyArray<Failure> => {
  const chain: Array<Failure> = []
  const add = (it: unknown): void => {
    if (typeof it !== "object" || it === null || chain.length > 10 || chain.includes(it)) return
    const failure = it as Failure
    chain.push(failure)
    for (const inner of [failure.cause, failure.driverAdapterError, failure.originalError, failure.meta]) add(inner)
  }
  add(error)
  return chain
}

const texts = (chain: ReadonlyArray<Failure>): string =>
  chain
    .flatMap(({ constraint, message, originalMessage }) => [message, originalMessage, constraint])
    .filter((it) => typeof it === "string")
    .join("\n")

/** What to do, for failures that an operator can end. In the words of drivers, these are not always clear. */
const advice: Readonly<Record<string, string>> = {
  "28P01": "The password was refused.",
  "28000": "The user may not connect.",
  "3D000": "There is no such database.",
  "42501":
    "The user lacks a privilege: on the tables it needs SELECT, INSERT, UPDATE and DELETE, on the procedure EXECUTE.",
  "25P02": "An earlier statement of this transaction failed, and its error was caught: let it end the transaction.",
  "25006": "The database is read-only, such as a standby: connect to the primary.",
  "53300": "The database has no more connections.",
  ECONNREFUSED: "Nothing listens at this address.",
  ENOTFOUND: "There is no host of this name.",
  EAI_AGAIN: "The name of the host could not be looked up.",
  ETIMEDOUT: "There was no answer.",
  ERR_INVALID_URL: "The URL is not valid: special characters of a password are written as %xx.",
  SQLITE_BUSY: "Another program has been writing for too long.",
  SQLITE_READONLY: "The file, or its folder, is read-only for this program.",
  SQLITE_CANTOPEN: "The file, or its folder, cannot be opened by this program.",
  SQLITE_NOTADB: "The file is no database of SQLite.",
  SQLITE_CORRUPT: "The file is damaged.",
  SQLITE_FULL: "The disk is full."
}

/** Some drivers give no code. */
const isClosed = /pool after calling end|client was closed|database connection is not open|database is not open/i

const adviceOn = (code: string | undefined): string | undefined =>
  code === undefined ? undefined : advice[code] ?? advice[/^SQLITE_[A-Z]+/.exec(code)?.[0] ?? ""]

/** node:sqlite has numbers. */
const sqliteNames: Readonly<Record<number, string>> = {
  5: "BUSY",
  8: "READONLY",
  11: "CORRUPT",
  13: "FULL",
  14: "CANTOPEN",
  26: "NOTADB"
}

const sqliteCode = (number: number): string => `SQLITE_${sqliteNames[number & 255] ?? number}`

/** The SQLSTATE, SQLite's result code, or Node's code of a connection. */
const codeOf = (chain: ReadonlyArray<Failure>): string | undefined => {
  for (const failure of chain) {
    for (const code of [failure.code, failure.rawCode, failure.originalCode]) {
      if (
        typeof code === "string" && /^([0-9A-Z]{5}|SQLITE_[A-Z_]+|E[A-Z]{4,}|EAI_AGAIN|ERR_INVALID_URL)$/.test(code) &&
        !/^P\d{4}$/.test(code)
      ) return code
    }
  }
  for (const { code } of chain) {
    // libsql has no names for some of them.
    const number = /^UNKNOWN_SQLITE_ERROR_(\d+)$/.exec(String(code))?.[1]
    if (number !== undefined) return sqliteCode(Number(number))
  }
  for (const { errcode } of chain) if (typeof errcode === "number") return sqliteCode(errcode)
  // libsql, while it opens a file.
  return chain.some(({ message }) => /^ConnectionFailed\(.*: 14"\)$/.test(String(message)))
    ? "SQLITE_CANTOPEN"
    : undefined
}

/** Whether a failed statement stored a different event under the key of one that waits. */
export const isKeyConflict = (error: unknown): boolean => texts(chainOf(error)).includes(keyConflict)

/** A missing table or column is a `SchemaError`, everything else a `DatabaseError`. */
export const failureOf = (
  operation: string,
  error: unknown,
  names: Names
): SchemaError | DatabaseError | OutboxConfigError => {
  if (error instanceof SchemaError || error instanceof DatabaseError || error instanceof OutboxConfigError) return error
  const chain = chainOf(error)
  const code = codeOf(chain)
  const text = texts(chain)
  const schema = { table: names.outbox, needed: currentVersion, cause: error }
  if (code === "42883" && text.includes(names.enqueue)) {
    return new SchemaError({ problem: "missing", ...schema, procedure: names.enqueue })
  }
  if (code === "42P01" || code === "3F000" || /no such table|unknown database/.test(text)) {
    return new SchemaError({ problem: "missing", ...schema })
  }
  if (
    code === "42703" || code === "42P10" ||
    /no such column|has no column named|ON CONFLICT clause does not match/.test(text)
  ) {
    return new SchemaError({ problem: "older", ...schema })
  }
  const advice = adviceOn(code) ?? (isClosed.test(text) ? "The connection, or its pool, was closed." : undefined)
  return new DatabaseError({ operation, code, advice, cause: error })
}
