import { body, check, contendWithPromises, headers, url } from "../contend.js"

await contendWithPromises(async () => {
  const answer = await fetch(`${url}/v1/events`, { method: "POST", headers: headers(), body: body() })
  check(answer.status, await answer.text())
})
