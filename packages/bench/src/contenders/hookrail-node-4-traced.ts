import { NodeHookrail } from "@hookrail/node-4"
import { Layer, Tracer } from "effect-4"
import { bareTracer4 } from "../bareTracer4.js"
import { clientOptions, contendWithEffect4 } from "../contendWithEffect4.js"

await contendWithEffect4(
  NodeHookrail.layer(clientOptions).pipe(Layer.merge(Layer.succeed(Tracer.Tracer, bareTracer4)))
)
