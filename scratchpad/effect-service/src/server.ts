import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { NodeHookrail } from "@hookrail/node"
import { Config, Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HookrailError, Webhooks } from "hookrail"
import { createServer } from "node:http"
import { Order, Orders } from "./orders.js"
import { Warehouse, WebhooksLive } from "./webhooks.js"

const placeOrder = Effect.gen(function*() {
  const order = yield* HttpServerRequest.schemaBodyJson(Order)
  const orders = yield* Orders
  const { eventId } = yield* orders.place(order)
  return HttpServerResponse.jsonUnsafe({ eventId }, { status: 202 })
}).pipe(
  Effect.catchTags({
    SchemaError: (error) => Effect.succeed(HttpServerResponse.text(error.message, { status: 400 })),
    HttpServerError: () => Effect.succeed(HttpServerResponse.empty({ status: 400 }))
  }),
  Effect.catchIf(HookrailError.isHookrailError, (error) =>
    Effect.as(
      Effect.logError(error.message),
      HttpServerResponse.empty({ status: HookrailError.isRetryable(error) ? 503 : 500 })
    ))
)

const Routes = Layer.mergeAll(
  HttpRouter.add("POST", "/orders", placeOrder),
  HttpRouter.add("POST", "/webhooks", Webhooks.toHttpApp)
)

const NodeServer = Layer.unwrap(
  Effect.map(Config.withDefault(Config.Port("PORT"), 3000), (port) => NodeHttpServer.layer(createServer, { port }))
)

/** Reads HOOKRAIL_API_KEY, HOOKRAIL_BASE_URL, HOOKRAIL_WEBHOOK_SECRET and PORT. */
export const ServerLive = HttpRouter.serve(Routes).pipe(
  Layer.provide([
    NodeServer,
    Orders.Live.pipe(Layer.provide(NodeHookrail.layer())),
    WebhooksLive.pipe(Layer.provide(Warehouse.Log))
  ])
)
