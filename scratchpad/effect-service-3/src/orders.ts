import { Effect, Schema } from "effect"
import { HookrailClient, Topic } from "hookrail"

export class Order extends Schema.Class<Order>("Order")({
  order_id: Schema.NonEmptyString,
  amount: Schema.Positive
}) {}

export const OrderCreated = Topic.make("orders.created", Order)

/** Announces orders. Placing the same order again within 24 hours makes no second event. */
export class Orders extends Effect.Service<Orders>()("Orders", {
  effect: Effect.gen(function*() {
    const client = yield* HookrailClient.HookrailClient
    return {
      place: (order: Order) =>
        client.sendEvent(OrderCreated, order, { idempotencyKey: `order-${order.order_id}-created` })
    }
  })
}) {}
