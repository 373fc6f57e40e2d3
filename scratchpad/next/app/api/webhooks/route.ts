import { createWebhookHandler, reject } from "@hookrail/promise/webhooks"

interface Order {
  readonly order_id: string
  readonly amount: number
}

// `secrets` is a function: `next build` loads this module, without the secret.
export const POST = createWebhookHandler<{ "orders.created": Order }>({
  secrets: () => process.env.HOOKRAIL_WEBHOOK_SECRET,
  on: {
    "orders.created": async ({ deliveryId, payload }) => {
      if (!(payload.amount > 0)) throw reject("an order without an amount")
      // Do the work here. Deliveries may come twice: make it idempotent, by the order id or the delivery id.
      console.log(`delivery ${deliveryId}: order ${payload.order_id} over ${payload.amount}`)
    }
  }
})
