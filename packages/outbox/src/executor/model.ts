/** The one thing that everything here needs of a database. */
import type { Dialect, Row, Value } from "../sql/dialect.js"

/**
 * Runs one statement and returns its rows. Everything of this package runs over this interface: in a transaction for
 * `enqueue`, over a pool for a relay. Make one with `fromPg`, `fromPrisma` and so on, or write your own: it must not retry a
 * statement, and must reject with the driver's own error, or an error that has it as its `cause`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Executor {
  readonly dialect: Dialect
  /**
   * Whether statements run in a transaction that the caller commits. `undefined`: the handle cannot tell. `enqueue` refuses one
   * that says `false`.
   */
  readonly inTransaction: () => boolean | undefined
  /**
   * Whether statements that ran before are prepared, so that the database need not parse them again. In Postgres `enqueue` then
   * runs an INSERT; otherwise it calls a procedure, which keeps its INSERT prepared. Default false.
   */
  readonly prepares?: boolean | undefined
  /** Runs a statement; resolves with its rows, an empty array if it returns none. */
  readonly execute: (sql: string, params: ReadonlyArray<Value>) => Promise<ReadonlyArray<Row>>
}

/**
 * An executor of a driver without promises (better-sqlite3, node:sqlite, libsql), whose transactions are functions that must not
 * wait.
 *
 * @since 0.1.0
 * @category models
 */
export interface SyncExecutor extends Executor {
  readonly executeSync: (sql: string, params: ReadonlyArray<Value>) => ReadonlyArray<Row>
}
