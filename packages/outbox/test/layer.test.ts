import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it, onTestFinished } from "vitest"
import * as effect3 from "../src/effect-3.js"
import * as effect4 from "../src/effect.js"
import {
  enqueue,
  type Executor,
  fromPg,
  fromSqlite,
  migrate,
  SchemaError,
  TransactionRequiredError
} from "../src/index.js"
import { spanOf } from "../src/relay/bridge.js"
import { startServer } from "./ledger/stub.js"
import { postgresDatabase, server as postgres, sqliteFile } from "./utils/engines.js"
import { type Line, line3, line4, type LineOptions } from "./utils/lines.js"
import { eventually, ids } from "./utils/relays.js"

const event = (n: number, orderingKey?: string) => ({
  topic: "orders.created",
  payload: { s3cret: n },
  idempotencyKey: `k${n}`,
  orderingKey
})

let destinations = 0

interface Opened {
  readonly database: LineOptions["database"]
  /** Of another client. */
  readonly executor: Executor
}

const databases: Readonly<Record<string, () => Promise<Opened>>> = {
  SQLite: async () => {
    const database = sqliteFile()
    return { database, executor: fromSqlite(database.db) }
  },
  Postgres: async () => {
    const { pool, url } = await postgresDatabase()
    return { database: { postgres: url }, executor: fromPg(pool) }
  }
}

const lines = [["Effect 3", line3], ["Effect 4", line4]] as const

const combinations = lines.flatMap(([name, open]) =>
  Object.entries(databases).map(([engine, create]) => [name, open, engine, create] as const)
)

for (const [name, open, engine, create] of combinations) {
  const start = async (
    relay: LineOptions["relay"] = {},
    random: () => number = () => 0.5
  ): Promise<Line & { readonly executor: Executor; readonly server: Awaited<ReturnType<typeof startServer>> }> => {
    const { database, executor } = await create()
    await migrate(executor)
    const server = await startServer(random, 1)
    const line = await open({
      database,
      url: server.url,
      relay: { poll: { minMs: 5, maxMs: 20 }, destination: `d${++destinations}`, ...relay }
    })
    onTestFinished(async () => {
      await line.close()
      await server.close()
    })
    return { ...line, executor, server }
  }

  describe.skipIf(engine === "Postgres" && postgres === undefined)(
    `a relay's layer, in ${name}, over ${engine}`,
    () => {
      it("sends what is committed, and nothing else", async () => {
        const { close, enqueue, enqueueAndFail, enqueueOutside, executor, server, stats } = await start({
          destination: "default"
        })
        await enqueueAndFail(event(0))
        assert.instanceOf(await enqueueOutside(event(0)), TransactionRequiredError)
        for (const n of [1, 2, 3]) await enqueue(event(n, "key"))
        await eventually(async () => (await stats()).acked === 3)
        assert.deepStrictEqual(server.accepted.map(({ key }) => key), ["k1", "k2", "k3"])
        assert.deepStrictEqual(await ids(executor), [])
        await close()
      })

      it("the span of a send is linked to the one that enqueued, and the statements make no spans", async () => {
        const { enqueue, server, spans, stats } = await start({ destination: "default" })
        await enqueue({ topic: "orders.created", payload: {} })
        await eventually(async () => (await stats()).accepted === 1)
        const place = spans.find(({ name }) => name === "place")!
        const [send, ...more] = spans.filter(({ name }) => name === "HookrailClient.sendEncoded")
        assert.deepStrictEqual(more, [])
        assert.strictEqual(send!.parent, undefined)
        assert.lengthOf(send!.links, 1)
        const stored = spans.filter(({ parent, spanId }) => parent === place.spanId || spanId === place.spanId)
        assert.include(stored.map(({ spanId }) => spanId), send!.links[0])
        assert.notInclude(server.accepted[0]!.body, "traceparent")
        const count = spans.length
        await eventually(async () => (await stats()).claims > 5)
        assert.strictEqual(spans.length, count, "an idle relay makes none")
      })

      it("the trace reaches the handler in the payload, by choice", async () => {
        const { enqueue, server, stats } = await start({ destination: "default" })
        await enqueue({ topic: "orders.created", payload: { a: 1 } }, { propagateTrace: true })
        await enqueue({ topic: "orders.created", payload: { a: 1 }, idempotencyKey: "mine" }, { propagateTrace: true })
        await eventually(async () => (await stats()).accepted === 2)
        const bodyOf = (isMine: boolean): string => server.accepted.find(({ key }) => (key === "mine") === isMine)!.body
        assert.match(bodyOf(false), /"hookrail_traceparent":"00-[\da-f]{32}-[\da-f]{16}-01","a":1/)
        assert.notInclude(bodyOf(true), "traceparent")
      })

      it("counts, and logs what fails without its payload", async () => {
        let failures = 3
        const relay = { destination: `m${++destinations}`, measureMs: 10, backoff: { baseMs: 1 } }
        const line = await start(relay, () => failures-- > 0 ? 0.01 : 0.5)
        const { destination } = relay
        await enqueue({ ...line.executor, inTransaction: () => undefined }, event(1, "a"), { destination })
        await line.wake()
        await eventually(async () => (await line.stats()).acked === 1)
        await eventually(async () => (await line.metrics())["hookrail.outbox.acked"] === 1)
        const metrics = await line.metrics()
        assert.deepInclude(metrics, { "hookrail.outbox.accepted": 1, "hookrail.outbox.parked": 0 })
        await eventually(async () => (await line.metrics())["hookrail.outbox.pending"] === 0)
        assert.strictEqual(metrics["hookrail.outbox.failed"], (await line.stats()).failed)
        assert.include(line.logs.join(), "An attempt failed")
        assert.include(line.logs.join(), "k1")
        assert.notInclude(line.logs.join(), "s3cret")
      })

      it("fails with a typed error without its tables, and with a wrong option", async () => {
        const { database, executor } = await create()
        const starting = (relay: LineOptions["relay"]) =>
          open({ database, url: "http://127.0.0.1:9", relay }).then(() => undefined, (error: unknown) => error)
        const missing = await starting({})
        assert.include(String(missing), "Run the migrations")
        if (name === "Effect 4") assert.instanceOf(missing, SchemaError)
        await migrate(executor)
        assert.include(String(await starting({ batch: 0 })), "The option batch must be")
      })

      it("finishes what is in flight when it is released, and gives the rest back", async () => {
        // Each answer is slow.
        const { close, enqueue, executor, server } = await start({ destination: "default", concurrency: 1 }, () => 0.04)
        for (const n of [1, 2, 3]) await enqueue(event(n, "key"))
        await eventually(() => server.counts.requests > 0)
        await close()
        const sent = new Set(server.accepted.map(({ key }) => key))
        for (const id of await ids(executor)) assert.isFalse(sent.has(id), "what was accepted is recorded")
        const leases = await executor.execute(
          "select lease_owner from hookrail_outbox where lease_owner is not null",
          []
        )
        assert.deepStrictEqual(leases, [])
      })
    }
  )
}

