import axios from "axios"
import { Agent } from "node:http"
import { check, contendWithPromises, headers, url } from "../contend.js"
import { payload, topic } from "../payload.js"

const client = axios.create({ baseURL: url, httpAgent: new Agent({ keepAlive: true }), proxy: false })

await contendWithPromises(async () => {
  const answer = await client.post<{ readonly event_id: string }>("/v1/events", { topic, payload }, {
    headers: headers()
  })
  // Axios has already parsed the body.
  check(answer.status, JSON.stringify(answer.data))
})
