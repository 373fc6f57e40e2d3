/**
 * The ledger: writers and relays are killed and stopped at random, the database crashes, the server fails. In the end, what was
 * committed is compared with what the server has.
 */
import { build } from "esbuild"
import Libsql from "libsql"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { type Executor, fromPg, fromSqlite, migrate } from "../../src/index.js"
import { startServer } from "./stub.js"

export interface LedgerOptions {
  /** The URL of a Postgres database, or a file of SQLite. It must be empty. */
  readonly database: string
  /** For how long they are killed. */
  readonly seconds: number
  readonly relays: number
  readonly writers: number
  readonly role?: "relay" | "naive" | undefined
  /** Crashes the database and starts it again. */
  readonly crash?: (() => Promise<void>) | undefined
  readonly crashes?: number | undefined
  readonly leaseMs?: number | undefined
  /** Goes on until the server has so many, on a slow machine too: some failures have one in a hundred. Default 400. */
  readonly minAccepted?: number | undefined
  readonly random?: (() => number) | undefined
}

export interface Ledger {
  readonly committed: number
  readonly accepted: number
  readonly kills: number
  readonly stops: number
  readonly crashes: number
  readonly requests: number
  /** Sent again, and known by the server. */
  readonly replays: number
  /** Committed, but the server does not have it. */
  readonly lost: number
  /** The server has it, but it was rolled back. */
  readonly ghosts: number
  /** The same order under two keys, or another event under the same key. */
  readonly duplicated: number
  /** Events that the server accepted after a later one of their key. */
  readonly outOfOrder: number
  /** Still in the outbox at the end. */
  readonly left: number
}

const folder = fileURLToPath(new URL("../../node_modules/.cache/ledger/", import.meta.url))

let bundled: Promise<string> | undefined

/** One file, so that a process that is killed soon has done something before. */
const bundle = (): Promise<string> => bundled ??= bundleOnce()

const bundleOnce = async (): Promise<string> => {
  mkdirSync(folder, { recursive: true })
  const outfile = `${folder}child-${process.pid}.mjs`
  await build({
    entryPoints: [fileURLToPath(new URL("./child.ts", import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@hookrail/source"],
    external: ["pg", "libsql"],
    define: { HOOKRAIL_VERSION: "\"0.0.0\"" },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: "error"
  })
  return outfile
}

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

interface Opened {
  readonly executor: Executor
  readonly close: () => Promise<void>
}

const open = (database: string): Opened => {
  if (database.startsWith("postgres:")) {
    const pool = new pg.Pool({ connectionString: database, max: 2 })
    pool.on("error", () => {})
    return { executor: fromPg(pool), close: () => pool.end() }
  }
  const db = new Libsql(database, { timeout: 10_000 })
  db.exec("pragma journal_mode = wal")
  return {
    executor: fromSqlite(db),
    close: async () => {
      db.close()
    }
  }
}

/** A process that is started again whenever it ends. */
class Mortal {
  private child: ChildProcess | undefined
  private isOver = false
  isStopped = false

  constructor(private readonly args: ReadonlyArray<string>, private readonly errors: Array<string>) {
    this.start()
  }

  private start(): void {
    const child = this.child = spawn(process.execPath, this.args, { stdio: ["ignore", "ignore", "pipe"] })
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      if (this.errors.length < 20) this.errors.push(text)
    })
    child.once("exit", () => {
      if (!this.isOver) this.start()
    })
  }

  kill(): void {
    this.child?.kill("SIGKILL")
  }

  stop(): void {
    this.isStopped = this.child?.kill("SIGSTOP") ?? false
  }

  go(): void {
    this.isStopped = false
    this.child?.kill("SIGCONT")
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.isOver = true
    const child = this.child!
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGCONT")
    child.kill(signal)
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000)
    await ended
    clearTimeout(timer)
  }
}

