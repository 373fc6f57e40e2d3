/**
 * The contenders of the section "relay": what a relay does, next to bare loops over `pg` with prepared statements that keep no
 * order. All in milliseconds per thousand events.
 */
import { fromPg, migrate, startRelay } from "@hookrail/outbox"
import { Hookrail } from "@hookrail/promise"
import pg from "pg"
import { Pool } from "undici"
import type * as options from "../../../outbox/src/relay/options.js"
import type * as store from "../../../outbox/src/relay/store.js"
import { startPostgres } from "../../../outbox/test/utils/postgres.js"
import { apiKey, payload, topic } from "../payload.js"
import { say } from "../protocol.js"

/** What is not exported, as it was built. */
const built = (module: string): Promise<unknown> =>
  import(new URL(`../../../outbox/dist/relay/${module}.js`, import.meta.url).href)
const { settingsOf } = await built("options") as typeof options
const { Store } = await built("store") as typeof store

const [roundsText, eventsText, url] = process.argv.slice(2) as [string, string, string]
const [rounds, events] = [Number(roundsText), Number(eventsText)]

const atOnce = 256
const inFlight = 32
const size = { lanes: 64, run: 8 }

const server = await startPostgres()
if (server === undefined) throw new Error("there is no Postgres for this machine")
const db = new pg.Pool({ connectionString: server.url, max: 8 })
const executor = fromPg(db, { prepare: true })
await migrate(executor)
// What one writes by hand: the same columns, without what keeps the order.
await db.query(`create table bare (
  seq bigint generated always as identity primary key, id text not null unique, ordering_key text, topic text not null,
  body bytea not null, available_at timestamptz not null default clock_timestamp(), attempts int not null default 0
)`)
await db.query("alter table bare set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000)")

const body = Buffer.from(JSON.stringify({ topic, payload }))
let filled = 0

/** Fills a table: events of so many keys, in turn, or half of them of one key. */
const fill = async (table: "bare" | "hookrail_outbox", count: number, keys: number, isHot = false) => {
  const key = isHot ? `case when n % 2 = 0 then 'hot' else 'k' || n % ${keys} end` : `'k' || n % ${keys}`
  await db.query(
    `insert into ${table} (id, ordering_key, topic, body)
select ${++filled} || '-' || n, ${key}, $1::text, $2::bytea from generate_series(1, $3::int) as n`,
    [topic, body, count]
  )
  await db.query(`vacuum analyze ${table}`)
}

const empty = (table: "bare" | "hookrail_outbox") => db.query(`truncate ${table}`)

interface BareRow {
  readonly seq: string
  readonly id: string
  readonly ordering_key: string
  readonly body: Buffer
}

const bareClaim = async (): Promise<ReadonlyArray<BareRow>> =>
  (await db.query({
    name: "bare_claim",
    text: `update bare set available_at = clock_timestamp() + interval '1 minute', attempts = attempts + 1
where seq in (select seq from bare where available_at <= clock_timestamp() order by seq limit ${atOnce} for update skip locked)
returning seq, id, ordering_key, topic, body, attempts`,
    values: []
  })).rows

const bareAck = (rows: ReadonlyArray<BareRow>): Promise<unknown> =>
  db.query({
    name: "bare_ack",
    text: "delete from bare where seq = any($1::bigint[])",
    values: [rows.map(({ seq }) => seq)]
  })

const bareLoop = async (send: (rows: ReadonlyArray<BareRow>) => Promise<void> = async () => {}): Promise<void> => {
  for (;;) {
    const rows = await bareClaim()
    if (rows.length === 0) return
    await send(rows)
    await bareAck(rows)
  }
}

interface Claims {
  readonly events: number
  /** Of each claim with its ack. */
  readonly millis: ReadonlyArray<number>
}

/** Claims and acknowledges as a relay does, without sending; `limit` events at most. */
const claims = async (limit = Infinity): Promise<Claims> => {
  const ours = new Store(
    executor,
    settingsOf({ executor, client: { sendEncoded: async () => ({ replayed: false }) } })
  )
  const millis: Array<number> = []
  let [count, key, seq] = [0, "", 0]
  for (let n = 0; count < limit; n++) {
    const start = performance.now()
    const { nextKey, nextSeq, taken } = await ours.claim(`me-${n}`, key, seq, size)
    if (taken.length === 0 && key === "" && seq === 0) break
    if (taken.length > 0) await ours.ack(taken.map(({ seq }) => seq))
    millis.push(performance.now() - start)
    count += taken.length
    ;[key, seq] = [nextKey ?? "", nextSeq ?? 0]
  }
  return { events: count, millis }
}

const perThousand = async (count: number, run: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await run()
  return (performance.now() - start) / count * 1_000
}

/** Of the last quarter: there the rows that were deleted have piled up. */
const late = ({ millis }: Claims): number => {
  const last = millis.slice(-Math.ceil(millis.length / 4)).sort((a, b) => a - b)
  return last[last.length >> 1]!
}

const pool = new Pool(url, { connections: inFlight })
const sendBare = async (rows: ReadonlyArray<BareRow>): Promise<void> => {
  let next = 0
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (next < rows.length) {
      const row = rows[next++]!
      const response = await pool.request({
        method: "POST",
        path: "/v1/events",
        headers: {
          authorization: `Bearer ${apiKey}`,
          "content-type": "application/json",
          "idempotency-key": row.id,
          "x-hookrail-ordering-key": row.ordering_key
        },
        body: row.body
      })
      await response.body.json()
    }
  }))
}

const client = new Hookrail({ apiKey, baseUrl: url, onUnmatched: "ignore" })

const sendOurs = async (count: number): Promise<void> => {
  const relay = await startRelay({ executor, client, concurrency: inFlight })
  while (relay.stats().acked < count) await new Promise((resolve) => setTimeout(resolve, 5))
  await relay.drain()
}

const keys = 1_000

/** Each round runs all of them, in this order. */
const contenders: Readonly<Record<string, () => Promise<number>>> = {
  "claim and ack: bare loop, no order": async () => {
    await fill("bare", events, keys)
    return await perThousand(events, () => bareLoop())
  },
  "claim and ack: ours": async () => {
    await fill("hookrail_outbox", events, keys)
    return await perThousand(events, () => claims())
  },
  "send: bare loop with undici, no order": async () => {
    await fill("bare", events / 2, keys)
    return await perThousand(events / 2, () => bareLoop(sendBare))
  },
  "send: ours": async () => {
    await fill("hookrail_outbox", events / 2, keys)
    return await perThousand(events / 2, () => sendOurs(events / 2))
  },
  "one claim: idle": async () => {
    await fill("hookrail_outbox", events, keys)
    return late(await claims())
  },
  "one claim: a transaction held open": async () => {
    await fill("hookrail_outbox", events, keys)
    const held = await db.connect()
    await held.query("begin isolation level repeatable read")
    await held.query("select count(*) from hookrail_outbox")
    try {
      return late(await claims())
    } finally {
      await held.query("rollback")
      held.release()
    }
  },
  "drain: half the backlog on one key": async () => {
    await fill("hookrail_outbox", events, keys, true)
    return await perThousand(events, () => claims())
  }
}

const results: Record<string, Array<number>> = {}
for (let round = -1; round < rounds; round++) {
  for (const [name, run] of Object.entries(contenders)) {
    await empty("bare")
    await empty("hookrail_outbox")
    const millis = await run()
    if (round >= 0) (results[name] ??= []).push(millis)
  }
}

await client.close()
await pool.close()
await db.end()
await server.close()
say(results)
process.exit()
