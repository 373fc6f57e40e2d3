import { NodeHookrail } from "@hookrail/node-4"
import { clientOptions, contendWithEffect4 } from "../contendWithEffect4.js"

await contendWithEffect4(NodeHookrail.layer(clientOptions))
