import { Effect } from "effect"
import { Event, IdempotencyKeys } from "hookrail"
import type pg from "pg"
import { assert, describe, it, vi } from "vitest"
import { uuidv7 } from "../src/enqueue/freeze.js"
import {
  type Dialect,
  enqueue,
  enqueueMany,
  type EnqueueOptions,
  type Executor,
  fromPg,
  InvalidEventError,
  migrate,
  OutboxConfigError,
  type OutboxEvent,
  outboxStatement
} from "../src/index.js"
import { postgresDatabase, server } from "./utils/engines.js"
import { rejects, thrown } from "./utils/failures.js"

describe("outboxStatement", () => {
  const bodies = [null, { b: 1, a: [true, "é\u2028</"] }, "text", 0, { at: new Date(0), gone: undefined }, {
    toJSON: () => "j"
  }]

  it.each(bodies.map((payload) => [payload]))("stores the bytes that the client sends: %j", async (payload) => {
    const event = { topic: "orders.\"created\"", payload, idempotencyKey: "k", orderingKey: "o" }
    const { body } = await Effect.runPromise(Event.encode(event))
    const { params } = outboxStatement(event as OutboxEvent, { dialect: "postgres" })
    assert.deepStrictEqual([...params[5] as Uint8Array], [...body])
    assert.deepStrictEqual(params.filter((_, n) => n !== 5), ["k", "default", "o", false, event.topic, null])
  })

  it("takes an event that Event.encode has made, as it is", async () => {
    const encoded = await Effect.runPromise(
      Event.encode(Event.make("t", { ordering_key: "inside" })).pipe(
        Effect.provideService(IdempotencyKeys.IdempotencyKeys, IdempotencyKeys.content)
      )
    )
    const { params } = outboxStatement(encoded, { dialect: "sqlite", destination: "d" })
    assert.deepStrictEqual(params, [encoded.idempotencyKey, "d", "inside", 1, "t", encoded.body, null])
    assert.strictEqual(params[5], encoded.body)
    for (const body of ["{}", "{\"topic\":\"u\",\"payload\":1}", "{\"topic\":\"t\"}", "\u00ff{", "[]", "null"]) {
      const bytes = Uint8Array.from(body, (character) => character.charCodeAt(0))
      const error = thrown(() => outboxStatement({ ...encoded, body: bytes }, { dialect: "sqlite" }))
      assert.isTrue(error instanceof InvalidEventError)
    }
  })

  it("refuses what no server would accept, and shows no payload", () => {
    const secret = "s3cret"
    const bad: ReadonlyArray<readonly [object, string]> = [
      [{ topic: "", payload: secret }, "topic"],
      [{ topic: "t" }, "$"],
      [{ topic: "t", payload: { a: [secret, NaN] } }, "$.a[1]"],
      [{ topic: "t", payload: `${secret}\u0000` }, "$"],
      [{ topic: "t", payload: secret.repeat(50_000) }, "payload"],
      [{ topic: "t", payload: secret, idempotencyKey: "a b" }, "idempotencyKey"],
      [{ topic: "t", payload: secret, orderingKey: "ключ" }, "orderingKey"],
      [{ topic: "t", payload: { ordering_key: "a", secret }, orderingKey: "b" }, "orderingKey"],
      [{ topic: "t", payload: { ordering_key: "é".repeat(129), secret } }, "$.ordering_key"],
      [{ topic: "t", payload: secret, traceparent: "00-1" }, "traceparent"]
    ]
    for (const [event, where] of bad) {
      const error = thrown(() => outboxStatement(event as OutboxEvent, { dialect: "postgres" })) as InvalidEventError
      assert.isTrue(error instanceof InvalidEventError, String(error))
      assert.strictEqual(error.where, where)
      assert.notInclude(JSON.stringify(error) + String(error.stack).split("\n    at ")[0], secret)
    }
    const none = thrown(() => outboxStatement(undefined as never, { dialect: "postgres" }))
    assert.isTrue(none instanceof InvalidEventError)
  })

  it("refuses options that are wrong, by their names", () => {
    const wrong: ReadonlyArray<readonly [object, string]> = [
      [{ dialect: "mysql" }, "dialect"],
      [{ order: "none" }, "order"],
      [{ destination: "a b" }, "destination"],
      [{ destination: "" }, "destination"],
      [{ schema: "A" }, "schema"],
      [{ prefix: "x;" }, "prefix"]
    ]
    for (const [options, option] of wrong) {
      const error = thrown(() =>
        outboxStatement({ topic: "t", payload: 1 }, { dialect: "postgres", ...options } as never)
      )
      assert.isTrue(error instanceof OutboxConfigError, String(error))
      assert.strictEqual((error as OutboxConfigError).option, option)
    }
  })

  it("is the same text for all events of a kind, so that it can be prepared once", () => {
    const of = (event: object, options: object = {}) =>
      outboxStatement({ topic: "t", payload: 1, ...event }, { dialect: "postgres", ...options }).sql
    assert.strictEqual(of({}), of({ payload: 2, topic: "u" }))
    assert.strictEqual(of({ orderingKey: "a" }), of({ orderingKey: "b" }, { destination: "d" }))
    assert.include(of({ orderingKey: "a" }), "pg_advisory_xact_lock")
    assert.notInclude(of({}), "pg_advisory_xact_lock")
    // A key that is made here conflicts with none.
    assert.notInclude(of({}), "on conflict")
    assert.include(of({ idempotencyKey: "k" }), "on conflict")
    assert.notInclude(of({ orderingKey: "a" }, { order: "statement" }), "pg_advisory_xact_lock")
  })

  it("is an INSERT where statements are prepared, and otherwise a call, by one text for all events of a kind", async () => {
    const texts = new Set<string>()
    const over = (dialect: Dialect, prepares?: boolean): Executor => ({
      dialect,
      prepares,
      inTransaction: () => true,
      execute: (sql) => {
        texts.add(sql)
        return Promise.resolve([])
      }
    })
    const all = async (executor: Executor, options: EnqueueOptions = {}): Promise<ReadonlyArray<string>> => {
      texts.clear()
      for (const n of [1, 2]) {
        for (const orderingKey of [undefined, `o${n}`]) {
          for (const idempotencyKey of [undefined, `i${n}`]) {
            await enqueue(executor, { topic: `t${n}`, payload: n, orderingKey, idempotencyKey }, options)
          }
        }
      }
      return [...texts]
    }
    const called = await all(over("postgres"))
    assert.lengthOf(called, 4)
    for (const sql of called) {
      assert.match(sql, /^call hookrail_enqueue\(\$1.*\$7, (true|false), (true|false), false\)$/)
    }
    const inserted = await all(over("postgres", true))
    assert.lengthOf(inserted, 4)
    for (const sql of inserted) assert.match(sql, /^insert into hookrail_outbox/)
    assert.lengthOf(await all(over("sqlite")), 2)
    assert.include((await all(over("postgres"), { schema: "a", prefix: "b_" }))[0], "call a.b_enqueue(")
    // Whatever untyped callers pass: nothing of it gets into the text.
    const [untyped] = await all(over("postgres"), { notify: "true); drop table t" as never })
    assert.include(untyped, "false)")
  })

  it("makes keys that grow with time", () => {
    const early = Array.from({ length: 100 }, () => uuidv7(1_700_000_000_000))
    assert.strictEqual(new Set(early).size, 100)
    for (const key of early) assert.match(key, /^018bcfe5-6800-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    assert.isTrue(early.every((key) => key < uuidv7(1_700_000_000_001)))
  })
})

/** By a call of the procedure, and by an INSERT. */
const ways = [["called", false], ["inserted", true]] as const

describe.skipIf(server === undefined).each(ways)("the order of commits, in Postgres, %s", (_, prepare) => {
  /** Begins a transaction; each step of it is a promise. */
  const begin = async (pool: pg.Pool) => {
    const client = await pool.connect()
    const executor = fromPg(client, { prepare })
    await client.query("begin")
    return {
      enqueue: (event: OutboxEvent, options?: EnqueueOptions) => enqueue(executor, event, options),
      many: (events: ReadonlyArray<OutboxEvent>) => enqueueMany(executor, events),
      pid: async () => (await client.query<{ readonly pid: number }>("select pg_backend_pid() as pid")).rows[0]!.pid,
      end: async (how: "commit" | "rollback") => {
        await client.query(how)
        client.release()
      }
    }
  }

  /** Resolves when a transaction waits for a lock. */
  const waits = async (pool: pg.Pool, pid: number): Promise<void> => {
    for (;;) {
      const { rowCount } = await pool.query("select 1 from pg_locks where pid = $1 and not granted", [pid])
      if (rowCount !== 0) return
    }
  }

  const open = async () => {
    const { pool } = await postgresDatabase()
    await migrate(fromPg(pool))
    const keys = async () =>
      (await pool.query("select id from hookrail_outbox order by seq")).rows.map(({ id }) => id as string)
    return { pool, keys }
  }

  const event = (idempotencyKey: string, orderingKey = "k"): OutboxEvent => ({
    topic: "t",
    payload: 1,
    idempotencyKey,
    orderingKey
  })

  it("is the order of the events of a key: the second waits for the first one's end", async () => {
    const { keys, pool } = await open()
    for (const how of ["commit", "rollback"] as const) {
      const [first, second] = [await begin(pool), await begin(pool)]
      await first.enqueue(event(`1 ${how}`.replace(" ", "-")))
      const pid = await second.pid()
      const waiting = second.enqueue(event(`2-${how}`))
      await waits(pool, pid)
      await first.end(how)
      await waiting
      await second.end("commit")
    }
    assert.deepStrictEqual(await keys(), ["1-commit", "2-commit", "2-rollback"])
  })

  it.each([[undefined, undefined], ["a", "b"]])(
    "the second gets its number when the first has ended",
    async (...ids) => {
      const { pool } = await open()
      const [first, second] = [await begin(pool), await begin(pool)]
      const [before, after] = ids
      const of = (topic: string, idempotencyKey?: string) => ({ topic, payload: 1, orderingKey: "k", idempotencyKey })
      await first.enqueue(of("first"))
      const pid = await second.pid()
      const waiting = second.enqueue(of("waited", after))
      await waits(pool, pid)
      // Of the first transaction, whose commit is before that of the second.
      await first.enqueue(of("first again", before))
      await first.end("commit")
      await waiting
      await second.end("commit")
      const { rows } = await pool.query("select topic from hookrail_outbox order by seq")
      assert.deepStrictEqual(rows.map(({ topic }) => topic), ["first", "first again", "waited"])
    }
  )

  it("without the lock, is not: the later commit has the smaller number", async () => {
    const { keys, pool } = await open()
    const [first, second] = [await begin(pool), await begin(pool)]
    await first.enqueue(event("late"), { order: "statement" })
    await second.enqueue(event("early"), { order: "statement" })
    await second.end("commit")
    assert.deepStrictEqual(await keys(), ["early"])
    await first.end("commit")
    assert.deepStrictEqual(await keys(), ["late", "early"])
  })

  it("is no matter between keys, between destinations, and without keys", async () => {
    const { keys, pool } = await open()
    const [first, second] = [await begin(pool), await begin(pool)]
    await first.enqueue(event("a"))
    await first.enqueue({ topic: "t", payload: 1, idempotencyKey: "b" })
    // None of these waits.
    await second.enqueue(event("c", "other"))
    await second.enqueue(event("d"), { destination: "other" })
    await second.enqueue({ topic: "t", payload: 1, idempotencyKey: "e" })
    await second.end("commit")
    await first.end("commit")
    assert.sameMembers([...await keys()], ["a", "b", "c", "d", "e"])
  })

  it("several keys are locked in one order, whatever the order of the events: no deadlocks", async () => {
    const { keys, pool } = await open()
    const rounds = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        const tx = await begin(pool)
        const order = n % 2 === 0 ? ["x", "y", "z"] : ["z", "y", "x"]
        await tx.many([...order, ...order].map((key, index) => event(`${n}-${index}`, key)))
        await tx.end("commit")
      })
    )
    assert.lengthOf(rounds, 12)
    const stored = await keys()
    assert.lengthOf(stored, 72)
    // Within a key, the events of a transaction stay in their order.
    for (let n = 0; n < 12; n++) {
      for (let index = 0; index < 3; index++) {
        assert.isBelow(stored.indexOf(`${n}-${index}`), stored.indexOf(`${n}-${index + 3}`))
      }
    }
  })

  it("notifies at the commit, if asked to", async () => {
    const { pool } = await open()
    const listener = await pool.connect()
    const heard: Array<string | undefined> = []
    listener.on("notification", ({ channel, payload }) => heard.push(`${channel} ${payload}`))
    await listener.query("listen hookrail_outbox")
    for (const orderingKey of [undefined, "k"]) {
      const tx = await begin(pool)
      await tx.enqueue({ topic: "t", payload: 1, orderingKey }, { notify: true, destination: "d" })
      await listener.query("select 1")
      assert.deepStrictEqual(heard, [])
      await tx.end("commit")
      await vi.waitFor(() => assert.deepStrictEqual(heard, ["hookrail_outbox d"]))
      heard.length = 0
    }
    listener.release(true)
  })

  it("all events are checked before the first one is stored", async () => {
    const { keys, pool } = await open()
    const tx = await begin(pool)
    await rejects(tx.many([event("a"), { topic: "", payload: 1 }]), InvalidEventError)
    await tx.end("commit")
    assert.deepStrictEqual(await keys(), [])
  })
})
