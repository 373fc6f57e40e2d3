import { assert, describe, it } from "vitest"
import { signWebhook, startEmulator } from "../src/index.js"
import { postEvent } from "./utils/http.js"
import { startReceiver } from "./utils/receiver.js"

const secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef"

/** Names in lower case, in their order, without what belongs to the connection. */
const headersOf = (raw: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> =>
  Array.from({ length: raw.length / 2 }, (_, index) => [raw[index * 2]!.toLowerCase(), raw[index * 2 + 1]!] as const)
    .filter(([name]) => name !== "host" && name !== "connection")

describe("signWebhook", () => {
  it("says what is wrong with a payload and with a URL", () => {
    const sign = (payload: unknown) => () => signWebhook({ secret, topic: "t", payload })
    assert.throws(sign(Promise.resolve({})), /payload is a Promise: await it first/)
    assert.throws(sign({ n: 1n }), /payload has no JSON form: .*BigInt/)
    assert.throws(
      () => sign({})().toRequest("/webhooks"),
      /toRequest takes a whole URL, such as "http:\/\/localhost\/webhooks"/
    )
  })

  it.each([
    ["orders.created", { order_id: "o_1", amount: 42 }],
    ["orders.created", { b: [1.50, 1e21, -0], a: { nested: null }, note: "né… \u{1f600} \\ \" \n\u0001" }],
    ["tópico.…", []],
    ["numbers", 1e-7],
    ["texts", ""]
  ])("is what the emulator delivers: %s %j", async (topic, payload) => {
    await using emulator = await startEmulator({ clock: "manual", adminPort: false })
    await using receiver = await startReceiver(204)
    emulator.subscribe({ topic: "*", url: receiver.url, secret })
    await postEvent(emulator, { topic, payload })
    await emulator.idle()
    const { deliveryIds, eventId } = emulator.ledger().events[0]!
    const delivered = receiver.received[0]!
    const signedAt = new Date(emulator.now())
    const signed = signWebhook({ secret, topic, payload, eventId, deliveryId: deliveryIds[0]!, signedAt })
    assert.deepStrictEqual(Object.entries(signed.headers), headersOf(delivered.rawHeaders))
    assert.strictEqual(signed.body, delivered.body)
    assert.deepStrictEqual([signed.eventId, signed.deliveryId], [eventId, deliveryIds[0]])
  })

  it("has new ids and the time of now by default", () => {
    const [first, second] = [
      signWebhook({ secret, topic: "t", payload: 1 }),
      signWebhook({ secret, topic: "t", payload: 1 })
    ]
    assert.lengthOf(new Set([first.eventId, first.deliveryId, second.eventId, second.deliveryId]), 4)
    const seconds = Number(/^t=(\d+),/.exec(first.headers["hookrail-signature"]!)![1])
    assert.closeTo(seconds, Date.now() / 1000, 5)
  })

  it("gives the same request in every shape", async () => {
    const signed = signWebhook({ secret, topic: "tópico", payload: { note: "né…" } })
    const request = signed.toRequest("https://example.org/in?a=1")
    assert.deepStrictEqual([request.method, request.url], ["POST", "https://example.org/in?a=1"])
    assert.deepStrictEqual(Object.fromEntries(request.headers), { ...signed.headers })
    assert.strictEqual(await request.text(), signed.body)

    const message = signed.toIncomingMessage("/in")
    assert.deepStrictEqual([message.method, message.url], ["POST", "/in"])
    assert.deepStrictEqual(message.headers, { host: "localhost", ...signed.headers })
    const chunks: Array<Buffer> = []
    for await (const chunk of message) chunks.push(chunk as Buffer)
    assert.strictEqual(Buffer.concat(chunks).toString("utf8"), signed.body)
  })

  it("refuses what Hookrail refuses, and what has no JSON form", () => {
    const deep: unknown = JSON.parse("[".repeat(20_000) + "]".repeat(20_000))
    for (const payload of [undefined, () => {}, "\u0000", "\ud800", deep]) {
      assert.throws(() => signWebhook({ secret, topic: "t", payload }), TypeError)
    }
  })
})
