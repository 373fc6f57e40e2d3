import { enqueue, fromKysely, migrate, startRelay } from "@hookrail/outbox"
import { Hookrail } from "@hookrail/promise"
import { Kysely, PostgresDialect } from "kysely"
import { Pool } from "pg"

const pool = new Pool({ connectionString: process.env.DATABASE_URL })
export const db = new Kysely<{ orders: { id: string } }>({ dialect: new PostgresDialect({ pool }) })

await migrate(fromKysely(db))
export const relay = await startRelay({ executor: fromKysely(db), client: new Hookrail() })

await db.transaction().execute(async (trx) => {
  await trx.insertInto("orders").values({ id: "o_1" }).execute()
  await enqueue(fromKysely(trx), { topic: "orders.created", payload: { id: "o_1" }, orderingKey: "o_1" })
})
relay.wake()
