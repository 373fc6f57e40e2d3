// Sends webhooks to the servers and functions of docs/receiving.md. Runs in a folder with them: see examples.test.ts.
import { signWebhook } from "@hookrail/emulator"
import { setTimeout } from "node:timers/promises"

const secret = process.env.HOOKRAIL_WEBHOOK_SECRET
const sign = (options = {}) =>
  signWebhook({ secret, topic: "orders.created", payload: { order_id: "o_1" }, ...options })

const post = async (port, webhook) => {
  const { body, headers } = webhook
  for (const path of ["/webhooks", "/"]) {
    const { status } = await globalThis.fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers, body })
    if (status !== 404) return status
  }
  return 404
}

const servers = []
for (const [n, port] of process.env.PORTS.split(",").entries()) {
  await import(`./server${n}.ts`)
  const webhook = sign()
  // Not all of them wait until they listen.
  let first
  for (let attempt = 0; first === undefined; attempt++) {
    first = await post(port, webhook).catch(async (error) => {
      if (attempt === 100) throw error
      await setTimeout(20)
    })
  }
  servers.push([first, await post(port, webhook), await post(port, sign({ secret: "whsec_of_somebody_else" }))])
}

const { POST } = await import("./next.ts")
const { default: bun } = await import("./bun.ts")
const { default: cloudflare } = await import("./cloudflare.ts")
const { handler } = await import("./lambda.ts")
const { again, first } = await import("./signed.ts")

const { body, headers } = sign()
const result = {
  servers,
  next: (await POST(sign().toRequest())).status,
  bun: (await bun.fetch(sign().toRequest())).status,
  cloudflare: (await cloudflare.fetch(sign().toRequest(), { HOOKRAIL_WEBHOOK_SECRET: secret })).status,
  lambda: (await handler({
    version: "2.0",
    rawPath: "/",
    requestContext: { http: { method: "POST", path: "/" } },
    headers,
    body: Buffer.from(body).toString("base64"),
    isBase64Encoded: true
  })).statusCode,
  signed: [first.status, again.status]
}
process.stdout.write(`\n${JSON.stringify(result)}\n`, () => process.exit())
