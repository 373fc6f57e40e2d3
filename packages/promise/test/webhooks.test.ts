import { type RunningEmulator, signWebhook, startEmulator } from "@hookrail/emulator"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { HookrailConfigError } from "../src/errors.js"
import {
  type Claim,
  createWebhookHandler,
  type DeliveryLog,
  type LogEntry,
  reject,
  retryLater,
  type WebhookEvent,
  type WebhookHandler
} from "../src/webhooks.js"

const secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef"
const topic = "orders.created"

const webhook = (given: Partial<Parameters<typeof signWebhook>[0]> = {}) =>
  signWebhook({ secret, topic, payload: { order_id: "o_1" }, ...given })

const status = async (handler: WebhookHandler, signed = webhook()): Promise<number> =>
  (await handler(signed.toRequest())).status

const silent = (): void => undefined

describe("createWebhookHandler", () => {
  it("gives the handler the event, and answers 204 when it is done", async () => {
    const events: Array<WebhookEvent<{ readonly order_id: string }>> = []
    const handler = createWebhookHandler<{ "orders.created": { readonly order_id: string } }>({
      secrets: secret,
      on: { "orders.created": (event) => void events.push(event) }
    })
    const signed = webhook()
    const response = await handler(signed.toRequest())
    assert.strictEqual(response.status, 204)
    assert.strictEqual(await response.text(), "")
    assert.lengthOf(events, 1)
    const event = events[0]!
    assert.strictEqual(event.payload.order_id, "o_1")
    assert.strictEqual(event.topic, topic)
    assert.strictEqual(event.deliveryId, signed.deliveryId)
    assert.strictEqual(event.eventId, signed.eventId)
    assert.strictEqual(Buffer.from(event.rawBody).toString(), signed.body)
    assert.strictEqual(event.webhook.secretIndex, 0)
    assert.isFalse(event.signal.aborted)
    assert.strictEqual(await status(handler, signed), 200, "a duplicate")
    assert.lengthOf(events, 1)
  })

  it("does as the handler says", async () => {
    const log: Array<LogEntry> = []
    const thrown = new Error("no luck")
    const handler = createWebhookHandler({
      secrets: [secret, "whsec_old_0123456789"],
      log: (entry) => log.push(entry),
      on: {
        "retry.*": () => {
          throw retryLater({ after: "1500 millis" })
        },
        "reject.now": async () => {
          throw reject("no such order")
        }
      },
      otherwise: () => Promise.reject(thrown)
    })
    const later = await handler(webhook({ topic: "retry.a" }).toRequest())
    assert.deepStrictEqual([later.status, later.headers.get("retry-after")], [503, "2"])
    assert.strictEqual(await status(handler, webhook({ topic: "reject.now" })), 422)
    const failing = webhook()
    assert.strictEqual(await status(handler, failing), 500)
    const error = log.find(({ level }) => level === "error")
    assert.strictEqual(error?.error, thrown)
    assert.strictEqual(error?.annotations["hookrail.delivery_id"], failing.deliveryId)
    assert.isTrue(log.some(({ level, message }) => level === "warning" && message.includes("no such order")))
  })

  it("takes what is returned for what is thrown, if it is retryLater, reject or an error", async () => {
    const handler = createWebhookHandler({
      secrets: secret,
      log: silent,
      on: {
        "reject.sync": () => reject("no such order"),
        "reject.async": async () => reject("no such order"),
        "retry.sync": () => retryLater({ after: "1 minute" }),
        "retry.async": async () => retryLater(),
        "error.returned": () => new Error("returned, not thrown")
      }
    })
    const statuses = []
    for (const topic of ["reject.sync", "reject.async", "retry.sync", "retry.async", "error.returned"]) {
      statuses.push(await status(handler, webhook({ topic })))
    }
    assert.deepStrictEqual(statuses, [422, 422, 503, 503, 500])
  })

  it("works where Express gives it its request and response, and tells the others what it takes", async () => {
    const handled: Array<unknown> = []
    const handler = createWebhookHandler({
      secrets: secret,
      log: silent,
      otherwise: ({ payload }) => void handled.push(payload)
    })
    const server = createServer(handler as never)
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const { body, headers: { "content-length": _, ...headers } } = webhook()
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers, body })
    assert.strictEqual(response.status, 204)
    assert.deepStrictEqual(handled, [{ order_id: "o_1" }])
    server.close()
    // Of Hono, of SvelteKit, of Koa, and nothing.
    for (const wrong of [{ req: {} }, { request: webhook().toRequest() }, { headers: {} }, undefined, "x"]) {
      const error = await handler(wrong as never).then(() => assert.fail("answered"), (error: unknown) => error)
      assert.instanceOf(error, TypeError)
      assert.include((error as Error).message, "c.req.raw")
    }
  })

  it("takes an error of one's own for a failure, whatever its tag", async () => {
    const handler = createWebhookHandler({
      secrets: secret,
      log: silent,
      otherwise: () => Promise.reject(Object.assign(new Error("mine"), { _tag: "Rejected", reason: "mine" }))
    })
    assert.strictEqual(await status(handler), 500)
  })

  it("goes on with a log that throws or rejects", async () => {
    const escaped: Array<unknown> = []
    const note = (error: unknown): void => void escaped.push(error)
    process.on("unhandledRejection", note).on("uncaughtException", note)
    for (
      const log of [
        () => {
          throw new Error("disk full")
        },
        async () => Promise.reject(new Error("disk full"))
      ]
    ) {
      const handler = createWebhookHandler({
        secrets: secret,
        log,
        on: { [topic]: () => Promise.reject(new Error("no luck")), rejected: () => reject("no") }
      })
      const signed = webhook()
      assert.deepStrictEqual([await status(handler, signed), await status(handler, signed)], [500, 500])
      assert.strictEqual(await status(handler, webhook({ topic: "rejected" })), 422)
      assert.strictEqual(await status(handler, webhook({ secret: "whsec_other_0123456789" })), 503)
    }
    await new Promise(setImmediate)
    process.off("unhandledRejection", note).off("uncaughtException", note)
    assert.deepStrictEqual(escaped, [])
  })

  it("hands over a signal that is made when it is looked at, also after its time", async () => {
    let event: WebhookEvent | undefined
    const handler = createWebhookHandler({
      secrets: secret,
      timeout: "20 millis",
      log: silent,
      otherwise: (given) => {
        event = given
        return new Promise(() => {})
      }
    })
    assert.strictEqual(await status(handler), 503)
    assert.isTrue(event!.signal.aborted)
    assert.match(String(event!.signal.reason), /not handled in time/)
  })

  it("drains: no new work, and the promise is fulfilled when all handlers have ended", async () => {
    let finish = silent
    const handler = createWebhookHandler({
      secrets: secret,
      log: silent,
      otherwise: () => new Promise<void>((resolve) => finish = resolve)
    })
    const running = status(handler)
    await vi.waitUntil(() => finish !== silent)
    let isDrained = false
    const drained = handler.drain().then(() => isDrained = true)
    const refused = await handler(webhook().toRequest())
    assert.deepStrictEqual([refused.status, refused.headers.get("retry-after")], [503, "1"])
    assert.isFalse(isDrained)
    finish()
    assert.strictEqual(await running, 204)
    await drained
  })

  it("has no handler for it: rejected, so that it is not lost", async () => {
    assert.strictEqual(await status(createWebhookHandler({ secrets: secret, log: silent })), 422)
  })

  it("tells a handler that its time is over, and counts what it still achieves", async () => {
    let runs = 0
    let release = silent
    const aborted: Array<unknown> = []
    const handler = createWebhookHandler({
      secrets: secret,
      timeout: "20 millis",
      log: silent,
      otherwise: ({ signal }) => {
        runs++
        signal.addEventListener("abort", () => aborted.push(signal.reason))
        return new Promise<void>((resolve) => release = resolve)
      }
    })
    const signed = webhook()
    assert.strictEqual(await status(handler, signed), 503)
    assert.lengthOf(aborted, 1)
    assert.strictEqual(await status(handler, signed), 425, "it still runs")
    release()
    await new Promise(setImmediate)
    assert.strictEqual(await status(handler, signed), 200, "it was done after all")
    assert.strictEqual(runs, 1)
  })

  it("reads secrets from a function, again after a mismatch, and again after a failure", async () => {
    let now = Date.now()
    vi.spyOn(Date, "now").mockImplementation(() => now)
    const answers = [new Error("vault is sealed"), undefined, "", "whsec_first_0123456789", [secret]]
    let reads = 0
    const log: Array<LogEntry> = []
    const handler = createWebhookHandler({
      secrets: async () => {
        const answer = answers[reads++]
        if (answer instanceof Error) throw answer
        return answer
      },
      log: (entry) => log.push(entry),
      otherwise: silent
    })
    assert.strictEqual(reads, 0, "nothing is read when it is made")
    const statuses: Array<number> = []
    for (let times = 0; times < 5; times++) {
      statuses.push(await status(handler, webhook({ signedAt: new Date(now) })))
      const before = reads
      await status(handler, webhook({ signedAt: new Date(now) }))
      assert.strictEqual(reads, before, "not again within 5 seconds")
      now += 5_000
    }
    assert.deepStrictEqual(statuses, [503, 503, 503, 503, 204])
    assert.strictEqual(reads, 5)
    const errors = log.map(({ error }) => String(error)).join("\n")
    assert.include(errors, "vault is sealed")
    assert.include(errors, "the secret is undefined, not a text: is an environment variable missing?")
    assert.notInclude(errors, "Redacted")
    vi.restoreAllMocks()
  })

  it("keeps to a delivery log of one's own", async () => {
    const calls: Array<string> = []
    const claims: Array<Claim | Error> = [
      { status: "claimed", token: "t" },
      { status: "running" },
      { status: "done" },
      { status: "claimed", token: "u" },
      new Error("down")
    ]
    const deliveryLog: DeliveryLog = {
      claim: async (id, leaseMs) => {
        calls.push(`claim ${id} ${leaseMs}`)
        const claim = claims.shift()!
        if (claim instanceof Error) throw claim
        return claim
      },
      renew: async () => true,
      done: async (id, token) => calls.push(`done ${id} ${token}`),
      release: async (id, token) => calls.push(`release ${id} ${token}`)
    }
    let fails = false
    const handler = createWebhookHandler({
      secrets: secret,
      deliveryLog,
      log: silent,
      otherwise: () => {
        if (fails) throw new Error("no luck")
      }
    })
    const signed = webhook({ deliveryId: "01D" })
    const key = `01D.${signed.eventId}.${topic}`
    const statuses = [await status(handler, signed), await status(handler, signed), await status(handler, signed)]
    fails = true
    statuses.push(await status(handler, signed), await status(handler, signed))
    assert.deepStrictEqual(statuses, [204, 425, 200, 500, 503])
    assert.deepStrictEqual(calls.filter((call) => !call.startsWith("claim")), [`done ${key} t`, `release ${key} u`])
    assert.strictEqual(calls[0], `claim ${key} 38000`)
  })

  it("handles duplicates too, if so told", async () => {
    let runs = 0
    const handler = createWebhookHandler({ secrets: secret, deliveryLog: false, otherwise: () => runs++ })
    const signed = webhook()
    assert.deepStrictEqual([await status(handler, signed), await status(handler, signed), runs], [204, 204, 2])
  })

  it("throws for options that cannot work", () => {
    for (
      const options of [
        { secrets: "" },
        { secrets: " whsec_x" },
        { secrets: [] },
        { secrets: undefined as unknown as string },
        { secrets: secret, timeout: -1 },
        { secrets: secret, tolerance: Number.NaN },
        { secrets: secret, maxBodyBytes: 0 },
        { secrets: secret, timeout: "soon" as never },
        { secrets: () => secret, refreshSecrets: 0 },
        { secrets: "whsec_" },
        { secrets: "undefined" },
        { secrets: `whsec_${undefined}` },
        { secrets: secret, on: { "orders.created": undefined as never } },
        { secrets: secret, otherwise: "handle" as never },
        { secrets: secret, onUnverified: "Retry" as never },
        { secrets: secret, deliveryLog: { claim: async () => ({ status: "done" }) } as never },
        { secrets: secret, on: { "*": silent }, otherwise: silent }
      ]
    ) {
      assert.throws(() => createWebhookHandler(options), HookrailConfigError)
    }
  })

  it.each<[given: object, option: string, reason: string]>([
    [{ secret }, "secret", "did you mean secrets?"],
    [{ handlers: {} }, "handlers", "there is no such option: there are secrets, events, on, otherwise"],
    [{ on: { "": silent } }, "on", "\"\" must be a topic, a prefix followed by \".*\""],
    [{ on: { "*.created": silent } }, "on", "\"*.created\" must be a topic"],
    [{ on: { "orders.created": "silent" } }, "on", "\"orders.created\" must be a function"],
    [{ on: silent }, "on", "must be an object"],
    [{ on: { "*": silent }, otherwise: silent }, "otherwise", "is a second handler for \"*\""],
    [{ otherwise: {} }, "otherwise", "must be a function"],
    [{ log: { warn: () => {} } }, "log", "must be a function"],
    [{ deliveryLog: true }, "deliveryLog", "must have the methods claim, renew, done and release"],
    [{ onUnverified: "throw" }, "onUnverified", "must be \"retry\" or \"reject\""],
    [{ timeout: "soon" }, "timeout", "must be a finite duration above 0, such as \"20 seconds\""],
    [{ tolerance: 300 }, "tolerance", "a number is milliseconds"],
    // Before the first request, though these secrets are read with it.
    [{ secrets: () => secret, tolerance: 300 }, "tolerance", "a number is milliseconds"]
  ])("throws for %o, and says what would be right", (given, option, reason) => {
    try {
      createWebhookHandler({ secrets: secret, ...given })
      assert.fail("taken")
    } catch (error) {
      assert.instanceOf(error, HookrailConfigError)
      assert.strictEqual(error.option, option)
      assert.include(error.reason, reason)
    }
  })

  it("takes durations as texts", async () => {
    const handler = createWebhookHandler({
      secrets: secret,
      tolerance: "1 day",
      timeout: "20 seconds",
      onUnhandled: "acknowledge"
    })
    assert.strictEqual(await status(handler, webhook()), 200)
  })

  it("speaks Lambda", async () => {
    let runs = 0
    const { lambda } = createWebhookHandler({ secrets: secret, otherwise: () => runs++ })
    const signed = webhook()
    const headers = { ...signed.headers }
    const body = Buffer.from(signed.body).toString("base64")
    assert.deepStrictEqual(
      await lambda({ requestContext: { http: { method: "POST" } }, headers, body, isBase64Encoded: true }),
      { statusCode: 204, headers: {}, body: "" }
    )
    assert.strictEqual((await lambda({ httpMethod: "POST", headers, body: signed.body })).statusCode, 200)
    assert.strictEqual(runs, 1)
  })
})

