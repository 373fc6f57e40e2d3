import { startEmulator } from "@hookrail/emulator"
import { Hookrail } from "@hookrail/promise"
import { createWebhookHandler } from "@hookrail/promise/webhooks"
import { context, propagation, SpanKind, trace } from "@opentelemetry/api"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
provider.register() // context over async functions, and W3C Trace Context
const tracer = trace.getTracer("orders")

const emulator = await startEmulator()
const secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef"

// The receiver: a span of its own around the handler, linked to the sender's.
const webhooks = createWebhookHandler<{ "orders.created": { order_id: string } }>({
  secrets: secret,
  on: {
    "orders.created": ({ traceparent }) => {
      const sender = trace.getSpanContext(propagation.extract(context.active(), { traceparent }))
      const links = sender === undefined ? [] : [{ context: sender }]
      return tracer.startActiveSpan("process orders.created", { kind: SpanKind.CONSUMER, links }, async (span) => {
        try {
          await Promise.resolve() // ship the order
        } finally {
          span.end()
        }
      })
    }
  }
})
const server = createServer(webhooks.node).listen(0, "127.0.0.1")
await once(server, "listening")
const { port } = server.address() as AddressInfo
emulator.subscribe({ topic: "orders.created", url: `http://127.0.0.1:${port}/`, secret })

// The sender.
const hookrail = new Hookrail({
  apiKey: emulator.apiKey,
  baseUrl: emulator.url,
  traceparent: () => {
    const carrier: { traceparent?: string } = {}
    propagation.inject(context.active(), carrier)
    return carrier.traceparent
  }
})
await tracer.startActiveSpan("send orders.created", { kind: SpanKind.PRODUCER }, async (span) => {
  try {
    await hookrail.sendEvent("orders.created", { order_id: "o_1" })
  } finally {
    span.end()
  }
})

await emulator.idle()
export const spans = exporter.getFinishedSpans()

await hookrail.close()
server.close()
await emulator.close()
