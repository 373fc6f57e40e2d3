/** What waits, what is parked and what is dead: to look at and to decide about. Nothing here reads a body. */
import { checkExecutor, checkNames } from "../check.js"
import { OutboxConfigError } from "../errors.js"
import type { Executor } from "../executor/model.js"
import { type Row, type Value, writingOf } from "../sql/dialect.js"
import { namesOf, type NamesOptions, namesOptions } from "../sql/names.js"
import { numberOf, numberOrNull, textOf, textOrNull } from "../sql/values.js"
import { run } from "./migrate.js"

/**
 * How much waits, and for how long.
 *
 * @since 0.1.0
 * @category models
 */
export interface OutboxStats {
  /** Events that wait or are being sent, without the parked ones. Counted up to 100,000. */
  readonly pending: number
  /** How long the oldest of them has been waiting, in milliseconds; 0 if none does. The number to alert on. */
  readonly oldestAgeMs: number
  /** Events in place that are not sent until somebody decides: they block their ordering keys. */
  readonly parked: number
  /** Ordering keys that a parked event blocks. */
  readonly blockedKeys: number
  /** Events that were given up and block nothing. */
  readonly dead: number
}

/**
 * Options of one destination, or of all.
 *
 * @since 0.1.0
 * @category models
 */
export interface OperateOptions extends NamesOptions {
  /** Default: all destinations. */
  readonly destination?: string | undefined
}

/** Throws for what is no executor, and for an option that does not exist. */
const check = (executor: Executor, options: object, ...own: ReadonlyArray<string>): void => {
  checkExecutor(executor)
  checkNames(options, [...own, ...namesOptions])
}

/** A condition on the destination, whose value is `$1`; null for all of them. */
const ofDestination = (executor: Executor): string =>
  executor.dialect === "postgres" ? "($1::text is null or destination = $1::text)" : "($1 is null or destination = $1)"

const textParam = (executor: Executor, n: number): string => executor.dialect === "postgres" ? `$${n}::text` : `$${n}`
const intParam = (executor: Executor, n: number): string => executor.dialect === "postgres" ? `$${n}::bigint` : `$${n}`

/** How many events are counted at most. */
const maxCount = 100_000

/**
 * Counts what waits. It takes milliseconds, whatever the backlog.
 *
 * @since 0.1.0
 * @category operating
 */
export const outboxStats = async (executor: Executor, options: OperateOptions = {}): Promise<OutboxStats> => {
  check(executor, options, "destination")
  const names = namesOf(options)
  const { millis, now } = writingOf(executor.dialect)
  const one = ofDestination(executor)
  const [row] = await run(
    executor,
    names,
    "Counting events",
    `select
  (select count(*) from (select 1 from ${names.outbox} where ${one} and parked_reason is null limit ${maxCount}) as p) as pending,
  (select ${millis(now)} - ${millis("created_at")} from ${names.outbox} where ${one} and parked_reason is null
    order by seq limit 1) as age,
  (select count(*) from ${names.outbox} where ${one} and parked_reason is not null) as parked,
  (select count(*) from (select distinct destination, ordering_key from ${names.outbox}
    where ${one} and parked_reason is not null and ordering_key is not null) as k) as blocked,
  (select count(*) from ${names.dead} where ${one}) as dead`,
    [options.destination ?? null]
  )
  return {
    pending: numberOf(row!, "pending"),
    oldestAgeMs: Math.max(numberOrNull(row!, "age") ?? 0, 0),
    parked: numberOf(row!, "parked"),
    blockedKeys: numberOf(row!, "blocked"),
    dead: numberOf(row!, "dead")
  }
}

/**
 * An event as an operator sees it: everything but its body.
 *
 * @since 0.1.0
 * @category models
 */
