import { Layer } from "effect-4"
import { receiveWithEffect4 } from "../receiveWithEffect4.js"

await receiveWithEffect4(Layer.empty)
