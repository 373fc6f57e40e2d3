import { Svix } from "svix"
import { contendWithPromises, url } from "../contend.js"
import { apiKey, payload, topic } from "../payload.js"

const client = new Svix(apiKey, { serverUrl: url })

await contendWithPromises(async () => {
  const message = await client.message.create("app_1", { eventType: topic, payload })
  if (message.id.length !== 30) throw new Error(`unexpected answer ${JSON.stringify(message)}`)
})
