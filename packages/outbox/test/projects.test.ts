/** The programs of docs/relay.md, as they stand there, against a database and a server. */
import { readFileSync } from "node:fs"
import type { Pool } from "pg"
import { assert, describe, it, onTestFinished, vi } from "vitest"
import type { Relay } from "../src/index.js"
import { startServer } from "./ledger/stub.js"
import { postgresDatabase, server as postgres } from "./utils/engines.js"
import { eventually } from "./utils/relays.js"

const page = readFileSync(new URL("../../../docs/relay.md", import.meta.url), "utf8")

interface Project {
  readonly relay: Relay
  readonly db: { readonly destroy?: () => Promise<void>; readonly $client?: Pool }
}

const projects: Record<string, () => Promise<Project>> = {
  drizzle: () => import("./projects/drizzle.js") as never,
  kysely: () => import("./projects/kysely.js")
}

describe("an existing project", () => {
  it.each(Object.keys(projects))("with %s is in the documentation", (name) => {
    const text = readFileSync(new URL(`./projects/${name}.ts`, import.meta.url), "utf8")
    assert.include(page, `\`\`\`ts\n${text}\`\`\``)
  })

  it.skipIf(postgres === undefined).each(Object.entries(projects))("with %s sends its events", async (_, start) => {
    const { pool, url } = await postgresDatabase()
    await pool.query("create table orders (id text primary key)")
    const server = await startServer(() => 0.5, 1)
    vi.stubEnv("DATABASE_URL", url)
    vi.stubEnv("HOOKRAIL_API_KEY", "hk_test")
    vi.stubEnv("HOOKRAIL_BASE_URL", server.url)
    onTestFinished(async () => {
      vi.unstubAllEnvs()
      await server.close()
    })
    const { db, relay } = await start()
    await eventually(() => relay.stats().acked === 1)
    assert.isTrue(await relay.drain())
    assert.strictEqual(server.accepted[0]!.body, "{\"topic\":\"orders.created\",\"payload\":{\"id\":\"o_1\"}}")
    assert.lengthOf((await pool.query("select id from orders")).rows, 1)
    await (db.destroy?.() ?? db.$client?.end())
  })
})
