/**
 * The contenders of the section "queues": the outbox next to job queues over Postgres, each as its documentation recommends for
 * throughput. Jobs do nothing, so what is measured is the queue.
 *
 * - graphile-worker: the preset of its page on performance (24 jobs at a time, a local queue of 500, completions in batches);
 *   `add_job` in the transaction, `add_jobs` to fill. Its ordering are named queues, which its documentation wants to be few.
 * - pg-boss: `fetch` and `complete` of 500 jobs in a loop without pauses; `send` with the connection of the transaction, `insert` to
 *   fill. Its ordering is the policy `key_strict_fifo`.
 * - outbox: a relay with default settings over prepared statements, whose client accepts at once; `enqueue` in the transaction.
 */
import { enqueue, fromPg, migrate, startRelay } from "@hookrail/outbox"
import pg from "pg"
import { startPostgres } from "../../../outbox/test/utils/postgres.js"
import { payload, topic } from "../payload.js"
import { say } from "../protocol.js"

interface Boss {
  readonly on: (event: "error" | "warning", listener: (error: unknown) => void) => unknown
  readonly start: () => Promise<unknown>
  readonly stop: () => Promise<unknown>
  readonly createQueue: (name: string, options?: object) => Promise<unknown>
  readonly send: (name: string, data: object, options: object) => Promise<unknown>
  readonly insert: (name: string, jobs: ReadonlyArray<object>) => Promise<unknown>
  readonly fetch: (name: string, options: object) => Promise<ReadonlyArray<{ readonly id: string }>>
  readonly complete: (name: string, ids: ReadonlyArray<string>) => Promise<unknown>
  readonly deleteAllJobs: (name: string) => Promise<unknown>
}

interface Graphile {
  readonly run: (
    options: object,
    tasks: Readonly<Record<string, () => void>>
  ) => Promise<{ readonly stop: () => Promise<void> }>
  readonly runMigrations: (options: object) => Promise<void>
  readonly Logger: new(factory: () => () => void) => unknown
}

const [roundsText, jobsText, pgBossFile, graphileFile] = process.argv.slice(2) as [string, string, string, string]
const [rounds, jobs] = [Number(roundsText), Number(jobsText)]
const { PgBoss } = await import(pgBossFile) as { readonly PgBoss: new(options: object) => Boss }
const { Logger, run, runMigrations } = await import(graphileFile) as Graphile

const server = await startPostgres()
if (server === undefined) throw new Error("there is no Postgres for this machine")
const connectionString = server.url
const db = new pg.Pool({ connectionString, max: 8 })
const client = await db.connect()

/** No drain may take longer; what is left then counts for nothing. */
const limitMillis = 20_000

const keys = 1_000

type Order = "none" | "keys" | "hot"

const keyOf = (n: number, order: Order): string | undefined =>
  order === "none" ? undefined : order === "hot" && n % 2 === 0 ? "hot" : `k${n % keys}`

interface Contender {
  readonly add: (key: string | undefined) => Promise<unknown>
  readonly fill: (count: number, order: Order) => Promise<unknown>
  /** Milliseconds from its start, when it is ready, to the last job; and how many jobs were done. */
  readonly drain: (count: number, order: Order) => Promise<{ readonly millis: number; readonly done: number }>
  readonly empty: () => Promise<unknown>
  readonly close?: () => Promise<unknown>
}

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** Waits until all jobs were done, or it takes too long. */
const until = async (
  count: number,
  done: () => number
): Promise<{ readonly millis: number; readonly done: number }> => {
  const start = performance.now()
  while (done() < count && performance.now() - start < limitMillis) await pause(1)
  return { millis: performance.now() - start, done: done() }
}

const outbox = async (): Promise<Contender> => {
  const executor = fromPg(db, { prepare: true })
  await migrate(executor)
  const inTransaction = fromPg(client)
  const body = Buffer.from(JSON.stringify({ topic, payload }))
  return {
    add: (orderingKey) => enqueue(inTransaction, { topic, payload, orderingKey }),
    fill: async (count, order) => {
      const key = order === "none" ?
        "null" :
        `${order === "hot" ? "case when n % 2 = 0 then 'hot' else " : ""}'k' || n % ${keys}${
          order === "hot" ? " end" : ""
        }`
      await db.query(
        `insert into hookrail_outbox (id, ordering_key, topic, body)
select gen_random_uuid(), ${key}, $1::text, $2::bytea from generate_series(0, $3::int - 1) as n`,
        [topic, body, count]
      )
      await db.query("vacuum analyze hookrail_outbox")
    },
    drain: async (count) => {
      const relay = await startRelay({ executor, client: { sendEncoded: () => Promise.resolve({ replayed: false }) } })
      const result = await until(count, () => relay.stats().acked)
      await relay.drain()
      return result
    },
    empty: () => db.query("truncate hookrail_outbox")
  }
}

