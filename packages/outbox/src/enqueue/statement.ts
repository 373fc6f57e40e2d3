/** The statement that stores an event. */
import { checkDialect, checkNames, refuse } from "../check.js"
import { OutboxConfigError } from "../errors.js"
import { type Dialect, type Statement, statement } from "../sql/dialect.js"
import { type Names, namesOf, type NamesOptions, namesOptions } from "../sql/names.js"
import { type EncodedEvent, freeze, type FrozenEvent, type OutboxEvent } from "./freeze.js"

/**
 * How events are stored.
 *
 * @since 0.1.0
 * @category models
 */
export interface EnqueueOptions extends NamesOptions {
  /** The name of the server that gets the event: a relay sends the events of its own destination. Default: `default`. */
  readonly destination?: string | undefined
  /**
   * Postgres: events of one ordering key are in the order of their commits (`"commit"`, the default), because the statement locks
   * the key until the transaction ends. `"statement"`: no lock; two transactions that enqueue the same key at the same time may
   * be sent in either order. In SQLite, transactions that write run one after the other anyway.
   */
  readonly order?: "commit" | "statement" | undefined
  /**
   * Postgres: whether to notify relays that listen, at the commit. It costs throughput, since such commits wait for each other.
   * Default false: relays look often enough.
   */
  readonly notify?: boolean | undefined
  /**
   * Whether the `traceparent` of an event also reaches the handler: in its payload, as the member `hookrail_traceparent`, which
   * `Webhooks` and `createWebhookHandler` take out. Not for events with an idempotency key of their own. Default false.
   */
  readonly propagateTrace?: boolean | undefined
}

/**
 * Options of the statement.
 *
 * @since 0.1.0
 * @category models
 */
export interface StatementOptions extends EnqueueOptions {
  readonly dialect: Dialect
}

/** The names of the options of events. */
const enqueueOptions: ReadonlyArray<string> = [
  "destination",
  "order",
  "notify",
  "propagateTrace",
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

/** The channel of notifications: the name of the table, as relays listen to it. */
export const channelOf = (names: Names): string => names.outbox.replace(".", "_")

const texts = new Map<string, string>()

const build = (dialect: Dialect, names: Names, lock: boolean, notify: boolean, isOwnKey: boolean): string => {
  const table = names.outbox
  const columns = "id, destination, ordering_key, key_in_body, topic, body, traceparent"
  // SQLite knows no schema here, Postgres needs the table.
  const own = dialect === "postgres" ? `${table}.` : ""
  const same = `${own}body = excluded.body and ` +
    `${own}ordering_key ${dialect === "postgres" ? "is not distinct from" : "is"} excluded.ordering_key`
  // An event that waits already is left as it is. A different one fails at a constraint whose name says why: for everybody,
  // also without looking at the result. A key that was made here needs none of this.
  const conflict = isOwnKey
    ? ` on conflict (id, destination) do update set attempts = case when ${same} then ${own}attempts else -1 end`
    : ""
  if (dialect === "sqlite") {
    return `insert into ${table} (${columns}) values ($1, $2, $3, $4, $5, $6, $7)${conflict}`
  }
  // Each value has a type, so that no driver has to guess one.
  const values = "$1::text, $2::text, $3::text, $4::boolean, $5::text, $6::bytea, $7::text"
  const before = [
    ...(lock ? ["pg_advisory_xact_lock(hashtextextended($3::text, hashtext($2::text))) as key_lock"] : []),
    ...(notify ? [`pg_notify('${channelOf(names)}', $2::text) as notified`] : [])
  ]
  // What is in FROM runs first, and gives one row: the event gets its number when its key is locked.
  return before.length === 0
    ? `insert into ${table} (${columns}) values (${values})${conflict}`
    : `insert into ${table} (${columns}) select ${values} from ${before.join(", ")}${conflict}`
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
export const insertOf = (event: FrozenEvent, options: StatementOptions): Statement => {
  const { destination, dialect, notify = false, order = "commit" } = options
  if (order !== "commit" && order !== "statement") {
    throw new OutboxConfigError({ option: "order", reason: "must be \"commit\" or \"statement\"" })
  }
  checkDialect(dialect)
  const names = namesOf(options)
  const lock = order === "commit" && event.orderingKey !== undefined
  const id = `${dialect} ${names.outbox} ${lock} ${notify} ${event.isOwnKey}`
  let sql = texts.get(id)
  if (sql === undefined) texts.set(id, sql = build(dialect, names, lock, notify, event.isOwnKey))
  return statement(dialect, sql, [
    event.idempotencyKey,
    checkDestination(destination),
    event.orderingKey ?? null,
    dialect === "postgres" ? event.keyInBody : event.keyInBody ? 1 : 0,
    event.topic,
    event.body,
    event.traceparent ?? null
  ])
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
export const outboxStatement = (event: OutboxEvent | EncodedEvent, options: StatementOptions): Statement => {
  if (options === undefined) checkDialect(options)
  checkOptions(options, statementOptions)
  return insertOf(freeze(event, options.propagateTrace), options)
}
