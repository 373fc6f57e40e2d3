import { once } from "node:events"
import { connect } from "node:net"
import { assert, describe, it } from "vitest"
import { type AnswerFaultRule, type RunningEmulator, startEmulator } from "../src/index.js"
import { call, getStatus, postEvent } from "./utils/http.js"
import { startReceiver } from "./utils/receiver.js"

const event = { topic: "orders.created", payload: { n: 1 } }

/** Posts an event and tells the status, or the error code of the connection. */
const outcome = (emulator: RunningEmulator, body: Record<string, unknown> = event): Promise<number | string> =>
  postEvent(emulator, body).then(({ status }) => status, (error: NodeJS.ErrnoException) => error.code ?? error.message)

/** Posts an event over a bare socket and gives everything that comes back until the emulator closes it. */
const rawAnswer = async (emulator: RunningEmulator): Promise<string> => {
  const body = JSON.stringify(event)
  const socket = connect(Number(new URL(emulator.url).port), "127.0.0.1")
  let text = ""
  socket.setEncoding("utf8").on("data", (chunk: string) => text += chunk)
  const ended = once(socket, "end")
  socket.write(
    `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${emulator.apiKey}\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`
  )
  await ended
  socket.destroy()
  return text
}

describe("faults of answers", () => {
  const cut: ReadonlyArray<readonly [AnswerFaultRule, outcome: string, stored: number]> = [
    [{ kind: "reset" }, "reset", 0],
    [{ kind: "reset", when: "after" }, "reset", 1],
    [{ kind: "close" }, "closed", 0],
    [{ kind: "close", when: "after" }, "closed", 1],
    [{ kind: "truncate", bytes: 5 }, "truncated", 1]
  ]
  for (const [rule, expected, stored] of cut) {
    it(`cuts the connection: ${JSON.stringify(rule)}`, async () => {
      await using emulator = await startEmulator({ faults: [rule] })
      assert.strictEqual(await outcome(emulator), "ECONNRESET")
      const { events, requests } = emulator.ledger()
      assert.lengthOf(events, stored)
      assert.strictEqual(requests[0]?.outcome, expected)
      assert.strictEqual(requests[0]?.fault, rule.kind)
    })
  }

  it("closes in order without an answer", async () => {
    await using emulator = await startEmulator({ faults: [{ kind: "close" }] })
    assert.strictEqual(await rawAnswer(emulator), "")
  })

  it("truncates after a whole head", async () => {
    await using emulator = await startEmulator({ faults: [{ kind: "truncate", bytes: 12 }] })
    const [head, body] = (await rawAnswer(emulator)).split("\r\n\r\n")
    assert.match(head ?? "", /^HTTP\/1.1 202 Accepted\r\n[^]*content-length: 62/i)
    assert.strictEqual(body, "{\"event_id\":")
  })

  for (const when of ["before", "after"] as const) {
    it(`stalls ${when} the commit until the client gives up`, async () => {
      await using emulator = await startEmulator({ faults: [{ kind: "stall", when }] })
      const socket = connect(Number(new URL(emulator.url).port), "127.0.0.1")
      const body = JSON.stringify(event)
      socket.write(
        `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${emulator.apiKey}\r\n` +
          `Content-Length: ${body.length}\r\n\r\n${body}`
      )
      // A second request on another connection is answered once the first has been taken.
      while (emulator.ledger().requests[0]?.outcome !== "stalled") await call("GET", `${emulator.url}/healthz`)
      assert.strictEqual(emulator.openConnections() >= 1, true)
      assert.lengthOf(emulator.ledger().events, when === "after" ? 1 : 0)
      socket.destroy()
    })
  }

  it("answers another status, with headers, problem and body", async () => {
    await using emulator = await startEmulator()
    const rule = emulator.fault({ kind: "status", status: 503, retryAfter: "7", problem: { title: "t", detail: "d" } })
    const reply = await postEvent(emulator, event)
    assert.strictEqual(reply.headers["retry-after"], "7")
    assert.strictEqual(reply.headers["content-type"], "application/problem+json")
    assert.strictEqual(reply.body, "{\"detail\":\"d\",\"status\":503,\"title\":\"t\",\"type\":\"about:blank\"}\n")
    assert.lengthOf(emulator.ledger().events, 0)
    rule.remove()
    emulator.fault({
      kind: "status",
      status: 502,
      body: "<html>",
      headers: { "Content-Type": "text/html" },
      when: "after"
    })
    const proxy = await postEvent(emulator, event)
    assert.deepStrictEqual([proxy.status, proxy.body, proxy.headers["content-type"]], [502, "<html>", "text/html"])
    assert.lengthOf(emulator.ledger().events, 1)
    assert.strictEqual(rule.hits, 1)
  })

  it("answers garbage after the commit, drips, and waits", async () => {
    await using emulator = await startEmulator({ clock: "manual" })
    const garbage = emulator.fault({ kind: "garbage", body: "not json" })
    const reply = await postEvent(emulator, event)
    assert.deepStrictEqual([reply.status, reply.body], [202, "not json"])
    assert.lengthOf(emulator.ledger().events, 1)
    garbage.remove()
    const drip = emulator.fault({ kind: "drip", chunkBytes: 20, everyMs: 1 })
    assert.match((await postEvent(emulator, event)).body, /^\{"event_id":"\w{26}","delivery_ids":null\}\n$/)
    drip.remove()
    emulator.fault({ kind: "delay", ms: 1000 })
    const delayed = postEvent(emulator, event)
    while (emulator.ledger().events.length < 3) await call("GET", `${emulator.url}/healthz`)
    await emulator.advance(1000)
    assert.strictEqual((await delayed).status, 202)
  })

  it("applies to the requests that a rule selects", async () => {
    await using emulator = await startEmulator()
    const outcomes = async (rule: Partial<AnswerFaultRule>): Promise<ReadonlyArray<number | string>> => {
      const handle = emulator.fault({ kind: "status", status: 500, ...rule } as AnswerFaultRule)
      const all: Array<number | string> = []
      for (const topic of ["a.b", "orders.x", "a.c", "orders.y"]) {
        all.push(await outcome(emulator, { topic, payload: {} }))
      }
      handle.remove()
      return all
    }
    assert.deepStrictEqual(await outcomes({}), [500, 500, 500, 500])
    assert.deepStrictEqual(await outcomes({ nth: 2 }), [202, 500, 202, 202])
    assert.deepStrictEqual(await outcomes({ times: 3 }), [500, 500, 500, 202])
    assert.deepStrictEqual(await outcomes({ topic: "orders.*" }), [202, 500, 202, 500])
    assert.deepStrictEqual(await outcomes({ topic: "orders.*", nth: 2 }), [202, 202, 202, 500])
    assert.deepStrictEqual(await outcomes({ probability: 0 }), [202, 202, 202, 202])
    assert.deepStrictEqual(await outcomes({ on: "status" }), [202, 202, 202, 202])
  })

  it("reaches status, readiness and the admin port", async () => {
    await using emulator = await startEmulator()
    emulator.fault({ on: "status", kind: "status", status: 500 })
    emulator.fault({ on: "ready", kind: "database" })
    emulator.fault({ on: "admin", kind: "status", status: 418 })
    assert.strictEqual((await call("GET", `${emulator.url}/v1/events/x`)).status, 500)
    assert.strictEqual((await call("GET", `${emulator.url}/readyz`)).status, 503)
    assert.strictEqual((await call("GET", `${emulator.adminUrl}/v1/whoami`)).status, 418)
    assert.strictEqual(await outcome(emulator), 202)
  })

  it("takes the database away from one request", async () => {
    await using emulator = await startEmulator({ faults: [{ kind: "database", times: 1 }] })
    assert.deepStrictEqual([await outcome(emulator), await outcome(emulator)], [401, 202])
  })
})

