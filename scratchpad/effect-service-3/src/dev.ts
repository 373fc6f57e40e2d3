// Runs the service against an in-process Hookrail server: no account, no network, nothing to configure.
import { NodeRuntime } from "@effect/platform-node"
import { Emulator } from "@hookrail/emulator/effect-3"
import { Config, ConfigProvider, Effect, Layer } from "effect"
import { ServerLive } from "./server.js"

/** The configuration of the service, as the emulator gives it. */
const Configured = Layer.unwrapEffect(
  Effect.gen(function*() {
    const emulator = yield* Emulator.Emulator
    const port = yield* Config.withDefault(Config.port("PORT"), 3000)
    const { secret } = emulator.subscribe({ topic: "orders.*", url: `http://127.0.0.1:${port}/webhooks` })
    return Layer.setConfigProvider(ConfigProvider.fromMap(
      new Map([
        ["HOOKRAIL_API_KEY", emulator.apiKey],
        ["HOOKRAIL_BASE_URL", emulator.url],
        ["HOOKRAIL_WEBHOOK_SECRET", secret],
        ["PORT", String(port)]
      ])
    ))
  })
)

NodeRuntime.runMain(Layer.launch(ServerLive.pipe(Layer.provide(Configured), Layer.provide(Emulator.layer()))))
