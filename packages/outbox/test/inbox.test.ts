import { assert, describe, it } from "vitest"
import { deliveryLogContract } from "../src/contract.js"
import {
  DatabaseError,
  type DeliveryLog,
  deliveryLog,
  DeliveryRunningError,
  fromPg,
  fromSqlite,
  isFirstDelivery,
  isFirstDeliverySync,
  migrate,
  OutboxConfigError,
  pgTransactions,
  processInTransaction,
  prune,
  SchemaError,
  TransactionRequiredError
} from "../src/index.js"
import { numberOf } from "../src/sql/values.js"
import { postgresDatabase, server, sqliteFile } from "./utils/engines.js"
import { rejects } from "./utils/failures.js"

const webhook = { deliveryId: "d", eventId: "e", topic: "orders.paid" }

describe.skipIf(server === undefined)("a lease log in Postgres", () => {
  let opened: Promise<{ readonly log: DeliveryLog; readonly other: DeliveryLog }> | undefined
  const open = () =>
    opened ??= postgresDatabase().then(async ({ pool }) => {
      await migrate(fromPg(pool))
      return { log: deliveryLog(fromPg(pool)), other: deliveryLog(fromPg(pool, { prepare: true })) }
    })
  for (const { name, run } of deliveryLogContract(open)) it(name, run)
})

describe("a lease log in SQLite", () => {
  let opened: Promise<{ readonly log: DeliveryLog; readonly other: DeliveryLog }> | undefined
  const open = () =>
    opened ??= (async () => {
      const { db, open } = sqliteFile()
      await migrate(fromSqlite(db))
      return { log: deliveryLog(fromSqlite(db)), other: deliveryLog(fromSqlite(open())) }
    })()
  for (const { name, run } of deliveryLogContract(open)) it(name, run)
})

describe("the contract of a log", () => {
  /** A log that forgets to look at tokens, at leases, or at what is done. */
  const careless = (fault: "tokens" | "leases" | "done" | "race"): DeliveryLog => {
    const claims = new Map<string, { token: string; until: number; done: boolean }>()
    let n = 0
    const holds = (delivery: string, token: string) =>
      claims.has(delivery) && (fault === "tokens" || claims.get(delivery)!.token === token) &&
      !claims.get(delivery)!.done
    return {
      claim: async (delivery, leaseMs) => {
        const found = claims.get(delivery)
        if (fault === "race") await Promise.resolve()
        if (found?.done === true && fault !== "done") return { status: "done" }
        if (found !== undefined && !found.done && (fault === "leases" || found.until > performance.now())) {
          return { status: "running" }
        }
        const token = String(++n)
        claims.set(delivery, { token, until: performance.now() + leaseMs, done: false })
        return { status: "claimed", token }
      },
      renew: async (delivery, token, leaseMs) => {
        if (!holds(delivery, token)) return false
        claims.get(delivery)!.until = performance.now() + leaseMs
        return true
      },
      done: async (delivery, token) => {
        if (holds(delivery, token)) claims.get(delivery)!.done = true
      },
      release: async (delivery, token) => {
        if (holds(delivery, token)) claims.delete(delivery)
      }
    }
  }

  it.each(["tokens", "done", "race"] as const)("finds a log that is careless with %s", async (fault) => {
    const results = await Promise.allSettled(
      deliveryLogContract(() => ({ log: careless(fault) })).map(({ run }) => run())
    )
    assert.include(results.map(({ status }) => status), "rejected")
  })
})

