import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Emulator } from "../src/effect.js"
import { call, postEvent } from "./utils/http.js"

layer(Emulator.layer({ apiKeys: ["hk_test"] }))("Emulator.layer", (it) => {
  it.effect("provides a running emulator", () =>
    Effect.gen(function*() {
      const emulator = yield* Emulator.Emulator
      const reply = yield* Effect.promise(() => postEvent(emulator, { topic: "t", payload: {} }))
      assert.strictEqual(reply.status, 202)
      assert.strictEqual(emulator.apiKey, "hk_test")
    }))
})

describe("Emulator.make", () => {
  it.live("closes the emulator with its scope", () =>
    Effect.gen(function*() {
      const url = yield* Effect.scoped(Effect.map(Emulator.make(), ({ url }) => url))
      const failure = yield* Effect.tryPromise({
        try: () => call("GET", `${url}/healthz`),
        catch: (error) => (error as NodeJS.ErrnoException).code
      }).pipe(Effect.flip)
      assert.strictEqual(failure, "ECONNREFUSED")
    }))

  it.live("fails with a tagged error", () =>
    Emulator.make({ workers: 0 }).pipe(
      Effect.scoped,
      Effect.as("started"),
      Effect.catchTag("EmulatorStartError", (error) => Effect.succeed(error.message)),
      Effect.map((message) => assert.include(message, "workers"))
    ))
})
