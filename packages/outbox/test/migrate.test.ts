import { assert, describe, it } from "vitest"
import {
  DatabaseError,
  enqueue,
  type Executor,
  fromPg,
  fromSqlite,
  migrate,
  migrationSql,
  OutboxConfigError,
  outboxStats,
  requireSchema,
  SchemaError,
  schemaStatus
} from "../src/index.js"
import { currentVersion } from "../src/sql/schema.js"
import { postgresDatabase, server, sqliteFile } from "./utils/engines.js"
import { failure, rejects } from "./utils/failures.js"

const engines: ReadonlyArray<readonly [string, () => Promise<Executor>]> = [
  ["Postgres", async () => fromPg((await postgresDatabase()).pool)],
  ["SQLite", async () => fromSqlite(sqliteFile().db)]
]

for (const [name, open] of engines) {
  describe.skipIf(name === "Postgres" && server === undefined)(`the tables, in ${name}`, () => {
    it("are missing, then current; a second time there is nothing to do", async () => {
      const executor = await open()
      assert.deepStrictEqual(await schemaStatus(executor), {
        state: "missing",
        version: undefined,
        needed: currentVersion
      })
      const error = await rejects(requireSchema(executor), SchemaError)
      assert.match(error.message, /no table hookrail_outbox. Run the migrations/)
      assert.deepStrictEqual(await migrate(executor), { applied: [1] })
      assert.deepStrictEqual(await schemaStatus(executor), {
        state: "current",
        version: currentVersion,
        needed: currentVersion
      })
      await requireSchema(executor)
      assert.deepStrictEqual(await migrate(executor), { applied: [] })
    })

    it("are made once by many at the same time", async () => {
      const executor = await open()
      await Promise.all(Array.from({ length: 8 }, () => migrate(executor)))
      assert.strictEqual((await schemaStatus(executor)).state, "current")
    })

    it("have names of your choice", async () => {
      const executor = await open()
      await migrate(executor, { prefix: "shop_" })
      assert.strictEqual((await schemaStatus(executor)).state, "missing")
      assert.strictEqual((await schemaStatus(executor, { prefix: "shop_" })).state, "current")
      assert.strictEqual((await outboxStats(executor, { prefix: "shop_" })).pending, 0)
    })

    it("are the same by the text", async () => {
      const [executor, other] = [await open(), await open()]
      await migrate(executor)
      const separator = "--> statement-breakpoint"
      const text = migrationSql({ dialect: other.dialect, separator })
      // Twice: each statement can be run again.
      for (const sql of [...text.split(separator), ...text.split(separator)]) await other.execute(sql, [])
      assert.strictEqual((await schemaStatus(other)).state, "current")
      assert.deepStrictEqual(await shapeOf(other), await shapeOf(executor))
    })

    it("of a newer version are left alone, and of an older one say what to do", async () => {
      const executor = await open()
      await migrate(executor)
      await executor.execute(`insert into hookrail_schema (version) values (${currentVersion + 1})`, [])
      const newer = await rejects(migrate(executor), SchemaError)
      assert.deepInclude(newer, { problem: "newer", version: currentVersion + 1 })
      assert.match(newer.message, /Update the package/)
      await executor.execute("update hookrail_schema set version = 0 where version = 1", [])
      await executor.execute(`delete from hookrail_schema where version = ${currentVersion + 1}`, [])
      const older = await rejects(requireSchema(executor), SchemaError)
      assert.deepInclude(older, { problem: "older", version: 0 })
      assert.match(older.message, /Run the migrations/)
    })

    it("that lack a column are older ones, for whoever uses them", async () => {
      const executor = await open()
      await migrate(executor)
      await executor.execute("alter table hookrail_outbox drop column traceparent", [])
      const handle = { ...executor, inTransaction: () => undefined }
      const older = await rejects(enqueue(handle, { topic: "t", payload: 1 }), SchemaError)
      assert.deepInclude(older, { problem: "older", version: undefined })
      assert.isDefined(older.cause)
    })
  })
}

