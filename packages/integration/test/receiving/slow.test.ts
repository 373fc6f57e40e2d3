import { describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { connect } from "node:net"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { post } from "./http.js"
import { secret, sign, startReceiver } from "./receiver.js"
import { ways } from "./ways.js"

const head = ({ headers }: ReturnType<typeof sign>, more: Record<string, string | number>): string =>
  ["POST /webhooks HTTP/1.1", "Host: 127.0.0.1"]
    .concat(Object.entries({ ...headers, ...more }).map(([name, value]) => `${name}: ${value}`))
    .join("\r\n") + "\r\n\r\n"

/** Writes on a connection of its own, and gives the status of what comes back. */
const statusOf = (url: string, ...pieces: ReadonlyArray<string | Buffer>): Promise<number> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1")
    socket.on("error", reject)
    socket.on("close", () => reject(new Error("closed without an answer")))
    socket.once("data", (data) => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(data.toString("latin1"))?.[1]))
      socket.destroy()
    })
    for (const piece of pieces) socket.write(piece)
  })

/** Behind a gateway a request is whole before it comes. */
const streaming = ways.filter(({ way }) => !way.startsWith("Lambda"))

describe.each(streaming)("requests that do not end, through $way", ({ serve }) => {
  it("300 halves of a body are answered when their time is over", async () => {
    await using receiver = await startReceiver(serve, { timeout: "500 millis" })
    const webhook = sign()
    const half = webhook.body.slice(0, webhook.body.length / 2)
    const statuses = await Promise.all(
      Array.from({ length: 300 }, () => statusOf(receiver.url, head(webhook, {}), half))
    )
    deepStrictEqual(new Set(statuses), new Set([408]))
    strictEqual(receiver.events.length, 0)
    strictEqual((await post(receiver.url, sign())).status, 204)
  })

  it("what is unsigned or stale is answered without its body", async () => {
    await using receiver = await startReceiver(serve, { timeout: "1 hour" })
    const unsigned = sign()
    const stale = sign({ signedAt: new Date(Date.now() - 600_000) })
    const { "hookrail-signature": _, ...headers } = unsigned.headers
    const statuses = await Promise.all([
      statusOf(
        receiver.url,
        head({ ...unsigned, headers: headers as typeof unsigned.headers }, { "content-length": 9 })
      ),
      statusOf(receiver.url, head(stale, { "content-length": 9 }))
    ])
    deepStrictEqual(statuses, [400, 503])
  })
})

describe("a receiver with a heap of 64 MB", () => {
  const program = `
    import { createWebhookHandler } from "@hookrail/promise/webhooks"
    import { createServer } from "node:http"
    const webhooks = createWebhookHandler({ secrets: ${
    JSON.stringify(secret)
  }, otherwise: () => {}, timeout: "5 minutes", log: () => {} })
    const server = createServer(webhooks.node)
    server.listen(0, "127.0.0.1", () => console.log(server.address().port))
  `

  it("takes 2 MB in pieces of one byte, on 7 connections at once", { timeout: 120_000 }, async () => {
    const child = spawn(
      process.execPath,
      [
        "--max-old-space-size=64",
        "--conditions=@hookrail/source",
        "--import",
        "tsx",
        "--input-type=module",
        "--eval",
        program
      ],
      { cwd: fileURLToPath(new URL(".", import.meta.url)), stdio: ["ignore", "pipe", "inherit"] }
    )
    try {
      const [port] = await once(createInterface({ input: child.stdout! }), "line") as [string]
      const url = `http://127.0.0.1:${port}`
      const statuses = await Promise.all(Array.from({ length: 7 }, () => {
        const webhook = sign({ payload: { order_id: "x".repeat(300_000) } })
        const { "content-length": _, ...headers } = webhook.headers as Record<string, string>
        // Each byte is a chunk, and so a piece of its own, however the bytes travel.
        const chunks = Buffer.from(
          Array.from(webhook.body, (byte) => `1\r\n${byte}\r\n`).join("") + "0\r\n\r\n",
          "latin1"
        )
        return statusOf(
          url,
          head({ ...webhook, headers: headers as typeof webhook.headers }, { "transfer-encoding": "chunked" }),
          chunks
        )
      }))
      deepStrictEqual(statuses, Array.from({ length: 7 }, () => 204))
    } finally {
      child.kill("SIGKILL")
    }
  })
})
