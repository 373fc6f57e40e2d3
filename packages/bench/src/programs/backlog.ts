/**
 * The section "backlog": a relay drains a large backlog, through a client that accepts at once, so that what is measured is the
 * database and the relay. Before it, a few small ones, whose pace is the reference.
 */
import { fromPg, migrate, type Relay, startRelay } from "@hookrail/outbox"
import pg from "pg"
import { startPostgres } from "../../../outbox/test/utils/postgres.js"
import type { BacklogResult, BacklogSample } from "../protocol.js"
import { say } from "../protocol.js"

const [rows, small, smallRounds] = process.argv.slice(2).map(Number) as [number, number, number]

const server = await startPostgres()
if (server === undefined) throw new Error("there is no Postgres for this machine")
const db = new pg.Pool({ connectionString: server.url, max: 8 })
const executor = fromPg(db, { prepare: true })
await migrate(executor)

const body = Buffer.from("{\"topic\":\"t\",\"payload\":{}}")
let filled = 0

/** Four events of each key, one after the other, a quarter of all apart. */
const fill = async (count: number): Promise<void> => {
  await db.query("truncate hookrail_outbox")
  await db.query(
    `insert into hookrail_outbox (id, ordering_key, topic, body)
select ${++filled} || '-' || n, 'k' || n % ${count / 4}, 't', $1::bytea from generate_series(1, $2::int) as n`,
    [body, count]
  )
  await db.query("vacuum analyze hookrail_outbox")
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

const start = (): Promise<Relay> =>
  startRelay({ executor, client: { sendEncoded: () => Promise.resolve({ replayed: false }) } })

const drain = async (count: number, parts: number): Promise<ReadonlyArray<BacklogSample>> => {
  await fill(count)
  const samples: Array<BacklogSample> = []
  const relay = await start()
  let [from, done] = [performance.now(), 0]
  for (let part = 1; part <= parts; part++) {
    lowest = Infinity
    await reached(relay, Math.floor(count / parts * part))
    const { acked } = relay.stats()
    const now = performance.now()
    const millisPerThousand = (now - from) / (acked - done) * 1_000
    samples.push({
      events: acked,
      millisPerThousand,
      heapUsedBytes: lowest,
      rssBytes: process.memoryUsage.rss(),
      ...await sizes()
    })
    ;[from, done] = [now, acked]
  }
  await relay.drain()
  return samples
}

await drain(small, 1)
const smallMillis: Array<number> = []
for (let round = 0; round < smallRounds; round++) smallMillis.push((await drain(small, 1))[0]!.millisPerThousand)
const samples = await drain(rows, 10)
const { rows: [left] } = await db.query<{ readonly n: string }>("select count(*) as n from hookrail_outbox")
// What the next backlog gets, without anybody rewriting the table.
await db.query("vacuum hookrail_outbox")
const result: BacklogResult = { rows, small, smallMillis, samples, left: Number(left!.n), vacuumed: await sizes() }
await db.end()
await server.close()
say(result)
process.exit()
