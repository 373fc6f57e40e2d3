import { codec, defineEvents, type StandardSchema } from "@hookrail/promise/events"
import { assert, describe, it } from "vitest"
import {
  enqueue,
  enqueueMany,
  enqueueSync,
  type Executor,
  fromPg,
  fromSqlite,
  InvalidEventError,
  migrate,
  OutboxConfigError,
  outboxStatement,
  prismaEnqueue,
  type Value
} from "../src/index.js"
import { postgresDatabase, server, sqliteFile } from "./utils/engines.js"
import { rejects, thrown } from "./utils/failures.js"

interface Order {
  readonly id: string
  readonly at: string
}

interface Read {
  readonly id: string
  readonly at: Date
}

/** Reads a text as a date, as the schemas of most libraries can. */
const read = (value: unknown) => {
  const { at, id } = Object(value) as Record<string, unknown>
  if (typeof id !== "string") return { issues: [{ message: "must be a text", path: ["id"] }] }
  if (typeof at !== "string") return { issues: [{ message: "must be a text", path: ["at"] }] }
  return { value: { id, at: new Date(at) } }
}

const Order: StandardSchema<Order, Read> = { "~standard": { version: 1, vendor: "own", validate: read } }
const Slow: StandardSchema<Order, Read> = {
  "~standard": { version: 1, vendor: "own", validate: async (value) => read(value) }
}

const events = defineEvents({
  "orders.created": Order,
  "orders.paid": codec(Order, ({ at, id }) => ({ id, at: at.toISOString() })),
  "orders.slow": Slow
})

const at = "2026-11-25T12:00:00.000Z"
const created = { topic: "orders.created", payload: { id: "o", at, more: [1] } } as const
const paid = { topic: "orders.paid", payload: { id: "o", at: new Date(at) } } as const
const slow = { topic: "orders.slow", payload: { id: "o", at } } as const

const bodyOf = (params: ReadonlyArray<Value>): string => new TextDecoder().decode(params[5] as Uint8Array)

/** Remembers what would be stored. */
const recording = (): { readonly executor: Executor; readonly bodies: Array<string> } => {
  const bodies: Array<string> = []
  return {
    bodies,
    executor: {
      dialect: "postgres",
      inTransaction: () => true,
      execute: (_, params) => {
        bodies.push(bodyOf(params))
        return Promise.resolve([])
      }
    }
  }
}

describe("events of a catalogue", () => {
  it("are stored as the catalogue encodes them: what the schema does not know is kept", async () => {
    const { bodies, executor } = recording()
    await enqueue(executor, created, { events })
    await enqueue(executor, paid, { events })
    await enqueueMany(executor, [{ ...slow, orderingKey: "b" }, { ...created, orderingKey: "a" }], { events })
    assert.deepStrictEqual(bodies.map((body) => JSON.parse(body)), [
      created,
      { topic: "orders.paid", payload: { id: "o", at } },
      created,
      slow
    ])
    const { params } = outboxStatement(paid, { events, dialect: "sqlite" })
    assert.strictEqual(bodyOf(params), bodies[1])
    const prisma = { $executeRawUnsafe: (_: string, ...params: Array<Value>) => params }
    assert.strictEqual(bodyOf(prismaEnqueue(prisma as never, paid, { events })), bodies[1])
  })

  it("are refused if they do not fit: where and why, without values; nothing is stored", async () => {
    const { bodies, executor } = recording()
    const wrong: ReadonlyArray<readonly [object, where: string, reason: RegExp]> = [
      [{ ...created, payload: { id: "s3cret" } }, "$.at", /must be a text/],
      [{ ...paid, payload: { id: "s3cret", at: "s3cret" } }, "$", /threw TypeError/],
      [{ ...slow, payload: null }, "$.id", /must be a text/],
      [{ ...created, topic: "orders.creatd" }, "topic", /did you mean "orders.created"/],
      [{ ...created, topic: "constructor" }, "topic", /no such topic/],
      [{ ...created, topic: undefined }, "topic", /no such topic/],
      [{ ...created, orderingKey: "ключ" }, "orderingKey", /visible ASCII/],
      [[], "topic", /no such topic/]
    ]
    for (const [event, where, reason] of wrong) {
      for (
        const run of [
          () => enqueue(executor, event as never, { events }),
          () => enqueueMany(executor, [created, event as never], { events })
        ]
      ) {
        const error = await rejects(run(), InvalidEventError)
        assert.strictEqual(error.where, where)
        assert.match(error.reason, reason)
        assert.notInclude(JSON.stringify(error) + error.message, "s3cret")
      }
    }
    for (const event of [undefined, null, "orders.created"]) {
      await rejects(enqueue(executor, event as never, { events }), InvalidEventError)
    }
    assert.deepStrictEqual(bodies, [])
  })

  it("that were encoded before are taken as they are", async () => {
    const { bodies, executor } = recording()
    const body = new TextEncoder().encode("{\"topic\":\"orders.created\",\"payload\":1}")
    await enqueue(executor, { topic: "orders.created", body, idempotencyKey: "k", orderingKey: undefined }, { events })
    assert.deepStrictEqual(bodies, [new TextDecoder().decode(body)])
  })

  it("with an asynchronous schema cannot be stored at once: the error says what to do", async () => {
    const { db } = sqliteFile()
    const executor = fromSqlite(db)
    await migrate(executor)
    const place = db.transaction((event: typeof created | typeof slow) => enqueueSync(executor, event, { events }))
    place(created)
    for (const run of [() => place(slow), () => outboxStatement(slow, { events, dialect: "sqlite" })]) {
      const error = thrown(run)
      assert.isTrue(error instanceof InvalidEventError)
      assert.match((error as Error).message, /asynchronous: await `events.encode\(topic, payload\)` before/)
    }
    // As it says.
    const payload = await events.encode(slow.topic, slow.payload) as {}
    db.transaction(() => enqueueSync(executor, { topic: slow.topic, payload }))()
    const rows = db.prepare("select body from hookrail_outbox order by seq").all() as Array<{ body: Uint8Array }>
    assert.deepStrictEqual(rows.map(({ body }) => JSON.parse(new TextDecoder().decode(body))), [created, slow])
  })

  it("need a catalogue", async () => {
    const { executor } = recording()
    for (const wrong of [{}, null, { "orders.created": Order }]) {
      const error = await rejects(
        enqueue(executor, created, { events: wrong as never }),
        OutboxConfigError
      )
      assert.strictEqual(error.option, "events")
    }
  })

  it.skipIf(server === undefined)("are checked before anything runs, so the transaction goes on", async () => {
    const { pool } = await postgresDatabase()
    await migrate(fromPg(pool))
    const client = await pool.connect()
    await client.query("begin")
    await rejects(enqueue(fromPg(client), { ...created, payload: {} as never }, { events }), InvalidEventError)
    await enqueue(fromPg(client), created, { events })
    await client.query("commit")
    client.release()
    assert.lengthOf((await pool.query("select 1 from hookrail_outbox")).rows, 1)
  })
})
