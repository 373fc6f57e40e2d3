import { assert, describe, it } from "@effect/vitest"
import { type RunningEmulator, startEmulator } from "@hookrail/emulator"
import { Effect, Layer, Redacted, Stream } from "effect"
import { HookrailAdmin } from "hookrail"
import { nodeTransport } from "./nodeTransport.js"

const emulator = Effect.acquireRelease(
  Effect.promise(() => startEmulator()),
  (emulator: RunningEmulator) => Effect.promise(() => emulator.close())
)

describe("HookrailAdmin", () => {
  it.scopedLive("smoke", () =>
    Effect.gen(function*() {
      const server = yield* emulator
      const admin = HookrailAdmin.layer({ baseUrl: server.adminUrl, adminToken: Redacted.make(server.adminToken) })
        .pipe(Layer.provide(nodeTransport))
      yield* Effect.gen(function*() {
        const made = yield* HookrailAdmin.endpoints.create({ url: "https://example.com/h", description: "d" })
        assert.match(Redacted.value(made.secret), /^whsec_/)
        const all = yield* Stream.runCollect(HookrailAdmin.endpoints.list())
        assert.strictEqual([...all].length, 1)
        const sub = yield* HookrailAdmin.subscriptions.create({ topic: "a.*", endpointId: made.id })
        console.log(yield* HookrailAdmin.subscriptions.get(sub.id), yield* HookrailAdmin.whoami())
        yield* HookrailAdmin.endpoints.delete(made.id)
        console.log(yield* Effect.flip(HookrailAdmin.endpoints.get(made.id)))
      }).pipe(Effect.provide(admin))
    }))
})
