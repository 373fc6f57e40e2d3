import { Effect } from "effect"
import { Effect as Effect3 } from "effect-3"
import { assert, describe, it } from "vitest"
import { Emulator as Emulator3 } from "../src/effect-3.js"
import { Emulator as Emulator4 } from "../src/effect.js"
import type { Emulator } from "../src/emulator.js"
import { call, postEvent } from "./utils/http.js"

const options = { apiKeys: ["hk_test"] }

const use = async (emulator: Emulator): Promise<string> => {
  const reply = await postEvent(emulator, { topic: "t", payload: {} })
  assert.strictEqual(reply.status, 202)
  assert.strictEqual(emulator.apiKey, "hk_test")
  return emulator.url
}

const isClosed = async (url: string): Promise<void> => {
  const code = await call("GET", `${url}/healthz`).then(() => "open", (error: NodeJS.ErrnoException) => error.code)
  assert.strictEqual(code, "ECONNREFUSED")
}

describe("on Effect 4", () => {
  it("the layer provides a running emulator, and closes it with its scope", () =>
    Emulator4.Emulator.pipe(
      Effect.flatMap((emulator) => Effect.promise(() => use(emulator))),
      Effect.provide(Emulator4.layer(options)),
      Effect.runPromise
    ).then(isClosed))

  it("fails with a tagged error", async () => {
    const program = Emulator4.make({ workers: 0 }).pipe(
      Effect.scoped,
      Effect.as("started"),
      Effect.catchTag("EmulatorStartError", (error) => Effect.succeed(error.message))
    )
    assert.include(await Effect.runPromise(program), "workers")
  })
})

describe("on Effect 3", () => {
  it("the layer provides a running emulator, and closes it with its scope", () =>
    Emulator3.Emulator.pipe(
      Effect3.flatMap((emulator) => Effect3.promise(() => use(emulator))),
      Effect3.provide(Emulator3.layer(options)),
      Effect3.runPromise
    ).then(isClosed))

  it("fails with a tagged error", async () => {
    const program = Emulator3.make({ workers: 0 }).pipe(
      Effect3.scoped,
      Effect3.as("started"),
      Effect3.catchTag("EmulatorStartError", (error) => Effect3.succeed(error.message))
    )
    assert.include(await Effect3.runPromise(program), "workers")
  })
})
