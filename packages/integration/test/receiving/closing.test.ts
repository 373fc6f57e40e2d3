/** A server closes as docs/receiving.md says, although a webhook is being handled and its sender keeps the connection. */
import { signWebhook } from "@hookrail/emulator"
import { createWebhookHandler } from "@hookrail/promise/webhooks"
import Fastify from "fastify"
import { readFileSync } from "node:fs"
import { Agent, createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { setImmediate } from "node:timers/promises"
import { assert, describe, it, onTestFinished } from "vitest"

const secret = "whsec_0123456789abcdef"

const page = readFileSync(new URL("../../../../docs/receiving.md", import.meta.url), "utf8")

/** A handler that waits until it is told to end. */
const slow = () => {
  let started!: () => void
  let end!: () => void
  const hasStarted = new Promise<void>((resolve) => started = resolve)
  const mayEnd = new Promise<void>((resolve) => end = resolve)
  const webhooks = createWebhookHandler({
    secrets: secret,
    on: {
      "*": () => {
        started()
        return mayEnd
      }
    }
  })
  return { webhooks, hasStarted, end }
}

/** Sends a webhook over a connection that is kept; resolves with the status. */
const send = (port: number): Promise<number | undefined> => {
  const agent = new Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  const { body, headers } = signWebhook({ secret, topic: "orders.created", payload: {} })
  return new Promise((resolve, reject) => {
    request({ port, agent, method: "POST", path: "/webhooks", headers }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode))
    }).once("error", reject).end(body)
  })
}

describe("a server that closes while a webhook is handled", () => {
  it("of node:http, after drain", async () => {
    const { end, hasStarted, webhooks } = slow()
    const server = createServer(webhooks.node).listen(0)
    const status = send((server.address() as AddressInfo).port)
    await hasStarted
    const drained = webhooks.drain()
    end()
    await drained
    await new Promise((resolve) => server.close(resolve))
    assert.strictEqual(await status, 204)
  })

  it("of Fastify, with the hook", async () => {
    assert.include(page, "app.addHook(\"preClose\", () => webhooks.drain())")
    const { end, hasStarted, webhooks } = slow()
    const app = Fastify()
    let isDraining = false
    app.addHook("preClose", () => {
      isDraining = true
      return webhooks.drain()
    })
    await app.register(async (scope) => {
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser("*", (_request, _payload, done) => done(null))
      scope.post("/webhooks", webhooks.node)
    })
    await app.listen({ port: 0 })
    const status = send((app.server.address() as AddressInfo).port)
    await hasStarted
    const closed = app.close()
    // The connection must not be idle before the server closes.
    while (!isDraining && app.server.listening) await setImmediate()
    end()
    await closed
    assert.strictEqual(await status, 204)
  })
})
