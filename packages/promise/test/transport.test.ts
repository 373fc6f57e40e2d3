import { startEmulator } from "@hookrail/emulator"
import { createServer, type ServerResponse } from "node:http"
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from "node:net"
import { inspect } from "node:util"
import { afterEach, assert, describe, it } from "vitest"
import * as Node from "../src/index.js"
import * as Web from "../src/web.js"

const closing: Array<() => unknown> = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const listen = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closing.push(() => server.close())
  return (server.address() as AddressInfo).port
}

const client = (options: Node.HookrailOptions): Node.Hookrail => {
  const hookrail = new Node.Hookrail({ apiKey: "hk_key", ...options })
  closing.push(() => hookrail.close())
  return hookrail
}

const configError = (run: () => unknown): Node.HookrailConfigError => {
  try {
    run()
  } catch (error) {
    assert.instanceOf(error, Node.HookrailConfigError)
    return error
  }
  return assert.fail("it did not throw")
}

describe("transport options of the facade", () => {
  it("100 requests are in flight at once, if maxInFlight says so", async () => {
    const waiting: Array<ServerResponse> = []
    const body = JSON.stringify({ event_id: "01JZ8Q4T6WABCDEFGHJKMNPQRS", delivery_ids: ["d"] })
    const port = await listen(createServer((request, response) => {
      request.resume()
      if (waiting.push(response) < 100) return
      for (const each of waiting.splice(0)) each.writeHead(202, { "content-type": "application/json" }).end(body)
    }))
    const hookrail = client({ baseUrl: `http://127.0.0.1:${port}`, maxInFlight: 100, retry: false })
    const sent = await Promise.all(Array.from({ length: 100 }, (_, n) => hookrail.sendEvent("orders", { n })))
    assert.lengthOf(sent, 100)
  })

  it("a proxy is used, and its password is nowhere to be seen", async () => {
    const emulator = await startEmulator({ adminPort: false })
    closing.push(() => emulator.close())
    const asked: Array<string> = []
    const port = await listen(createTcpServer((socket) => {
      const upstream = connect(Number(new URL(emulator.url).port), "127.0.0.1")
      upstream.on("error", () => socket.destroy())
      socket.on("error", () => upstream.destroy())
      socket.on("close", () => upstream.destroy())
      upstream.pipe(socket)
      socket.on("data", (data) => {
        const text = data.toString("latin1")
        asked.push(text)
        upstream.write(text.replace(/^POST http:\/\/[^/]+/, "POST "), "latin1")
      })
    }))
    const hookrail = client({
      apiKey: emulator.apiKey,
      baseUrl: "http://hooks.test",
      onUnmatched: "ignore",
      transport: { proxy: `http://user:hidden@127.0.0.1:${port}` }
    })
    await hookrail.sendEvent("orders", { n: 1 })
    assert.match(asked[0]!, /^POST http:\/\/hooks\.test\/v1\/events HTTP\/1\.1\r\n/)
    assert.include(asked[0]!, `proxy-authorization: Basic ${btoa("user:hidden")}`)
    assert.notInclude(inspect(hookrail, { depth: null, showHidden: true }), "hidden@")
    assert.notInclude(JSON.stringify(hookrail), "hidden")
  })

  it("what is wrong is said when the client is built", () => {
    const options: ReadonlyArray<[option: string, transport: Node.TransportOptions]> = [
      ["ca", { ca: "garbage" }],
      ["proxy", { proxy: "socks5://user:garbage@proxy.test" }],
      ["connectTimeout", { connectTimeout: "-1 seconds" }],
      ["connections", { connections: 0 }],
      ["key", { cert: "garbage" }],
      ["transport", "garbage" as Node.TransportOptions]
    ]
    for (const [option, transport] of options) {
      const error = configError(() => client({ transport }))
      assert.strictEqual(error.option, option)
      assert.notInclude(inspect(error, { depth: null }), "garbage")
    }
  })

  it("fetch has none of it", () => {
    const error = configError(() => new Web.Hookrail({ apiKey: "hk_key", transport: {} }))
    assert.strictEqual(error.option, "transport")
  })
})
