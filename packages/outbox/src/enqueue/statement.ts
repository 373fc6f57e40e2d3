/** The statement that stores an event. */
import { checkDialect, checkNames, refuse } from "../check.js"
import { OutboxConfigError } from "../errors.js"
import type { Dialect, Statement } from "../sql/dialect.js"
import { type Names, namesOf, namesOptions } from "../sql/names.js"
import { channelOf, columns, lockOf, onConflict } from "../sql/storing.js"
import { checkedSync } from "./catalogue.js"
import { type AnyEvents, type EncodedEvent, freeze, type FrozenEvent, type OutboxEvent } from "./freeze.js"
import type { EnqueueOptions, TypedEnqueueOptions } from "./options.js"

/**
 * Options of the statement.
 *
 * @since 0.1.0
 * @category models
 */
export interface StatementOptions<Sent extends object = AnyEvents> extends TypedEnqueueOptions<Sent> {
  readonly dialect: Dialect
}

/** The names of the options of events. */
const enqueueOptions: ReadonlyArray<string> = [
  "destination",
  "order",
  "notify",
  "propagateTrace",
  "events",
  ...namesOptions
]

/** What is the event's own is not taken for an option. */
export const checkOptions = (options: object, names: ReadonlyArray<string> = enqueueOptions): void => {
  for (const name of ["idempotencyKey", "orderingKey", "traceparent", "topic", "payload"]) {
    if (name in Object(options)) refuse(name, "is a member of the event")
  }
  checkNames(options, names)
}

const statementOptions: ReadonlyArray<string> = ["dialect", ...enqueueOptions]

/** How an event is stored. There is one text for each, so that drivers and databases can prepare it once. */
interface Kind {
  readonly dialect: Dialect
  /** By a call of the procedure, which has all of the rest inside. */
  readonly call: boolean
  readonly lock: boolean
  readonly notify: boolean
  readonly isOwnKey: boolean
}

const build = (names: Names, { call, dialect, isOwnKey, lock, notify }: Kind): string => {
  if (dialect === "sqlite") {
    return `insert into ${names.outbox} (${columns}) values (?, ?, ?, ?, ?, ?, ?)${
      isOwnKey ? onConflict("sqlite", names) : ""
    }`
  }
  const params = "$1, $2, $3, $4, $5, $6, $7"
  if (call) return `call ${names.enqueue}(${params}, ${isOwnKey}, ${lock}, ${notify})`
  const insert = `insert into ${names.outbox} (${columns})`
  const before = [
    ...(lock ? [lockOf("$2::text", "$3::text")] : []),
    ...(notify ? [`pg_notify('${channelOf(names)}', $2::text)`] : [])
  ]
  // In VALUES each value has the type of its column. The condition runs first: the event gets its number when its key is locked.
  const row = before.length === 0
    ? `values (${params})`
    : "select $1::text, $2::text, $3::text, $4::boolean, $5::text, $6::bytea, $7::text " +
      `where ${before.map((call) => `${call} is not null`).join(" and ")}`
  return `${insert} ${row}${isOwnKey ? onConflict("postgres", names) : ""}`
}

/** The texts of each schema and prefix, by what tells kinds apart. */
const texts = new Map<Names, Array<string | undefined>>()

const textOf = (names: Names, kind: Kind): string => {
  let made = texts.get(names)
  if (made === undefined) texts.set(names, made = [])
  const index = (kind.dialect === "sqlite" ? 16 : 0) + (kind.call ? 8 : 0) + (kind.lock ? 4 : 0) +
    (kind.notify ? 2 : 0) +
    (kind.isOwnKey ? 1 : 0)
  return made[index] ??= build(names, kind)
}

const destinationName = /^[\x21-\x7e]{1,200}$/

export const checkDestination = (destination: unknown): string => {
  if (destination === undefined) return "default"
  if (typeof destination === "string" && destinationName.test(destination)) return destination
  throw new OutboxConfigError({
    option: "destination",
    reason: "must be a name of at most 200 visible ASCII characters, without blanks"
  })
}

/** The statement for an event whose bytes are fixed. */
export const insertOf = (event: FrozenEvent, dialect: Dialect, options: EnqueueOptions, call = false): Statement => {
  const { destination, notify, order = "commit" } = options
  if (order !== "commit" && order !== "statement") {
    throw new OutboxConfigError({ option: "order", reason: "must be \"commit\" or \"statement\"" })
  }
  checkDialect(dialect)
  const { isOwnKey, keyInBody, orderingKey } = event
  const isPostgres = dialect === "postgres"
  const lock = order === "commit" && orderingKey !== undefined
  return {
    sql: textOf(namesOf(options), { dialect, call: call && isPostgres, lock, notify: notify === true, isOwnKey }),
    params: [
      event.idempotencyKey,
      checkDestination(destination),
      orderingKey ?? null,
      isPostgres ? keyInBody : keyInBody ? 1 : 0,
      event.topic,
      event.body,
      event.traceparent ?? null
    ]
  }
}

/**
 * The statement that stores an event, to run in the transaction that makes the change: one INSERT, with all values bound. It works
 * with every driver; for most there is an executor that saves the details, and tells if there is no transaction. It returns no
 * rows.
 *
 * The bytes and the idempotency key are fixed here. An event that waits under its key already is left alone; a different event
 * under the same key fails at the constraint `hookrail_two_events_under_one_idempotency_key`.
 *
 * Throws an `InvalidEventError` for an event that no server would accept, and an `OutboxConfigError` for an invalid option.
 *
 * @example
 * import { outboxStatement } from "@hookrail/outbox"
 *
 * const { sql, params } = outboxStatement(
 *   { topic: "orders.created", payload: { order_id: "o_1" }, orderingKey: "o_1" },
 *   { dialect: "postgres" }
 * )
 *
 * @since 0.1.0
 * @category enqueueing
 */
export const outboxStatement = <Sent extends object = AnyEvents>(
  event: OutboxEvent<NoInfer<Sent>> | EncodedEvent,
  options: StatementOptions<Sent>
): Statement => {
  if (options === undefined) checkDialect(options)
  checkOptions(options, statementOptions)
  return insertOf(freeze(checkedSync(event, options.events), options.propagateTrace), options.dialect, options)
}
