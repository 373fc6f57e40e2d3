import { enqueue, fromDrizzle, migrate, startRelay } from "@hookrail/outbox"
import { Hookrail } from "@hookrail/promise"
import { sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/node-postgres"

export const db = drizzle(process.env.DATABASE_URL!)

await migrate(fromDrizzle(db, sql))
export const relay = await startRelay({ executor: fromDrizzle(db, sql), client: new Hookrail() })

await db.transaction(async (tx) => {
  await tx.execute(sql`insert into orders (id) values (${"o_1"})`)
  await enqueue(fromDrizzle(tx, sql), { topic: "orders.created", payload: { id: "o_1" }, orderingKey: "o_1" })
})
relay.wake()
