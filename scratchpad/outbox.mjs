// The outbox through two crashes, on a file of SQLite: the shop is killed after its commit and before the send, the relay is killed
// after the send and before it has heard of it. One event is delivered.
import { startEmulator } from "@hookrail/emulator"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const at = (path) => fileURLToPath(new URL(path, import.meta.url))

/** The package, from its sources: it is not installed for the demo, because its tests need many databases. */
const outbox = at("./node_modules/.cache/outbox/")
const bundle = () =>
  build({
    entryPoints: { index: at("../packages/outbox/src/index.ts"), relay: at("../packages/outbox/src/bin.ts") },
    outdir: outbox,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    conditions: ["@hookrail/source"],
    alias: { hookrail: at("../packages/hookrail/src") },
    external: ["@hookrail/promise", "better-sqlite3", "libsql", "pg"],
    logLevel: "error"
  })

/** A program that takes an order, and loses its power before it can tell anybody. */
const shop = `
import Database from "libsql"
import { enqueueSync, fromSqlite, migrate } from "./index.mjs"

const db = new Database(process.argv[2])
db.exec("pragma journal_mode = wal")
db.exec("create table orders (id text primary key, amount integer not null)")
await migrate(fromSqlite(db))
db.transaction(() => {
  db.prepare("insert into orders values (?, ?)").run("o_9", 4200)
  enqueueSync(fromSqlite(db), { topic: "orders.created", payload: { order_id: "o_9", amount: 4200 } })
})()
process.kill(process.pid, "SIGKILL")
`

const ended = (child) => new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)))

const until = async (condition, what) => {
  for (const deadline = Date.now() + 20_000; !condition();) {
    if (Date.now() > deadline) throw new Error(`the demo did not go as told: ${what}`)
    await setTimeout(10)
  }
}

/** Runs it; `say` prints a line. */
export const outboxDemo = async (say) => {
  await bundle()
  writeFileSync(`${outbox}shop.mjs`, shop)
  const folder = mkdtempSync(join(tmpdir(), "hookrail-demo-"))
  const file = join(folder, "shop.db")
  const received = []
  const receiver = createServer((request, response) => {
    request.resume()
    received.push(request.headers["hookrail-event-id"])
    response.writeHead(204).end()
  })
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve))
  const emulator = await startEmulator({ sweepIntervalMs: 0 })
  emulator.subscribe({ topic: "*", url: `http://127.0.0.1:${receiver.address().port}/` })
  const events = () => emulator.ledger().events
  const replayed = () =>
    emulator.ledger().requests.some(({ answer }) => answer?.headers["Idempotent-Replay"] === "true")
  const children = []
  const start = (...args) => {
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, HOOKRAIL_API_KEY: emulator.apiKey, HOOKRAIL_BASE_URL: emulator.url }
    })
    children.push(child)
    return child
  }
  const relay = () =>
    start(`${outbox}relay.mjs`, "--database", `sqlite:${file}`, "--lease-ms", "1500", "--send-timeout-ms", "400")
  try {
    say("6. An order is committed, and the process is killed before the event is sent.")
    say(
      `  the shop ended with ${await ended(start(`${outbox}shop.mjs`, file))}, the server has ${events().length} events`
    )
    say("7. A relay sends it, and is killed before it reads the answer.")
    emulator.fault({ kind: "stall", when: "after", times: 1 })
    const first = relay()
    await until(() => events().length === 1, "the event was not sent")
    first.kill("SIGKILL")
    say(`  the relay ended with ${await ended(first)}, the server has ${events().length} event`)
    say("8. The relay is started again. It cannot know, and sends the same bytes under the same key.")
    const second = relay()
    await until(replayed, "the event was not sent again")
    second.kill("SIGTERM")
    say(`  the relay ended with ${await ended(second)}, the server knew the event again`)
    await emulator.idle()
    say(`  the receiver got ${received.length} webhook`)
    if (received.length !== 1 || events().length !== 1) throw new Error("the demo did not go as told")
  } finally {
    for (const child of children) child.kill("SIGKILL")
    await emulator.close()
    receiver.closeAllConnections()
    receiver.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
