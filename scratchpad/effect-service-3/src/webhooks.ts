import { Config, Context, Effect, Layer } from "effect"
import { DeliveryLog, SignatureVerifier, Webhooks } from "hookrail"
import { type Order, OrderCreated } from "./orders.js"

/** What happens with an order that was announced. Deliveries may come twice: make it idempotent. */
export class Warehouse extends Context.Tag("Warehouse")<Warehouse, {
  readonly pack: (order: Order) => Effect.Effect<void, "sold out">
}>() {
  static readonly Log = Layer.succeed(Warehouse, {
    pack: (order) => Effect.log(`packing order ${order.order_id} over ${order.amount}`)
  })
}

/** The payload has been verified and decoded when a handler runs. */
export const Handlers = Webhooks.layer([
  Webhooks.on(OrderCreated, ({ payload }) =>
    Effect.flatMap(Warehouse, (warehouse) => warehouse.pack(payload)).pipe(
      Effect.catchAll(() => Webhooks.retryLater({ after: "10 minutes" }))
    ))
])

export const WebhooksLive = Handlers.pipe(
  Layer.provide([
    SignatureVerifier.layerConfig({ secrets: Config.redacted("HOOKRAIL_WEBHOOK_SECRET") }),
    DeliveryLog.layerMemory()
  ])
)