export interface EventSummary {
  /**
   * - `waiting`: it will be sent, or is being sent.
   * - `parked`: it is not sent until somebody decides, nor are the later events of its ordering key.
   * - `dead`: it was given up, and blocks nothing.
   */
  readonly state: "waiting" | "parked" | "dead"
  readonly seq: number
  readonly idempotencyKey: string
  readonly destination: string
  readonly topic: string
  readonly orderingKey: string | undefined
  readonly bytes: number
  /** In milliseconds since 1970, by the clock of the database, like all times here. */
  readonly createdAt: number
  readonly attempts: number
  readonly lastStatus: number | undefined
  readonly lastError: string | undefined
  /** Why it is parked or dead. */
  readonly reason: string | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ListOptions extends OperateOptions {
  /** Default: `parked`. */
  readonly state?: EventSummary["state"] | undefined
  /** Only events after this `seq`: the last one of the page before. */
  readonly after?: number | undefined
  /** Default 100. */
  readonly limit?: number | undefined
}

const summaryOf = (state: EventSummary["state"], row: Row): EventSummary => ({
  state,
  seq: numberOf(row, "seq"),
  idempotencyKey: textOf(row, "id"),
  destination: textOf(row, "destination"),
  topic: textOf(row, "topic"),
  orderingKey: textOrNull(row, "ordering_key"),
  bytes: numberOf(row, "bytes"),
  createdAt: numberOf(row, "created"),
  attempts: numberOf(row, "attempts"),
  lastStatus: numberOrNull(row, "last_status"),
  lastError: textOrNull(row, "last_error"),
  reason: textOrNull(row, "parked_reason")
})

/**
 * Lists events in the order in which they were stored, without their bodies.
 *
 * @since 0.1.0
 * @category operating
 */
export const listEvents = async (
  executor: Executor,
  options: ListOptions = {}
): Promise<ReadonlyArray<EventSummary>> => {
  check(executor, options, "destination", "state", "after", "limit")
  const { after = 0, limit = 100, state = "parked" } = options
  const names = namesOf(options)
  const { millis } = writingOf(executor.dialect)
  const which = {
    waiting: `${names.outbox} where parked_reason is null and`,
    parked: `${names.outbox} where parked_reason is not null and`,
    dead: `${names.dead} where`
  }[state]
  if (which === undefined) {
    throw new OutboxConfigError({ option: "state", reason: "must be \"waiting\", \"parked\" or \"dead\"" })
  }
  const rows = await run(
    executor,
    names,
    "Listing events",
    `select seq, id, destination, topic, ordering_key, length(body) as bytes, ${
      millis("created_at")
    } as created, attempts,
  last_status, last_error, parked_reason
from ${which} ${ofDestination(executor)} and seq > ${intParam(executor, 2)} order by seq limit ${
      intParam(executor, 3)
    }`,
    [options.destination ?? null, wholeNumber("after", after), wholeNumber("limit", limit)]
  )
  return rows.map((row) => summaryOf(state, row))
}

const wholeNumber = (option: string, value: unknown): number => {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value
  throw new OutboxConfigError({ option, reason: "must be a whole number from 0" })
}

/**
 * An ordering key that does not go on, because its first event is parked.
 *
 * @since 0.1.0
 * @category models
 */
export interface BlockedKey {
  readonly destination: string
  readonly orderingKey: string
  /** The event that blocks it. */
  readonly idempotencyKey: string
  readonly reason: string
  readonly lastStatus: number | undefined
  /** How many events wait for it. Counted up to 1,000. */
  readonly waiting: number
}

/**
 * Lists the ordering keys that a parked event blocks. Decide about the event with `retryEvent` or `discardEvent`.
 *
 * @since 0.1.0
 * @category operating
 */
export const blockedKeys = async (
  executor: Executor,
  options: OperateOptions & { readonly limit?: number | undefined } = {}
): Promise<ReadonlyArray<BlockedKey>> => {
  check(executor, options, "destination", "limit")
  const names = namesOf(options)
  const rows = await run(
    executor,
    names,
    "Listing blocked keys",
    `select p.destination, p.ordering_key, p.id, p.parked_reason, p.last_status,
  (select count(*) from (select 1 from ${names.outbox} as w
    where w.destination = p.destination and w.ordering_key = p.ordering_key and w.seq > p.seq limit 1000) as c) as waiting
from ${names.outbox} as p
where p.parked_reason is not null and p.ordering_key is not null and ${
      ofDestination(executor).replaceAll("destination", "p.destination")
    }
  and not exists (select 1 from ${names.outbox} as e
    where e.destination = p.destination and e.ordering_key = p.ordering_key and e.seq < p.seq)
order by p.seq limit ${intParam(executor, 2)}`,
    [options.destination ?? null, wholeNumber("limit", options.limit ?? 100)]
  )
  return rows.map((row) => ({
    destination: textOf(row, "destination"),
    orderingKey: textOf(row, "ordering_key"),
    idempotencyKey: textOf(row, "id"),
    reason: textOf(row, "parked_reason"),
    lastStatus: numberOrNull(row, "last_status"),
    waiting: numberOf(row, "waiting")
  }))
}

/**
 * Which event to decide about.
 *
 * @since 0.1.0
 * @category models
 */
export interface DecideOptions extends NamesOptions {
  /** Default: `default`. */
  readonly destination?: string | undefined
}

const subject = (idempotencyKey: string, options: DecideOptions): ReadonlyArray<Value> => {
  if (typeof idempotencyKey !== "string" || idempotencyKey === "") {
    throw new OutboxConfigError({ option: "idempotencyKey", reason: "must be the key of an event" })
  }
  return [idempotencyKey, options.destination ?? "default"]
}

const columns = "id, destination, ordering_key, key_in_body, topic, body, traceparent"

/**
 * Sends a parked or dead event again, with the same bytes and key. A parked one keeps its place; a dead one is appended, behind
 * the events of its ordering key that wait. Resolves with whether there was one.
 *
 * An event that was parked because its outcome was unknown for too long (`idempotency_window`) may have been accepted: the server
 * has forgotten its key after 24 hours. Look at the destination first.
 *
 * In SQLite, run it in a transaction.
 *
 * @since 0.1.0
 * @category operating
 */
export const retryEvent = async (
  executor: Executor,
  idempotencyKey: string,
  options: DecideOptions = {}
): Promise<boolean> => {
  check(executor, options, "destination")
  const names = namesOf(options)
  const params = subject(idempotencyKey, options)
  const operation = "Retrying an event"
  const [id, destination] = [textParam(executor, 1), textParam(executor, 2)]
  const { now } = writingOf(executor.dialect)
  const unparked = await run(
    executor,
    names,
    operation,
    `update ${names.outbox} set available_at = ${now}, attempts = 0, lease_owner = null, first_ambiguous_at = null, parked_reason = null
where id = ${id} and destination = ${destination} and parked_reason is not null returning seq`,
    params
  )
  if (unparked.length > 0) return true
  const dead = `from ${names.dead} where id = ${id} and destination = ${destination}`
  const into = `insert into ${names.outbox} (${columns}) select ${columns} from`
  const conflict = "on conflict (id, destination) do nothing"
  if (executor.dialect === "postgres") {
    const moved = await run(
      executor,
      names,
      operation,
      `with gone as (delete ${dead} returning *), back as (${into} gone order by seq ${conflict}) select seq from gone`,
      params
    )
    return moved.length > 0
  }
  await run(
    executor,
    names,
    operation,
    `${into} ${names.dead} where id = ${id} and destination = ${destination} ${conflict}`,
    params
  )
  return (await run(executor, names, operation, `delete ${dead} returning seq`, params)).length > 0
}

/**
 * Deletes a parked or dead event: it is never sent. The later events of its ordering key go on. Resolves with whether there was
 * one. An event that waits is not touched.
 *
 * @since 0.1.0
 * @category operating
 */
export const discardEvent = async (
  executor: Executor,
  idempotencyKey: string,
  options: DecideOptions = {}
): Promise<boolean> => {
  check(executor, options, "destination")
  const names = namesOf(options)
  const params = subject(idempotencyKey, options)
  const which = `where id = ${textParam(executor, 1)} and destination = ${textParam(executor, 2)}`
  const operation = "Discarding an event"
  const parked = `delete from ${names.outbox} ${which} and parked_reason is not null returning seq`
  if ((await run(executor, names, operation, parked, params)).length > 0) return true
  return (await run(executor, names, operation, `delete from ${names.dead} ${which} returning seq`, params)).length > 0
}

/**
 * What to delete.
 *
 * @since 0.1.0
 * @category models
 */
export interface PruneOptions extends NamesOptions {
  /** Delete dead letters that are older, in milliseconds. Default: none. */
  readonly deadOlderThanMs?: number | undefined
  /**
   * Forget deliveries that were received longer ago, in milliseconds. Keep them for as long as Hookrail may deliver them again,
   * also by hand. Default: 7 days.
   */
  readonly inboxOlderThanMs?: number | undefined
}

/** How many rows one statement deletes: short statements hold few locks. */
const pruneAtOnce = 1_000

/**
 * Deletes what is no longer needed, in many short statements. Run it now and then, such as once an hour. Resolves with how many
 * rows were deleted.
 *
 * @since 0.1.0
 * @category operating
 */
export const prune = async (
  executor: Executor,
  options: PruneOptions = {}
): Promise<{ readonly dead: number; readonly inbox: number }> => {
  check(executor, options, "deadOlderThanMs", "inboxOlderThanMs")
  const { deadOlderThanMs, inboxOlderThanMs = 7 * 24 * 3_600_000 } = options
  const names = namesOf(options)
  const { later, now } = writingOf(executor.dialect)
  const limit = later(now, executor.dialect === "postgres" ? "-$1::float8" : "-$1")
  const deleteAll = async (sql: string, age: number): Promise<number> => {
    for (let count = 0;;) {
      const { length } = await run(executor, names, "Pruning", sql, [age])
      count += length
      if (length < pruneAtOnce) return count
    }
  }
  const dead = deadOlderThanMs === undefined ? 0 : await deleteAll(
    `delete from ${names.dead} where seq in (select seq from ${names.dead} where dead_at < ${limit} limit ${pruneAtOnce})
returning seq`,
    wholeNumber("deadOlderThanMs", deadOlderThanMs)
  )
  // What is running is kept, however old it is.
  const inbox = await deleteAll(
    `delete from ${names.inbox} where (consumer, delivery) in (select consumer, delivery from ${names.inbox}
  where received_at < ${limit} and (lease_until is null or lease_until < ${now}) limit ${pruneAtOnce}) returning delivery`,
    wholeNumber("inboxOlderThanMs", inboxOlderThanMs)
  )
  return { dead, inbox }
}
