import { Hookrail, isHookrailError, isRetryable } from "@hookrail/promise"
import { createWebhookHandler, reject } from "@hookrail/promise/webhooks"
import express from "express"

interface Order {
  readonly order_id: string
  readonly amount: number
}

// Reads HOOKRAIL_API_KEY and HOOKRAIL_BASE_URL.
export const hookrail = new Hookrail()

export const webhooks = createWebhookHandler<{ "orders.created": Order }>({
  secrets: () => process.env.HOOKRAIL_WEBHOOK_SECRET,
  on: {
    "orders.created": async ({ deliveryId, payload }) => {
      if (!(payload.amount > 0)) throw reject("an order without an amount")
      // Do the work here. Deliveries may come twice: make it idempotent, by the order id or the delivery id.
      console.log(`delivery ${deliveryId}: order ${payload.order_id} over ${payload.amount}`)
    }
  }
})

export const app = express()

// Before express.json(): the signature covers the raw bytes.
app.post("/webhooks", webhooks.node)

app.use(express.json())

app.post("/orders", async (request, response) => {
  const { amount, order_id } = request.body ?? {}
  if (typeof order_id !== "string" || typeof amount !== "number") {
    response.status(400).json({ error: "expected { order_id: string, amount: number }" })
    return
  }
  try {
    const { eventId } = await hookrail.sendEvent("orders.created", { order_id, amount }, {
      // Sending the same order again within 24 hours makes no second event.
      idempotencyKey: `order-${order_id}-created`
    })
    response.status(202).json({ eventId })
  } catch (error) {
    if (!isHookrailError(error)) throw error
    console.error(error.message)
    response.status(isRetryable(error) ? 503 : 500).json({ error: error._tag })
  }
})
