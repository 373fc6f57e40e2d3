/** What a newcomer gets wrong: each mistake is an error of this package that says what to do, and nothing is lost by it. */
import Database from "libsql"
import { assert, describe, it, vi } from "vitest"
import * as Outbox from "../src/index.js"
import { fromSqlite, migrate, OutboxConfigError, type OutboxEvent } from "../src/index.js"
import { platform, startRelayWith } from "../src/relay/relay.js"
import { failure } from "./utils/failures.js"
import { Stub } from "./utils/relays.js"

/** Callers without types. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const untyped = Outbox as any

const event: OutboxEvent = { topic: "orders.created", payload: { id: 1 } }

const opened = async () => {
  const db = new Database(":memory:")
  const executor = fromSqlite(db)
  await migrate(executor)
  return { db, executor, tx: { ...executor, inTransaction: () => true } }
}

const count = (db: Database.Database): number =>
  (db.prepare("select count(*) as n from hookrail_outbox").get() as { readonly n: number }).n

/** The message of the error of a call that throws or rejects. */
const told = async (run: () => unknown): Promise<string> => {
  const error = await failure(async () => await run())
  assert.isTrue(
    typeof (error as { readonly _tag?: unknown })._tag === "string",
    `not of this package: ${String(error)}`
  )
  return (error as Error).message
}

