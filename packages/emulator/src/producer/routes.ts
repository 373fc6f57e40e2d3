import { respond } from "../answering.js"
import type { Core } from "../core.js"
import { notReady, rateLimited } from "../http/problem.js"
import { makeRouter, type Route } from "../http/routing.js"
import type { Exchange } from "../http/server.js"
import { type Answer, empty } from "../http/wire.js"
import type { DatabaseState } from "../model.js"
import { maxBodyBytes, readEnvelope } from "./envelope.js"
import { ingest } from "./ingest.js"
import { eventStatus } from "./status.js"

type Name = "ingest" | "status" | "healthz" | "readyz" | "metrics"

const routes: ReadonlyArray<Route<Name>> = [
  { name: "ingest", method: "POST", path: "/v1/events" },
  { name: "status", method: "GET", path: "/v1/events/{id}" },
  { name: "healthz", method: "GET", path: "/healthz" },
  { name: "readyz", method: "GET", path: "/readyz" },
  { name: "metrics", method: "GET", path: "/metrics" }
]

/** Answers `/readyz` (protocol section 6). */
export const readiness = (core: Core, database: DatabaseState): Answer => {
  if (database === "down" || database === "failing") return notReady
  return empty(200, core.surroundings.redis === "down" ? { "X-Hookrail-Redis": "degraded" } : {})
}

/** Answers `/metrics`: a few counts of the emulator in Prometheus's text format (protocol section 6). */
export const metrics = (core: Core): Answer => {
  const counts = new Map<string, number>()
  for (const delivery of core.store.deliveries.values()) {
    counts.set(delivery.state, (counts.get(delivery.state) ?? 0) + 1)
  }
  const lines = [
    "# TYPE hookrail_emulator_events gauge",
    `hookrail_emulator_events ${core.store.events.size}`,
    "# TYPE hookrail_emulator_deliveries gauge",
    ...[...counts].map(([state, count]) => `hookrail_emulator_deliveries{state="${state}"} ${count}`)
  ]
  return {
    status: 200,
    headers: { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" },
    body: lines.join("\n") + "\n"
  }
}

/** Makes the handler of the producer port (protocol sections 1, 2 and 6). */
export const producerHandler = (core: Core): (exchange: Exchange) => Promise<void> => {
  const router = makeRouter(routes)
  const { clock, producers, store } = core
  const noTopic = (): Promise<undefined> => Promise.resolve(undefined)

  const takeEvent = (exchange: Exchange): Promise<void> =>
    respond(core, exchange, "ingest", async () => {
      const body = await exchange.body(maxBodyBytes)
      const envelope = readEnvelope(body.bytes, body.end === "over")
      return "status" in envelope ? undefined : envelope.topic
    }, async (database) => {
      const producer = producers.authenticate(exchange.header("authorization"), database)
      if ("status" in producer) return producer
      if (producer.bucket?.take(clock.now()) === false) return rateLimited
      return ingest(core, producer, exchange, await exchange.body(maxBodyBytes), database)
    })

  const tellStatus = (exchange: Exchange, id: string): Promise<void> =>
    respond(core, exchange, "status", () => Promise.resolve(store.events.get(id)?.topic), (database) => {
      const producer = producers.authenticate(exchange.header("authorization"), database)
      return "status" in producer ? producer : eventStatus(core, id, database)
    })

  return async (exchange) => {
    const match = router(exchange.entry.method, exchange.entry.path)
    if ("status" in match) return exchange.send(match)
    switch (match.name) {
      case "ingest":
        return takeEvent(exchange)
      case "status":
        return tellStatus(exchange, match.params["id"] ?? "")
      case "healthz":
        return respond(core, exchange, "health", noTopic, () => empty(200))
      case "readyz":
        return respond(core, exchange, "ready", noTopic, (database) => readiness(core, database))
      case "metrics":
        return respond(core, exchange, "metrics", noTopic, () => metrics(core))
    }
  }
}