export const runLedger = async (options: LedgerOptions): Promise<Ledger> => {
  const {
    crash,
    crashes = 0,
    database,
    leaseMs = 1_800,
    minAccepted = 400,
    random = Math.random,
    role = "relay",
    seconds
  } = options
  const file = await bundle()
  const { close, executor } = open(database)
  await migrate(executor)
  await executor.execute("create table orders (id text primary key, k text not null, n integer not null)", [])
  await executor.execute("create index orders_k on orders (k, n)", [])
  const server = await startServer(random, leaseMs / 2)
  const errors: Array<string> = []
  const start = (name: string): Mortal => new Mortal([file, name, database, server.url, String(leaseMs)], errors)
  const writers = Array.from({ length: options.writers }, () => start("writer"))
  const relays = Array.from({ length: options.relays }, () => start(role))
  let [kills, stops, crashed] = [0, 0, 0]
  try {
    await untilWorking(server, errors)
    const until = Date.now() + seconds * 1_000
    while (Date.now() < until || (server.accepted.length < minAccepted && Date.now() < until + 30_000)) {
      await pause(200 + random() * 400)
      const victims = random() < 0.25 ? writers : relays
      const victim = victims[Math.floor(random() * victims.length)]!
      if (crash !== undefined && crashed < crashes && random() < 0.1) {
        crashed++
        await crash()
      } else if (random() < 0.75) {
        victim.kill()
        kills++
      } else if (!victim.isStopped) {
        victim.stop()
        stops++
        setTimeout(() => victim.go(), leaseMs * 1.5)
      }
    }
    await Promise.all(writers.map((writer) => writer.end("SIGKILL")))
    for (const relay of relays) relay.go()
    // As long as something is sent: the events of a key go one after the other, past slow and failing answers.
    for (let [requests, since] = [-1, Date.now()]; await left(executor) > 0 && Date.now() - since < 20_000;) {
      if (server.counts.requests !== requests) [requests, since] = [server.counts.requests, Date.now()]
      await pause(50)
    }
    await Promise.all(relays.map((relay) => relay.end("SIGTERM")))
    const orders = await executor.execute("select id, k, n from orders", [])
    if (orders.length === 0) throw new Error(`Nothing was written: ${errors.join("")}`)
    return { kills, stops, crashes: crashed, left: await left(executor), ...compare(orders as never, server) }
  } finally {
    await Promise.all([...writers, ...relays].map((child) => child.end("SIGKILL")))
    await server.close()
    await close()
  }
}

/** Killing what has not started yet tests nothing. */
const untilWorking = async (
  server: Awaited<ReturnType<typeof startServer>>,
  errors: ReadonlyArray<string>
): Promise<void> => {
  for (const deadline = Date.now() + 30_000; server.accepted.length === 0;) {
    if (Date.now() > deadline) throw new Error(`Nothing was sent: ${errors.join("")}`)
    await pause(20)
  }
}

const left = async (executor: Executor): Promise<number> =>
  (await executor.execute("select seq from hookrail_outbox limit 1000", []).catch(() => [{}])).length

interface Order {
  readonly id: string
  readonly k: string
  readonly n: number | string
}

export const compare = (
  orders: ReadonlyArray<Order>,
  { accepted, counts }: Pick<Awaited<ReturnType<typeof startServer>>, "accepted" | "counts">
): Omit<Ledger, "kills" | "stops" | "crashes" | "left"> => {
  const committed = new Map(orders.map((order) => [order.id, order]))
  const seen = new Set<string>()
  const latest = new Map<string, number>()
  let [ghosts, duplicated, outOfOrder] = [0, counts.conflicts, 0]
  for (const { body } of accepted) {
    const { payload: { id } } = JSON.parse(body) as { readonly payload: { readonly id: string } }
    if (seen.has(id)) duplicated++
    seen.add(id)
    const order = committed.get(id)
    if (order === undefined) {
      ghosts++
      continue
    }
    if (order.k === "") continue
    const n = Number(order.n)
    if (n < (latest.get(order.k) ?? 0)) outOfOrder++
    latest.set(order.k, Math.max(n, latest.get(order.k) ?? 0))
  }
  return {
    committed: orders.length,
    accepted: accepted.length,
    requests: counts.requests,
    replays: counts.replays,
    lost: orders.filter(({ id }) => !seen.has(id)).length,
    ghosts,
    duplicated,
    outOfOrder
  }
}
