/**
 * A minimal server: it finds the end of each request by its length and answers 202. So contenders hardly wait for it, and the
 * cost is their own.
 */
import type { AddressInfo, Socket } from "node:net"
import { createServer } from "node:net"
import type { StubCount } from "./protocol.js"
import { serve } from "./protocol.js"

const answer = (body: string): string =>
  [
    "HTTP/1.1 202 Accepted",
    "Content-Type: application/json",
    "Date: Sat, 01 Jan 2028 00:00:00 GMT",
    `Content-Length: ${body.length}`,
    "",
    body
  ].join("\r\n")

const accepted = answer(
  "{\"event_id\":\"01JZ8Q4T6WABCDEFGHJKMNPQRS\",\"delivery_ids\":[\"01JZ8Q4T6WTVWXYZ0123456789\"]}\n"
)
/** Responses for the clients of other services, by their paths. */
const created = answer("{\"id\":\"msg_01JZ8Q4T6WABCDEFGHJKMNPQRS\",\"timestamp\":\"2028-01-01T00:00:00Z\"}\n")
const lengthRequired = "HTTP/1.1 411 Length Required\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

let requests = 0
let bodyBytes = 0

const onConnection = (socket: Socket): void => {
  let rest: Buffer = Buffer.alloc(0)
  socket.setNoDelay(true)
  socket.on("error", () => socket.destroy())
  socket.on("data", (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let answers = ""
    for (;;) {
      const headEnd = rest.indexOf("\r\n\r\n")
      if (headEnd < 0) break
      const head = rest.toString("latin1", 0, headEnd)
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
      if (length === undefined) {
        socket.end(lengthRequired)
        return
      }
      const end = headEnd + 4 + Number(length)
      if (rest.length < end) break
      rest = rest.subarray(end)
      requests++
      bodyBytes += Number(length)
      answers += head.startsWith("POST /v1/events ") ? accepted : created
    }
    if (answers !== "") socket.write(answers, "latin1")
  })
}

const server = createServer(onConnection)

server.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  void serve({ url }, (): StubCount => {
    const count = { requests, bodyBytes }
    requests = 0
    bodyBytes = 0
    return count
  })
})
