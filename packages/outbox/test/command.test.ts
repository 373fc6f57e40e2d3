import { spawn } from "node:child_process"
import { type AddressInfo, createServer } from "node:net"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { assert, describe, it, onTestFinished, vi } from "vitest"
import { main } from "../src/command/main.js"
import { metricsOf } from "../src/command/metrics.js"
import { argumentsOf } from "../src/command/usage.js"
import { fromPg, fromSqlite, migrate, migrationSql, OutboxConfigError } from "../src/index.js"
import { Counts } from "../src/relay/counts.js"
import { startServer } from "./ledger/stub.js"
import { postgresDatabase, server, sqliteFile } from "./utils/engines.js"
import { ids, put } from "./utils/relays.js"

/** What the command prints in this process. */
const run = async (...args: ReadonlyArray<string>): Promise<{ code: number; out: string; err: string }> => {
  const [out, err]: [Array<string>, Array<string>] = [[], []]
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation((text) => out.push(String(text)) > 0),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => err.push(String(text)) > 0)
  ]
  try {
    const code = await main(args)
    return { code, out: out.join(""), err: err.join("") }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

const databases = {
  Postgres: async () => {
    const { pool, url } = await postgresDatabase()
    return { url, executor: fromPg(pool) }
  },
  SQLite: async () => {
    const { db, file } = sqliteFile()
    return { url: `sqlite:${file}`, executor: fromSqlite(db) }
  }
}

const park =
  "update hookrail_outbox set parked_reason = 'refused', last_status = 400, last_error = 'no' where id = 'a1'"

for (const [name, open] of Object.entries(databases)) {
  describe.skipIf(name === "Postgres" && server === undefined)(`the command, on ${name}`, () => {
    it("migrates, shows, and decides", async () => {
      const { executor, url } = await open()
      const on = (...args: ReadonlyArray<string>) => run(...args, "--database", url)
      assert.deepInclude(await on("status"), { code: 1, err: "" })
      assert.deepStrictEqual(await on("migrate"), { code: 0, out: "Applied: 1.\n", err: "" })
      assert.deepStrictEqual(await on("migrate"), { code: 0, out: "The tables are up to date.\n", err: "" })
      await put(executor, ["a1", "a2"])
      await executor.execute(park, [])
      const [status] = JSON.parse((await on("status", "--json")).out)
      assert.deepInclude(status, { tables: "current", pending: 1, parked: 1, blockedKeys: 1 })
      const { out } = await on("list")
      assert.match(out, /^state +seq +idempotencyKey/)
      assert.match(out, /parked +1 +a1 .* refused\n$/)
      assert.notInclude(out, "payload")
      assert.include((await on("blocked")).out, "refused")
      assert.deepInclude(await on("retry", "a2"), { code: 1, out: "" })
      assert.deepInclude(await on("retry", "a1"), { code: 0, out: "It is sent again.\n" })
      await executor.execute(park, [])
      assert.deepInclude(await on("discard", "a1"), { code: 0, out: "It is discarded.\n" })
      assert.deepStrictEqual(await ids(executor), ["a2"])
      assert.deepInclude(await on("list", "--state", "dead"), { code: 0, out: "none\n" })
    })

    it("runs until SIGTERM: sends, tells its health, drains", { timeout: 60_000 }, async () => {
      const { executor, url } = await open()
      await run("migrate", "--database", url)
      await put(executor, ["a1", "a2", "u1"])
      const stub = await startServer(() => 0.5, 1)
      const child = spawn(
        process.execPath,
        [
          "--import",
          "tsx",
          "--conditions=@hookrail/source",
          fileURLToPath(new URL("../src/bin.ts", import.meta.url)),
          "--port",
          "0",
          ...(name === "Postgres" ? ["--listen"] : [])
        ],
        {
          env: {
            ...process.env,
            HOOKRAIL_API_KEY: "hk_s3cret",
            HOOKRAIL_BASE_URL: stub.url,
            HOOKRAIL_DATABASE_URL: url
          }
        }
      )
      onTestFinished(async () => {
        child.kill("SIGKILL")
        await stub.close()
      })
      const lines: Array<Record<string, unknown>> = []
      let err = ""
      child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text))
      const until = (message: string): Promise<Record<string, unknown>> =>
        vi.waitFor(() => {
          const line = lines.find((it) => it.message === message)
          assert.isDefined(line, `${err} ${JSON.stringify(lines)}`)
          return line!
        }, { timeout: 30_000 })
      createInterface(child.stdout).on("line", (line) => lines.push(JSON.parse(line) as Record<string, unknown>))
      const { port } = await until("The relay runs.")
      await vi.waitFor(async () => assert.deepStrictEqual(await ids(executor), []), { timeout: 10_000 })
      assert.deepStrictEqual(stub.accepted.map(({ key }) => key).sort(), ["a1", "a2", "u1"])
      const get = async (path: string) => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`)
        return [response.status, await response.text()] as const
      }
      assert.deepStrictEqual(await get("/healthz"), [200, "running\n"])
      assert.deepStrictEqual(await get("/readyz"), [200, "ready\n"])
      assert.strictEqual((await get("/"))[0], 404)
      const [, metrics] = await get("/metrics")
      assert.include(metrics, `hookrail_outbox_accepted_total{destination="default"} 3\n`)
      assert.include(metrics, `hookrail_outbox_oldest_age_seconds{destination="default"} 0\n`)
      const exited = new Promise((resolve) => child.once("exit", (...how) => resolve(how)))
      child.kill("SIGTERM")
      assert.deepStrictEqual(await exited, [0, null])
      const ended = await until("The relay has ended.")
      assert.deepInclude(ended, { level: "info", accepted: 3, replayed: 0 })
      assert.strictEqual(err, "")
      assert.notMatch(JSON.stringify(lines), /s3cret|payload|postgres:\/\//)
    })
  })
}

describe("the command", () => {
  it("prints the migrations without a database", async () => {
    const { code, out } = await run("sql", "--dialect", "postgres", "--schema", "events", "--separator=--> next")
    assert.strictEqual(code, 0)
    assert.strictEqual(out, `${migrationSql({ dialect: "postgres", schema: "events", separator: "--> next" })}\n`)
  })

  it("explains itself", async () => {
    const { code, out } = await run("--help")
    assert.strictEqual(code, 0)
    assert.match(out, /^Usage: hookrail-relay/)
  })

  it.each([
    [[], "HOOKRAIL_DATABASE_URL"],
    [["status", "--database", "mysql://user:s3cret@host/db"], "postgres:// or sqlite:"],
    [["send"], "must be one of run, migrate"],
    [["--databse", "x"], "--databse"],
    [["retry"], "needs the idempotency key"],
    [["migrate", "now"], "takes no argument"],
    [["list", "--port", "1"], "is one of run only"],
    [["sql"], "--dialect"],
    [["list", "--limit", "many", "--database", "sqlite::memory:"], "--limit must be a whole number"],
    [["status", "--prefix", "A", "--database", "sqlite::memory:"], "prefix"],
    [["run", "--listen", "--database", "sqlite::memory:"], "for Postgres only"],
    [["status", "--database", "postgres://u:s3cret@host:port/db"], "written as %xx"],
    [["status", "--database", "postgres://u:s3cret@127.0.0.1:1/db"], "(ECONNREFUSED). Nothing listens"],
    [["status", "--database", "sqlite:/nowhere/a.db"], "names a file that is not there: /nowhere/a.db"],
    [["migrate", "--database", "sqlite:/nowhere/a.db"], "cannot be opened"],
    [["status", "--database", `sqlite:${fileURLToPath(import.meta.url)}`], "is no database of SQLite"]
  ])("says what is wrong with %j", async (args, text) => {
    vi.stubEnv("HOOKRAIL_DATABASE_URL", "")
    onTestFinished(() => void vi.unstubAllEnvs())
    const { code, err, out } = await run(...args)
    assert.strictEqual(code, 1)
    assert.strictEqual(out, "")
    assert.include(err, text)
    assert.notInclude(err, "s3cret")
  })

  it.each([
    ["28P01", "(28P01). The password was refused."],
    ["XX000", "(XX000). what it says of ***"]
  ])("never prints a password, not even a wrong one: %s", async (sqlState, text) => {
    // A Postgres that refuses: severity, code, message, each ended by zero.
    const fields = Buffer.from(`SFATAL\0C${sqlState}\0Mwhat it says of s3cret\0\0`)
    const refusal = Buffer.concat([Buffer.from("E"), Buffer.alloc(4), fields])
    refusal.writeInt32BE(4 + fields.length, 1)
    const postgres = createServer((socket) => {
      socket.on("error", () => {})
      socket.once("data", () => socket.end(refusal))
    })
    await new Promise<void>((resolve) => postgres.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void postgres.close())
    const url = `postgres://u:s3cret@127.0.0.1:${(postgres.address() as AddressInfo).port}/db`
    const { code, err, out } = await run("status", "--database", url)
    assert.strictEqual(code, 1)
    assert.include(err, text)
    assert.notInclude(err + out, "s3cret")
  })

  it("refuses a port that is in use, and ends", async () => {
    const { db, file } = sqliteFile()
    await migrate(fromSqlite(db))
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void other.close())
    vi.stubEnv("HOOKRAIL_API_KEY", "hk_s3cret")
    onTestFinished(() => void vi.unstubAllEnvs())
    const port = String((other.address() as AddressInfo).port)
    const { code, err } = await run("--database", `sqlite:${file}`, "--base-url", "http://127.0.0.1:1", "--port", port)
    assert.strictEqual(code, 1)
    assert.include(err, "The option --port is in use")
  })

  it("says that tables are missing, and what to do", async () => {
    const { file } = sqliteFile()
    const { code, err } = await run("list", "--database", `file:${file}`)
    assert.strictEqual(code, 1)
    assert.match(err, /There is no table hookrail_outbox\. Run the migrations/)
  })

  it("throws for an option that another command has", () => {
    assert.throws(() => argumentsOf(["status", "--limit", "1"]), OutboxConfigError)
  })

  it("writes metrics whose labels are escaped, and leaves out what is unknown", () => {
    const counts = new Counts()
    counts.accepted = 2
    counts.tookMs(20)
    counts.tookMs(9_999_999)
    const text = metricsOf(
      "a\"b",
      counts.snapshot({ state: "running", inFlight: 0, queued: 0, gateClosedMs: 500 }),
      undefined
    )
    assert.include(text, "hookrail_outbox_gate_closed_seconds{destination=\"a\\\"b\"} 0.5\n")
    assert.include(text, "_bucket{destination=\"a\\\"b\",le=\"0.01\"} 0\n")
    assert.include(text, "_bucket{destination=\"a\\\"b\",le=\"0.025\"} 1\n")
    assert.include(text, "le=\"+Inf\"} 2\n")
    assert.notInclude(text, "pending")
    // Every sample has a type before it, and no name two of them.
    const types = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
    assert.strictEqual(new Set(types).size, types.length)
  })
})
