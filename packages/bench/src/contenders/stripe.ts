import Stripe from "stripe"
import { contendWithPromises, url } from "../contend.js"
import { payload, topic } from "../payload.js"

const { hostname, port } = new URL(url)
const client = new Stripe("sk_test_benchmark", { host: hostname, port, protocol: "http" })

// A call of its newer interface, which sends JSON like the others, with an idempotency key that it generates.
await contendWithPromises(async () => {
  const created = await client.v2.billing.meterEvents.create({
    event_name: topic,
    payload: payload as unknown as Record<string, string>
  }) as unknown as { readonly id: string }
  if (created.id.length !== 30) throw new Error(`unexpected answer ${JSON.stringify(created)}`)
})
