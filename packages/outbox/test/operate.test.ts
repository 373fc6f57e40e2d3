import { assert, describe, it } from "vitest"
import {
  blockedKeys,
  discardEvent,
  enqueueMany,
  type Executor,
  fromPg,
  fromSqlite,
  listEvents,
  migrate,
  OutboxConfigError,
  type OutboxEvent,
  outboxStats,
  prune,
  retryEvent,
  RowError
} from "../src/index.js"
import { bytesOf, numberOf, textOf } from "../src/sql/values.js"
import { postgresDatabase, server, sqliteFile } from "./utils/engines.js"
import { rejects } from "./utils/failures.js"

const engines: ReadonlyArray<readonly [string, () => Promise<Executor>]> = [
  ["Postgres", async () => fromPg((await postgresDatabase()).pool)],
  ["SQLite", async () => fromSqlite(sqliteFile().db)]
]

const event = (idempotencyKey: string, orderingKey?: string): OutboxEvent => ({
  topic: "orders.created",
  payload: { n: idempotencyKey },
  idempotencyKey,
  orderingKey
})

for (const [name, open] of engines) {
  describe.skipIf(name === "Postgres" && server === undefined)(`operating, in ${name}`, () => {
    const isPostgres = name === "Postgres"

    const filled = async () => {
      const executor = await open()
      await migrate(executor)
      const handle = { ...executor, inTransaction: () => undefined }
      await enqueueMany(handle, [event("a1", "a"), event("a2", "a"), event("a3", "a"), event("b1", "b")])
      await enqueueMany(handle, [event("u1")])
      await enqueueMany(handle, [event("a1", "a"), event("a2", "a")], { destination: "other" })
      return executor
    }

    /** What a relay does with an event that it gives up. */
    const park = (executor: Executor, id: string, destination = "default") =>
      executor.execute(
        `update hookrail_outbox set parked_reason = 'refused', last_status = 400, last_error = 'topic and payload are required',
  attempts = 3, first_ambiguous_at = created_at, available_at = ${isPostgres ? "'infinity'" : "9007199254740991"}
where id = '${id}' and destination = '${destination}'`,
        []
      )

    const kill = async (executor: Executor, id: string) => {
      await park(executor, id)
      const columns =
        "seq, id, destination, ordering_key, key_in_body, topic, body, traceparent, created_at, attempts, " +
        "last_status, last_error, parked_reason"
      await executor.execute(
        `insert into hookrail_outbox_dead (${columns}) select ${columns} from hookrail_outbox where id = '${id}'`,
        []
      )
      await executor.execute(`delete from hookrail_outbox where id = '${id}'`, [])
    }

    const keys = async (executor: Executor, state: "waiting" | "parked" | "dead", destination?: string) =>
      (await listEvents(executor, { state, destination })).map(({ idempotencyKey }) => idempotencyKey)

    it("counts what waits, and says for how long", async () => {
      const executor = await filled()
      const past = isPostgres ? "created_at - interval '90 seconds'" : "created_at - 90000"
      await executor.execute(
        `update hookrail_outbox set created_at = ${past} where id = 'a1' and destination = 'default'`,
        []
      )
      const all = await outboxStats(executor)
      assert.deepInclude(all, { pending: 7, parked: 0, blockedKeys: 0, dead: 0 })
      assert.isAtLeast(all.oldestAgeMs, 90_000)
      assert.isBelow(all.oldestAgeMs, 150_000)
      const other = await outboxStats(executor, { destination: "other" })
      assert.strictEqual(other.pending, 2)
      assert.isBelow(other.oldestAgeMs, 60_000)
      assert.deepStrictEqual(await outboxStats(executor, { destination: "none" }), {
        pending: 0,
        oldestAgeMs: 0,
        parked: 0,
        blockedKeys: 0,
        dead: 0
      })
    })

    it("lists events page by page, without their bodies", async () => {
      const executor = await filled()
      const first = await listEvents(executor, { state: "waiting", limit: 3, destination: "default" })
      assert.deepStrictEqual(first.map(({ idempotencyKey }) => idempotencyKey), ["a1", "a2", "a3"])
      const second = await listEvents(executor, { state: "waiting", after: first[2]!.seq, destination: "default" })
      assert.deepStrictEqual(second.map(({ idempotencyKey }) => idempotencyKey), ["b1", "u1"])
      assert.hasAllKeys(second[1], [
        "state",
        "seq",
        "idempotencyKey",
        "destination",
        "topic",
        "orderingKey",
        "bytes",
        "createdAt",
        "attempts",
        "lastStatus",
        "lastError",
        "reason"
      ])
      await rejects(listEvents(executor, { limit: -1 }), OutboxConfigError)
      await rejects(listEvents(executor, { state: "lost" as never }), OutboxConfigError)
    })

    it("lists the keys that are blocked, and by what", async () => {
      const executor = await filled()
      await park(executor, "a1")
      // An event that is parked behind it blocks nothing more.
      await park(executor, "a2")
      await park(executor, "u1")
      assert.deepStrictEqual(await blockedKeys(executor), [{
        destination: "default",
        orderingKey: "a",
        idempotencyKey: "a1",
        reason: "refused",
        lastStatus: 400,
        waiting: 2
      }])
      assert.deepStrictEqual(await blockedKeys(executor, { destination: "other" }), [])
      assert.deepInclude(await outboxStats(executor), { pending: 4, parked: 3, blockedKeys: 1 })
    })

    it("retries a parked event in its place", async () => {
      const executor = await filled()
      await park(executor, "a1")
      assert.deepStrictEqual(await keys(executor, "parked"), ["a1"])
      assert.isFalse(await retryEvent(executor, "a1", { destination: "other" }))
      assert.isFalse(await retryEvent(executor, "a2"), "it waits anyway")
      assert.isTrue(await retryEvent(executor, "a1"))
      assert.isFalse(await retryEvent(executor, "a1"))
      assert.deepStrictEqual(await keys(executor, "parked"), [])
      const [first] = await listEvents(executor, { state: "waiting" })
      assert.deepInclude(first, { idempotencyKey: "a1", attempts: 0, reason: undefined, lastStatus: 400 })
      const [row] = await executor.execute(
        "select case when first_ambiguous_at is null then 1 else 0 end as free from hookrail_outbox where id = 'a1'",
        []
      )
      assert.strictEqual(numberOf(row!, "free"), 1)
    })

    it("retries a dead event behind those that wait, with the same bytes and key", async () => {
      const executor = await filled()
      const [before] = await executor.execute("select body from hookrail_outbox where id = 'b1'", [])
      await kill(executor, "b1")
      const [dead] = await listEvents(executor, { state: "dead" })
      assert.deepInclude(dead, {
        state: "dead",
        idempotencyKey: "b1",
        orderingKey: "b",
        reason: "refused",
        attempts: 3
      })
      assert.isTrue(await retryEvent(executor, "b1"))
      assert.isFalse(await retryEvent(executor, "b1"))
      assert.deepStrictEqual(await keys(executor, "waiting", "default"), ["a1", "a2", "a3", "u1", "b1"])
      const [row] = await executor.execute("select * from hookrail_outbox where id = 'b1'", [])
      assert.deepStrictEqual([...bytesOf(row!, "body")], [...bytesOf(before!, "body")])
      assert.strictEqual(textOf(row!, "ordering_key"), "b")
      assert.deepStrictEqual(await keys(executor, "dead"), [])
    })

    it("discards what is parked or dead, never what waits", async () => {
      const executor = await filled()
      await park(executor, "a1")
      await kill(executor, "b1")
      assert.isFalse(await discardEvent(executor, "a2"))
      assert.isFalse(await discardEvent(executor, "a1", { destination: "other" }))
      assert.isTrue(await discardEvent(executor, "a1"))
      assert.isTrue(await discardEvent(executor, "b1"))
      assert.isFalse(await discardEvent(executor, "b1"))
      assert.deepStrictEqual(await keys(executor, "waiting"), ["a2", "a3", "u1", "a1", "a2"])
      await rejects(discardEvent(executor, ""), OutboxConfigError)
      await rejects(retryEvent(executor, undefined as never), OutboxConfigError)
    })

    it("deletes dead events by the time of their death", async () => {
      const executor = await filled()
      await kill(executor, "b1")
      await kill(executor, "u1")
      const past = isPostgres ? "dead_at - interval '2 hours'" : "dead_at - 7200000"
      await executor.execute(`update hookrail_outbox_dead set dead_at = ${past} where id = 'b1'`, [])
      assert.deepStrictEqual(await prune(executor), { dead: 0, inbox: 0 })
      assert.deepStrictEqual(await prune(executor, { deadOlderThanMs: 3_600_000 }), { dead: 1, inbox: 0 })
      assert.deepStrictEqual(await keys(executor, "dead"), ["u1"])
      await rejects(prune(executor, { inboxOlderThanMs: -1 }), OutboxConfigError)
    })
  })
}

describe("a row that does not decode", () => {
  it("is an error that names the column, and no value", () => {
    const row = { n: "x", t: 1, b: "text", f: 2, z: null }
    for (
      const read of [() => numberOf(row, "n"), () => textOf(row, "t"), () => bytesOf(row, "b"), () => textOf(row, "z")]
    ) {
      let error: unknown
      try {
        read()
      } catch (thrown) {
        error = thrown
      }
      assert.isTrue(error instanceof RowError)
      assert.match((error as RowError).message, /^The column [ntbz] of a row does not decode: it is (a|null)/)
    }
  })

  it("bytes come in every form that drivers have", () => {
    const bytes = [0, 255, 16]
    for (
      const b of [Buffer.from(bytes), Uint8Array.from(bytes), Uint8Array.from(bytes).buffer, "\\x00ff10"]
    ) assert.deepStrictEqual([...bytesOf({ b }, "b")], bytes)
  })
})
