/** Transactions of each driver, begun and ended here: for whoever has to run something first in them. */
import { checkHandle, refuse } from "../check.js"
import type { Dialect } from "../sql/dialect.js"
import type { Executor } from "./model.js"
import {
  type DrizzleHandle,
  type DrizzleSql,
  fromDrizzle,
  fromKnex,
  fromKysely,
  fromPrisma,
  fromTypeOrm,
  type KnexHandle,
  type KyselyHandle,
  type PrismaHandle,
  type TypeOrmManager
} from "./orm.js"
import {
  fromPg,
  fromPglite,
  fromPostgresJs,
  type PgClient,
  type PgliteClient,
  type PgOptions,
  type PostgresJsSql
} from "./pg.js"
import { fromLibsqlClient, type LibsqlClient } from "./sqlite.js"

/**
 * Begins transactions. `run` commits if the work resolves, and rolls back if it rejects; it then rejects with the same error.
 *
 * @since 0.1.0
 * @category models
 */
export interface Transactions<Tx> {
  readonly run: <A>(work: (executor: Executor, tx: Tx) => Promise<A>) => Promise<A>
}

interface PgPoolClient extends PgClient {
  readonly release: (destroy?: boolean) => void
}

interface PgListener {
  readonly on?: (event: "error", listener: () => void) => unknown
  readonly off?: (event: "error", listener: () => void) => unknown
}

/** The statement that runs, or the next one, fails as well: that is where the loss of a connection is reported. */
const ignoreLoss = (): void => {}

/**
 * Transactions of a `Pool` of pg.
 *
 * @since 0.1.0
 * @category transactions
 */
export const pgTransactions: {
  // The overloads of a pool in their order: without them, the type of its clients would not be found.
  <Client extends PgPoolClient>(
    pool: { readonly connect: { (): Promise<Client>; (callback: never): void } },
    options?: PgOptions
  ): Transactions<Client>
  <Client extends PgPoolClient>(
    pool: { readonly connect: () => Promise<Client> },
    options?: PgOptions
  ): Transactions<Client>
} = <Client extends PgPoolClient>(
  pool: { readonly connect: () => Promise<Client> },
  options?: PgOptions
): Transactions<Client> => {
  checkHandle("pgTransactions", pool, "connect", "a Pool of pg")
  // A client of the pool has `release`, another one the process of its connection.
  if ("release" in pool || "processID" in pool) {
    refuse("handle of pgTransactions", "must be a Pool of pg: transactions on one client would mix")
  }
  return {
    run: async (work) => {
      const client = await pool.connect()
      let isBroken = false
      // Without a listener, a connection that is lost ends the whole process.
      const listener = client as PgListener
      listener.on?.("error", ignoreLoss)
      try {
        await client.query("begin")
        const result = await work(fromPg(client, options), client)
        await client.query("commit")
        return result
      } catch (error) {
        // A connection on which even this fails is not used again: the server rolls back what it had begun.
        await Promise.resolve(client.query("rollback")).catch(() => {
          isBroken = true
        })
        throw error
      } finally {
        client.release(isBroken)
        listener.off?.("error", ignoreLoss)
      }
    }
  }
}

/**
 * Transactions of postgres.js.
 *
 * @since 0.1.0
 * @category transactions
 */
export const postgresJsTransactions = <Tx extends PostgresJsSql>(
  sql: { readonly begin: (work: (tx: Tx) => Promise<unknown>) => Promise<unknown> },
  options?: PgOptions
): Transactions<Tx> => {
  checkHandle("postgresJsTransactions", sql, "begin", "the sql of postgres.js")
  return {
    run: <A>(work: (executor: Executor, tx: Tx) => Promise<A>) =>
      sql.begin((tx) => work(fromPostgresJs(tx, options), tx)) as Promise<A>
  }
}

/**
 * Transactions of PGlite.
 *
 * @since 0.1.0
 * @category transactions
 */
