/** A server on the loopback interface that accepts a number of requests per second and refuses the others with 429. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** Whether a request is accepted now. */
export type Limiter = () => boolean

/** A fixed number in each second of the clock. */
export const fixedWindow = (limit: number): Limiter => {
  let window = -1
  let count = 0
  return () => {
    const current = Math.floor(performance.now() / 1_000)
    if (current !== window) [window, count] = [current, 0]
    return ++count <= limit
  }
}

/** A token bucket, full at the start, as in Hookrail (protocol section 6). */
export const tokenBucket = (limit: number, burst: number): Limiter => {
  let tokens = burst
  let last = performance.now()
  return () => {
    const now = performance.now()
    tokens = Math.min(burst, tokens + (now - last) * limit / 1_000)
    last = now
    if (tokens < 1) return false
    tokens--
    return true
  }
}

export interface LimitedServer {
  readonly url: string
  readonly requests: () => number
  readonly close: () => void
}

const accepted = JSON.stringify({ event_id: "e1", delivery_ids: ["d1"] })
const refused = JSON.stringify({
  detail: "per-key ingest rate exceeded",
  status: 429,
  title: "rate limited",
  type: "about:blank"
})

export const start = async (limiter: Limiter): Promise<LimitedServer> => {
  let requests = 0
  const server = createServer((request, response) => {
    requests++
    request.resume().on("end", () => {
      if (limiter()) response.writeHead(202, { "content-type": "application/json" }).end(accepted)
      else response.writeHead(429, { "content-type": "application/problem+json" }).end(refused)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}
