/** Executors of query builders and object mappers. They know nothing of these packages but the shape of a few methods. */
import { checkDialect, checkHandle, refuse } from "../check.js"
import { type Dialect, positional, type Row, type Value } from "../sql/dialect.js"
import type { Executor } from "./model.js"

/** A `Kysely` or its transaction. */
export interface KyselyHandle {
  readonly isTransaction: boolean
  readonly executeQuery: (query: never) => Promise<{ readonly rows: Array<unknown> }>
}

/**
 * Runs over Kysely. `enqueue` needs the `trx` of a transaction.
 *
 * @since 0.1.0
 * @category executors
 */
export const fromKysely = (handle: KyselyHandle, dialect: Dialect = "postgres"): Executor => {
  checkHandle("fromKysely", handle, "executeQuery", "a Kysely, or its transaction")
  checkDialect(dialect)
  return {
    dialect,
    inTransaction: () => handle.isTransaction,
    execute: async (sql, parameters) => {
      // What `CompiledQuery.raw` makes.
      const query = { kind: "RawNode", sqlFragments: [sql], parameters: [] }
      const compiled = { sql, parameters, query, queryId: { queryId: "hookrail" } }
      return (await handle.executeQuery(compiled as never)).rows as Array<Row>
    }
  }
}

/** A `Knex` or its transaction. */
export interface KnexHandle {
  readonly raw: (sql: string, bindings: never) => PromiseLike<unknown>
}

/**
 * Runs over Knex. `enqueue` needs the `trx` of a transaction.
 *
 * @since 0.1.0
 * @category executors
 */
export const fromKnex = (handle: KnexHandle, dialect: Dialect = "postgres"): Executor => {
  checkHandle("fromKnex", handle, "raw", "a Knex, or its transaction")
  checkDialect(dialect)
  return {
    dialect,
    // A `Knex` is no transaction; older versions do not tell.
    inTransaction: () => (handle as { readonly isTransaction?: boolean }).isTransaction === true,
    execute: async (sql, params) => {
      // Knex counts placeholders itself.
      const { order, sql: text } = dialect === "postgres" ? positional(sql) : { order: undefined, sql }
      const values = order === undefined ? params : order.map((index) => params[index]!)
      return rowsOf(await handle.raw(text, values as never))
    }
  }
}

/** An `EntityManager` of TypeORM. */
export interface TypeOrmManager {
  readonly query: (sql: string, params?: Array<unknown>) => Promise<unknown>
  readonly queryRunner?: { readonly isTransactionActive: boolean } | undefined
}

/**
 * Runs over an `EntityManager` of TypeORM. `enqueue` needs the one that the callback of `transaction` gets, or that of a
 * `QueryRunner` with a transaction.
 *
 * @since 0.1.0
 * @category executors
 */
export const fromTypeOrm = (manager: TypeOrmManager, dialect: Dialect = "postgres"): Executor => {
  checkHandle("fromTypeOrm", manager, "query", "an EntityManager of TypeORM")
  checkDialect(dialect)
  return {
    dialect,
    inTransaction: () => manager.queryRunner?.isTransactionActive ?? false,
    execute: async (sql, params) => {
      const result = await manager.query(sql, params as Array<Value>)
      // For UPDATE and DELETE: the rows, and how many.
      const isPair = Array.isArray(result) && result.length === 2 && Array.isArray(result[0]) &&
        typeof result[1] === "number"
      return rowsOf(isPair ? result[0] : result)
    }
  }
}

/** The `sql` of drizzle-orm. */
export interface DrizzleSql {
  (strings: TemplateStringsArray, ...params: Array<never>): unknown
  readonly param: (value: never) => unknown
}

/** A database of Drizzle, or its transaction: of Postgres, or of SQLite. */
export type DrizzleHandle =
  | { readonly execute: (query: never) => PromiseLike<unknown> }
  | { readonly all: (query: never) => unknown; readonly run: (query: never) => unknown }

/**
 * Runs over Drizzle; pass its `sql` too. `enqueue` needs the `tx` of a transaction.
 *
 * @example
 * import { enqueue, fromDrizzle } from "@hookrail/outbox"
 * import { sql } from "drizzle-orm"
 * import type { NodePgDatabase } from "drizzle-orm/node-postgres"
 *
 * const place = (db: NodePgDatabase) =>
 *   db.transaction(async (tx) => {
 *     await enqueue(fromDrizzle(tx, sql), { topic: "orders.created", payload: { order_id: "o_1" } })
 *   })
 *
 * @since 0.1.0
 * @category executors
 */
export const fromDrizzle = (handle: DrizzleHandle, sql: DrizzleSql): Executor => {
  // Of Postgres it has `execute`, of SQLite `all` and `run`.
  const isPostgres = typeof (Object(handle) as { readonly execute?: unknown }).execute === "function"
  checkHandle("fromDrizzle", handle, isPostgres ? "execute" : "all", "a database of Drizzle, or its transaction")
  if (typeof sql !== "function") refuse("second argument of fromDrizzle", "must be the sql of drizzle-orm")
  const query = (text: string, order: ReadonlyArray<number>, params: ReadonlyArray<Value>) => {
    const strings = text.split("?")
    return sql(
      Object.assign(strings, { raw: strings }) as unknown as TemplateStringsArray,
      ...order.map((index) => sql.param(params[index] as never) as never)
    ) as never
  }
  const inTransaction = () => "rollback" in handle
  if ("execute" in handle) {
    return {
      dialect: "postgres",
      inTransaction,
      execute: async (text, params) => {
        const { order, sql } = positional(text)
        return rowsOf(await handle.execute(query(sql, order, params)))
      }
    }
  }
  return {
    dialect: "sqlite",
    inTransaction,
    execute: async (text, params) => {
      const made = query(text, params.map((_, index) => index), params)
      // `all` of some drivers refuses a statement without rows.
      if (/^\s*(select|with|values)\b|\breturning\b/i.test(text)) return rowsOf(await handle.all(made))
      await handle.run(made)
      return []
    }
  }
}

/** A `PrismaClient`, or what the callback of its interactive transaction gets. */
export interface PrismaHandle {
  readonly $queryRawUnsafe: (query: string, ...values: Array<never>) => PromiseLike<unknown>
}

/**
 * Runs over Prisma. `enqueue` needs the `tx` of an interactive transaction; for the array form see `prismaEnqueue`.
 *
 * @since 0.1.0
 * @category executors
 */
export const fromPrisma = (handle: PrismaHandle, dialect: Dialect = "postgres"): Executor => {
  checkHandle("fromPrisma", handle, "$queryRawUnsafe", "a PrismaClient, or its transaction")
  checkDialect(dialect)
  return {
    dialect,
    // A transaction has no `$connect`, in any version; newer ones have a `$transaction` of their own.
    inTransaction: () => typeof (handle as { readonly $connect?: unknown }).$connect !== "function",
    execute: async (sql, params) => rowsOf(await handle.$queryRawUnsafe(sql, ...params as Array<never>))
  }
}

/** Rows by themselves, or within a result of the driver below. */
const rowsOf = (result: unknown): ReadonlyArray<Row> => {
  if (Array.isArray(result)) return result as Array<Row>
  const { rows } = Object(result) as { readonly rows?: unknown }
  return Array.isArray(rows) ? rows as Array<Row> : []
}
