// Runs the service against an in-process Hookrail server: no account, no network, nothing to configure.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Emulator } from "@hookrail/emulator/effect"
import { Config, ConfigProvider, Effect, Layer } from "effect"
import { ServerLive } from "./server.js"

/** The configuration of the service, as the emulator gives it. */
const Configured = Layer.unwrap(
  Effect.gen(function*() {
    const emulator = yield* Emulator.Emulator
    const port = yield* Config.withDefault(Config.Port("PORT"), 3000)
    const { secret } = emulator.subscribe({ topic: "orders.*", url: `http://127.0.0.1:${port}/webhooks` })
    return ConfigProvider.layer(ConfigProvider.fromUnknown({
      HOOKRAIL_API_KEY: emulator.apiKey,
      HOOKRAIL_BASE_URL: emulator.url,
      HOOKRAIL_WEBHOOK_SECRET: secret,
      PORT: port
    }))
  })
)

NodeRuntime.runMain(Layer.launch(ServerLive.pipe(Layer.provide(Configured), Layer.provide(Emulator.layer()))))
