/** Executors of the drivers of SQLite: better-sqlite3, libsql, node:sqlite, and the client of libSQL. */
import { checkHandle } from "../check.js"
import type { Row, Value } from "../sql/dialect.js"
import type { Executor, SyncExecutor } from "./model.js"

interface SqliteStatement {
  readonly all: (...params: Array<never>) => Array<unknown>
  readonly run: (...params: Array<never>) => unknown
}

/**
 * A `Database` of better-sqlite3 or libsql, or a `DatabaseSync` of node:sqlite.
 *
 * @since 0.1.0
 * @category models
 */
export interface SqliteDatabase {
  readonly prepare: (sql: string) => SqliteStatement
  readonly exec: (sql: string) => unknown
}

interface Prepared {
  readonly statement: SqliteStatement
  readonly hasRows: boolean
}

/** Preparing a statement takes longer than running it. */
const prepared = new WeakMap<SqliteDatabase, Map<string, Prepared>>()

const prepare = (db: SqliteDatabase, sql: string): Prepared => {
  let statements = prepared.get(db)
  if (statements === undefined) prepared.set(db, statements = new Map())
  let found = statements.get(sql)
  if (found === undefined) {
    found = { statement: db.prepare(sql), hasRows: hasRows(sql) }
    if (statements.size < 200) statements.set(sql, found)
  }
  return found
}

/** `all` of some drivers refuses a statement without rows. */
const hasRows = (sql: string): boolean => /^\s*(select|with|values|pragma)\b|\breturning\b/i.test(sql)

/**
 * Runs over better-sqlite3, libsql or node:sqlite. `enqueue` and `enqueueSync` refuse a connection that is in no transaction.
 *
 * @since 0.1.0
 * @category executors
 */
export const fromSqlite = (db: SqliteDatabase): SyncExecutor => {
  checkHandle("fromSqlite", db, "prepare", "a database of better-sqlite3, libsql or node:sqlite, not its path")
  // better-sqlite3 and libsql also take an array, which saves them making one. To node:sqlite it would be values by name.
  const takesArray = "inTransaction" in db
  const executeSync = (sql: string, params: ReadonlyArray<Value>): ReadonlyArray<Row> => {
    const { hasRows, statement } = prepare(db, sql)
    const values = (takesArray ? [params] : params) as Array<never>
    if (hasRows) return statement.all(...values) as Array<Row>
    statement.run(...values)
    return []
  }
  return {
    dialect: "sqlite",
    inTransaction: () => {
      const { inTransaction, isTransaction } = db as {
        readonly inTransaction?: unknown
        readonly isTransaction?: unknown
      }
      const answer = inTransaction ?? isTransaction
      return typeof answer === "boolean" ? answer : undefined
    },
    executeSync,
    execute: (sql, params) =>
      new Promise((resolve) => {
        resolve(executeSync(sql, params))
      })
  }
}

/** A client of `@libsql/client`, or its transaction. */
export interface LibsqlClient {
  readonly execute: (
    statement: { readonly sql: string; readonly args: Array<string | number | boolean | null | Uint8Array> }
  ) => Promise<{ readonly rows: Array<unknown> }>
}

/**
 * Runs over `@libsql/client`. `enqueue` needs what `client.transaction("write")` gives.
 *
 * @since 0.1.0
 * @category executors
 */
export const fromLibsqlClient = (client: LibsqlClient): Executor => {
  checkHandle("fromLibsqlClient", client, "execute", "a client of @libsql/client, or its transaction")
  return {
    dialect: "sqlite",
    inTransaction: () => "commit" in client,
    execute: async (sql, params) => (await client.execute({ sql, args: params as Array<Value> })).rows as Array<Row>
  }
}
