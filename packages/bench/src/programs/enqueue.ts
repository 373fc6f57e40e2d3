/**
 * The contenders of the section "enqueue": an event stored by `enqueue`, and the same row by a bare INSERT of the same driver, in
 * the same kind of transaction.
 */
import {
  enqueue,
  enqueueSync,
  type Executor,
  fromPg,
  fromPostgresJs,
  fromSqlite,
  migrate,
  type OutboxEvent
} from "@hookrail/outbox"
import Libsql from "libsql"
import { existsSync, readFileSync } from "node:fs"
import pg from "pg"
import postgres from "postgres"
import { startPostgres } from "../../../outbox/test/utils/postgres.js"
import { payload, topic } from "../payload.js"
import { type EnqueueRound, say } from "../protocol.js"

const [rounds, transactions] = process.argv.slice(2).map(Number) as [number, number]

const perTransaction = 20

const columns = "id, destination, ordering_key, key_in_body, topic, body, traceparent"
const numbered = `insert into hookrail_outbox (${columns}) values ($1, $2, $3, $4, $5, $6, $7)`
const counted = `insert into hookrail_outbox (${columns}) values (?, ?, ?, ?, ?, ?, ?)`
/** What keeps the order of commits, if one writes it by hand. */
const locking = `with k as materialized (select pg_advisory_xact_lock(hashtextextended($3, 0)))
insert into hookrail_outbox (${columns}) select $1, $2, $3, $4, $5, $6, $7 from k`

let count = 0
const nextKey = (): string => `key-${++count % 1_000}`

/** The row that `enqueue` stores, as one would write it by hand. */
const row = (key: string | undefined, no: boolean | number) => {
  const body = Buffer.from(JSON.stringify({ topic, payload }))
  return [crypto.randomUUID(), "default", key ?? null, no, topic, body, null]
}

interface Contender {
  /** The CPU time of its connection's process in the database, in microseconds. */
  readonly server: () => number
  readonly sql: (text: string) => unknown
  readonly bare: (key: string | undefined, text?: string) => unknown
  readonly enqueue: (event: OutboxEvent) => unknown
}

/** The CPU time of a process, where the system tells it to the nanosecond. */
const timeOf = (pid: number): () => number => {
  const file = `/proc/${pid}/schedstat`
  return existsSync(file) ? () => Number(readFileSync(file, "utf8").split(" ")[0]) / 1_000 : () => NaN
}

const ours = (executor: Executor) => (event: OutboxEvent) => enqueue(executor, event)

const postgresServer = await startPostgres()
if (postgresServer === undefined) throw new Error("there is no Postgres for this machine")
const client = new pg.Client(postgresServer.url)
await client.connect()
await migrate(fromPg(client))
const sql = postgres(postgresServer.url, { max: 1 })
const reserved = await sql.reserve()
const db = new Libsql(":memory:")
const sqlite = fromSqlite(db)
await migrate(sqlite)
const insert = db.prepare(counted)

const backend = "select pg_backend_pid() as pid"
const ofPg = timeOf((await client.query<{ readonly pid: number }>(backend)).rows[0]!.pid)
const ofPostgresJs = timeOf((await reserved.unsafe<Array<{ readonly pid: number }>>(backend))[0]!.pid)

const ofPostgres: Readonly<Record<string, Contender>> = {
  "pg": {
    server: ofPg,
    sql: (text) => client.query(text),
    bare: (key, text = numbered) => client.query(text, row(key, false)),
    enqueue: ours(fromPg(client))
  },
  "pg, prepared": {
    server: ofPg,
    sql: (text) => client.query(text),
    bare: (key, text = numbered) => client.query({ name: `bare ${text.length}`, text, values: row(key, false) }),
    enqueue: ours(fromPg(client, { prepare: true }))
  },
  "postgres.js": {
    server: ofPostgresJs,
    sql: (text) => reserved.unsafe(text),
    bare: (key, text = numbered) => reserved.unsafe(text, row(key, false) as Array<never>, { prepare: true }),
    enqueue: ours(fromPostgresJs(reserved))
  }
}

const contenders: Readonly<Record<string, Contender>> = {
  ...ofPostgres,
  "libsql, in memory": {
    server: () => 0,
    sql: (text) => db.exec(text),
    // An array, because the driver makes one of values that are given one by one.
    bare: (key) => insert.run(row(key, 0) as never),
    enqueue: (event) => enqueueSync(sqlite, event)
  }
}

const operations = Object.entries(contenders).flatMap(([driver, { bare, enqueue, server, sql }]) =>
  Object.entries({
    "bare INSERT, with an ordering key": () => bare(nextKey()),
    "enqueue, with an ordering key": () => enqueue({ topic, payload, orderingKey: nextKey() }),
    ...(driver in ofPostgres
      ? { "INSERT that locks the key, with an ordering key": () => bare(nextKey(), locking) }
      : {}),
    "bare INSERT, without": () => bare(undefined),
    "enqueue, without": () => enqueue({ topic, payload })
  }).map(([name, run]) => ({ name: `${driver}: ${name}`, run, server, sql }))
)

/**
 * Microseconds per statement, without those that begin and end the transactions; and the CPU time in them, of this process and of
 * the one in the database.
 */
const microsOf = async ({ run, server, sql }: typeof operations[number]): Promise<EnqueueRound> => {
  let spent = 0
  let busy = 0
  for (let n = 0; n < transactions; n++) {
    await sql("begin")
    const { system, user } = process.cpuUsage()
    const before = server()
    const start = performance.now()
    for (let statement = 0; statement < perTransaction; statement++) {
      const stored = run()
      // Not of libsql, which stores it at once; postgres.js has promises of a class of its own.
      if (typeof stored === "object" && stored !== null && "then" in stored) await stored
    }
    spent += performance.now() - start
    const after = process.cpuUsage()
    busy += after.system + after.user - system - user + server() - before
    await sql("commit")
  }
  const count = transactions * perTransaction
  return { micros: spent * 1_000 / count, cpuMicros: Number.isNaN(busy) ? null : busy / count }
}

const results: Record<string, Array<EnqueueRound>> = {}
for (let round = -20; round < rounds; round++) {
  // In any order: who comes after whom matters for the caches of the processor.
  const order = operations.map((operation) => ({ operation, at: Math.random() })).sort((a, b) => a.at - b.at)
  for (const { operation } of order) {
    const micros = await microsOf(operation)
    if (round >= 0) (results[operation.name] ??= []).push(micros)
  }
  if (round % 10 !== 0) continue
  await client.query("truncate hookrail_outbox")
  db.exec("delete from hookrail_outbox")
}

reserved.release()
await sql.end()
await client.end()
await postgresServer.close()
say(results)
process.exit()
