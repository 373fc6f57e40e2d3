/** A server as Hookrail is: it stores one event per idempotency key. And it fails, as servers do. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

export interface Accepted {
  readonly key: string
  readonly body: string
  readonly orderingKey: string | undefined
}

export interface Server {
  readonly url: string
  /** In the order of their acceptance. */
  readonly accepted: ReadonlyArray<Accepted>
  readonly counts: { requests: number; replays: number; conflicts: number; refused: number; cut: number; slow: number }
  readonly close: () => Promise<void>
}

const answer = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {}
): void => {
  response.writeHead(status, {
    "content-type": status < 300 ? "application/json" : "application/problem+json",
    ...headers
  })
  response.end(JSON.stringify(body))
}

/** Of 100 requests, 4 are refused with 503, 2 lose their connection after the acceptance, and 3 are slow. */
export const startServer = async (random: () => number, slowMs: number): Promise<Server> => {
  const accepted: Array<Accepted> = []
  const known = new Map<string, string>()
  const counts = { requests: 0, replays: 0, conflicts: 0, refused: 0, cut: 0, slow: 0 }

  const take = (request: IncomingMessage, response: ServerResponse, body: string): void => {
    const key = String(request.headers["idempotency-key"])
    const orderingKey = request.headers["x-hookrail-ordering-key"] as string | undefined
    const identity = `${orderingKey ?? ""}\n${body}`
    const before = known.get(key)
    if (before !== undefined && before !== identity) {
      counts.conflicts++
      return answer(response, 409, { title: "conflict", detail: "another event has this key", status: 409 })
    }
    if (before === undefined) {
      known.set(key, identity)
      accepted.push({ key, body, orderingKey })
    } else counts.replays++
    const chance = random()
    const reply = (): void =>
      answer(
        response,
        202,
        { event_id: "01JZ8Q4T6WABCDEFGHJKMNPQRS", delivery_ids: ["01JZ8Q4T6WTVWXYZ0123456789"] },
        before === undefined ? {} : { "idempotent-replay": "true" }
      )
    if (chance < 0.02) {
      counts.cut++
      request.socket.destroy()
    } else if (chance < 0.05) {
      counts.slow++
      setTimeout(reply, random() * slowMs)
    } else reply()
  }

  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("error", () => {})
    request.on("end", () => {
      if (request.url !== "/v1/events") return answer(response, 200, {})
      counts.requests++
      if (random() < 0.04) {
        counts.refused++
        return answer(response, 503, { title: "ingest unavailable", detail: "could not record it", status: 503 })
      }
      take(request, response, Buffer.concat(chunks).toString())
    })
  })
  server.on("clientError", (_, socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accepted,
    counts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}