describe("faults of deliveries", () => {
  const attempts = async (rule: Parameters<RunningEmulator["fault"]>[0]): Promise<ReadonlyArray<unknown>> => {
    await using receiver = await startReceiver()
    await using emulator = await startEmulator({ clock: "manual", sweepIntervalMs: 0 })
    emulator.subscribe({ topic: "*", url: receiver.url, maxAttempts: 2 })
    emulator.fault(rule)
    const { event_id: id } = (await postEvent(emulator, event)).json() as { event_id: string }
    await emulator.advance(60_000)
    const [delivery] = (await getStatus(emulator, id)).deliveries ?? []
    return [delivery?.state, receiver.received.length, emulator.ledger().attempts.map(({ errorClass }) => errorClass)]
  }

  it("fails attempts before or after the receiver has seen them", async () => {
    assert.deepStrictEqual(await attempts({ on: "delivery", kind: "reset" }), [
      "dead_lettered",
      0,
      ["connection", "connection"]
    ])
    assert.deepStrictEqual(await attempts({ on: "delivery", kind: "reset", when: "after", times: 1 }), [
      "succeeded",
      2,
      ["connection", undefined]
    ])
    assert.deepStrictEqual(await attempts({ on: "delivery", kind: "timeout", nth: 1 }), [
      "succeeded",
      1,
      ["timeout", undefined]
    ])
    assert.deepStrictEqual(await attempts({ on: "delivery", kind: "status", status: 410 }), [
      "dead_lettered",
      0,
      ["http_410"]
    ])
  })

  it("fails inside the worker", async () => {
    assert.deepStrictEqual(await attempts({ on: "delivery", kind: "panic" }), ["dead_lettered", 0, ["panic"]])
    assert.deepStrictEqual(await attempts({ on: "delivery", kind: "secretDecrypt" }), [
      "dead_lettered",
      0,
      ["secret_decrypt"]
    ])
    assert.deepStrictEqual(await attempts({ on: "delivery", kind: "crash", topic: "other" }), [
      "succeeded",
      1,
      [undefined]
    ])
  })
})
