/** A server on the loopback that answers as the weather is, after a while. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { serve } from "../protocol.js"
import type { Conditions, ServerCount, Weather } from "./protocol.js"

/** The status of the answer to a request that comes at a time, in milliseconds since the first one. */
type Answering = (now: number, key: string) => number

const answering: { readonly [K in Weather["kind"]]: (weather: Extract<Weather, { kind: K }>) => Answering } = {
  scattered: ({ share }) => () => Math.random() < share ? 503 : 202,
  refused: ({ events }) => {
    // Spread over the run.
    const refused = new Set<string>()
    let count = 0
    return (_, key) => {
      if (refused.size < events && ++count % 400 === 0) refused.add(key)
      return refused.has(key) ? 503 : 202
    }
  },
  window: ({ limit }) => {
    let window = -1
    let count = 0
    return () => {
      const current = Math.floor(performance.now() / 1_000)
      if (current !== window) [window, count] = [current, 0]
      return ++count <= limit ? 202 : 429
    }
  },
  // Full at the start; this is how Hookrail limits (protocol section 1.4).
  bucket: ({ limit }) => {
    let tokens = limit
    let last = 0
    return (now: number) => {
      tokens = Math.min(limit, tokens + (now - last) * limit / 1_000)
      last = now
      if (tokens < 1) return 429
      tokens--
      return 202
    }
  },
  strays: ({ at }) => {
    const left = [...at]
    return (now) => {
      if (left[0] === undefined || now < left[0]) return 202
      left.shift()
      return 503
    }
  },
  outage: ({ from, until }) => (now) => now >= from && now < until ? 503 : 202
}

const { latency, weather } = JSON.parse(process.argv[2]!) as Conditions
const statusOf = (answering[weather.kind] as (weather: Weather) => Answering)(weather)

const accepted = JSON.stringify({ event_id: "e1", delivery_ids: ["d1"] })
const event = JSON.stringify({ event_id: "e1", topic: "t", deliveries: [] })

let requests = 0
let began: number | undefined

const server = createServer((request, response) => {
  // The server limits sends only.
  const isRead = request.method === "GET"
  if (!isRead) requests++
  began ??= performance.now()
  const status = isRead ? 200 : statusOf(performance.now() - began, String(request.headers["idempotency-key"]))
  request.resume().on("end", () => {
    setTimeout(() => {
      if (status < 300) {
        response.writeHead(status, { "content-type": "application/json" }).end(isRead ? event : accepted)
      } else response.writeHead(status, { "content-type": "application/problem+json" }).end(`{"status":${status}}`)
    }, latency)
  })
})

server.listen(0, "127.0.0.1", () => {
  void serve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, (): ServerCount => ({ requests }))
})
