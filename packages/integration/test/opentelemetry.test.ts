import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"

const textOf = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")

describe("the examples of docs/opentelemetry.md", () => {
  const page = textOf("../../../docs/opentelemetry.md")

  it("are the programs that run here", () => {
    for (const [name, language] of [["effect", "ts effect-3"], ["promise", "ts"]]) {
      assert.include(page, `\`\`\`${language}\n${textOf(`opentelemetry/${name}.ts`)}\`\`\``)
    }
  })

  it("link the handler to the sender, with Effect", async () => {
    const { spans } = await import("./opentelemetry/effect.js")
    const named = (name: string) => spans.find((span) => span.name === name)!
    const send = named("HookrailClient.sendEvent")
    const webhook = named("hookrail.webhook")
    assert.strictEqual(send.parentSpanContext?.spanId, named("checkout").spanContext().spanId)
    assert.strictEqual(named("ship the order").parentSpanContext?.spanId, webhook.spanContext().spanId)
    assert.deepStrictEqual(
      webhook.links.map(({ context: { spanId, traceId } }) => ({ spanId, traceId })),
      [{ spanId: send.spanContext().spanId, traceId: send.spanContext().traceId }]
    )
    assert.deepStrictEqual(send.events.map(({ name }) => name), ["hookrail.attempt"])
  })

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
