/** The examples of docs/outbox.md and docs/inbox.md run as they stand there, with the drivers of the documentation's folder. */
import { execFile } from "node:child_process"
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { postgresDatabase, server } from "../test/utils/engines.js"

const root = fileURLToPath(new URL("../../..", import.meta.url))

interface Example {
  /** The title above it. */
  readonly title: string
  readonly code: string
}

const examplesOf = async (page: string): Promise<ReadonlyArray<Example>> => {
  const text = await readFile(join(root, page), "utf8")
  let title = ""
  return [...text.matchAll(/^#+ (.+)$|^```ts\n([\s\S]*?)^```$/gm)].flatMap(([, heading, code]) => {
    title = heading ?? title
    return code === undefined ? [] : [{ title, code }]
  })
}

describe.skipIf(server === undefined)("examples of the documentation", () => {
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(join(root, "docs/.guide-"))
  })

  afterAll(() => rm(directory, { recursive: true, force: true }))

  const write = async (file: string, example: Example | undefined, names = ""): Promise<void> => {
    if (example === undefined) throw new Error(`the documentation has no example for ${file}`)
    await writeFile(join(directory, file), `${example.code}\nexport { ${names} }\n`)
  }

  /** Runs one of the programs of `examples/` next to the examples; the last line that it prints is its result. */
  const run = async (program: string): Promise<unknown> => {
    const { url } = await postgresDatabase()
    const { hostname, pathname, port, username } = new URL(url)
    await copyFile(new URL(`./examples/${program}.mjs`, import.meta.url), join(directory, `${program}.mjs`))
    const args = ["--import", "tsx", "--conditions", "@hookrail/source", `${program}.mjs`]
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: directory,
      timeout: 60_000,
      env: {
        ...process.env,
        NODE_OPTIONS: "",
        DATABASE_URL: url,
        PGHOST: hostname,
        PGPORT: port,
        PGUSER: username,
        PGDATABASE: pathname.slice(1),
        HOOKRAIL_WEBHOOK_SECRET: "whsec_0123456789abcdef"
      }
    })
    return JSON.parse(stdout.trimEnd().split("\n").at(-1)!)
  }

  it("outbox: each driver stores its event with the change", async () => {
    const examples = await examplesOf("docs/outbox.md")
    const titled = (title: string) => examples.find((it) => it.title === title)
    await write("tables.ts", titled("The tables"))
    await write("pg.ts", titled("pg"), "place")
    await write("postgresJs.ts", titled("postgres.js"), "place, sql")
    await write("drizzle.ts", titled("Drizzle"), "db")
    await write("kysely.ts", titled("Kysely"), "place")
    await write("knex.ts", titled("Knex"), "db")
    await write("typeOrm.ts", titled("TypeORM"), "place")
    await write("statement.ts", titled("Anything else"), "sql, params")
    await write("catalogue.ts", titled("Events of a catalogue"))
    const of = (order: string) => ({ order, event: "orders.created", key: order })
    assert.deepStrictEqual(await run("outbox"), [
      of("o_pg"),
      of("o_postgresJs"),
      of("o_1"),
      of("o_kysely"),
      of("o_1"),
      of("o_typeOrm"),
      { event: "orders.created", key: "o_1" },
      { event: "orders.created", key: "o_1" }
    ])
  }, 90_000)

  it("inbox: a delivery changes the database once", async () => {
    const examples = await examplesOf("docs/inbox.md")
    const [inTransaction, own, log] = examples
    await write("inTransaction.ts", inTransaction, "webhooks")
    await write("own.ts", own, "db, pay")
    await write("log.ts", log, "webhooks")
    assert.deepStrictEqual(await run("inbox"), {
      inTransaction: [204, 204],
      atOnce: [204, 204, 204],
      log: [204, 200],
      paid: ["o_1", "o_2", "o_3"],
      updates: 3
    })
  }, 90_000)
})
