// Runs the examples of docs/outbox.md. In a folder with them: see examples.test.ts.
import { Kysely, PostgresDialect } from "kysely"
import pg from "pg"
import { DataSource, EntitySchema } from "typeorm"

const pool = new pg.Pool()
await pool.query("create table orders (n serial, id text)")
await import("./tables.ts")

const { place: withPg } = await import("./pg.ts")
const client = await pool.connect()
await withPg(client, { id: "o_pg" })

const { place: withPostgresJs, sql } = await import("./postgresJs.ts")
await withPostgresJs({ id: "o_postgresJs" })
await sql.end()

const { db } = await import("./drizzle.ts")
await db.$client.end()

const { place: withKysely } = await import("./kysely.ts")
await withKysely(new Kysely({ dialect: new PostgresDialect({ pool }) }), { id: "o_kysely" })

const { db: knex } = await import("./knex.ts")
await knex.destroy()

const { place: withTypeOrm } = await import("./typeOrm.ts")
const entities = [new EntitySchema({ name: "orders", columns: { id: { type: String, primary: true } } })]
const source = await new DataSource({ type: "postgres", url: process.env.DATABASE_URL, entities }).initialize()
await withTypeOrm(source, { id: "o_typeOrm" })
await source.destroy()

const statement = await import("./statement.ts")
await pool.query(statement.sql, statement.params)

const { created } = await import("./catalogue.ts")
await client.query("begin")
await created(client)
await client.query("commit")
client.release()

const { rows: orders } = await pool.query("select id from orders order by n")
const { rows: events } = await pool.query("select topic, ordering_key from hookrail_outbox order by seq")
await pool.end()
const result = events.map(({ ordering_key: key, topic: event }, n) => ({ order: orders[n]?.id, event, key }))
console.log(JSON.stringify(result))
