import { assert, layer } from "@effect/vitest"
import { signWebhook } from "@hookrail/emulator"
import { Emulator } from "@hookrail/emulator/effect"
import { NodeHookrail } from "@hookrail/node"
import { Effect, Layer, Redacted } from "effect"
import { DeliveryLog, SignatureVerifier, Webhooks } from "hookrail"
import { Order, Orders } from "../src/orders.js"
import { Handlers, Warehouse } from "../src/webhooks.js"

const secret = "whsec_0123456789abcdef"

/** The real client, against an emulator of this test. */
const Live = Layer.unwrap(Effect.map(Emulator.Emulator, ({ apiKey, url }) =>
  Orders.Live.pipe(
    Layer.provide(NodeHookrail.layer({ apiKey: Redacted.make(apiKey), baseUrl: url, onUnmatched: "ignore" }))
  ))).pipe(Layer.provideMerge(Emulator.layer()))

// Without test services, time passes: webhooks are signed now, and sends may wait for a retry.
layer(Live, { excludeTestServices: true })("orders", (it) => {
  it.effect("are announced once, however often they are placed", () =>
    Effect.gen(function*() {
      const orders = yield* Orders
      const order = new Order({ order_id: "o_1", amount: 4200 })
      const first = yield* orders.place(order)
      const second = yield* orders.place(order)
      assert.strictEqual(second.eventId, first.eventId)
      const emulator = yield* Emulator.Emulator
      assert.lengthOf(emulator.ledger().events, 1)
    }))

  it.effect("are packed when their webhook arrives", () =>
    Effect.gen(function*() {
      const packed: Array<string> = []
      const live = Handlers.pipe(Layer.provide([
        Layer.succeed(Warehouse, { pack: (order) => Effect.sync(() => void packed.push(order.order_id)) }),
        SignatureVerifier.layer({ secrets: Redacted.make(secret) }),
        DeliveryLog.layerMemory()
      ]))
      const webhook = signWebhook({ secret, topic: "orders.created", payload: { order_id: "o_2", amount: 1 } })
      const services = yield* Layer.build(live)
      const receive = Webhooks.toWebHandler(services)
      const answers = yield* Effect.promise(async () => [
        await receive(webhook.toRequest()),
        await receive(webhook.toRequest())
      ])
      assert.deepStrictEqual(answers.map(({ status }) => status), [204, 200])
      assert.deepStrictEqual(packed, ["o_2"])
    }))
})