export const pgliteTransactions = <Tx extends PgliteClient>(
  db: { readonly transaction: <A>(work: (tx: Tx) => Promise<A>) => Promise<A> }
): Transactions<Tx> => {
  checkHandle("pgliteTransactions", db, "transaction", "a PGlite")
  return { run: (work) => db.transaction((tx) => work(fromPglite(tx), tx)) }
}

/**
 * Transactions of Kysely.
 *
 * @since 0.1.0
 * @category transactions
 */
export const kyselyTransactions = <Tx extends KyselyHandle>(
  db: { readonly transaction: () => { readonly execute: <A>(work: (trx: Tx) => Promise<A>) => Promise<A> } },
  dialect?: Dialect
): Transactions<Tx> => {
  checkHandle("kyselyTransactions", db, "transaction", "a Kysely")
  return { run: (work) => db.transaction().execute((trx) => work(fromKysely(trx, dialect), trx)) }
}

/**
 * Transactions of Knex.
 *
 * @since 0.1.0
 * @category transactions
 */
export const knexTransactions = <Tx extends KnexHandle>(
  knex: { readonly transaction: <A>(work: (trx: Tx) => Promise<A>) => Promise<A> },
  dialect?: Dialect
): Transactions<Tx> => {
  checkHandle("knexTransactions", knex, "transaction", "a Knex")
  return { run: (work) => knex.transaction((trx) => work(fromKnex(trx, dialect), trx)) }
}

/**
 * Transactions of a `DataSource` of TypeORM.
 *
 * @since 0.1.0
 * @category transactions
 */
export const typeOrmTransactions = <Tx extends TypeOrmManager>(
  source: { readonly transaction: <A>(work: (manager: Tx) => Promise<A>) => Promise<A> },
  dialect?: Dialect
): Transactions<Tx> => {
  checkHandle("typeOrmTransactions", source, "transaction", "a DataSource of TypeORM")
  return {
    run: (work) => source.transaction((manager) => work(fromTypeOrm(manager, dialect), manager))
  }
}

/**
 * Transactions of Drizzle, over a driver whose transactions may wait; pass its `sql` too.
 *
 * @since 0.1.0
 * @category transactions
 */
export const drizzleTransactions = <Tx extends DrizzleHandle>(
  db: { readonly transaction: <A>(work: (tx: Tx) => Promise<A>) => Promise<A> },
  sql: DrizzleSql
): Transactions<Tx> => {
  checkHandle("drizzleTransactions", db, "transaction", "a database of Drizzle")
  return { run: (work) => db.transaction((tx) => work(fromDrizzle(tx, sql), tx)) }
}

/**
 * Interactive transactions of Prisma.
 *
 * @since 0.1.0
 * @category transactions
 */
export const prismaTransactions = <Tx extends PrismaHandle>(
  prisma: { readonly $transaction: <A>(work: (tx: Tx) => Promise<A>) => Promise<A> },
  dialect?: Dialect
): Transactions<Tx> => {
  checkHandle("prismaTransactions", prisma, "$transaction", "a PrismaClient")
  return { run: (work) => prisma.$transaction((tx) => work(fromPrisma(tx, dialect), tx)) }
}

interface LibsqlTransaction extends LibsqlClient {
  readonly commit: () => Promise<void>
  readonly close: () => void
}

/**
 * Write transactions of `@libsql/client`.
 *
 * @since 0.1.0
 * @category transactions
 */
export const libsqlTransactions = <Tx extends LibsqlTransaction>(
  client: { readonly transaction: (mode: "write") => Promise<Tx> }
): Transactions<Tx> => {
  checkHandle("libsqlTransactions", client, "transaction", "a client of @libsql/client")
  return {
    run: async (work) => {
      const tx = await client.transaction("write")
      try {
        const result = await work(fromLibsqlClient(tx), tx)
        await tx.commit()
        return result
      } finally {
        // Rolls back what is not committed.
        tx.close()
      }
    }
  }
}
