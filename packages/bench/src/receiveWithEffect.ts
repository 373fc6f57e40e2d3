/** The contenders of the section "receive" that use Effect. */
import { NodeWebhooks } from "@hookrail/node"
import { Effect, Layer, ManagedRuntime, Redacted } from "effect"
import { DeliveryLog, SignatureVerifier, Webhooks } from "hookrail"
import { check, receive, secret } from "./receiver.js"

export const receiveWithEffect = async (around: Layer.Layer<never>): Promise<void> => {
  const WebhooksLive = Webhooks.layer([
    Webhooks.on("orders.*", ({ payload }) => Effect.sync(() => check(payload)))
  ]).pipe(Layer.provide([
    SignatureVerifier.layer({ secrets: Redacted.make(secret) }),
    DeliveryLog.layerMemory()
  ]))
  const runtime = ManagedRuntime.make(Layer.provideMerge(WebhooksLive, around))
  await runtime.runtime()
  const listener = NodeWebhooks.listener(runtime)
  receive((request, response) => void listener(request, response))
}