describe.skipIf(server === undefined)("processInTransaction", () => {
  const accounts = async () => {
    const { pool } = await postgresDatabase()
    await migrate(fromPg(pool))
    await pool.query("create table accounts (id text primary key, balance int not null)")
    await pool.query("insert into accounts values ('a', 0)")
    return {
      pool,
      transactions: pgTransactions(pool),
      balance: async () => numberOf((await pool.query("select balance from accounts")).rows[0] as never, "balance")
    }
  }

  it("changes once what the handler changes, of ten deliveries at the same time", async () => {
    const { balance, transactions } = await accounts()
    let runs = 0
    const results = await Promise.all(
      Array.from({ length: 10 }, () =>
        processInTransaction(transactions, webhook, async (tx) => {
          runs++
          // Long enough for the others to come to the same row.
          await tx.query("select pg_sleep(0.05)")
          await tx.query("update accounts set balance = balance + 1")
          return "paid"
        }))
    )
    assert.strictEqual(runs, 1)
    assert.strictEqual(await balance(), 1)
    assert.deepStrictEqual(results.filter(({ status }) => status === "handled"), [{
      status: "handled",
      result: "paid"
    }])
    assert.lengthOf(results.filter(({ status }) => status === "duplicate"), 9)
  })

  it("handles it again after a failure, of the handler or of its connection", async () => {
    const { balance, pool, transactions } = await accounts()
    const handler = (fail: (tx: { readonly query: (sql: string) => Promise<unknown> }) => Promise<unknown>) =>
      processInTransaction(transactions, webhook, async (tx) => {
        await tx.query("update accounts set balance = balance + 1")
        await fail(tx)
      })
    const error = await rejects(
      handler(() => Promise.reject(new RangeError("no"))),
      RangeError
    )
    assert.strictEqual(error.message, "no")
    await rejects(handler((tx) => tx.query("select pg_terminate_backend(pg_backend_pid())")), Error)
    assert.strictEqual(await balance(), 0)
    assert.deepInclude(await handler(() => Promise.resolve()), { status: "handled" })
    assert.deepStrictEqual(await handler(() => Promise.resolve()), { status: "duplicate" })
    assert.strictEqual(await balance(), 1)
    // No connection is left in a transaction.
    const { rows } = await pool.query(
      "select count(*) as n from pg_stat_activity where state like 'idle in transaction%'"
    )
    assert.strictEqual(numberOf(rows[0] as never, "n"), 0)
  })

  it("fails if the handler hides that a statement failed: nothing of it is committed", async () => {
    const { balance, transactions } = await accounts()
    const careless = processInTransaction(transactions, webhook, async (tx) => {
      await tx.query("update accounts set balance = balance + 1")
      await Promise.resolve(tx.query("select 1 / 0")).catch(() => {})
    })
    assert.deepInclude(await rejects(careless, DatabaseError), { code: "25P02" })
    assert.strictEqual(await balance(), 0)
    assert.deepInclude(await processInTransaction(transactions, webhook, () => Promise.resolve()), {
      status: "handled"
    })
  })

  it("takes a duplicate that waits over within moments, when the first one's process dies", async () => {
    const { balance, pool, transactions } = await accounts()
    const first = await pool.connect()
    first.on("error", () => {})
    await first.query("begin")
    assert.isTrue(await isFirstDelivery(fromPg(first), webhook))
    const second = processInTransaction(transactions, webhook, (tx) => tx.query("update accounts set balance = 7"))
    const { rows } = await first.query<{ readonly pid: number }>("select pg_backend_pid() as pid")
    await pool.query("select pg_terminate_backend($1)", [rows[0]!.pid])
    assert.deepInclude(await second, { status: "handled" })
    assert.strictEqual(await balance(), 7)
    first.release(true)
  })

  it("handles a delivery once for each consumer, and under all of its names", async () => {
    const { transactions } = await accounts()
    const run = (delivery: typeof webhook, consumer?: string) =>
      processInTransaction(transactions, delivery, () => Promise.resolve(), { consumer }).then(({ status }) => status)
    assert.strictEqual(await run(webhook), "handled")
    assert.strictEqual(await run(webhook, "mail"), "handled")
    assert.strictEqual(await run(webhook, "mail"), "duplicate")
    assert.strictEqual(await run({ ...webhook, topic: "orders.refunded" }), "handled")
    assert.strictEqual(await run({ ...webhook, eventId: "f" }), "handled")
  })

  it("does not run what a lease log is running, and takes over what it abandoned", async () => {
    const { pool, transactions } = await accounts()
    const log = deliveryLog(fromPg(pool))
    const name = "d.e.orders.paid"
    const claim = await log.claim(name, 60_000)
    const error = await rejects(
      processInTransaction(transactions, webhook, () => Promise.resolve()),
      DeliveryRunningError
    )
    assert.match(error.message, /delivered again later/)
    assert.isTrue(await log.renew(name, (claim as { token: string }).token, -1))
    assert.deepInclude(await processInTransaction(transactions, webhook, () => Promise.resolve()), {
      status: "handled"
    })
    assert.deepStrictEqual(await log.claim(name, 1), { status: "done" })
  })

  it("refuses what is no transaction, and a name that is none", async () => {
    const { pool, transactions } = await accounts()
    await rejects(isFirstDelivery(fromPg(pool), webhook), TransactionRequiredError)
    await rejects(
      processInTransaction(transactions, webhook, () => Promise.resolve(), { consumer: "a b" }),
      OutboxConfigError
    )
    const missing = processInTransaction(transactions, webhook, () => Promise.resolve(), { prefix: "other_" })
    assert.match((await rejects(missing, SchemaError)).message, /other_outbox/)
  })
})

describe("a first delivery in SQLite", () => {
  it("is recorded with the transaction of the handler", async () => {
    const { db } = sqliteFile()
    const executor = fromSqlite(db)
    await migrate(executor)
    assert.throws(() => isFirstDeliverySync(executor, webhook), TransactionRequiredError)
    const handle = db.transaction((fail: boolean): boolean => {
      if (!isFirstDeliverySync(executor, webhook)) return false
      if (fail) throw new RangeError("no")
      return true
    })
    assert.throws(() => handle(true), RangeError)
    assert.strictEqual(handle(false), true)
    assert.strictEqual(handle(false), false)
  })

  it("is forgotten when it is old, but not while it is running", async () => {
    const { db } = sqliteFile()
    const executor = fromSqlite(db)
    await migrate(executor)
    const log = deliveryLog(executor)
    db.exec("begin")
    for (let n = 0; n < 2_500; n++) isFirstDeliverySync(executor, `d${n}`)
    db.exec("commit")
    await log.claim("running", 3_600_000)
    await log.claim("abandoned", -1)
    assert.deepStrictEqual(await prune(executor), { dead: 0, inbox: 0 })
    db.exec("update hookrail_inbox set received_at = received_at - 8 * 24 * 3600000")
    isFirstDeliverySync({ ...executor, inTransaction: () => undefined }, "new")
    assert.deepStrictEqual(await prune(executor), { dead: 0, inbox: 2_501 })
    assert.deepStrictEqual(await log.claim("running", 1), { status: "running" })
    assert.deepStrictEqual(await log.claim("new", 1), { status: "done" })
  })
})
