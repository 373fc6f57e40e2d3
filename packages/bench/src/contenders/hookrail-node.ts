import { NodeHookrail } from "@hookrail/node"
import { clientOptions, contendWithEffect } from "../contendWithEffect.js"

await contendWithEffect(NodeHookrail.layer(clientOptions))
