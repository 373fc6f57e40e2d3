/** The same questions to each driver, in the transaction of its own: commit, rollback, bytes, refusal. */
import { PGlite } from "@electric-sql/pglite"
import * as libsqlClient from "@libsql/client"
import { sql } from "drizzle-orm"
import { drizzle as drizzleLibsql } from "drizzle-orm/libsql"
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres"
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js"
import knex from "knex"
import { Kysely, PostgresDialect } from "kysely"
import postgresJs from "postgres"
import { DataSource } from "typeorm"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  DatabaseError,
  discardEvent,
  enqueue,
  enqueueMany,
  enqueueSync,
  type Executor,
  fromDrizzle,
  fromKnex,
  fromKysely,
  fromLibsqlClient,
  fromPg,
  fromPglite,
  fromPostgresJs,
  fromSqlite,
  fromTypeOrm,
  KeyConflictError,
  listEvents,
  migrate,
  outboxStats,
  SchemaError,
  TransactionRequiredError
} from "../src/index.js"
import { bytesOf, numberOf, textOf } from "../src/sql/values.js"
import { postgresDatabase, server, sqliteFile } from "./utils/engines.js"
import { rejects } from "./utils/failures.js"

interface Driver {
  /** Over a pool or a database: in no transaction. */
  readonly outside: Executor
  /** Runs work in a transaction; one that rejects is rolled back. */
  readonly transaction: (work: (executor: Executor) => Promise<unknown>) => Promise<unknown>
  readonly close?: () => Promise<unknown>
}

const withPg = async (): Promise<Driver> => {
  const { pool } = await postgresDatabase()
  return {
    outside: fromPg(pool),
    transaction: async (work) => {
      const client = await pool.connect()
      try {
        await client.query("begin")
        await work(fromPg(client))
        await client.query("commit")
      } catch (error) {
        await client.query("rollback")
        throw error
      } finally {
        client.release()
      }
    }
  }
}

const drivers: Record<string, () => Promise<Driver>> = {
  "pg": withPg,
  "pg, prepared": async () => {
    const { pool } = await postgresDatabase()
    return {
      outside: fromPg(pool, { prepare: true }),
      transaction: async (work) => {
        const client = await pool.connect()
        try {
          await client.query("begin")
          await work(fromPg(client, { prepare: true }))
          await client.query("commit")
        } catch (error) {
          await client.query("rollback")
          throw error
        } finally {
          client.release()
        }
      }
    }
  },
  "postgres.js": async () => {
    const { url } = await postgresDatabase()
    const db = postgresJs(url, { max: 3, onnotice: () => {} })
    return {
      outside: fromPostgresJs(db),
      transaction: (work) => db.begin((tx) => work(fromPostgresJs(tx))),
      close: () => db.end()
    }
  },
  "postgres.js, not prepared": async () => {
    const { url } = await postgresDatabase()
    const db = postgresJs(url, { max: 3, onnotice: () => {}, prepare: false })
    return {
      outside: fromPostgresJs(db),
      transaction: (work) => db.begin((tx) => work(fromPostgresJs(tx, { prepare: false }))),
      close: () => db.end()
    }
  },
  "Kysely": async () => {
    const { pool } = await postgresDatabase()
    const db = new Kysely<object>({ dialect: new PostgresDialect({ pool }) })
    return { outside: fromKysely(db), transaction: (work) => db.transaction().execute((trx) => work(fromKysely(trx))) }
  },
  "Knex": async () => {
    const { url } = await postgresDatabase()
    const db = knex({ client: "pg", connection: url, pool: { min: 0, max: 3 } })
    return {
      outside: fromKnex(db),
      transaction: (work) => db.transaction((trx) => work(fromKnex(trx))),
      close: () => db.destroy()
    }
  },
  "TypeORM": async () => {
    const { url } = await postgresDatabase()
    const db = await new DataSource({ type: "postgres", url }).initialize()
    return {
      outside: fromTypeOrm(db.manager),
      transaction: (work) => db.transaction((manager) => work(fromTypeOrm(manager))),
      close: () => db.destroy()
    }
  },
  "Drizzle over pg": async () => {
    const { pool } = await postgresDatabase()
    const db = drizzlePg(pool)
    return { outside: fromDrizzle(db, sql), transaction: (work) => db.transaction((tx) => work(fromDrizzle(tx, sql))) }
  },
  "Drizzle over postgres.js": async () => {
    const { url } = await postgresDatabase()
    const client = postgresJs(url, { max: 3, onnotice: () => {} })
    const db = drizzlePostgresJs(client)
    return {
      outside: fromDrizzle(db, sql),
      transaction: (work) => db.transaction((tx) => work(fromDrizzle(tx, sql))),
      close: () => client.end()
    }
  },
  "PGlite": async () => {
    const db = new PGlite()
    return {
      outside: fromPglite(db),
      transaction: (work) => db.transaction((tx) => work(fromPglite(tx))),
      close: () => db.close()
    }
  },
  "libsql": async () => {
    const { db } = sqliteFile()
    return {
      outside: fromSqlite(db),
      transaction: async (work) => {
        db.exec("begin immediate")
        try {
          await work(fromSqlite(db))
          db.exec("commit")
        } catch (error) {
          db.exec("rollback")
          throw error
        }
      }
    }
  },
  "@libsql/client": async () => {
    const db = libsqlClient.createClient({ url: `file:${sqliteFile().file}` })
    return {
      outside: fromLibsqlClient(db),
      transaction: async (work) => {
        const tx = await db.transaction("write")
        try {
          await work(fromLibsqlClient(tx))
          await tx.commit()
        } finally {
          tx.close()
        }
      }
    }
  },
  "Drizzle over libSQL": async () => {
    const db = drizzleLibsql(libsqlClient.createClient({ url: `file:${sqliteFile().file}` }))
    return { outside: fromDrizzle(db, sql), transaction: (work) => db.transaction((tx) => work(fromDrizzle(tx, sql))) }
  }
}

