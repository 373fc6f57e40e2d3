/** A prepared statement keeps its plan: what is good for an empty table reads all of a full one. */
import { assert, describe, it, onTestFinished, vi } from "vitest"
import { type Executor, fromPg, migrate } from "../src/index.js"
import { settingsOf } from "../src/relay/options.js"
import { Store } from "../src/relay/store.js"
import { postgresDatabase, server } from "./utils/engines.js"

const size = { lanes: 64, run: 8 }

const storeOver = (executor: Executor): Store =>
  new Store(executor, settingsOf({ executor, client: { sendEncoded: async () => ({ replayed: false }) } }))

describe.skipIf(server === undefined)("plans of prepared statements", () => {
  const open = async () => {
    const { pool } = await postgresDatabase()
    await migrate(fromPg(pool))
    // As it is until the database finds the time.
    await pool.query("alter table hookrail_outbox set (autovacuum_enabled = false)")
    const client = await pool.connect()
    onTestFinished(() => client.release(true))
    const statements: Array<string> = []
    const over = (prepare: boolean): Executor => {
      const executor = fromPg(client, { prepare })
      return {
        ...executor,
        execute: (sql, params) => {
          statements.push(sql)
          return executor.execute(sql, params)
        }
      }
    }
    const fill = (count: number) =>
      client.query(
        `insert into hookrail_outbox (id, ordering_key, topic, body)
select gen_random_uuid(), 'k' || n, 't', '\\x00' from generate_series(1, $1::int) as n`,
        [count]
      )
    /** Whether the plan that is kept of the claim reads the whole table. */
    const readsAll = async (): Promise<boolean> => {
      const { rows: [kept] } = await client.query<{ readonly name: string }>(
        "select name from pg_prepared_statements where statement like 'with recursive gate_open%'"
      )
      const { rows } = await client.query<{ readonly "QUERY PLAN": string }>(
        `explain execute ${kept!.name}('default', '', 0, 60000, 'me')`
      )
      return rows.some((row) => row["QUERY PLAN"].includes("Seq Scan on hookrail_outbox"))
    }
    const discarded = () => statements.filter((sql) => sql === "discard plans").length
    return { over, fill, readsAll, discarded }
  }

  /** Lets each statement seem to take so long. */
  const taking = (millis: number): void => {
    let now = 0
    const spy = vi.spyOn(performance, "now").mockImplementation(() => now += millis)
    onTestFinished(() => spy.mockRestore())
  }

  it("are made anew once a claim of many events is slow", async () => {
    const { discarded, fill, over, readsAll } = await open()
    const store = storeOver(over(true))
    // Postgres keeps a plan from the sixth time on.
    for (let n = 0; n < 8; n++) await store.claim("me", "", 0, size)
    await fill(20_000)
    assert.isTrue(await readsAll())
    taking(2_000)
    const { taken } = await store.claim("me", "", 0, size)
    assert.isAtLeast(taken.length, size.lanes)
    assert.strictEqual(discarded(), 1)
    assert.isFalse(await readsAll())
  })

  it("are left alone while claims are fast, or few events wait, or nothing is prepared", async () => {
    const { discarded, fill, over } = await open()
    taking(1)
    await fill(200)
    await storeOver(over(true)).claim("me", "", 0, size)
    taking(2_000)
    await storeOver(over(false)).claim("me", "", 0, size)
    await storeOver(over(true)).claim("me", "", 0, { lanes: 1_000, run: 1 })
    assert.strictEqual(discarded(), 0)
  })

  it("are not made anew again and again by a relay whose network is slow", async () => {
    const { discarded, over } = await open()
    const store = storeOver(over(true))
    taking(2_000)
    const seqs = Array.from({ length: 100 }, (_, n) => n)
    for (let n = 0; n < 30; n++) await store.ack(seqs)
    assert.strictEqual(discarded(), 10)
  })
})
