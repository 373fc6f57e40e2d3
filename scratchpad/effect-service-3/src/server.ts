import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { NodeHookrail } from "@hookrail/node"
import { Config, Effect, Layer } from "effect"
import { HookrailError, Webhooks } from "hookrail"
import { createServer } from "node:http"
import { Order, Orders } from "./orders.js"
import { Warehouse, WebhooksLive } from "./webhooks.js"

const placeOrder = Effect.gen(function*() {
  const order = yield* HttpServerRequest.schemaBodyJson(Order)
  const orders = yield* Orders
  const { eventId } = yield* orders.place(order)
  return HttpServerResponse.unsafeJson({ eventId }, { status: 202 })
}).pipe(
  Effect.catchTags({
    ParseError: (error) => HttpServerResponse.text(error.message, { status: 400 }),
    RequestError: () => HttpServerResponse.empty({ status: 400 })
  }),
  Effect.catchIf(HookrailError.isHookrailError, (error) =>
    Effect.logError(error.message).pipe(
      Effect.andThen(HttpServerResponse.empty({ status: HookrailError.isRetryable(error) ? 503 : 500 }))
    ))
)

const router = HttpRouter.empty.pipe(
  HttpRouter.post("/orders", placeOrder),
  HttpRouter.post("/webhooks", Webhooks.toHttpApp)
)

const NodeServer = Layer.unwrapEffect(
  Effect.map(Config.withDefault(Config.port("PORT"), 3000), (port) => NodeHttpServer.layer(createServer, { port }))
)

/** Reads HOOKRAIL_API_KEY, HOOKRAIL_BASE_URL, HOOKRAIL_WEBHOOK_SECRET and PORT. */
export const ServerLive = HttpServer.serve(router).pipe(
  HttpServer.withLogAddress,
  Layer.provide([
    NodeServer,
    Orders.Default.pipe(Layer.provide(NodeHookrail.layer())),
    WebhooksLive.pipe(Layer.provide(Warehouse.Log))
  ])
)
