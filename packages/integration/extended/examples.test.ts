/** Examples of the documentation that are programs of their own run as they stand there, in one process for each topic. */
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { exec, root } from "../test/packing.js"
import { freePort } from "../test/starting.js"

interface Example {
  /** The title above it. */
  readonly title: string
  readonly code: string
}

/** The examples of a page; those for Effect 3 only are left out, as the folder of the documentation has Effect 4. */
const examplesOf = async (page: string): Promise<ReadonlyArray<Example>> => {
  const text = await readFile(join(root, page), "utf8")
  const pattern = /^#+ (.+)$|^```(?:ts|ts effect-4)\n([\s\S]*?)^```$/gm
  let title = ""
  return [...text.matchAll(pattern)].flatMap(([, heading, code]) => {
    title = heading ?? title
    return code === undefined ? [] : [{ title, code }]
  })
}

describe("examples of the documentation", () => {
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(join(root, "docs/.guide-"))
  })

  afterAll(() => rm(directory, { recursive: true, force: true }))

  /** Writes an example as a module that exports these names; what it declares comes from `globalThis.given`. */
  const write = async (file: string, { code }: Example, names: ReadonlyArray<string> = []): Promise<void> => {
    const given = code.replace(/^declare const (\w+): .*$/gm, "const $1 = globalThis.given.$1")
    const exported = names.length === 0 ? "" : `\nexport { ${names.join(", ")} }\n`
    await writeFile(join(directory, file), given + exported)
  }

  /** Runs one of the programs of `examples/` next to the examples; the last line that it prints is its result. */
  const run = async (program: string, env: Readonly<Record<string, string>> = {}): Promise<unknown> => {
    await copyFile(new URL(`./examples/${program}.mjs`, import.meta.url), join(directory, `${program}.mjs`))
    const args = ["--import", "tsx", "--conditions", "@hookrail/source", `${program}.mjs`]
    const { stdout } = await exec(process.execPath, args, directory, env, 60_000)
    return JSON.parse(stdout.trimEnd().split("\n").at(-1)!)
  }

  it("receiving: each framework takes, recognises and refuses webhooks", async () => {
    const examples = await examplesOf("docs/receiving.md")
    const servers = examples.filter(({ code, title }) => title !== "Shutting down" && /\b3000\b/.test(code))
    assert.deepStrictEqual(
      servers.map(({ title }) => title),
      ["Receiving webhooks", "node:http", "Express 4 and 5", "Fastify 5", "Koa", "Nest", "Hono"]
    )
    const ports: Array<number> = []
    for (const [n, server] of servers.entries()) {
      ports.push(await freePort())
      await write(`server${n}.ts`, { ...server, code: server.code.replace(/\b3000\b/, String(ports[n])) })
    }
    const functions = { next: "Next.js, SvelteKit, Remix", bun: "Bun and Deno", cloudflare: "Cloudflare Workers" }
    for (const [file, title] of Object.entries({ ...functions, lambda: "AWS Lambda" })) {
      await write(`${file}.ts`, examples.find((it) => it.title === title)!)
    }
    await write("signed.ts", examples.find(({ title }) => title === "Testing your handlers")!, ["first", "again"])
    const result = await run("receiving", {
      PORTS: ports.join(),
      HOOKRAIL_WEBHOOK_SECRET: "whsec_0123456789abcdef"
    })
    assert.deepStrictEqual(result, {
      servers: servers.map(() => [204, 200, 503]),
      next: 204,
      bun: 204,
      cloudflare: 204,
      lambda: 204,
      signed: [204, 200]
    })
  }, 90_000)

  it("emulator and administration: what they print and return", async () => {
    const admin = await examplesOf("docs/admin.md")
    const [program, list, slow, setUp, replay] = admin as [Example, Example, Example, Example, Example]
    await write("program.ts", program, ["program"])
    await write("list.ts", list)
    await write("slow.ts", slow, ["slow"])
    await write("setUp.ts", setUp)
    await write("replay.ts", replay)
    await write("api.ts", (await examplesOf("docs/emulator-api.md"))[0]!)
    await write("emulator.ts", (await examplesOf("docs/emulator.md"))[0]!, ["test"])
    await write("verifier.ts", (await examplesOf("docs/signature-verifier.md"))[0]!, ["receive", "fromCode"])
    assert.deepStrictEqual(await run("emulator"), {
      api: [[["http://shop.test/", [204]]]],
      emulator: 2,
      program: "whsec_",
      list: ["http_404", "http_410"],
      // The first example has made this endpoint.
      setUp: "found",
      replay: "1 deliveries",
      verifier: 1
    })
  }, 90_000)
})
