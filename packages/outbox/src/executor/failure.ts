/** Turns the error of a driver into one that says what to do. */
import { DatabaseError, SchemaError } from "../errors.js"
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

/** The SQLSTATE or SQLite's result code. */
const codeOf = (chain: ReadonlyArray<Failure>): string | undefined => {
  for (const failure of chain) {
    for (const code of [failure.code, failure.rawCode, failure.originalCode]) {
      if (typeof code === "string" && /^([0-9A-Z]{5}|SQLITE_[A-Z_]+)$/.test(code) && !/^P\d{4}$/.test(code)) return code
    }
  }
  for (const { errcode } of chain) if (typeof errcode === "number") return `SQLITE_${errcode}`
  return undefined
}

/** Whether a failed statement stored a different event under the key of one that waits. */
export const isKeyConflict = (error: unknown): boolean => texts(chainOf(error)).includes(keyConflict)

/** A missing table or column is a `SchemaError`, everything else a `DatabaseError`. */
export const failureOf = (operation: string, error: unknown, names: Names): SchemaError | DatabaseError => {
  if (error instanceof SchemaError || error instanceof DatabaseError) return error
  const chain = chainOf(error)
  const code = codeOf(chain)
  const text = texts(chain)
  const schema = { table: names.outbox, needed: currentVersion, cause: error }
  if (code === "42P01" || code === "3F000" || /no such table|unknown database/.test(text)) {
    return new SchemaError({ problem: "missing", ...schema })
  }
  if (
    code === "42703" || code === "42P10" ||
    /no such column|has no column named|ON CONFLICT clause does not match/.test(text)
  ) {
    return new SchemaError({ problem: "older", ...schema })
  }
  return new DatabaseError({ operation, code, cause: error })
}
