/** The starters run with the packed packages. `starters.test.ts` also installs them with npm, and builds with Next. */
import { signWebhook } from "@hookrail/emulator"
import { mkdtemp, readdir, readFile, realpath, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { built, exec, type Folder, type Folder4, folders, folders4, placeOf, root } from "../test/packing.js"
import { copyStarter, freePort, linkAll, post, run, type Starter } from "../test/starting.js"

interface Case {
  readonly starter: Starter
  readonly packages: ReadonlyArray<Folder | Folder4>
  readonly links: Readonly<Record<string, string>>
  readonly handled: string
}

const cases: ReadonlyArray<Case> = [
  {
    starter: "express",
    packages: ["promise", "emulator"],
    links: { express: "packages/integration", tsx: ".", undici: "packages/node" },
    handled: "order o_1 over 4200"
  },
  {
    starter: "effect-service",
    packages: ["hookrail-4", "node-4", "emulator"],
    links: {
      "@effect/platform-node": "packages/hookrail-4",
      effect: "packages/hookrail-4",
      tsx: ".",
      undici: "packages/node"
    },
    handled: "packing order o_1 over 4200"
  },
  {
    starter: "effect-service-3",
    packages: ["hookrail", "node", "emulator"],
    links: {
      "@effect/platform": "packages/integration",
      "@effect/platform-node": "packages/integration",
      effect: "packages/integration",
      tsx: ".",
      undici: "packages/node"
    },
    handled: "packing order o_1 over 4200"
  }
]

describe.skipIf(!built && process.env["CI"] === undefined)("starters (need a build: pnpm run build)", () => {
  let directory: string
  const tarballs: Partial<Record<Folder | Folder4, string>> = {}

  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), "hookrail-starters-")))
    // Only what is in the tarball matters here, not what its manifest depends on.
    await Promise.all([...folders, ...folders4].map(async (folder) => {
      const to = await mkdtemp(join(directory, "pack-"))
      await exec("npm", ["pack", "--ignore-scripts", "--pack-destination", to], placeOf(folder))
      tarballs[folder] = join(to, (await readdir(to))[0]!)
    }))
  }, 60_000)

  afterAll(async () => {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  })

  it.each(cases)("$starter sends, receives what it sent, and ends", async ({ handled, links, packages, starter }) => {
    const project = await copyStarter(starter, directory)
    await linkAll(project, links, Object.fromEntries(packages.map((folder) => [folder, tarballs[folder]!])))
    const port = await freePort()
    const program = run(["--import", "tsx", "src/dev.ts"], project, { PORT: String(port) })
    try {
      await program.printed("istening on")
      const order = { order_id: "o_1", amount: 4200 }
      const url = `http://127.0.0.1:${port}`
      const first = await post(`${url}/orders`, order)
      assert.strictEqual(first.status, 202, first.body)
      await program.printed(handled)
      assert.deepStrictEqual(await post(`${url}/orders`, order), first, "the same event")
      assert.strictEqual((await post(`${url}/orders`, { order_id: 1 })).status, 400)
      const { body, headers } = signWebhook({ secret: "whsec_of_nobody_here", topic: "orders.created", payload: order })
      const forged = await post(`${url}/webhooks`, Buffer.from(body).toString(), { ...headers })
      assert.strictEqual(forged.status, 503)
      assert.strictEqual(program.output().split(handled).length - 1, 1, program.output())
      // An interrupted Effect program ends as one that was stopped by a signal: by SIGTERM in Effect 3, by SIGINT in Effect 4.
      assert.include([0, 130, 143], await program.stop(), program.output())
    } finally {
      await program.kill()
    }
  }, 60_000)

  it("say in their README how to begin, in two commands", async () => {
    for (const starter of ["effect-service", "effect-service-3", "express", "next"]) {
      const readme = await readFile(join(root, "scratchpad", starter, "README.md"), "utf8")
      assert.include(readme, "```sh\nnpm install\nnpm run dev\n```")
    }
  })
})
