/** The starters, installed by npm as a user installs them; and what the documentation says about Next.js, built by Next.js. */
import { signWebhook, startEmulator } from "@hookrail/emulator"
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { exec, folders, folders4, pack, root } from "../test/packing.js"
import { copyStarter, freePort, install, post, run, type Tarballs } from "../test/starting.js"

const secret = "whsec_0123456789abcdef0123456789abcdef"

/** Nothing that a route needs is set while it is built. */
const nothingSet = {
  HOOKRAIL_API_KEY: "",
  HOOKRAIL_BASE_URL: "",
  HOOKRAIL_WEBHOOK_SECRET: "",
  NEXT_TELEMETRY_DISABLED: "1"
}

describe("the starters", () => {
  let directory: string
  let tarballs: Tarballs

  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), "hookrail-starters-")))
    tarballs = Object.fromEntries(
      await Promise.all(
        [...folders, ...folders4].map(async (folder) => [folder, await pack(folder, directory)] as const)
      )
    )
  }, 120_000)

  /** With the packages of its line of Effect. */
  const ofLine = (line: 3 | 4): Tarballs => {
    const left = line === 3 ? ["hookrail-4", "node-4"] : ["hookrail", "node"]
    return Object.fromEntries(Object.entries(tarballs).filter(([folder]) => !left.includes(folder)))
  }

  afterAll(async () => {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  })

  describe.each(["express", "effect-service", "effect-service-3"] as const)("%s", (starter) => {
    let project: string

    beforeAll(async () => {
      project = await copyStarter(starter, directory)
      await install(project, ofLine(starter === "effect-service" ? 4 : 3))
    }, 300_000)

    it("type-checks", async () => {
      await exec("npm", ["run", "typecheck"], project, {}, 110_000)
    })

    it.skipIf(starter === "express")("passes its own tests", async () => {
      await exec("npm", ["test"], project, {}, 110_000)
    })

    it("runs with `npm run dev`", async () => {
      const port = await freePort()
      const program = run([join(project, "node_modules/tsx/dist/cli.mjs"), "src/dev.ts"], project, {
        PORT: String(port)
      })
      try {
        await program.printed("istening on")
        const { body, status } = await post(`http://127.0.0.1:${port}/orders`, { order_id: "o_1", amount: 4200 })
        assert.strictEqual(status, 202, body)
        await program.printed("order o_1 over 4200")
      } finally {
        await program.kill()
      }
    })
  })

  describe("next", () => {
    let project: string

    beforeAll(async () => {
      project = await copyStarter("next", directory)
      await install(project, ofLine(4))
      // The route of the documentation, next to those of the starter.
      const page = await readFile(join(root, "docs/receiving.md"), "utf8")
      const [, documented] = /```ts\n(\/\/ app\/api\/webhooks\/route\.ts\n[\s\S]*?)```/.exec(page) ?? []
      assert.isDefined(documented, "docs/receiving.md has the route")
      await mkdir(join(project, "app/api/documented"))
      await writeFile(join(project, "app/api/documented/route.ts"), documented!)
    }, 300_000)

    const next = (command: string) => join(project, "node_modules/next/dist/bin", command)

    it.each([["Turbopack", "--turbopack"], ["webpack", "--webpack"]])(
      "builds with %s without a secret, then receives and sends",
      async (_, bundler) => {
        await exec(process.execPath, [next("next"), "build", bundler], project, nothingSet, 280_000)
        const emulator = await startEmulator()
        const port = await freePort()
        const url = `http://127.0.0.1:${port}/api`
        emulator.subscribe({ topic: "orders.*", url: `${url}/webhooks`, secret })
        const program = run([next("next"), "start", "--port", String(port)], project, {
          HOOKRAIL_API_KEY: emulator.apiKey,
          HOOKRAIL_BASE_URL: emulator.url,
          HOOKRAIL_WEBHOOK_SECRET: secret,
          NEXT_TELEMETRY_DISABLED: "1"
        })
        try {
          await program.printed("Ready in")
          const send = async (topic: string, payload: unknown, key = secret) => {
            const { body, headers } = signWebhook({ secret: key, topic, payload })
            const { status } = await post(`${url}/documented`, body, headers)
            return status
          }
          assert.strictEqual(await send("orders.created", { mark: "genuine" }), 204)
          assert.strictEqual(await send("orders.created", { mark: "forged" }, `${secret}0`), 503)
          const { body, status } = await post(`${url}/orders`, { order_id: "o_1", amount: 4200 })
          assert.strictEqual(status, 202, body)
          await emulator.idle()
          assert.deepStrictEqual(emulator.ledger().attempts.map(({ httpStatus }) => httpStatus), [204])
          await program.printed("order o_1 over 4200")
          assert.include(program.output(), "genuine")
          assert.notInclude(program.output(), "mark: 'forged'")
        } finally {
          await program.kill()
          await emulator.close()
        }
      },
      360_000
    )

    it("runs with `npm run dev`", async () => {
      const port = await freePort()
      const program = run(["dev.mjs"], project, { PORT: String(port), NEXT_TELEMETRY_DISABLED: "1" })
      try {
        await program.printed("Ready in")
        const { body, status } = await post(`http://127.0.0.1:${port}/api/orders`, { order_id: "o_1", amount: 4200 })
        assert.strictEqual(status, 202, body)
        await program.printed("order o_1 over 4200")
      } finally {
        await program.kill()
      }
    }, 180_000)
  })
})
