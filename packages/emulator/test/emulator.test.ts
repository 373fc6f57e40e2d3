import { createHmac } from "node:crypto"
import { once } from "node:events"
import { connect } from "node:net"
import { assert, describe, it } from "vitest"
import { EmulatorError, type EmulatorOptions, EmulatorStartError, startEmulator } from "../src/index.js"
import { type Accepted, call, getStatus, postEvent } from "./utils/http.js"
import { startReceiver } from "./utils/receiver.js"

describe("startEmulator", () => {
  it("takes an event, delivers it signed, and tells its status", async () => {
    await using receiver = await startReceiver()
    await using emulator = await startEmulator({ subscriptions: [{ topic: "orders.*", url: receiver.url }] })
    const accepted = (await postEvent(emulator, { topic: "orders.created", payload: { b: 1, a: 2 } }))
      .json() as Accepted
    await emulator.idle()
    const delivery = receiver.received[0]!
    assert.strictEqual(delivery.body, "{\"a\": 2, \"b\": 1}")
    const { secret } = emulator.subscribe({ topic: "other", url: receiver.url })
    const [, time, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(delivery.headers["hookrail-signature"])) ?? []
    const id = String(delivery.headers["hookrail-delivery-id"])
    assert.strictEqual(mac, createHmac("sha256", secret).update(`${time}.${id}.${delivery.body}`).digest("hex"))
    const status = await getStatus(emulator, accepted.event_id)
    assert.deepStrictEqual(status.deliveries?.map(({ state }) => state), ["succeeded"])
  })

  it("retries with a manual clock", async () => {
    await using receiver = await startReceiver(500)
    await using emulator = await startEmulator({
      clock: "manual",
      subscriptions: [{ topic: "*", url: receiver.url, maxAttempts: 3 }]
    })
    await postEvent(emulator, { topic: "t", payload: 1 })
    await emulator.idle()
    assert.strictEqual(receiver.received.length, 1)
    await emulator.advance(60_000)
    await emulator.advance(60_000)
    assert.deepStrictEqual(emulator.ledger().attempts.map((attempt) => attempt.attemptNo), [1, 2, 3])
  })

  it("stores one event for twenty identical requests at once", async () => {
    await using emulator = await startEmulator()
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => postEvent(emulator, { topic: "t", payload: {} }, { "Idempotency-Key": "k" }))
    )
    assert.deepStrictEqual(replies.map((reply) => reply.status), replies.map(() => 202))
    assert.strictEqual(replies.filter((reply) => reply.headers["idempotent-replay"] === undefined).length, 1)
    assert.strictEqual(new Set(replies.map((reply) => reply.body)).size, 1)
    assert.strictEqual(emulator.ledger().events.length, 1)
    assert.strictEqual(emulator.ledger().requests.length, 20)
  })

  it("starts many side by side, each with its own state", async () => {
    const emulators = await Promise.all(Array.from({ length: 10 }, () => startEmulator()))
    await Promise.all(emulators.map((emulator, index) => postEvent(emulator, { topic: "t", payload: index })))
    assert.deepStrictEqual(
      emulators.map((emulator) => emulator.ledger().events.map(({ payload }) => payload)),
      emulators.map((_, index) => [String(index)])
    )
    await Promise.all(emulators.map((emulator) => emulator.close()))
    await emulators[0]?.close()
  })

  it("draws the same ids, keys and jitter from the same seed", async () => {
    const run = async (): Promise<unknown> => {
      await using receiver = await startReceiver(500)
      await using emulator = await startEmulator({ seed: 3, clock: "manual", startAt: 1e12, sweepIntervalMs: 0 })
      emulator.subscribe({ topic: "*", url: receiver.url, maxAttempts: 4 })
      await postEvent(emulator, { topic: "t", payload: {} })
      await emulator.advance(600_000)
      const { attempts, events } = emulator.ledger()
      return [emulator.apiKey, events, attempts.map(({ at, deliveryId }) => [at, deliveryId])]
    }
    assert.deepStrictEqual(await run(), await run())
  })

  it("hides the key in the ledger and tells what was sent and answered", async () => {
    await using emulator = await startEmulator()
    await postEvent(emulator, { topic: "t", payload: {} }, { "Idempotency-Key": "k", "X-Hookrail-Ordering-Key": "o" })
    const { requests } = emulator.ledger()
    assert.notInclude(JSON.stringify(requests), emulator.apiKey)
    const { answer, body, bodyBytes, idempotencyKey, method, orderingKey, outcome, path } = requests[0]!
    assert.deepStrictEqual(
      { body, bodyBytes, idempotencyKey, method, orderingKey, outcome, path, status: answer?.status },
      {
        body: "{\"topic\":\"t\",\"payload\":{}}",
        bodyBytes: 26,
        idempotencyKey: "k",
        method: "POST",
        orderingKey: "o",
        outcome: "answered",
        path: "/v1/events",
        status: 202
      }
    )
    emulator.clearLedger()
    assert.lengthOf(emulator.ledger().requests, 0)
  })

  it("forgets the oldest finished events beyond its limit", async () => {
    await using emulator = await startEmulator({ eventLimit: 3, ledgerLimit: 2 })
    const ids: Array<string> = []
    for (let n = 0; n < 5; n++) {
      ids.push(((await postEvent(emulator, { topic: "t", payload: n })).json() as Accepted).event_id)
    }
    const read = (id = ""): Promise<number> =>
      call("GET", `${emulator.url}/v1/events/${id}`, { headers: { Authorization: `Bearer ${emulator.apiKey}` } })
        .then(({ status }) => status)
    assert.deepStrictEqual([await read(ids[1]), await read(ids[2])], [404, 200])
    assert.lengthOf(emulator.ledger().events, 2)
  })

  it("refuses options that make no sense, and a port that is taken", async () => {
    const failure = (options: EmulatorOptions): Promise<unknown> =>
      startEmulator(options).then(() => "started", (error: unknown) => error)
    await using emulator = await startEmulator()
    const port = Number(new URL(emulator.url).port)
    for (
      const options of [
        { port },
        { adminPort: port },
        { workers: 0 },
        { backoff: { baseMs: 5, capMs: 1 } },
        { subscriptions: [{ topic: "t", url: "nonsense" }] }
      ]
    ) assert.instanceOf(await failure(options), EmulatorStartError)
    assert.throws(() => emulator.rotateSecret("nope"), EmulatorError)
    for (const odd of [{ maxAttempts: 101 }, { rateLimitRps: 0 }, { backoff: { baseMs: 2, capMs: 1 } }]) {
      assert.throws(() => emulator.subscribe({ topic: "t", url: "http://127.0.0.1/", ...odd }), EmulatorError)
    }
    assert.strictEqual(await failure({ adminPort: false }).then(() => "ok"), "ok")
  })

  it("counts the producers' open connections and drops them on close", async () => {
    const emulator = await startEmulator()
    const socket = connect(Number(new URL(emulator.url).port), "127.0.0.1")
    socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    const [head] = await once(socket, "data") as [Buffer]
    assert.notMatch(head.toString(), /connection|keep-alive/i)
    assert.strictEqual(emulator.openConnections(), 1)
    const closed = once(socket, "close")
    await emulator.close()
    await closed
    assert.strictEqual(emulator.openConnections(), 0)
  })

  it("tells those who wait for idle when it is closed or too slow", async () => {
    await using receiver = await startReceiver("hang")
    const emulator = await startEmulator({ subscriptions: [{ topic: "*", url: receiver.url }] })
    await postEvent(emulator, { topic: "t", payload: {} })
    const late = await emulator.idle({ timeoutMs: 1 }).catch((error: unknown) => error)
    assert.instanceOf(late, EmulatorError)
    const waiting = emulator.idle().catch((error: unknown) => error)
    await emulator.close()
    assert.instanceOf(await waiting, EmulatorError)
  })
})
