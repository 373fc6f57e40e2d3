import { mkdir, symlink, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { Home, lines } from "./utils/command.js"

const lineOf = { "Effect 3": "../../hookrail/node_modules/effect", "Effect 4": "../node_modules/effect" }

/** What `Topic.make` of either line returns, as far as the command looks at it. */
const module = `
import * as Schema from "effect/Schema"
const topic = (name, schema) => ({ "~hookrail/Topic": "~hookrail/Topic", name, schema })
export const OrderCreated = topic("orders.created", Schema.Struct({
  order_id: Schema.String,
  amount: Schema.Number,
  note: Schema.optional(Schema.String),
  lines: Schema.Array(Schema.Struct({ sku: Schema.String }))
}))
export const catalogue = { other: topic("orders.other", Schema.Struct({ at: Schema.String })) }
`

describe.concurrent.each(Object.entries(lineOf))("a catalog with the Schema of %s", (_, effect) => {
  it("gives examples, and checks", async () => {
    await using home = await Home.make()
    await mkdir(`${home.path}/node_modules`)
    await symlink(fileURLToPath(new URL(effect, import.meta.url)), `${home.path}/node_modules/effect`)
    await writeFile(`${home.path}/topics.mjs`, module)
    const run = (...args: ReadonlyArray<string>) =>
      home.run(["trigger", ...args, "--catalog", "topics.mjs", "--dry-run", "--format", "json"])
    const [example, wrong, unknown] = await Promise.all([
      run("orders.created", "--set", "order_id=o_9"),
      run("orders.created", "--set", "lines[0].sku=7"),
      run("orders.nope")
    ])
    assert.strictEqual(example.stderr, "")
    const [{ payload }] = lines(example.stdout)
    assert.strictEqual(payload.order_id, "o_9")
    assert.typeOf(payload.amount, "number")
    assert.deepStrictEqual(payload.lines, [])
    assert.deepStrictEqual([wrong.code, unknown.code], [2, 2])
    assert.match(
      lines(wrong.stderr)[0].error.message,
      /does not match the schema of orders.created, at \$.lines\[0\].sku: [Ee]xpected string/
    )
    assert.match(lines(unknown.stderr)[0].error.message, /it has orders.created, orders.other$/)
  })
})

it("a catalogue of defineEvents gives its topics, whatever they are called", async () => {
  await using home = await Home.make()
  await writeFile(
    `${home.path}/events.mjs`,
    `
const schema = { "~standard": { version: 1, vendor: "own",
  validate: (value) => typeof value.id === "string" ? { value } : { issues: [{ message: "no text", path: ["id"] }] },
  jsonSchema: { input: () => ({ type: "object", properties: { id: { type: "string" } }, required: ["id"] }) } } }
const definitions = new Map([["Ping", schema], ["orders.paid", { schema, encode: (order) => order }]])
export const events = { topics: [...definitions.keys()], "~hookrail/EventCatalogue": { definitions } }
`
  )
  const run = (...args: ReadonlyArray<string>) =>
    home.run(["trigger", ...args, "--catalog", "events.mjs", "--dry-run", "--format", "json"])
  const [example, wrong] = await Promise.all([run("Ping"), run("orders.paid", "--set", "id=7")])
  assert.typeOf(lines(example.stdout)[0].payload.id, "string")
  assert.strictEqual(wrong.code, 2)
  assert.match(lines(wrong.stderr)[0].error.message, /schema of orders.paid, at \$.id: no text/)
})

it("a module that cannot be loaded, or has no topics, is told", async () => {
  await using home = await Home.make()
  await writeFile(`${home.path}/empty.mjs`, "export const a = 1")
  await writeFile(`${home.path}/broken.mjs`, "import 'not-there'")
  await writeFile(`${home.path}/null.mjs`, "throw null")
  await writeFile(`${home.path}/never.mjs`, "await new Promise(() => {})")
  const [none, broken, missing, nothing, never] = await Promise.all(
    ["empty.mjs", "broken.mjs", "missing.mjs", "null.mjs", "never.mjs"].map((file) =>
      home.run(["trigger", "t", "--catalog", file, "--dry-run"])
    )
  )
  assert.match(none!.stderr, /^hookrail: empty.mjs exports no topics: [^\n]+\n$/)
  assert.match(broken!.stderr, /^hookrail: cannot load broken.mjs: [^\n]+: check the path and its imports\n$/)
  assert.match(missing!.stderr, /^hookrail: cannot load missing.mjs: [^\n]+\n$/)
  assert.match(nothing!.stderr, /^hookrail: cannot load null.mjs: null: [^\n]+\n$/)
  assert.match(never!.stderr, /^hookrail: a module that was loaded, [^\n]+ never gets done: [^\n]+\n$/)
  for (const { code } of [none!, broken!, missing!, nothing!, never!]) assert.strictEqual(code, 2)
})
