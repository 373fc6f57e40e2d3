/**
 * The section "backlog": a relay drains a large backlog, through a client that accepts at once, so that what is measured is the
 * database and the relay. Before each tenth another one drains a small backlog in tables of its own: the reference.
 */
import { fromPg, migrate, type Relay, startRelay } from "@hookrail/outbox"
import pg from "pg"
import { startPostgres } from "../../../outbox/test/utils/postgres.js"
import type { BacklogResult, BacklogSample } from "../protocol.js"
import { say } from "../protocol.js"

const [rows, small] = process.argv.slice(2).map(Number) as [number, number]

const parts = 10

const server = await startPostgres()
if (server === undefined) throw new Error("there is no Postgres for this machine")
const db = new pg.Pool({ connectionString: server.url, max: 8 })
const executor = fromPg(db, { prepare: true })
await migrate(executor)
await migrate(executor, { prefix: "small_" })

const body = Buffer.from("{\"topic\":\"t\",\"payload\":{}}")
let filled = 0

/** Four events of each key, one after the other, a quarter of all apart. */
const fill = async (table: string, count: number): Promise<void> => {
  await db.query(`truncate ${table}`)
  await db.query(
    `insert into ${table} (id, ordering_key, topic, body)
select ${++filled} || '-' || n, 'k' || n % ${count / 4}, 't', $1::bytea from generate_series(1, $2::int) as n`,
    [body, count]
  )
  await db.query(`vacuum analyze ${table}`)
}

const megabyte = 1_048_576

/** What the table and its indexes take, and the dead rows as the database estimates them. */
const sizes = async (): Promise<Pick<BacklogSample, "tableMegabytes" | "indexMegabytes" | "deadRows">> => {
  const { rows: [row] } = await db.query<{ readonly heap: string; readonly indexes: string; readonly dead: string }>(
    `select pg_relation_size('hookrail_outbox') as heap, pg_indexes_size('hookrail_outbox') as indexes,
  pg_stat_get_dead_tuples('hookrail_outbox'::regclass) as dead`
  )
  return {
    tableMegabytes: Number(row!.heap) / megabyte,
    indexMegabytes: Number(row!.indexes) / megabyte,
    deadRows: Number(row!.dead)
  }
}

let lowest = Infinity

/** Waits for so many acknowledgements, and remembers the smallest heap: what garbage collection leaves. */
const reached = async (relay: Relay, count: number): Promise<void> => {
  while (relay.stats().acked < count) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    lowest = Math.min(lowest, process.memoryUsage().heapUsed)
  }
}

/** Lets a relay send so many events; resolves with milliseconds per thousand. */
const send = async (count: number, prefix?: string): Promise<{ readonly acked: number; readonly millis: number }> => {
  const from = performance.now()
  const relay = await startRelay({
    executor,
    prefix,
    client: { sendEncoded: () => Promise.resolve({ replayed: false }) }
  })
  await reached(relay, count)
  const millis = performance.now() - from
  const before = relay.stats().acked
  await relay.drain()
  return { acked: relay.stats().acked, millis: millis / before * 1_000 }
}

const sendSmall = async (): Promise<number> => {
  await fill("small_outbox", small)
  return (await send(small, "small_")).millis
}

await sendSmall()
await fill("hookrail_outbox", rows)
const samples: Array<BacklogSample> = []
let events = 0
for (let part = 1; part <= parts; part++) {
  const smallMillis = await sendSmall()
  lowest = Infinity
  const { acked, millis } = await send(Math.floor(rows / parts * part) - events)
  events += acked
  samples.push({
    events,
    smallMillis,
    millisPerThousand: millis,
    heapUsedBytes: lowest,
    rssBytes: process.memoryUsage.rss(),
    ...await sizes()
  })
}
const { rows: [left] } = await db.query<{ readonly n: string }>("select count(*) as n from hookrail_outbox")
// What the next backlog gets, without anybody rewriting the table.
await db.query("vacuum hookrail_outbox")
const result: BacklogResult = { rows, small, samples, left: Number(left!.n), vacuumed: await sizes() }
await db.end()
await server.close()
say(result)
process.exit()
