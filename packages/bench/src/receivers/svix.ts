/** The bare server with svix's `verify` in it. */
import { Webhook } from "svix"
import { check, receive, secret } from "../receiver.js"

const webhook = new Webhook(`whsec_${Buffer.from(secret).toString("base64")}`)

receive((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    try {
      const body = Buffer.concat(chunks)
      webhook.verify(body, request.headers as Record<string, string>)
      check(JSON.parse(body.toString()))
      response.writeHead(204).end()
    } catch {
      response.writeHead(401).end()
    }
  })
})
