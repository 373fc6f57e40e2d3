import { isHookrailError, isRetryable } from "@hookrail/promise"
import { hookrail } from "../../../lib/hookrail"

export const POST = async (request: Request): Promise<Response> => {
  const { amount, order_id } = await request.json().catch(() => ({}))
  if (typeof order_id !== "string" || typeof amount !== "number") {
    return Response.json({ error: "expected { order_id: string, amount: number }" }, { status: 400 })
  }
  try {
    const { eventId } = await hookrail().sendEvent("orders.created", { order_id, amount }, {
      // Sending the same order again within 24 hours makes no second event.
      idempotencyKey: `order-${order_id}-created`
    })
    return Response.json({ eventId }, { status: 202 })
  } catch (error) {
    if (!isHookrailError(error)) throw error
    console.error(error.message)
    return Response.json({ error: error._tag }, { status: isRetryable(error) ? 503 : 500 })
  }
}
