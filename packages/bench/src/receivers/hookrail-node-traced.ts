import { Layer } from "effect"
import { bareTracer } from "../bareTracer.js"
import { receiveWithEffect } from "../receiveWithEffect.js"

await receiveWithEffect(Layer.setTracer(bareTracer))
