import { Hookrail } from "@hookrail/promise"
import { contendWithPromises, url } from "../contend.js"
import { apiKey, payload, topic } from "../payload.js"

const client = new Hookrail({ apiKey, baseUrl: url })

await contendWithPromises(async () => {
  const accepted = await client.sendEvent(topic, payload)
  if (accepted.eventId.length !== 26) throw new Error(`unexpected answer ${JSON.stringify(accepted)}`)
})
