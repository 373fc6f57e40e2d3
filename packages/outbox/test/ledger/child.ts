/** What is killed: a writer, a relay, or the naive relay that serves as a control. Run with a role, a database and a server. */
import { Hookrail } from "@hookrail/promise"
import Libsql from "libsql"
import pg from "pg"
import {
  enqueue,
  enqueueSync,
  type Executor,
  fromPg,
  fromSqlite,
  type OutboxEvent,
  startRelay
} from "../../src/index.js"
import { statement } from "../../src/sql/dialect.js"

const [role, database, url, lease] = process.argv.slice(2) as [string, string, string, string]
const leaseMs = Number(lease)
const isPostgres = database.startsWith("postgres:")

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const openSqlite = (): Libsql.Database => {
  const db = new Libsql(database, { timeout: 10_000 })
  db.exec("pragma synchronous = normal")
  return db
}

let count = 0

/** Of 20 keys, some much more often than others; one in five has none. */
const nextOrder = (): { readonly id: string; readonly key: string | undefined; readonly event: OutboxEvent } => {
  const id = `${process.pid}-${Date.now()}-${++count}`
  const key = Math.random() < 0.2 ? undefined : `k${Math.floor(20 * Math.random() ** 2)}`
  return {
    id,
    key,
    event: { topic: "orders.created", payload: { id, key: key ?? null }, idempotencyKey: id, orderingKey: key }
  }
}

/** The number of an order within its key, in the order of the commits: the key is locked by now. */
const insertOrder = "insert into orders (id, k, n) select $1, $2, coalesce(max(n), 0) + 1 from orders where k = $2"

const writeInPostgres = async (): Promise<never> => {
  for (;;) {
    const client = new pg.Client(database)
    client.on("error", () => {})
    try {
      await client.connect()
      for (;;) {
        const { event, id, key } = nextOrder()
        await client.query("begin")
        await enqueue(fromPg(client), event)
        await client.query(insertOrder, [id, key ?? ""])
        await client.query(Math.random() < 0.25 ? "rollback" : "commit")
        await pause(Math.random() * 12)
      }
    } catch {
      // The database is away, or the transaction failed: whatever happened, it happened as a whole.
      await client.end().catch(() => {})
      await pause(100)
    }
  }
}

const writeInSqlite = async (): Promise<never> => {
  const db = openSqlite()
  const insert = db.prepare(statement("sqlite", insertOrder, []).sql)
  for (;;) {
    const { event, id, key } = nextOrder()
    try {
      db.exec("begin immediate")
      enqueueSync(fromSqlite(db), event)
      insert.run(id, key ?? "", key ?? "")
      db.exec(Math.random() < 0.25 ? "rollback" : "commit")
    } catch {
      if (db.inTransaction) db.exec("rollback")
    }
    await pause(Math.random() * 12)
  }
}

const connect = (): Executor => {
  if (!isPostgres) return fromSqlite(openSqlite())
  const pool = new pg.Pool({ connectionString: database, max: 4, connectionTimeoutMillis: 1_000 })
  pool.on("error", () => {})
  return fromPg(pool, { prepare: true })
}

const client = new Hookrail({ apiKey: "hk_test", baseUrl: url, responseTimeout: leaseMs / 3, onUnmatched: "ignore" })
const sendTimeoutMs = Math.floor(leaseMs / 3)

const relay = async (): Promise<void> => {
  const running = await startRelay({
    executor: connect(),
    client,
    leaseMs,
    sendTimeoutMs,
    concurrency: 8,
    batch: 16,
    run: 4,
    poll: { minMs: 10, maxMs: 50 },
    backoff: { baseMs: 30, capMs: 200 }
  })
  process.once("SIGTERM", () => void running.drain({ timeoutMs: 2_000 }).then(() => process.exit(0)))
}

/** What one writes at first: take due events in order, skip what is locked. */
const naive = async (): Promise<never> => {
  const executor = connect()
  const now = isPostgres ? "clock_timestamp()" : "cast(unixepoch('subsec') * 1000 as integer)"
  const after = (millis: number): string =>
    isPostgres ? `${now} + ${millis} * interval '1 millisecond'` : `${now} + ${millis}`
  const run = async (sql: string, params: ReadonlyArray<string | number> = []) => {
    const made = statement(executor.dialect, sql, params)
    return await executor.execute(made.sql, made.params)
  }
  for (;;) {
    try {
      const rows = await run(`update hookrail_outbox set available_at = ${after(leaseMs)} where seq in (
  select seq from hookrail_outbox where available_at <= ${now} order by seq limit 16${
        isPostgres ? " for update skip locked" : ""
      }) returning seq, id, topic, body, ordering_key`)
      await Promise.all(rows.map(async (row) => {
        try {
          await client.sendEncoded({
            topic: row.topic as string,
            body: row.body as Uint8Array,
            idempotencyKey: row.id as string,
            orderingKey: row.ordering_key as string ?? undefined
          }, { retry: false, timeout: sendTimeoutMs })
          await run("delete from hookrail_outbox where seq = $1", [Number(row.seq)])
        } catch {
          await run(`update hookrail_outbox set available_at = ${after(100)} where seq = $1`, [Number(row.seq)])
        }
      }))
      if (rows.length === 0) await pause(20)
    } catch {
      await pause(100)
    }
  }
}

const roles: Record<string, () => Promise<void>> = {
  writer: isPostgres ? writeInPostgres : writeInSqlite,
  relay,
  naive
}

await roles[role]!()
