/**
 * Storms on the loopback interface: 1,000 concurrent senders against a server that accepts 200 requests per second, with the gate
 * that slows down the whole client, and with each fiber on its own.
 *
 * node --import tsx --conditions=@hookrail/source src/storms/main.ts [--quick]
 */
import { NodeHookrail } from "@hookrail/node"
import { Effect, Layer, Redacted } from "effect"
import { HookrailClient, SendGate } from "hookrail"
import { fixedWindow, type Limiter, start, tokenBucket } from "./limitedServer.js"

const limit = 200
const senders = 1_000

interface Row {
  readonly limiter: string
  readonly eventsPerSender: number
  readonly gate: string
  readonly requestsPerEvent: number
  readonly lost: number
  /** Relative to the time that the limit alone requires. */
  readonly makespan: number
}

const limiters: Readonly<Record<string, () => Limiter>> = {
  "fixed window": () => fixedWindow(limit),
  "token bucket": () => tokenBucket(limit, limit)
}

const gates: Readonly<Record<string, Layer.Layer<SendGate.SendGate> | Layer.Layer<never>>> = {
  "its own": Layer.empty,
  "layerNone": SendGate.layerNone
}

const storm = async (limiter: string, eventsPerSender: number, gate: string): Promise<Row> => {
  const server = await start(limiters[limiter]!())
  const events = senders * eventsPerSender
  let lost = 0
  const send = HookrailClient.sendEvent("orders.created", { order_id: "o_1" }).pipe(
    Effect.catchAll(() => Effect.sync(() => void lost++))
  )
  const sender = Effect.replicateEffect(send, eventsPerSender, { discard: true })
  const client = NodeHookrail.layer({
    apiKey: Redacted.make("hk_storm"),
    baseUrl: server.url,
    retry: { maxRetries: 4, maxElapsed: "5 minutes" }
  })
  const began = performance.now()
  await Effect.replicateEffect(sender, senders, { concurrency: "unbounded", discard: true }).pipe(
    Effect.provide(Layer.provide(client, gates[gate]!)),
    Effect.runPromise
  )
  const seconds = (performance.now() - began) / 1_000
  server.close()
  return {
    limiter,
    eventsPerSender,
    gate,
    requestsPerEvent: server.requests() / events,
    lost,
    makespan: seconds / (events / limit)
  }
}

const main = async (): Promise<void> => {
  console.log("| Limit | Events per sender | Gate | Requests per event | Lost | Makespan / ideal |")
  console.log("|---|---|---|---|---|---|")
  for (const eventsPerSender of process.argv.includes("--quick") ? [1] : [1, 5]) {
    for (const limiter of Object.keys(limiters)) {
      for (const gate of Object.keys(gates)) {
        const row = await storm(limiter, eventsPerSender, gate)
        const events = senders * eventsPerSender
        console.log(
          `| ${limiter} | ${eventsPerSender} | ${gate} | ${row.requestsPerEvent.toFixed(2)} | ${
            (100 * row.lost / events).toFixed(0)
          } % | ${row.makespan.toFixed(2)} |`
        )
      }
    }
  }
}

await main()
