import { Layer, Tracer } from "effect-4"
import { bareTracer4 } from "../bareTracer4.js"
import { receiveWithEffect4 } from "../receiveWithEffect4.js"

await receiveWithEffect4(Layer.succeed(Tracer.Tracer, bareTracer4))
