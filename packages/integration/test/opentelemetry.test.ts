import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import { readFileSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { exec, root } from "./packing.js"

const textOf = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")

/** What the test looks at. Its text is a part of another program, too. */
const summary = (span: ReadableSpan) => ({
  name: span.name,
  spanId: span.spanContext().spanId,
  parent: span.parentSpanContext?.spanId,
  links: span.links.map(({ context }) => ({ spanId: context.spanId, traceId: context.traceId })),
  traceId: span.spanContext().traceId,
  events: span.events.map(({ name }) => name)
})

type Summary = ReturnType<typeof summary>

const check = (spans: ReadonlyArray<Summary>) => {
  const named = (name: string) => spans.find((span) => span.name === name)!
  const send = named("HookrailClient.sendEvent")
  const webhook = named("hookrail.webhook")
  assert.strictEqual(send.parent, named("checkout").spanId)
  assert.strictEqual(named("ship the order").parent, webhook.spanId)
  assert.deepStrictEqual(webhook.links, [{ spanId: send.spanId, traceId: send.traceId }])
  assert.deepStrictEqual(send.events, ["hookrail.attempt"])
}

describe("the examples of docs/opentelemetry.md", () => {
  const page = textOf("../../../docs/opentelemetry.md")

  it("are the programs that run here", () => {
    for (const name of ["effect", "promise"]) {
      assert.include(page, `\`\`\`ts\n${textOf(`opentelemetry/${name}.ts`)}\`\`\``)
    }
  })

  it("link the handler to the sender, with Effect 3", async () => {
    const { spans } = await import("./opentelemetry/effect.js")
    check(spans.map(summary))
  })

  it("link the handler to the sender, with Effect 4", async () => {
    // The packages that this folder sees are those for Effect 4.
    const directory = await mkdtemp(join(root, "docs/.opentelemetry-"))
    try {
      await writeFile(join(directory, "effect.ts"), textOf("opentelemetry/effect.ts"))
      await writeFile(
        join(directory, "main.mjs"),
        `import { spans } from "./effect.ts"
         const summary = ${summary.toString()}
         console.log(JSON.stringify(spans.map(summary)))`
      )
      const args = ["--import", "tsx", "--conditions", "@hookrail/source", "main.mjs"]
      const { stdout } = await exec(process.execPath, args, directory, {}, 60_000)
      check(JSON.parse(stdout) as ReadonlyArray<Summary>)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }, 60_000)

  it("link the handler to the sender, with promises", async () => {
    const { spans } = await import("./opentelemetry/promise.js")
    const named = (name: string) => spans.find((span) => span.name === name)!
    const send = named("send orders.created").spanContext()
    assert.deepStrictEqual(
      named("process orders.created").links.map(({ context: { spanId, traceId } }) => ({ spanId, traceId })),
      [{ spanId: send.spanId, traceId: send.traceId }]
    )
  })
})