const graphile = async (): Promise<Contender> => {
  const logger = new Logger(() => () => {})
  const worker = { connectionString, concurrentJobs: 24, maxPoolSize: 25 }
  const batches = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
  await runMigrations({ connectionString, logger })
  return {
    add: (key) =>
      client.query("select graphile_worker.add_job('event', $1::json, queue_name => $2::text)", [
        JSON.stringify(payload),
        key ?? null
      ]),
    fill: async (count, order) => {
      const specs = Array.from({ length: count }, (_, n) => ({
        identifier: "event",
        payload,
        queue_name: keyOf(n, order) ?? null
      }))
      await db.query(
        `select count(*) from graphile_worker.add_jobs(array(
select json_populate_record(null::graphile_worker.job_spec, it) from json_array_elements($1::json) as it
))`,
        [JSON.stringify(specs)]
      )
      await db.query("vacuum analyze graphile_worker._private_jobs")
    },
    drain: async (count, order) => {
      let done = 0
      // With these, whoever looks for the next job of a named queue does not find it yet, and waits for two seconds: a queue that
      // has many jobs is faster without.
      const preset = { worker: order === "hot" ? worker : { ...worker, ...batches } }
      const runner = await run({ preset, logger, noHandleSignals: true }, {
        event: () => {
          done++
        }
      })
      const result = await until(count, () => done)
      await runner.stop()
      return result
    },
    empty: () => db.query("truncate graphile_worker._private_jobs, graphile_worker._private_job_queues")
  }
}

const pgBoss = async (): Promise<Contender> => {
  const boss = new PgBoss({ connectionString, schedule: false, supervise: false, monitorVacuum: false })
  boss.on("error", () => {})
  await boss.start()
  await boss.createQueue("plain", { partition: true })
  await boss.createQueue("ordered", { partition: true, policy: "key_strict_fifo" })
  const inTransaction = { executeSql: (text: string, values?: Array<unknown>) => client.query(text, values) }
  const queueOf = (order: Order): string => order === "none" ? "plain" : "ordered"
  return {
    add: (singletonKey) =>
      boss.send(singletonKey === undefined ? "plain" : "ordered", payload, { singletonKey, db: inTransaction }),
    fill: async (count, order) => {
      for (let from = 0; from < count; from += 2_000) {
        await boss.insert(
          queueOf(order),
          Array.from({ length: Math.min(2_000, count - from) }, (_, n) => ({
            data: payload,
            singletonKey: keyOf(from + n, order)
          }))
        )
      }
      const { rows } = await db.query<{ readonly name: string }>(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'pgboss' and tablename like 'j%'"
      )
      for (const { name } of rows) await db.query(`vacuum analyze ${name}`)
    },
    drain: async (count, order) => {
      const start = performance.now()
      let done = 0
      while (done < count && performance.now() - start < limitMillis) {
        const fetched = await boss.fetch(queueOf(order), { batchSize: 500 })
        if (fetched.length === 0) break
        await boss.complete(queueOf(order), fetched.map(({ id }) => id))
        done += fetched.length
      }
      return { millis: performance.now() - start, done }
    },
    empty: async () => {
      await boss.deleteAllJobs("plain")
      await boss.deleteAllJobs("ordered")
    },
    close: () => boss.stop()
  }
}

const contenders: Readonly<Record<string, Contender>> = {
  "outbox": await outbox(),
  "graphile-worker": await graphile(),
  "pg-boss": await pgBoss()
}

const perTransaction = 20

/** Milliseconds per thousand, without what begins and ends the transactions. */
const adding = async ({ add }: Contender, isOrdered: boolean): Promise<number> => {
  const transactions = Math.ceil(jobs / 20 / perTransaction)
  let spent = 0
  for (let n = 0; n < transactions; n++) {
    await client.query("begin")
    const start = performance.now()
    for (let m = 0; m < perTransaction; m++) await add(isOrdered ? `k${(n * perTransaction + m) % keys}` : undefined)
    spent += performance.now() - start
    await client.query("commit")
  }
  return spent / transactions / perTransaction * 1_000
}

const draining = async (contender: Contender, order: Order, count = jobs): Promise<number> => {
  await contender.fill(count, order)
  const { done, millis } = await contender.drain(count, order)
  if (done < count) process.stderr.write(`${done} of ${count} in ${Math.round(millis)} ms\n`)
  return millis / done * 1_000
}

const held = async (contender: Contender): Promise<number> => {
  const holder = await db.connect()
  await holder.query("begin isolation level repeatable read")
  await holder.query("select count(*) from pg_class")
  try {
    return await draining(contender, "none")
  } finally {
    await holder.query("rollback")
    holder.release()
  }
}

const cases: Readonly<Record<string, (contender: Contender) => Promise<number>>> = {
  "enqueue, no order": (contender) => adding(contender, false),
  "enqueue, with a key": (contender) => adding(contender, true),
  "drain, no order": (contender) => draining(contender, "none"),
  "drain, a transaction held open": held,
  "drain, 1,000 keys": (contender) => draining(contender, "keys", jobs / 4),
  "drain, half on one key": (contender) => draining(contender, "hot", jobs / 4)
}

const results: Record<string, Array<number>> = {}
for (let round = -1; round < rounds; round++) {
  for (const [name, measure] of Object.entries(cases)) {
    for (const [contender, it] of Object.entries(contenders)) {
      await it.empty()
      const millis = await measure(it)
      if (round >= 0) (results[`${name}: ${contender}`] ??= []).push(millis)
    }
  }
}
for (const { close } of Object.values(contenders)) await close?.()
client.release()
await db.end()
await server.close()
say(results)
process.exit()
