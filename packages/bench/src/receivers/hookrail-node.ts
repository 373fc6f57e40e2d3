import { Layer } from "effect"
import { receiveWithEffect } from "../receiveWithEffect.js"

await receiveWithEffect(Layer.empty)
