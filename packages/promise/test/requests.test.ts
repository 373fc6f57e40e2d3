/** What a program adds to its requests: headers, its name, a fetch, its trace. Over real sockets. */
import { type RunningEmulator, startEmulator } from "@hookrail/emulator"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Node from "../src/index.js"
import * as Web from "../src/web.js"
import { createWebhookHandler } from "../src/webhooks.js"

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
const other = "00-11111111111111111111111111111111-2222222222222222-00"

let emulator: RunningEmulator
const open: Array<Node.Hookrail> = []

const client = (options: Node.HookrailOptions = {}, Hookrail = Node.Hookrail): Node.Hookrail => {
  const made = new Hookrail({ apiKey: emulator.apiKey, baseUrl: emulator.url, onUnmatched: "ignore", ...options })
  open.push(made)
  return made
}

beforeEach(async () => {
  emulator = await startEmulator({ adminPort: false })
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((made) => made.close()))
  await emulator.close()
})

const headersOf = (index: number) => emulator.ledger().requests[index]!.headers

const failure = (run: () => unknown): Promise<unknown> =>
  Promise.resolve().then(run).then(() => assert.fail("it did not fail"), (error: unknown) => error)

for (const [name, { Hookrail }] of [["node", Node], ["web", Web]] as const) {
  describe(`the ${name} entry`, () => {
    it("sends headers and the name of the program, also again", async () => {
      const hookrail = client({ appInfo: { name: "orders", version: "1.2" }, retry: { base: 1 } }, Hookrail)
      emulator.fault({ kind: "status", status: 503, times: 1 })
      const { eventId } = await hookrail.sendEvent("t", {}, { headers: { "X-Request-Id": "r1" } })
      await hookrail.getEvent(eventId, { headers: { "x-request-id": "r2" } })
      await hookrail.awaitEvent(eventId, { headers: { "x-request-id": "r3" } })
      for await (const _ of hookrail.sendEvents([{ topic: "t", payload: {}, headers: { "x-request-id": "r4" } }]));
      const sent = emulator.ledger().requests.map(({ headers }) => headers)
      assert.deepStrictEqual(sent.map((headers) => headers["x-request-id"]), ["r1", "r1", "r2", "r3", "r4"])
      for (const headers of sent) assert.match(headers["user-agent"]!, /^hookrail-typescript\/\S+ orders\/1\.2$/)
    })

    it("refuses headers of its own, without their values", async () => {
      const hookrail = client({}, Hookrail)
      for (const name of ["Authorization", "Host", "Connection"]) {
        const error = await failure(() => hookrail.sendEvent("t", {}, { headers: { [name]: "s3cret" } }))
        assert.instanceOf(error, Node.InvalidArgumentError)
        assert.deepInclude(error, { argument: "headers", outcome: "not-sent" })
        assert.notInclude(String(error), "s3cret")
      }
      assert.lengthOf(emulator.ledger().requests, 0)
    })

    it("shows no header that an answer quotes", async () => {
      const hookrail = client({ retry: false }, Hookrail)
      emulator.fault({
        kind: "status",
        status: 400,
        body: `no: s3cret-token-more s3cret-token ${emulator.apiKey}`,
        times: 1
      })
      const headers = { "x-a": "s3cret-token", "x-b": "s3cret-token-more", "x-c": "no" }
      const error = await failure(() => hookrail.sendEvent("t", {}, { headers }))
      assert.instanceOf(error, Node.BadRequestError)
      assert.include(String(error), "no: *** *** ***")
      assert.notInclude(JSON.stringify(error), "s3cret")
    })

    it("sends the trace of the program, in the same bytes whenever the event is sent again", async () => {
      let current: string | undefined = trace
      const hookrail = client({ traceparent: () => current, retry: false }, Hookrail)
      emulator.fault({ kind: "reset", when: "after", times: 1 })
      const error = await failure(() => hookrail.sendEvent("t", { a: 1 }))
      assert.isTrue(Node.isHookrailError(error))
      const { idempotencyKey, outcome } = error as Node.RetryError
      assert.strictEqual(outcome, "unknown")
      // In another trace, and without one, it is still the same event.
      current = other
      const again = await hookrail.sendEvent("t", { a: 1 }, { idempotencyKey: idempotencyKey! })
      assert.isTrue(again.replayed)
      const plain = await client({}, Hookrail).sendEvent("t", { a: 1 }, { idempotencyKey: idempotencyKey! })
      assert.isTrue(plain.replayed)
      assert.lengthOf(emulator.ledger().events, 1)
    })

    it("sends no trace with a key of the program's own, and none that is wrong", async () => {
      const hookrail = client({ traceparent: () => trace }, Hookrail)
      await hookrail.sendEvent("t", {}, { idempotencyKey: "order-1" })
      await client({ traceparent: () => "wrong" }, Hookrail).sendEvent("t", {})
      const failing = client({
        traceparent: () => {
          throw new Error("no context")
        }
      }, Hookrail)
      await failing.sendEvent("t", {})
      for (let index = 0; index < 3; index++) assert.notInclude(headersOf(index)["idempotency-key"]!, "traceparent")
      const { idempotencyKey } = await hookrail.sendEvent("t", {})
      assert.match(idempotencyKey, new RegExp(`^traceparent\\.${trace}\\.`))
    })

    it("checks its options", async () => {
      for (const [option, value] of [["traceparent", trace], ["fetch", "x"], ["appInfo", { name: "a b" }]] as const) {
        const error = await failure(() => client({ [option]: value }, Hookrail))
        assert.instanceOf(error, Node.HookrailConfigError)
        assert.strictEqual((error as Node.HookrailConfigError).option, option)
      }
    })
  })
}

describe("a fetch of the program's own", () => {
  it("sends the requests elsewhere", async () => {
    const urls: Array<string> = []
    const hookrail = client({
      fetch: (url, init) => {
        urls.push(url)
        return fetch(url, init)
      }
    }, Web.Hookrail)
    const { eventId } = await hookrail.sendEvent("t", {})
    await hookrail.getEvent(eventId)
    assert.deepStrictEqual(urls, [`${emulator.url}/v1/events`, `${emulator.url}/v1/events/${eventId}`])
  })

  it("is refused on Node", async () => {
    const error = await failure(() => client({ fetch: (url, init) => fetch(url, init) }))
    assert.instanceOf(error, Node.HookrailConfigError)
    assert.strictEqual((error as Node.HookrailConfigError).option, "fetch")
  })
})

describe("a trace", () => {
  it("reaches the handler, whose payload is as it was sent", async () => {
    const secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef"
    const seen: Array<unknown> = []
    const webhooks = createWebhookHandler({
      secrets: secret,
      on: { t: ({ payload, rawBody, traceparent }) => void seen.push(payload, traceparent, String(rawBody).length > 0) }
    })
    const server = createServer(webhooks.node).listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    emulator.subscribe({ topic: "t", url: `http://127.0.0.1:${port}/`, secret })
    try {
      const hookrail = client()
      await hookrail.sendEvent("t", { a: 1 }, { traceparent: trace, idempotencyKey: "k1" })
      await emulator.idle()
      await hookrail.sendEvent("t", { hookrail_traceparent: "mine" }, { traceparent: trace, idempotencyKey: "k2" })
      await emulator.idle()
      assert.deepStrictEqual(seen, [{ a: 1 }, trace, true, { hookrail_traceparent: "mine" }, undefined, true])
    } finally {
      server.close()
    }
  })
})
