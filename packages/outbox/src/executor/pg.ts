/** Executors of the drivers of Postgres: pg, postgres.js, PGlite. */
import { checkHandle, refuse } from "../check.js"
import type { Row, Value } from "../sql/dialect.js"
import type { Executor } from "./model.js"

/** A `Client`, `PoolClient` or `Pool` of pg. */
export interface PgClient {
  readonly query: (
    query: { readonly name: string; readonly text: string; readonly values: Array<unknown> } | string,
    values?: Array<unknown>
  ) => PromiseLike<{ readonly rows: Array<unknown> }>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PgOptions {
  /**
   * Whether statements are prepared, once per connection; in pg under names that begin with `hookrail_`. It saves the database
   * the parsing. A pooler that shares connections between transactions must support it: PgBouncer from 1.21, with
   * `max_prepared_statements`. Default: false for pg; true for postgres.js, unless its own option `prepare` is false.
   */
  readonly prepare?: boolean | undefined
}

const statementNames = new Map<string, string>()

const statementName = (sql: string): string => {
  let name = statementNames.get(sql)
  if (name === undefined) statementNames.set(sql, name = `hookrail_${statementNames.size + 1}`)
  return name
}

/**
 * Runs over a client or a pool of pg. `enqueue` needs the client on which `begin` was run, and refuses a pool.
 *
 * @since 0.1.0
 * @category executors
 */
export const fromPg = (client: PgClient, { prepare = false }: PgOptions = {}): Executor => {
  checkHandle("fromPg", client, "query", "a client or a pool of pg")
  return {
    dialect: "postgres",
    prepares: prepare,
    inTransaction: () => {
      // A pool runs each statement on some connection.
      if ("totalCount" in client && "idleCount" in client) return false
      const { getTransactionStatus } = client as { readonly getTransactionStatus?: () => unknown }
      const status = typeof getTransactionStatus === "function" ? getTransactionStatus.call(client) : undefined
      return status === "T" || status === "E" ? true : status === "I" ? false : undefined
    },
    execute: async (sql, params) => {
      requireConnected(client)
      const { rows } = await (prepare
        ? client.query({ name: statementName(sql), text: sql, values: params as Array<Value> })
        : client.query(sql, params as Array<Value>))
      return rows as Array<Row>
    }
  }
}

/** The statements of a client that nobody connects wait for ever. What pg does not tell is not checked. */
const requireConnected = (client: PgClient): void => {
  const { _connected, _connecting } = client as { readonly _connected?: unknown; readonly _connecting?: unknown }
  if (_connected === false && _connecting === false) {
    refuse("handle of fromPg", "is a client that is not connected: await client.connect() first")
  }
}

/** The `sql` of postgres.js, or of its transaction. */
export interface PostgresJsSql {
  readonly unsafe: (
    query: string,
    parameters?: Array<never>,
    options?: { readonly prepare?: boolean }
  ) => PromiseLike<ReadonlyArray<unknown>>
}

/**
 * Runs over the `sql` of postgres.js. `enqueue` needs the one that the callback of `sql.begin` gets.
 *
 * @since 0.1.0
 * @category executors
 */
export const fromPostgresJs = (sql: PostgresJsSql, { prepare = true }: PgOptions = {}): Executor => {
  checkHandle("fromPostgresJs", sql, "unsafe", "the sql of postgres.js, or of its transaction")
  return {
    dialect: "postgres",
    prepares: prepare,
    // A reserved connection may have begun one by itself.
    inTransaction: () => "savepoint" in sql ? true : "release" in sql ? undefined : false,
    execute: async (text, params) => await sql.unsafe(text, params as Array<never>, { prepare }) as ReadonlyArray<Row>
  }
}

/** A PGlite, or its transaction. */
export interface PgliteClient {
  readonly query: <T>(query: string, params?: Array<unknown>) => PromiseLike<{ readonly rows: Array<T> }>
}

/**
 * Runs over PGlite. `enqueue` needs the handle that the callback of `transaction` gets.
 *
 * @since 0.1.0
 * @category executors
 */
export const fromPglite = (client: PgliteClient): Executor => {
  checkHandle("fromPglite", client, "query", "a PGlite, or its transaction")
  return {
    dialect: "postgres",
    inTransaction: () => "rollback" in client,
    execute: async (sql, params) => (await client.query<Row>(sql, params as Array<Value>)).rows
  }
}
