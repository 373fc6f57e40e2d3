import { NodeHttpClient } from "@effect/platform-node"
import { contendWithHttpClient } from "../contendWithHttpClient.js"

await contendWithHttpClient(NodeHttpClient.layerUndici)
