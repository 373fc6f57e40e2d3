/** Databases and servers for tests of relays. */
import { onTestFinished } from "vitest"
import {
  type EncodedEvent,
  enqueueMany,
  type EnqueueOptions,
  type Executor,
  fromPg,
  fromSqlite,
  migrate,
  type OutboxEvent,
  type Relay,
  type RelayClient,
  type RelayLog,
  type RelayOptions
} from "../../src/index.js"
import { platform, type Running, startRelayWith, type Surroundings } from "../../src/relay/relay.js"
import { postgresDatabase, sqliteFile } from "./engines.js"

export interface Opened {
  readonly executor: Executor
  /** Another connection to the same database. */
  readonly another: () => Executor
}

export const engines: ReadonlyArray<readonly [string, () => Promise<Opened>]> = [
  ["Postgres", async () => {
    const { pool } = await postgresDatabase()
    return { executor: fromPg(pool, { prepare: true }), another: () => fromPg(pool) }
  }],
  ["SQLite", async () => {
    const { db, open } = sqliteFile()
    return { executor: fromSqlite(db), another: () => fromSqlite(open()) }
  }]
]

export const event = (idempotencyKey: string, orderingKey?: string): OutboxEvent => ({
  topic: "orders.created",
  payload: { n: idempotencyKey },
  idempotencyKey,
  orderingKey
})

/** `a1` has the ordering key `a`; `u1` has none. */
export const eventOf = (name: string): OutboxEvent => event(name, name.startsWith("u") ? undefined : name.slice(0, 1))

export const put = async (
  executor: Executor,
  names: ReadonlyArray<string>,
  options?: EnqueueOptions
): Promise<void> => {
  // In the order of the names, not of their keys.
  for (const name of names) {
    await enqueueMany({ ...executor, inTransaction: () => undefined }, [eventOf(name)], options)
  }
}

export const filled = async (open: () => Promise<Opened>, names: ReadonlyArray<string>): Promise<Opened> => {
  const opened = await open()
  await migrate(opened.executor)
  await put(opened.executor, names)
  return opened
}

/** A server that is asked to answer each send by hand, or by a function. */
export class Stub implements RelayClient {
  /** The keys, as they were sent. */
  readonly sent: Array<string> = []
  readonly events: Array<EncodedEvent> = []
  private readonly known = new Set<string>()
  private readonly waiting: Array<{ readonly count: number; readonly resolve: () => void }> = []
  inFlight = 0
  maxInFlight = 0

  constructor(
    private readonly answer: (key: string, times: number, signal: AbortSignal) => unknown = () => undefined
  ) {}

  readonly sendEncoded: RelayClient["sendEncoded"] = async (event, { signal }) => {
    const key = event.idempotencyKey
    this.sent.push(key)
    this.events.push(event)
    this.maxInFlight = Math.max(this.maxInFlight, ++this.inFlight)
    for (const { count, resolve } of this.waiting) if (this.sent.length >= count) resolve()
    try {
      const failure = await this.answer(key, this.sent.filter((other) => other === key).length, signal)
      if (failure !== undefined) throw failure
      const replayed = this.known.has(key)
      this.known.add(key)
      return { replayed }
    } finally {
      this.inFlight--
    }
  }

  /** Until so many sends began. */
  until(count: number): Promise<void> {
    if (this.sent.length >= count) return Promise.resolve()
    return new Promise((resolve) => this.waiting.push({ count, resolve }))
  }

  /** The last send of each event of a key. */
  ofKey(key: string): ReadonlyArray<string> {
    return this.sent.filter((name) => name.startsWith(key))
  }
}

/** An error as the clients make it. */
export const failureOf = (
  tag: string,
  outcome: "not-sent" | "refused" | "unknown" | "accepted",
  fields: object = {}
): Error => Object.assign(new Error(`it failed: ${tag}`), { _tag: tag, outcome, ...fields })

export const serverError = (fields: object = {}): Error =>
  failureOf("RetryError", "unknown", { cause: { _tag: "ServerError", status: 500, ...fields } })

/** A relay that is drained after the test. */
export const relayOf = async (
  options: RelayOptions,
  surroundings: Partial<Surroundings> = {}
): Promise<Running> => {
  const relay = await startRelayWith({ poll: { minMs: 5, maxMs: 20 }, onLog: () => {}, ...options }, {
    ...platform,
    ...surroundings
  })
  onTestFinished(async () => {
    await relay.drain({ timeoutMs: 1_000 })
  })
  return relay
}

/** Until something holds; the test's own time is the limit. */
export const eventually = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

export const logs = (): { readonly entries: Array<RelayLog>; readonly onLog: (entry: RelayLog) => void } => {
  const entries: Array<RelayLog> = []
  return { entries, onLog: (entry) => entries.push(entry) }
}

/** What is in the table. */
export const rows = async (
  executor: Executor
): Promise<ReadonlyArray<Record<string, unknown> & { readonly id: string }>> =>
  await executor.execute("select * from hookrail_outbox order by seq", []) as never

export const ids = async (executor: Executor): Promise<ReadonlyArray<string>> =>
  (await rows(executor)).map(({ id }) => id)

/** SQL for a time, relative to the database's clock. */
export const inMillis = (executor: Executor, millis: number): string =>
  executor.dialect === "postgres"
    ? `(clock_timestamp() + ${millis} * interval '1 millisecond')`
    : `(cast(unixepoch('subsec') * 1000 as integer) + ${millis})`

export const set = async (executor: Executor, id: string, assignments: string): Promise<void> => {
  await executor.execute(`update hookrail_outbox set ${assignments} where id = '${id}'`, [])
}

/** Lets a lease, or a delay, be over. */
export const makeDue = (executor: Executor, id: string): Promise<void> =>
  set(executor, id, `available_at = ${inMillis(executor, -1)}`)

export type { Relay }
