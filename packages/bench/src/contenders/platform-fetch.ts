import { FetchHttpClient } from "@effect/platform"
import { contendWithHttpClient } from "../contendWithHttpClient.js"

await contendWithHttpClient(FetchHttpClient.layer)
