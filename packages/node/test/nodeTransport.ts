import * as Layer from "effect/Layer"
import { layer } from "../src/NodeTransport.js"

/** The transport with its defaults, for suites that run elsewhere too. */
export const nodeTransport = Layer.orDie(layer())
