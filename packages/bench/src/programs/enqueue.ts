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
import pg from "pg"
import postgres from "postgres"
import { startPostgres } from "../../../outbox/test/utils/postgres.js"
import { payload, topic } from "../payload.js"
import { say } from "../protocol.js"

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
  readonly sql: (text: string) => unknown
  readonly bare: (key: string | undefined, text?: string) => unknown
  readonly enqueue: (event: OutboxEvent) => unknown
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

const ofPostgres: Readonly<Record<string, Contender>> = {
  "pg": {
    sql: (text) => client.query(text),
    bare: (key, text = numbered) => client.query(text, row(key, false)),
    enqueue: ours(fromPg(client))
  },
  "pg, prepared": {
    sql: (text) => client.query(text),
    bare: (key, text = numbered) => client.query({ name: `bare ${text.length}`, text, values: row(key, false) }),
    enqueue: ours(fromPg(client, { prepare: true }))
  },
  "postgres.js": {
    sql: (text) => reserved.unsafe(text),
    bare: (key, text = numbered) => reserved.unsafe(text, row(key, false) as Array<never>, { prepare: true }),
    enqueue: ours(fromPostgresJs(reserved))
  }
}

const contenders: Readonly<Record<string, Contender>> = {
  ...ofPostgres,
  "libsql, in memory": {
    sql: (text) => db.exec(text),
    // An array, because the driver makes one of values that are given one by one.
    bare: (key) => insert.run(row(key, 0) as never),
    enqueue: (event) => enqueueSync(sqlite, event)
  }
}

const operations = Object.entries(contenders).flatMap(([driver, { bare, enqueue, sql }]) =>
  Object.entries({
    "bare INSERT, with an ordering key": () => bare(nextKey()),
    "enqueue, with an ordering key": () => enqueue({ topic, payload, orderingKey: nextKey() }),
    ...(driver in ofPostgres
      ? { "INSERT that locks the key, with an ordering key": () => bare(nextKey(), locking) }
      : {}),
    "bare INSERT, without": () => bare(undefined),
    "enqueue, without": () => enqueue({ topic, payload })
  }).map(([name, run]) => ({ name: `${driver}: ${name}`, run, sql }))
)

/** Microseconds per statement, without those that begin and end the transactions. */
const microsOf = async ({ run, sql }: typeof operations[number]): Promise<number> => {
  let spent = 0
  for (let n = 0; n < transactions; n++) {
    await sql("begin")
    const start = performance.now()
    for (let statement = 0; statement < perTransaction; statement++) {
      const stored = run()
      // Not of libsql, which stores it at once; postgres.js has promises of a class of its own.
      if (typeof stored === "object" && stored !== null && "then" in stored) await stored
    }
    spent += performance.now() - start
    await sql("commit")
  }
  return spent * 1_000 / transactions / perTransaction
}

const results: Record<string, Array<number>> = {}
for (let round = -2; round < rounds; round++) {
  // Another one begins each time, and what stands side by side takes turns in being first.
  const turn = (round + 2) % operations.length
  for (const operation of [...operations.slice(turn), ...operations.slice(0, turn)]) {
    const micros = await microsOf(operation)
    if (round >= 0) (results[operation.name] ??= []).push(micros)
  }
  await client.query("truncate hookrail_outbox")
  db.exec("delete from hookrail_outbox")
}

reserved.release()
await sql.end()
await client.end()
await postgresServer.close()
say(results)
process.exit()
