import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { startEmulator } from "@hookrail/emulator"
import { NodeHookrail, NodeWebhooks } from "@hookrail/node"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, ManagedRuntime, Redacted } from "effect"
import { DeliveryLog, HookrailClient, SignatureVerifier, Webhooks } from "hookrail"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

// In production, an exporter such as OTLPTraceExporter in a BatchSpanProcessor.
const exporter = new InMemorySpanExporter()
const Tracing = NodeSdk.layer(() => ({
  resource: { serviceName: "orders" },
  spanProcessor: new SimpleSpanProcessor(exporter)
}))

const emulator = await startEmulator()
const secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef"

const WebhooksLive = Webhooks.layer([
  // Runs within the span "hookrail.webhook", which is linked to the sender's span.
  Webhooks.on("orders.created", () => Effect.void.pipe(Effect.withSpan("ship the order")))
]).pipe(Layer.provide([SignatureVerifier.layer({ secrets: Redacted.make(secret) }), DeliveryLog.layerMemory()]))

const ClientLive = NodeHookrail.layer({
  apiKey: Redacted.make(emulator.apiKey),
  baseUrl: emulator.url,
  propagateTrace: true
})

const runtime = ManagedRuntime.make(Layer.mergeAll(WebhooksLive, ClientLive).pipe(Layer.provideMerge(Tracing)))

const server = createServer(NodeWebhooks.listener(runtime)).listen(0, "127.0.0.1")
await once(server, "listening")
const { port } = server.address() as AddressInfo
emulator.subscribe({ topic: "orders.created", url: `http://127.0.0.1:${port}/`, secret })

await runtime.runPromise(
  HookrailClient.sendEvent("orders.created", { order_id: "o_1" }).pipe(Effect.withSpan("checkout"))
)

await emulator.idle()
export const spans = exporter.getFinishedSpans()

server.close()
await runtime.dispose()
await emulator.close()
