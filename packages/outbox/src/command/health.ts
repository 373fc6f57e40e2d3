/** Answers whether the relay works, and its metrics. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { OutboxConfigError } from "../errors.js"
import type { OutboxStats } from "../operate/events.js"
import type { Relay } from "../relay/model.js"
import { metricsOf } from "./metrics.js"

export interface HealthOptions {
  readonly relay: Relay
  readonly destination: string
  readonly port: number
  readonly host: string
  readonly outbox: () => Promise<OutboxStats>
}

/** Counting takes a statement: many scrapes at a time need one. */
const maxAgeMs = 2_000
const maxWaitMs = 2_000

export const serveHealth = async (
  { destination, host, outbox, port, relay }: HealthOptions
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> => {
  let known: Promise<OutboxStats | undefined> = Promise.resolve(undefined)
  let knownAt = -Infinity
  const count = (): Promise<OutboxStats | undefined> => {
    if (performance.now() - knownAt > maxAgeMs) {
      knownAt = performance.now()
      known = Promise.race([
        outbox().catch(() => undefined),
        new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), maxWaitMs).unref())
      ])
    }
    return known
  }
  const answerOf = async (path: string | undefined): Promise<readonly [number, string]> => {
    const stats = relay.stats()
    switch (path) {
      case "/healthz":
        return [stats.state === "stopped" ? 503 : 200, `${stats.state}\n`]
      case "/readyz":
        return stats.state === "running" && stats.databaseError === undefined
          ? [200, "ready\n"]
          : [503, `${stats.databaseError ?? stats.state}\n`]
      case "/metrics":
        return [200, metricsOf(destination, stats, await count())]
      default:
        return [404, "There are /healthz, /readyz and /metrics.\n"]
    }
  }
  const server = createServer((request, response) => {
    void answerOf(request.url?.split("?")[0]).then(([status, text]) => {
      response.writeHead(status, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text)
    })
  })
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve)).catch(
    (error: unknown) => {
      const { code } = Object(error) as { readonly code?: unknown }
      const reason = code === "EADDRINUSE" ? "is in use by another program" : `cannot be listened on (${String(code)})`
      throw new OutboxConfigError({ option: "--port", reason })
    }
  )
  // Such as too many open files while it accepts: the relay goes on.
  server.on("error", () => {})
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}
