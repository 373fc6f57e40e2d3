// Runs the examples of docs/inbox.md. In a folder with them: see examples.test.ts.
import { signWebhook } from "@hookrail/emulator"
import { fromPg, migrate } from "@hookrail/outbox"
import pg from "pg"

const pool = new pg.Pool()
await migrate(fromPg(pool))
await pool.query("create table orders (id text, paid boolean)")
await pool.query("create table updates (id text)")
await pool.query("create rule told as on update to orders do also insert into updates values (old.id)")
await pool.query("insert into orders values ('o_1', false), ('o_2', false), ('o_3', false)")

const secret = process.env.HOOKRAIL_WEBHOOK_SECRET
const sign = (id) => signWebhook({ secret, topic: "orders.paid", payload: { order_id: id } })
const deliver = async (webhooks, webhook) => (await webhooks(webhook.toRequest())).status

const { webhooks } = await import("./inTransaction.ts")
const first = sign("o_1")
const inTransaction = [await deliver(webhooks, first), await deliver(webhooks, first)]
const second = sign("o_2")
const atOnce = await Promise.all([1, 2, 3].map(() => deliver(webhooks, second)))

const { db, pay } = await import("./own.ts")
const webhook = { deliveryId: "d", eventId: "e", topic: "orders.paid", payload: { order_id: "o_3" } }
await pay(webhook)
await pay(webhook)
await db.$client.end()

const { webhooks: logged } = await import("./log.ts")
const mail = sign("o_4")
const log = [await deliver(logged, mail), await deliver(logged, mail)]

const { rows: paid } = await pool.query("select id from orders where paid order by id")
const { rows: updates } = await pool.query("select id from updates")
const result = { inTransaction, atOnce, log, paid: paid.map(({ id }) => id), updates: updates.length }
process.stdout.write(`\n${JSON.stringify(result)}\n`, () => process.exit())