describe.skipIf(server === undefined)("the procedure, in Postgres", () => {
  it("is named by the error if it is missing; what is prepared does not need it", async () => {
    const { pool } = await postgresDatabase()
    await migrate(fromPg(pool))
    await pool.query("drop procedure hookrail_enqueue")
    const inTransaction = () => undefined
    const error = await rejects(
      enqueue({ ...fromPg(pool), inTransaction }, { topic: "t", payload: 1 }),
      SchemaError
    )
    assert.strictEqual(error.problem, "missing")
    assert.match(error.message, /no procedure hookrail_enqueue. Run the migrations/)
    await enqueue({ ...fromPg(pool, { prepare: true }), inTransaction }, { topic: "t", payload: 1 })
    assert.strictEqual((await outboxStats(fromPg(pool))).pending, 1)
  })

  it("needs no more rights than the table", async () => {
    const { pool } = await postgresDatabase()
    await migrate(fromPg(pool), { schema: "events" })
    const role = `r_${Math.random().toString(36).slice(2)}`
    await pool.query(`create role ${role}; grant usage on schema events to ${role};
grant select, insert, update on events.hookrail_outbox to ${role}`)
    const client = await pool.connect()
    await client.query(`begin; set local role ${role}`)
    for (const idempotencyKey of [undefined, "k", "k"]) {
      await enqueue(fromPg(client), { topic: "t", payload: 1, idempotencyKey, orderingKey: "o" }, { schema: "events" })
    }
    await client.query("commit; revoke execute on procedure events.hookrail_enqueue from public")
    await client.query(`begin; set local role ${role}`)
    const error = await rejects(
      enqueue(fromPg(client), { topic: "t", payload: 1 }, { schema: "events" }),
      DatabaseError
    )
    assert.match(error.message, /on the procedure EXECUTE/)
    client.release(true)
    assert.strictEqual((await outboxStats(fromPg(pool), { schema: "events" })).pending, 2)
  })
})

describe("names", () => {
  it.each(["A", "a-b", "1a", "a.b", "a\"", "", "x".repeat(41), "a; drop table t", 1])(
    "%s is refused",
    async (schema) => {
      for (const options of [{ schema }, { prefix: schema }]) {
        const error = await failure(async () => migrationSql({ dialect: "postgres", ...options as object }))
        assert.instanceOf(error, OutboxConfigError)
      }
    }
  )
})

describe.skipIf(server === undefined)("a schema, in Postgres", () => {
  it("is created with the tables, and needs no permission if it is there", async () => {
    const { pool } = await postgresDatabase()
    await migrate(fromPg(pool), { schema: "events" })
    assert.strictEqual((await schemaStatus(fromPg(pool), { schema: "events" })).state, "current")
    const missing = await rejects(outboxStats(fromPg(pool), { schema: "elsewhere" }), SchemaError)
    assert.deepInclude(missing, { problem: "missing" })
    assert.match(missing.message, /elsewhere\.hookrail_outbox/)
    const role = `r_${Math.random().toString(36).slice(2)}`
    await pool.query(`create role ${role}; create schema own authorization ${role}`)
    const client = await pool.connect()
    await client.query(`set role ${role}`)
    await migrate(fromPg(client), { schema: "own" })
    client.release(true)
  })
})

/** The columns and indexes of all tables. */
const shapeOf = async (executor: Executor): Promise<unknown> =>
  executor.dialect === "postgres"
    ? [
      await executor.execute(
        "select table_name, column_name, data_type, column_default, is_nullable from information_schema.columns " +
          "where table_schema = 'public' order by 1, 2",
        []
      ),
      await executor.execute("select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1", []),
      await executor.execute("select pg_get_functiondef('hookrail_enqueue'::regproc) as definition", [])
    ]
    : await executor.execute("select name, sql from sqlite_master order by name", [])
