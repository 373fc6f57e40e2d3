import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Layer } from "effect"
import { ServerLive } from "./server.js"

NodeRuntime.runMain(Layer.launch(ServerLive))