describe("with an emulator", () => {
  let emulator: RunningEmulator
  const servers: Array<ReturnType<typeof createServer>> = []

  beforeEach(async () => {
    emulator = await startEmulator({ clock: "manual" })
  })

  afterEach(async () => {
    await emulator.close()
    for (const server of servers.splice(0)) server.close()
  })

  it("a failed delivery comes again, and is done", async () => {
    let runs = 0
    const endpoint = { secret: "" }
    const handler = createWebhookHandler({
      secrets: () => endpoint.secret,
      log: silent,
      on: {
        "orders.*": () => {
          if (++runs === 1) throw new Error("no luck")
        }
      }
    })
    const server = createServer(handler.node)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { id, secret } = emulator.addEndpoint({ url })
    endpoint.secret = secret
    emulator.subscribe({ endpointId: id, topic: "orders.*" })
    const sent = await fetch(`${emulator.url}/v1/events`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${emulator.apiKey}`,
        "idempotency-key": "k",
        "content-type": "application/json"
      },
      body: JSON.stringify({ topic, payload: { n: 1 } })
    })
    assert.strictEqual(sent.status, 202)
    await emulator.idle()
    await emulator.advance(60_000)
    await emulator.idle()
    assert.strictEqual(runs, 2)
    assert.deepStrictEqual(emulator.ledger().attempts.map(({ httpStatus }) => httpStatus), [500, 204])
  })
})

it("the listener for Node says what it takes", async () => {
  const { node } = createWebhookHandler({ secrets: secret, log: silent }) as unknown as {
    readonly node: (...args: ReadonlyArray<unknown>) => unknown
  }
  const request = webhook({ topic: "a.b" }).toIncomingMessage()
  for (const args of [[], [request], [webhook({ topic: "a.b" }).toRequest(), {}], [{ headers: {} }, {}]]) {
    assert.throws(() => node(...args), /takes the request and the response of node:http/)
  }
})
