import { NodeHookrail } from "@hookrail/node"
import { Layer } from "effect"
import { bareTracer } from "../bareTracer.js"
import { clientOptions, contendWithEffect } from "../contendWithEffect.js"

await contendWithEffect(NodeHookrail.layer(clientOptions).pipe(Layer.merge(Layer.setTracer(bareTracer))))
