import { NodeHttpClient } from "@effect/platform-node"
import { Layer } from "effect"
import { HookrailClient, Transport } from "hookrail"
import { clientOptions, contendWithEffect } from "../contendWithEffect.js"

await contendWithEffect(
  HookrailClient.layer(clientOptions).pipe(
    Layer.provide(Transport.layerHttpClient),
    Layer.provide(NodeHttpClient.layerUndici)
  )
)
