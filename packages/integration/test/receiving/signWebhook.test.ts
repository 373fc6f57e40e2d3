import { describe, it } from "@effect/vitest"
import { strictEqual } from "@effect/vitest/utils"
import { NodeWebhooks } from "@hookrail/node"
import { Webhooks } from "hookrail"
import { ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { PassThrough } from "node:stream"
import { sign, startReceiver } from "./receiver.js"
import type { Serve, WebhooksRuntime } from "./ways.js"

/** No server: the runtime is handed to the test. */
const runtimeTo = (take: (runtime: WebhooksRuntime) => void): Serve => async (runtime) => {
  take(runtime)
  return { url: "", close: () => Promise.resolve() }
}

describe("signWebhook", () => {
  it("makes what a listener of Node's kind takes", async () => {
    let runtime!: WebhooksRuntime
    await using receiver = await startReceiver(runtimeTo((given) => runtime = given))
    const request = sign({ payload: { order_id: "o_é…" } }).toIncomingMessage()
    const response = new ServerResponse(request)
    const socket = new PassThrough()
    response.assignSocket(socket as unknown as Socket)
    response.on("finish", () => socket.destroy())
    await NodeWebhooks.listener(runtime)(request, response)
    strictEqual(response.statusCode, 204)
    strictEqual(receiver.events[0]!.payload.order_id, "o_é…")
  })

  // The listener waits for the response to close, which without a socket never happens.
  it("makes what such a listener takes with a bare response", { timeout: 1000 }, async () => {
    let runtime!: WebhooksRuntime
    await using _ = await startReceiver(runtimeTo((given) => runtime = given))
    const request = sign().toIncomingMessage()
    const response = new ServerResponse(request)
    await NodeWebhooks.listener(runtime)(request, response)
    strictEqual(response.statusCode, 204)
  })

  it("makes what a handler of fetch's kind takes", async () => {
    let runtime!: WebhooksRuntime
    await using receiver = await startReceiver(runtimeTo((given) => runtime = given))
    const response = await Webhooks.toWebHandler(runtime)(sign({ payload: { order_id: "o_é…" } }).toRequest())
    strictEqual(response.status, 204)
    strictEqual(receiver.events[0]!.payload.order_id, "o_é…")
  })
})