const needsServer = (name: string): boolean => !/PGlite|libsql/i.test(name)

const text = "{\"topic\":\"orders.created\",\"payload\":{\"b\":\"é\\u0001\",\"a\":[1,null],\"ordering_key\":\"ключ\"}}"
const event = { topic: "orders.created", payload: { b: "é\u0001", a: [1, null], ordering_key: "ключ" } }

for (const [name, open] of Object.entries(drivers)) {
  describe.skipIf(needsServer(name) && server === undefined)(name, () => {
    let driver: Driver

    beforeAll(async () => {
      driver = await open()
      await rejects(driver.transaction((tx) => enqueue(tx, event)), SchemaError)
      await migrate(driver.outside)
    }, 30_000)

    afterAll(() => driver.close?.())

    const rows = () => driver.outside.execute("select * from hookrail_outbox order by seq", [])

    const empty = async (): Promise<void> => void await driver.outside.execute("delete from hookrail_outbox", [])

    it("stores the bytes that a client would send, at the commit", async () => {
      const before = Date.now()
      await driver.transaction(async (tx) => {
        const { idempotencyKey } = await enqueue(tx, event)
        assert.match(idempotencyKey, /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
        await enqueue(tx, { topic: "t", payload: null, idempotencyKey: "k", orderingKey: "o" }, {
          destination: "other"
        })
      })
      const [first, second, ...rest] = await rows()
      assert.lengthOf(rest, 0)
      assert.strictEqual(new TextDecoder().decode(bytesOf(first!, "body")), text)
      assert.strictEqual(textOf(first!, "ordering_key"), "ключ")
      assert.strictEqual(new TextDecoder().decode(bytesOf(second!, "body")), "{\"topic\":\"t\",\"payload\":null}")
      assert.deepInclude(second, { id: "k", ordering_key: "o", destination: "other", traceparent: null })
      assert.strictEqual(numberOf(second!, "attempts"), 0)
      const [summary] = await listEvents(driver.outside, { state: "waiting" })
      assert.deepInclude(summary, { topic: "orders.created", bytes: Buffer.byteLength(text), destination: "default" })
      assert.isAtLeast(summary!.createdAt, before - 60_000)
      await empty()
    })

    it("keeps nothing of a transaction that is rolled back", async () => {
      const error = await rejects(
        driver.transaction(async (tx) => {
          await enqueueMany(tx, [event, { topic: "t", payload: 1, orderingKey: "b" }])
          throw new RangeError("no")
        }),
        RangeError
      )
      assert.strictEqual(error.message, "no")
      assert.lengthOf(await rows(), 0)
    })

    it("refuses what is no transaction", async () => {
      const error = await rejects(enqueue(driver.outside, event), TransactionRequiredError)
      assert.match(error.message, /Begin one/)
      assert.lengthOf(await rows(), 0)
    })

    it("stores an event under one key once, and refuses another one under it", async () => {
      const mine = { ...event, idempotencyKey: "order-1" }
      await driver.transaction((tx) => enqueue(tx, mine))
      await driver.transaction((tx) => enqueue(tx, mine))
      // To another destination it is another event.
      await driver.transaction((tx) => enqueue(tx, mine, { destination: "other" }))
      assert.lengthOf(await rows(), 2)
      for (const other of [{ ...mine, payload: 2 }, { topic: "orders.paid" }]) {
        const error = await rejects(driver.transaction((tx) => enqueue(tx, { ...mine, ...other })), KeyConflictError)
        assert.deepInclude(error, { idempotencyKey: "order-1" })
        assert.notInclude(error.message, "ключ")
      }
      assert.lengthOf(await rows(), 2)
      await empty()
    })

    it("says in which operation the database failed, with the driver's error as the cause", async () => {
      const broken = driver.transaction(async (tx) => {
        await tx.execute("create table scratch (n int)", [])
        await enqueue(
          { ...tx, execute: () => tx.execute("select 1 / n from scratch where (select count(*) from", []) },
          event
        )
      })
      const error = await rejects(broken, DatabaseError)
      assert.match(error.message, /^Enqueueing an event failed in the database/)
      assert.isDefined(error.cause)
    })

    it("runs what an operator runs", async () => {
      await driver.transaction((tx) => enqueue(tx, { ...event, idempotencyKey: "k" }))
      assert.deepInclude(await outboxStats(driver.outside), { pending: 1, parked: 0, blockedKeys: 0, dead: 0 })
      assert.isFalse(await discardEvent(driver.outside, "k"))
      await driver.outside.execute("update hookrail_outbox set parked_reason = 'why'", [])
      assert.isTrue(await discardEvent(driver.outside, "k"))
      assert.lengthOf(await rows(), 0)
    })
  })
}

describe("a driver without promises", () => {
  it("enqueues at once", async () => {
    const { db } = sqliteFile()
    const executor = fromSqlite(db)
    await migrate(executor)
    assert.throws(() => enqueueSync(executor, event), TransactionRequiredError)
    const place = db.transaction((fail: boolean) => {
      enqueueSync(executor, { ...event, idempotencyKey: "k" })
      if (fail) throw new RangeError("no")
    })
    assert.throws(() => place(true), RangeError)
    assert.strictEqual((await outboxStats(executor)).pending, 0)
    place(false)
    assert.strictEqual((await outboxStats(executor)).pending, 1)
    assert.throws(
      () => db.transaction(() => enqueueSync(executor, { ...event, payload: 1, idempotencyKey: "k" }))(),
      KeyConflictError
    )
  })
})
