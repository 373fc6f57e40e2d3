/** Stores events through an executor. */
import { KeyConflictError, TransactionRequiredError } from "../errors.js"
import { failureOf, isKeyConflict } from "../executor/failure.js"
import type { Executor, SyncExecutor } from "../executor/model.js"
import { namesOf } from "../sql/names.js"
import { type EncodedEvent, freeze, type FrozenEvent, type OutboxEvent } from "./freeze.js"
import { type EnqueueOptions, insertOf } from "./statement.js"

/**
 * What is known about an event that was enqueued.
 *
 * @since 0.1.0
 * @category models
 */
export interface Enqueued {
  readonly idempotencyKey: string
}

const hint = "Begin one, pass on the handle that its callback gets, and make the change through the same handle."

/** Throws a `TransactionRequiredError` if the handle is known to be in no transaction. */
export const requireTransaction = (executor: Executor, operation: string): void => {
  if (executor.inTransaction() === false) throw new TransactionRequiredError({ operation, hint })
}

const failed = (event: FrozenEvent, options: EnqueueOptions, cause: unknown): Error =>
  isKeyConflict(cause)
    ? new KeyConflictError({ topic: event.topic, idempotencyKey: event.idempotencyKey, cause })
    : failureOf("Enqueueing an event", cause, namesOf(options))

const store = async (executor: Executor, event: FrozenEvent, options: EnqueueOptions): Promise<Enqueued> => {
  const { params, sql } = insertOf(event, executor.dialect, options, executor.prepares !== true)
  try {
    await executor.execute(sql, params)
  } catch (cause) {
    throw failed(event, options, cause)
  }
  return { idempotencyKey: event.idempotencyKey }
}

/**
 * Stores an event, in the transaction of the executor: it is sent if and only if the transaction commits.
 *
 * Rejects with `TransactionRequiredError`, `InvalidEventError`, `KeyConflictError`, `SchemaError` or `DatabaseError`. After the
 * last three the transaction has failed: let the error end it. In Postgres, a transaction whose statement failed is rolled back
 * even if the error is caught.
 *
 * @example
 * import { enqueue, fromPg } from "@hookrail/outbox"
 * import type { PoolClient } from "pg"
 *
 * const place = async (client: PoolClient, order: { readonly id: string }) => {
 *   await client.query("begin")
 *   await client.query("insert into orders (id) values ($1)", [order.id])
 *   await enqueue(fromPg(client), { topic: "orders.created", payload: order, orderingKey: order.id })
 *   await client.query("commit")
 * }
 *
 * @since 0.1.0
 * @category enqueueing
 */
export const enqueue = async (
  executor: Executor,
  event: OutboxEvent | EncodedEvent,
  options: EnqueueOptions = {}
): Promise<Enqueued> => {
  requireTransaction(executor, "enqueue")
  return await store(executor, freeze(event, options.propagateTrace), options)
}

/**
 * Stores several events. All are checked before the first one is stored. They are stored in the order of their ordering keys, so
 * that transactions with several keys do not block each other; within a key they stay in the given order.
 *
 * @since 0.1.0
 * @category enqueueing
 */
export const enqueueMany = async (
  executor: Executor,
  events: Iterable<OutboxEvent | EncodedEvent>,
  options: EnqueueOptions = {}
): Promise<ReadonlyArray<Enqueued>> => {
  requireTransaction(executor, "enqueueMany")
  const frozen = Array.from(events, (event) => freeze(event, options.propagateTrace))
  for (const event of inLockOrder(frozen)) await store(executor, event, options)
  return frozen.map(({ idempotencyKey }) => ({ idempotencyKey }))
}

const inLockOrder = (events: ReadonlyArray<FrozenEvent>): ReadonlyArray<FrozenEvent> =>
  [...events].sort(({ orderingKey: a = "" }, { orderingKey: b = "" }) => a < b ? -1 : a > b ? 1 : 0)

/**
 * Stores an event at once, for drivers whose transactions must not wait: better-sqlite3, node:sqlite, libsql.
 *
 * @example
 * import { enqueueSync, fromSqlite } from "@hookrail/outbox"
 * import type Database from "better-sqlite3"
 *
 * const placing = (db: Database.Database) =>
 *   db.transaction((order: { readonly id: string }) => {
 *     db.prepare("insert into orders (id) values (?)").run(order.id)
 *     enqueueSync(fromSqlite(db), { topic: "orders.created", payload: order })
 *   }).immediate
 *
 * @since 0.1.0
 * @category enqueueing
 */
export const enqueueSync = (
  executor: SyncExecutor,
  event: OutboxEvent | EncodedEvent,
  options: EnqueueOptions = {}
): Enqueued => {
  requireTransaction(executor, "enqueueSync")
  const frozen = freeze(event, options.propagateTrace)
  const { params, sql } = insertOf(frozen, executor.dialect, options)
  try {
    executor.executeSync(sql, params)
  } catch (cause) {
    throw failed(frozen, options, cause)
  }
  return { idempotencyKey: frozen.idempotencyKey }
}
