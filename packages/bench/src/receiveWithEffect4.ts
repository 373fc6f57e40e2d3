/** As `receiveWithEffect.ts`, for Effect 4. */
import { NodeWebhooks } from "@hookrail/node-4"
import { Effect, Layer, ManagedRuntime, Redacted } from "effect-4"
import { DeliveryLog, SignatureVerifier, Webhooks } from "hookrail-4"
import { check, receive, secret } from "./receiver.js"

export const receiveWithEffect4 = async (around: Layer.Layer<never>): Promise<void> => {
  const WebhooksLive = Webhooks.layer([
    Webhooks.on("orders.*", ({ payload }) => Effect.sync(() => check(payload)))
  ]).pipe(Layer.provide([
    SignatureVerifier.layer({ secrets: Redacted.make(secret) }),
    DeliveryLog.layerMemory()
  ]))
  const runtime = ManagedRuntime.make(Layer.provideMerge(WebhooksLive, around))
  await runtime.context()
  const listener = NodeWebhooks.listener(runtime)
  receive((request, response) => void listener(request, response))
}
