/** As little as a receiver can do: reads, verifies and parses. No duplicates are kept out, and nothing ends in time. */
import { createHmac, timingSafeEqual } from "node:crypto"
import { check, receive, secret } from "../receiver.js"

receive((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const body = Buffer.concat(chunks)
    const [time, mac] = String(request.headers["hookrail-signature"]).split(",")
    const timestamp = time!.slice(2)
    const expected = createHmac("sha256", secret)
      .update(`${timestamp}.${String(request.headers["hookrail-delivery-id"])}.`)
      .update(body)
      .digest()
    const isGenuine = timingSafeEqual(expected, Buffer.from(mac!.slice(3), "hex")) &&
      Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300
    if (isGenuine) check(JSON.parse(body.toString()))
    response.writeHead(isGenuine ? 204 : 401).end()
  })
})
