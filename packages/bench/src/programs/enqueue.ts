/**
 * The contenders of the section "enqueue": an event stored by `enqueue`, and the same row by a bare INSERT of the same driver, in
 * the same kind of transaction.
 */
import { enqueue, type Executor, fromPg, fromPostgresJs, fromSqlite, migrate } from "@hookrail/outbox"
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

let count = 0
const nextKey = (): string => `key-${++count % 1_000}`

/** The row that `enqueue` stores, as one would write it by hand. */
const row = (no: boolean | number) => {
  const body = Buffer.from(JSON.stringify({ topic, payload }))
  return [crypto.randomUUID(), "default", nextKey(), no, topic, body, null]
}

interface Contender {
  readonly sql: (text: string) => unknown
  readonly bare: () => unknown
  readonly executor: Executor
}

const postgresServer = await startPostgres()
if (postgresServer === undefined) throw new Error("there is no Postgres for this machine")
const client = new pg.Client(postgresServer.url)
await client.connect()
await migrate(fromPg(client))
const sql = postgres(postgresServer.url, { max: 1 })
const reserved = await sql.reserve()
const db = new Libsql(":memory:")
await migrate(fromSqlite(db))
const insert = db.prepare(counted)

const contenders: Readonly<Record<string, Contender>> = {
  "pg": {
    sql: (text) => client.query(text),
    bare: () => client.query(numbered, row(false)),
    executor: fromPg(client)
  },
  "pg, prepared": {
    sql: (text) => client.query(text),
    bare: () => client.query({ name: "bare", text: numbered, values: row(false) }),
    executor: fromPg(client, { prepare: true })
  },
  "postgres.js, prepared": {
    sql: (text) => reserved.unsafe(text),
    bare: () => reserved.unsafe(numbered, row(false) as Array<never>, { prepare: true }),
    executor: fromPostgresJs(reserved, { prepare: true })
  },
  "libsql, in memory": {
    sql: (text) => db.exec(text),
    bare: () => insert.run(...row(0) as Array<never>),
    executor: fromSqlite(db)
  }
}

const operations = Object.entries(contenders).flatMap(([driver, { bare, executor, sql }]) =>
  Object.entries({
    "bare INSERT": bare,
    "enqueue, with an ordering key": () => enqueue(executor, { topic, payload, orderingKey: nextKey() }),
    "enqueue, without": () => enqueue(executor, { topic, payload })
  }).map(([name, run]) => ({ name: `${driver}: ${name}`, run, sql }))
)

/** Microseconds per statement, without those that begin and end the transactions. */
const microsOf = async ({ run, sql }: typeof operations[number]): Promise<number> => {
  let spent = 0
  for (let n = 0; n < transactions; n++) {
    await sql("begin")
    const start = performance.now()
    for (let statement = 0; statement < perTransaction; statement++) await run()
    spent += performance.now() - start
    await sql("commit")
  }
  return spent * 1_000 / transactions / perTransaction
}

const results: Record<string, Array<number>> = {}
for (let round = -2; round < rounds; round++) {
  for (const operation of operations) {
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