describe("mistakes", () => {
  it("a handle of the wrong kind is refused where it is given", async () => {
    const handles: Readonly<Record<string, ReadonlyArray<unknown>>> = {
      fromPg: [undefined, "postgres://localhost/shop", class Pool {}, new Database(":memory:")],
      fromPostgresJs: [undefined, "postgres://localhost/shop", { query: () => {} }],
      fromPglite: [undefined, {}],
      fromSqlite: ["app.db", undefined, { query: () => {} }],
      fromLibsqlClient: ["file:app.db", { query: () => {} }],
      fromKysely: [{}, undefined],
      fromKnex: [{}, undefined],
      fromTypeOrm: [{}, undefined],
      fromPrisma: [{}, undefined],
      pgTransactions: [undefined, "postgres://localhost/shop"],
      postgresJsTransactions: [undefined, {}],
      pgliteTransactions: [{}],
      kyselyTransactions: [{}],
      knexTransactions: [{}],
      typeOrmTransactions: [{}],
      prismaTransactions: [{}],
      libsqlTransactions: [{}]
    }
    for (const [name, wrong] of Object.entries(handles)) {
      for (const handle of wrong) assert.include(await told(() => untyped[name](handle)), name)
    }
    assert.include(await told(() => untyped.fromDrizzle({}, () => {})), "fromDrizzle")
    assert.include(await told(() => untyped.fromDrizzle({ execute: () => {} })), "sql of drizzle-orm")
    assert.include(await told(() => untyped.fromPg(Promise.resolve({ query: () => {} }))), "a Promise: await it first")
    const inUse = { connect: () => {}, query: () => {}, release: () => {} }
    assert.include(await told(() => untyped.pgTransactions(inUse)), "a Pool of pg")
    assert.include(await told(() => untyped.fromKysely({ executeQuery: () => {} }, "pg")), "\"postgres\" or \"sqlite\"")
  })

  it("a client of pg that was never connected does not hang", async () => {
    const client = { _connected: false, _connecting: false, query: () => new Promise<never>(() => {}) }
    assert.include(await told(() => migrate(Outbox.fromPg(client))), "await client.connect() first")
  })

  it("a handle where an executor belongs is refused", async () => {
    const pool = { query: () => Promise.resolve({ rows: [] }) }
    const calls: Readonly<Record<string, (it: unknown) => unknown>> = {
      migrate: (it) => untyped.migrate(it),
      schemaStatus: (it) => untyped.schemaStatus(it),
      requireSchema: (it) => untyped.requireSchema(it),
      enqueue: (it) => untyped.enqueue(it, event),
      enqueueMany: (it) => untyped.enqueueMany(it, [event]),
      enqueueSync: (it) => untyped.enqueueSync(it, event),
      outboxStats: (it) => untyped.outboxStats(it),
      listEvents: (it) => untyped.listEvents(it),
      blockedKeys: (it) => untyped.blockedKeys(it),
      retryEvent: (it) => untyped.retryEvent(it, "k"),
      discardEvent: (it) => untyped.discardEvent(it, "k"),
      prune: (it) => untyped.prune(it),
      isFirstDelivery: (it) => untyped.isFirstDelivery(it, "d"),
      isFirstDeliverySync: (it) => untyped.isFirstDeliverySync(it, "d"),
      deliveryLog: (it) => untyped.deliveryLog(it)
    }
    for (const [name, call] of Object.entries(calls)) {
      for (const it of [undefined, pool, event]) assert.include(await told(() => call(it)), "fromPg", name)
    }
  })

  it("an option that does not exist is refused, and nothing is done", async () => {
    const { db, executor, tx } = await opened()
    const calls: ReadonlyArray<readonly [call: () => unknown, meant: string]> = [
      [() => untyped.migrate(executor, { prefx: "other_" }), "prefix"],
      [() => untyped.migrationSql({ dialect: "postgres", shema: "events" }), "schema"],
      [() => untyped.enqueue(tx, event, { destinaton: "eu" }), "destination"],
      [() => untyped.enqueue(tx, event, { idempotencyKey: "k" }), "is a member of the event"],
      [() => untyped.enqueueMany(tx, [event], { orderingKey: "k" }), "is a member of the event"],
      [() => untyped.enqueueSync(tx, event, { notfy: true }), "notify"],
      [() => untyped.outboxStatement(event, { dialect: "sqlite", prfix: "a_" }), "prefix"],
      [() => untyped.outboxStats(executor, { destinaton: "eu" }), "destination"],
      [() => untyped.listEvents(executor, { satte: "dead" }), "state"],
      [() => untyped.blockedKeys(executor, { limits: 1 }), "limit"],
      [() => untyped.retryEvent(executor, "k", { destinaton: "eu" }), "destination"],
      [() => untyped.discardEvent(executor, "k", { destinaton: "eu" }), "destination"],
      [() => untyped.prune(executor, { deadOlderThan: 1 }), "deadOlderThanMs"],
      [() => untyped.isFirstDelivery(tx, "d", { consumr: "a" }), "consumer"],
      [() => untyped.deliveryLog(executor, { leaseMs: 1 }), "consumer"],
      [() => untyped.startRelay({ client: new Stub(), executor, concurency: 4 }), "concurrency"],
      [() => untyped.startRelay({ client: new Stub(), executor, poll: { maxMilis: 4 } }), "maxMs"]
    ]
    for (const [call, meant] of calls) assert.include(await told(call), meant)
    assert.strictEqual(count(db), 0)
  })

  it("what is no event is refused, and nothing is lost", async () => {
    const { db, tx } = await opened()
    const calls: ReadonlyArray<readonly [event: unknown, says: string]> = [
      [undefined, "The event was not enqueued. event: it must be an object"],
      ["orders.created", "it must be an object"],
      [Promise.resolve(event), "await it first"],
      [{ ...event, idempotency_key: "k" }, "did you mean idempotencyKey?"],
      [{ ...event, ordering_key: "k" }, "did you mean orderingKey?"],
      [{ payload: {} }, "The event was not enqueued. topic"]
    ]
    for (const [it, says] of calls) {
      assert.include(await told(() => untyped.enqueue(tx, it)), says)
      assert.include(await told(() => untyped.enqueueMany(tx, [it])), says)
      assert.include(await told(() => untyped.outboxStatement(it, { dialect: "postgres" })), says)
    }
    assert.include(await told(() => untyped.enqueueMany(tx, event)), "events: it must be a list")
    assert.include(await told(() => untyped.enqueueMany(tx, undefined)), "events: it must be a list")
    assert.include(await told(() => untyped.enqueueMany(tx, "orders.created")), "events: it must be a list")
    assert.strictEqual(count(db), 0)
  })

  it("a dialect is asked for", async () => {
    for (const call of [untyped.migrationSql, (it: unknown) => untyped.outboxStatement(event, it)]) {
      for (const wrong of [undefined, "postgres", {}, { dialect: "pg" }]) {
        assert.match(await told(() => call(wrong)), /dialect/)
      }
    }
  })

  it("enqueueSync needs a driver that does not wait", async () => {
    const { executor } = await opened()
    const { executeSync: _, ...waiting } = executor
    assert.include(
      await told(() => untyped.enqueueSync({ ...waiting, inTransaction: () => true }, event)),
      "use enqueue"
    )
    assert.include(
      await told(() => untyped.isFirstDeliverySync({ ...waiting, inTransaction: () => true }, "d")),
      "fromSqlite"
    )
  })

  it("what is no delivery is never taken for one that was handled", async () => {
    const { tx } = await opened()
    const webhook = { deliveryId: "d_1", eventId: "e_1", topic: "orders.paid" }
    const transactions = { run: (work: (executor: unknown, tx: unknown) => Promise<unknown>) => work(tx, {}) }
    const done = () => Promise.resolve(1)
    for (
      const wrong of [
        undefined,
        "",
        {},
        { order_id: "o_1" },
        { ...webhook, deliveryId: undefined },
        Promise.resolve(webhook)
      ]
    ) {
      assert.include(await told(() => untyped.isFirstDelivery(tx, wrong)), "the webhook that the handler gets")
      assert.include(await told(() => untyped.isFirstDeliverySync(tx, wrong)), "the webhook that the handler gets")
      assert.include(await told(() => untyped.processInTransaction(transactions, wrong, done)), "the webhook that")
    }
    assert.include(await told(() => untyped.processInTransaction(webhook, transactions, done)), "pgTransactions")
    assert.include(await told(() => untyped.processInTransaction(tx, webhook, done)), "pgTransactions")
    assert.include(await told(() => untyped.processInTransaction(transactions, webhook)), "handler")
    assert.deepStrictEqual(await untyped.processInTransaction(transactions, webhook, done), {
      status: "handled",
      result: 1
    })
  })

  it("the key of an event is asked for", async () => {
    const { executor } = await opened()
    for (const wrong of [undefined, "", { idempotencyKey: "k" }]) {
      for (const decide of [untyped.retryEvent, untyped.discardEvent]) {
        const error = await failure(() => decide(executor, wrong))
        assert.isTrue(error instanceof OutboxConfigError)
        assert.include((error as Error).message, "The option idempotencyKey must be the key of an event")
      }
    }
  })

  it("a relay says what it is made of", async () => {
    const { executor } = await opened()
    const client = new Stub()
    assert.include(await told(() => untyped.startRelay()), "startRelay({ executor, client })")
    assert.include(await told(() => untyped.startRelay(executor, client)), "startRelay({ executor, client })")
    assert.include(await told(() => untyped.startRelay({ executor })), "new Hookrail() of @hookrail/promise")
    assert.include(await told(() => untyped.startRelay({ executor, client: { apiKey: "hk_1" } })), "new Hookrail()")
  })

  it("a drain with a wrong limit still ends the relay", async () => {
    const { executor } = await opened()
    for (const wrong of [5_000, { timeoutMs: "5 seconds" }, { timeout: 5_000 }, { timeoutMs: -1 }]) {
      const relay = await startRelayWith({ executor, client: new Stub() }, platform)
      assert.include(await told(() => relay.drain(wrong as never)), "timeoutMs")
      assert.strictEqual(relay.stats().state, "stopped")
      assert.isTrue(await relay.drain())
    }
  })

  it("a relay ends with its block", async () => {
    const { executor } = await opened()
    let stats = () => "none"
    {
      await using relay = await Outbox.startRelay({ executor, client: new Stub() })
      stats = () => relay.stats().state
      assert.strictEqual(stats(), "running")
    }
    assert.strictEqual(stats(), "stopped")
  })

  it("a relay that nobody listens to warns on the console", async () => {
    const { executor, tx } = await opened()
    await Outbox.enqueue(tx, event)
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {})
    try {
      const refused = Object.assign(new Error("the server answered 401"), {
        _tag: "AuthenticationError",
        outcome: "refused",
        status: 401
      })
      const client = new Stub(() => refused)
      const relay = await startRelayWith({ executor, client }, platform)
      await client.until(1)
      await relay.drain()
      assert.match(String(warn.mock.calls[0]), /^hookrail relay: .*check the key and the base URL/)
      assert.notInclude(JSON.stringify(warn.mock.calls), "payload")
    } finally {
      warn.mockRestore()
    }
  })

  it("the advice for common failures of drivers", async () => {
    const failing = (error: object) => ({
      dialect: "postgres",
      inTransaction: () => true,
      execute: () => Promise.reject(error)
    })
    const advice: ReadonlyArray<readonly [object, string]> = [
      [
        Object.assign(new Error("current transaction is aborted"), { code: "25P02" }),
        "An earlier statement of this transaction failed"
      ],
      [new Error("Cannot use a pool after calling end on the pool"), "was closed"],
      [new Error("Client was closed and is not queryable"), "was closed"],
      [new TypeError("The database connection is not open"), "was closed"]
    ]
    for (const [error, says] of advice) assert.include(await told(() => untyped.enqueue(failing(error), event)), says)
  })
})
