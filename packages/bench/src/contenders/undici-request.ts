import { Pool } from "undici"
import { body, check, contendWithPromises, headers, url } from "../contend.js"

const pool = new Pool(url, { connections: 64 })

await contendWithPromises(async () => {
  const answer = await pool.request({ method: "POST", path: "/v1/events", headers: headers(), body: body() })
  check(answer.statusCode, await answer.body.text())
})
