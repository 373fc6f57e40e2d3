import { describe, it } from "@effect/vitest"
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { type Outgoing, post } from "./http.js"
import { secret, sign, startReceiver } from "./receiver.js"
import { ways } from "./ways.js"

const canary = "o_canary"

const genuine = () => sign({ payload: { order_id: canary } })

const withHeaders = (headers: Outgoing["headers"]): Outgoing => {
  const { body, headers: original } = genuine()
  return { headers: { ...original, ...headers }, body }
}

const without = (name: string): Outgoing => {
  const { body, headers: { [name]: _, ...headers } } = genuine()
  return { headers, body }
}

const withBody = (change: (body: string) => string): Outgoing => {
  const { body, headers } = genuine()
  return { headers: { ...headers, "content-length": change(body).length }, body: change(body) }
}

const minutes = (count: number) => new Date(Date.now() + count * 60_000)

const cases: ReadonlyArray<readonly [name: string, webhook: () => Outgoing, status: number]> = [
  [
    "signed with another secret",
    () => sign({ payload: { order_id: canary }, secret: "whsec_another_0123456789" }),
    503
  ],
  ["with another body", () => withBody((body) => body.replace("canary", "forged")), 503],
  ["with a truncated body", () => withBody((body) => body.slice(0, -1)), 503],
  ["with an empty body", () => withBody(() => ""), 503],
  ["replayed ten minutes late", () => sign({ payload: { order_id: canary }, signedAt: minutes(-10) }), 503],
  ["signed in the future", () => sign({ payload: { order_id: canary }, signedAt: minutes(10) }), 503],
  ["with another delivery id", () => withHeaders({ "hookrail-delivery-id": "01OTHER" }), 503],
  [
    "with a second delivery id",
    () => withHeaders({ "hookrail-delivery-id": [genuine().deliveryId, "01OTHER"] }),
    503
  ],
  [
    "with a second signature",
    () => withHeaders({ "hookrail-signature": [genuine().headers["hookrail-signature"]!, `t=1,v1=${"0".repeat(64)}`] }),
    503
  ],
  ["with a signature of no form", () => withHeaders({ "hookrail-signature": "v1=forged" }), 400],
  ["without a signature", () => without("hookrail-signature"), 400],
  ["without a delivery id", () => without("hookrail-delivery-id"), 400],
  ["without a topic", () => without("hookrail-topic"), 400],
  ["of another product", () => ({ headers: { "stripe-signature": "t=1,v1=0" }, body: canary }), 400]
]

describe.each(ways)("what is refused through $way", ({ serve }) => {
  it.each(cases)("a webhook %s", async (_, webhook, expected) => {
    await using receiver = await startReceiver(serve)
    const { body, headers, status } = await post(receiver.url, webhook())
    strictEqual(status, expected)
    strictEqual(body, "")
    strictEqual(receiver.events.length, 0)
    for (const text of [receiver.log(), JSON.stringify(headers)]) {
      assertTrue(!text.includes(secret) && !text.includes(canary), text)
    }
  })

  it("does not keep a genuine one with the same delivery id out", async () => {
    await using receiver = await startReceiver(serve)
    const webhook = genuine()
    const forged = sign({ deliveryId: webhook.deliveryId, secret: "whsec_another_0123456789" })
    const statuses = [
      (await post(receiver.url, forged)).status,
      (await post(receiver.url, webhook)).status,
      (await post(receiver.url, forged)).status
    ]
    deepStrictEqual(statuses, [503, 204, 503])
    strictEqual(receiver.events.length, 1)
  })
})