for (const [engine, create] of Object.entries(databases)) {
  describe.skipIf(engine === "Postgres" && postgres === undefined)(`in Effect 4, over ${engine}`, () => {
    it("a relay in the context of enqueue looks as soon as the transaction has committed", async () => {
      const { database, executor } = await create()
      await migrate(executor)
      const server = await startServer(() => 0.5, 1)
      const line = await line4({ database, url: server.url, relay: { poll: { minMs: 50_000, maxMs: 60_000 } } })
      onTestFinished(async () => {
        await line.close()
        await server.close()
      })
      await eventually(async () => (await line.stats()).emptyClaims > 0)
      await line.enqueueAndFail(event(0))
      await line.enqueue(event(1))
      await eventually(() => server.accepted.length === 1)
    })
  })
}

describe("the lines of Effect", () => {
  it("have the same exports", () => {
    assert.deepStrictEqual(Object.keys(effect3).sort(), Object.keys(effect4).sort())
    assert.deepStrictEqual(Object.keys(effect3.Relay).sort(), Object.keys(effect4.Relay).sort())
  })

  it("have the same docs", () => {
    const docsOf = (file: string): ReadonlyArray<string> =>
      readFileSync(fileURLToPath(new URL(`../src/${file}.ts`, import.meta.url)), "utf8")
        .replaceAll("@effect/sql", "effect/sql")
        .replace(/@example[^]*?(?=@since)/g, "")
        .match(/\/\*\*[^]*?\*\//g)!
        .filter((text) => text.includes("@since") && !text.includes("A hint"))
    assert.deepStrictEqual(docsOf("effect-3"), docsOf("effect"))
    assert.deepStrictEqual(docsOf("line-3/Relay"), docsOf("line-4/Relay"))
  })

  it("read a traceparent", () => {
    assert.deepStrictEqual(spanOf(`00-${"a".repeat(32)}-${"b".repeat(16)}-00`), {
      traceId: "a".repeat(32),
      spanId: "b".repeat(16),
      sampled: false
    })
    assert.isUndefined(spanOf("01-x"))
    assert.isUndefined(spanOf(undefined))
  })
})
