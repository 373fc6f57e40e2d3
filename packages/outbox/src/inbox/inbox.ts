/** Handles each delivery once, in the transaction of the handler. */
import { refuse } from "../check.js"
import { requireSync, requireTransaction } from "../enqueue/enqueue.js"
import { DeliveryRunningError } from "../errors.js"
import { failureOf } from "../executor/failure.js"
import type { Executor, SyncExecutor } from "../executor/model.js"
import type { Transactions } from "../executor/transactions.js"
import { type Row, type Statement, statement, writingOf } from "../sql/dialect.js"
import { type DeliveryName, type InboxOptions, nameOf, type Place, placeOf } from "./delivery.js"

const operation = "Recording a delivery"

/** Records a delivery as handled; gives a row if it was not yet. What a lease log claimed and abandoned is taken over. */
const recording = (executor: Executor, { consumer, names }: Place, delivery: string): Statement => {
  const { dialect } = executor
  const { now } = writingOf(dialect)
  const own = dialect === "postgres" ? `${names.inbox}.` : ""
  const values = dialect === "postgres" ? "$1::text, $2::text" : "$1, $2"
  return statement(
    dialect,
    `insert into ${names.inbox} (consumer, delivery) values (${values})
on conflict (consumer, delivery) do update set token = null, lease_until = null, received_at = excluded.received_at
where ${own}token is not null and ${own}lease_until < ${now} returning delivery`,
    [consumer, delivery]
  )
}

const looking = (executor: Executor, { consumer, names }: Place, delivery: string): Statement => {
  const [one, two] = executor.dialect === "postgres" ? ["$1::text", "$2::text"] : ["$1", "$2"]
  return statement(
    executor.dialect,
    `select token from ${names.inbox} where consumer = ${one} and delivery = ${two}`,
    [consumer, delivery]
  )
}

const isDuplicate = (rows: ReadonlyArray<Row>, delivery: string): true => {
  if (rows.some(({ token }) => token !== null)) throw new DeliveryRunningError({ delivery })
  return true
}

/**
 * Records in the transaction of the executor that a delivery is handled. Resolves with `true` the first time, and with `false` if
 * a transaction that has committed recorded it before: then do nothing, and answer as if it had been handled now. A transaction
 * that is recording the same delivery at this moment is waited for.
 *
 * Make it the first statement of the transaction. What the handler changes in the same transaction is changed once.
 *
 * @since 0.1.0
 * @category inbox
 */
export const isFirstDelivery = async (
  executor: Executor,
  delivery: DeliveryName | string,
  options?: InboxOptions
): Promise<boolean> => {
  requireTransaction(executor, "isFirstDelivery")
  const place = placeOf(options)
  const name = nameOf(delivery)
  try {
    const record = recording(executor, place, name)
    if ((await executor.execute(record.sql, record.params)).length > 0) return true
    const look = looking(executor, place, name)
    return !isDuplicate(await executor.execute(look.sql, look.params), name)
  } catch (cause) {
    if (cause instanceof DeliveryRunningError) throw cause
    throw failureOf(operation, cause, place.names)
  }
}

/**
 * The same at once, for drivers whose transactions must not wait: better-sqlite3, node:sqlite, libsql.
 *
 * @since 0.1.0
 * @category inbox
 */
export const isFirstDeliverySync = (
  executor: SyncExecutor,
  delivery: DeliveryName | string,
  options?: InboxOptions
): boolean => {
  requireTransaction(executor, "isFirstDeliverySync")
  requireSync(executor, "isFirstDelivery")
  const place = placeOf(options)
  const name = nameOf(delivery)
  try {
    const record = recording(executor, place, name)
    if (executor.executeSync(record.sql, record.params).length > 0) return true
    const look = looking(executor, place, name)
    return !isDuplicate(executor.executeSync(look.sql, look.params), name)
  } catch (cause) {
    if (cause instanceof DeliveryRunningError) throw cause
    throw failureOf(operation, cause, place.names)
  }
}

/**
 * What became of a delivery.
 *
 * @since 0.1.0
 * @category models
 */
export type Processed<A> =
  | { readonly status: "handled"; readonly result: A }
  | { readonly status: "duplicate" }

/**
 * Handles a delivery in a transaction that also records it: what the handler changes through `tx` is changed once, however often
 * the delivery comes, and whatever crashes. If the handler rejects, all is rolled back, and the next delivery runs it again.
 *
 * It replaces the delivery log of the webhooks: use it with `deliveryLog: false`, in Effect with `DeliveryLog.layerNone`.
 *
 * @example
 * import { pgTransactions, processInTransaction } from "@hookrail/outbox"
 * import { createWebhookHandler } from "@hookrail/promise/webhooks"
 * import { Pool } from "pg"
 *
 * const transactions = pgTransactions(new Pool())
 *
 * const webhooks = createWebhookHandler({
 *   secrets: () => process.env.WEBHOOK_SECRET!,
 *   deliveryLog: false,
 *   on: {
 *     "orders.paid": (webhook) =>
 *       processInTransaction(transactions, webhook, async (tx) => {
 *         await tx.query("update accounts set balance = balance + 1 where id = $1", [webhook.eventId])
 *       })
 *   }
 * })
 *
 * @since 0.1.0
 * @category inbox
 */
export const processInTransaction = async <Tx, A>(
  transactions: Transactions<Tx>,
  delivery: DeliveryName | string,
  handler: (tx: Tx, executor: Executor) => PromiseLike<A>,
  options?: InboxOptions
): Promise<Processed<A>> => {
  if (typeof (Object(transactions) as { readonly run?: unknown }).run !== "function") {
    refuse("transactions", "must begin them: make it with pgTransactions, prismaTransactions and so on")
  }
  if (typeof handler !== "function") refuse("handler", "must be a function of the transaction")
  // Before anything begins.
  nameOf(delivery)
  return transactions.run(async (executor, tx): Promise<Processed<A>> => {
    if (!(await isFirstDelivery(executor, delivery, options))) return { status: "duplicate" }
    const result = await handler(tx, executor)
    await requireIntact(executor, options)
    return { status: "handled", result }
  })
}

/**
 * Rejects if a statement of the transaction has failed and its error was caught. Postgres would answer the commit with a rollback,
 * which most drivers report as success.
 */
export const requireIntact = async (executor: Executor, options?: InboxOptions): Promise<void> => {
  if (executor.dialect !== "postgres") return
  try {
    await executor.execute("select 1", [])
  } catch (cause) {
    throw failureOf("A statement of the handler, whose error it caught,", cause, placeOf(options).names)
  }
}
