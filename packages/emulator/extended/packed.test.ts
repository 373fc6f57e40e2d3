import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const here = fileURLToPath(new URL("..", import.meta.url))
const built = existsSync(join(here, "dist/index.js"))

const exec = (command: string, args: ReadonlyArray<string>, cwd: string) =>
  promisify(execFile)(command, args, { cwd, env: { ...process.env, NODE_OPTIONS: "" } }).catch(
    (error: { readonly stdout: string; readonly stderr: string }) => {
      throw new Error(`${command} ${args.join(" ")}\n${error.stdout}\n${error.stderr}`)
    }
  )

const body = `
  const main = async () => {
    const emulator = await startEmulator({ clock: "manual", subscriptions: [{ topic: "orders.*", url: "http://a.test/" }] })
    emulator.fault({ on: "delivery", kind: "status", status: 200 })
    const webhook = signWebhook({ secret: "whsec_1", topic: "orders.created", payload: { n: 1 } })
    const headers = { Authorization: "Bearer " + emulator.apiKey }
    const event = JSON.stringify({ topic: webhook.headers["hookrail-topic"], payload: JSON.parse(webhook.body) })
    const { status } = await fetch(emulator.url + "/v1/events", { method: "POST", headers, body: event })
    await emulator.idle()
    console.log(status, emulator.ledger().attempts.length)
    await emulator.close()
    const shown = await startEmulator({ page: true })
    const page = await (await fetch(shown.pageUrl)).text()
    const authorization = "Bearer " + shown.pageToken
    const verified = await fetch(new URL("/api/verify", shown.pageUrl), {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify({ headers: webhook.headers, body: webhook.body, secrets: ["whsec_1"] })
    })
    console.log(page.includes("Waiting for the first event"), Object(await verified.json()).verdict)
    await shown.close()
  }
  void main()
`
const source = `import { signWebhook, startEmulator } from "@hookrail/emulator"\n${body}`
const required = source.replace(/import (\{.*?\}) from (".*?")/, "const $1 = require($2)")

describe.skipIf(!built && process.env["CI"] === undefined)("packed (needs a build: pnpm run build)", () => {
  let directory: string
  const run = async (file: string, text: string): Promise<string> => {
    await writeFile(join(directory, file), text)
    return (await exec(process.execPath, [file], directory)).stdout
  }

  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), "hookrail-emulator-")))
    const target = join(directory, "node_modules/@hookrail/emulator")
    await mkdir(target, { recursive: true })
    await exec("npm", ["pack", "--ignore-scripts", "--pack-destination", directory], here)
    const tarball = (await readdir(directory)).find((file) => file.endsWith(".tgz"))!
    await exec("tar", ["-xzf", join(directory, tarball), "-C", target, "--strip-components=1"], directory)
    for (const name of ["typescript", "@types/node"]) {
      const link = join(directory, "node_modules", name)
      await mkdir(dirname(link), { recursive: true })
      await symlink(await realpath(join(here, "../../node_modules", name)), link)
    }
  }, 60_000)

  afterAll(async () => {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  })

  it("there is no Effect here", async () => {
    const message = await run(
      "none.mjs",
      "import('@hookrail/emulator/effect').catch((error) => console.log(error.code))"
    )
    assert.strictEqual(message, "ERR_MODULE_NOT_FOUND\n")
  })

  it("runs without Effect as .mjs and .cjs", async () => {
    assert.strictEqual(await run("main.mjs", source), "202 1\ntrue genuine\n")
    assert.strictEqual(await run("main.cjs", required), "202 1\ntrue genuine\n")
  })

  it("the command runs without Effect", async () => {
    const { stdout } = await exec(
      process.execPath,
      ["node_modules/@hookrail/emulator/bin/hookrail-emulator.mjs", "--help"],
      directory
    )
    assert.match(stdout, /^Usage: hookrail-emulator/)
  })

  it("type-checks without Effect and without skipLibCheck", async () => {
    await writeFile(join(directory, "types.mts"), source)
    await writeFile(join(directory, "types.cts"), source)
    for (const [module, moduleResolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
      const compilerOptions = {
        module,
        moduleResolution,
        target: "es2022",
        lib: ["es2022"],
        strict: true,
        noEmit: true,
        types: ["node"]
      }
      const files = module === "nodenext" ? ["types.mts", "types.cts"] : ["types.mts"]
      await writeFile(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, files }))
      await exec(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "."], directory)
    }
  }, 60_000)
})
