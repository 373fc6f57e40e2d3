/** Stores events through an executor. */
import { checkExecutor, refuse } from "../check.js"
import { InvalidEventError, KeyConflictError, TransactionRequiredError } from "../errors.js"
import { failureOf, isKeyConflict } from "../executor/failure.js"
import type { Executor, SyncExecutor } from "../executor/model.js"
import { namesOf } from "../sql/names.js"
import { checked, checkedSync, type Given, isPending } from "./catalogue.js"
import { type AnyEvents, type EncodedEvent, freeze, type FrozenEvent, type OutboxEvent } from "./freeze.js"
import type { EnqueueOptions, TypedEnqueueOptions } from "./options.js"
import { checkOptions, insertOf } from "./statement.js"

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
  checkExecutor(executor)
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
export const enqueue = async <Sent extends object = AnyEvents>(
  executor: Executor,
  event: OutboxEvent<NoInfer<Sent>> | EncodedEvent,
  options: TypedEnqueueOptions<Sent> = {}
): Promise<Enqueued> => {
  requireTransaction(executor, "enqueue")
  checkOptions(options)
  const frozen = fixed(event, options)
  return await store(executor, frozen instanceof Promise ? await frozen : frozen, options)
}

/** The event with its bytes: at once, unless its schema is asynchronous. */
const fixed = (event: Given, options: TypedEnqueueOptions<object>): FrozenEvent | Promise<FrozenEvent> => {
  const it = checked(event, options.events)
  return isPending(it, event)
    ? it.then((event) => freeze(event, options.propagateTrace))
    : freeze(it, options.propagateTrace)
}

/**
 * Stores several events. All are checked before the first one is stored. They are stored in the order of their ordering keys, so
 * that transactions with several keys do not block each other; within a key they stay in the given order.
 *
 * @since 0.1.0
 * @category enqueueing
 */
export const enqueueMany = async <Sent extends object = AnyEvents>(
  executor: Executor,
  events: Iterable<OutboxEvent<NoInfer<Sent>> | EncodedEvent>,
  options: TypedEnqueueOptions<Sent> = {}
): Promise<ReadonlyArray<Enqueued>> => {
  requireTransaction(executor, "enqueueMany")
  checkOptions(options)
  requireList(events)
  const frozen = await Promise.all(Array.from(events, async (event) => fixed(event, options)))
  for (const event of inLockOrder(frozen)) await store(executor, event, options)
  return frozen.map(({ idempotencyKey }) => ({ idempotencyKey }))
}

/** One event, or a list that is still to come, would otherwise be taken for an empty list. */
const requireList = (events: unknown): void => {
  if (typeof events === "object" && events !== null && Symbol.iterator in events) return
  throw new InvalidEventError({
    topic: "",
    idempotencyKey: undefined,
    where: "events",
    reason: "it must be a list; for one event there is enqueue"
  })
}

const inLockOrder = (events: ReadonlyArray<FrozenEvent>): ReadonlyArray<FrozenEvent> =>
  [...events].sort(({ orderingKey: a = "" }, { orderingKey: b = "" }) => a < b ? -1 : a > b ? 1 : 0)

/** Throws unless the driver has no promises. */
export const requireSync = (executor: SyncExecutor, instead: string): void => {
  if (typeof executor.executeSync === "function") return
  refuse("executor", `must be one of fromSqlite: other drivers wait, so use ${instead}`)
}

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
export const enqueueSync = <Sent extends object = AnyEvents>(
  executor: SyncExecutor,
  event: OutboxEvent<NoInfer<Sent>> | EncodedEvent,
  options: TypedEnqueueOptions<Sent> = {}
): Enqueued => {
  requireTransaction(executor, "enqueueSync")
  requireSync(executor, "enqueue")
  checkOptions(options)
  const frozen = freeze(checkedSync(event, options.events), options.propagateTrace)
  const { params, sql } = insertOf(frozen, executor.dialect, options)
  try {
    executor.executeSync(sql, params)
  } catch (cause) {
    throw failed(frozen, options, cause)
  }
  return { idempotencyKey: frozen.idempotencyKey }
}
