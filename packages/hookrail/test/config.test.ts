import { describe, it } from "@effect/vitest"
import { strictEqual } from "@effect/vitest/utils"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { HookrailConfig } from "../src/index.js"

const apiKey = Redacted.make("k")
const environment = (entries: Record<string, string>) =>
  Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries))))

describe("HookrailConfig", () => {
  it.effect("C20: keys that cannot be used", () =>
    Effect.gen(function*() {
      for (const key of ["", "  ", " k", "k\n", "a b", "é"]) {
        const error = yield* Effect.flip(HookrailConfig.make({ apiKey: Redacted.make(key) }))
        strictEqual(error.option, "apiKey")
      }
      strictEqual((yield* Effect.flip(environment({})(HookrailConfig.make()))).option, "apiKey")
      strictEqual((yield* Effect.flip(environment({ HOOKRAIL_API_KEY: " " })(HookrailConfig.make()))).option, "apiKey")
    }))

  it.effect("the environment fills in, and blank counts as absent", () =>
    Effect.gen(function*() {
      const config = yield* environment({ HOOKRAIL_API_KEY: "k", HOOKRAIL_BASE_URL: "" })(HookrailConfig.make())
      strictEqual(config.origin, "http://localhost:8080")
      strictEqual(Redacted.value(config.apiKey), "k")
    }))

  it.effect("C19 C20: base URLs", () =>
    Effect.gen(function*() {
      const good = yield* HookrailConfig.make({ apiKey, baseUrl: "https://h.test:1/a///" })
      strictEqual(`${good.origin} ${good.prefix}`, "https://h.test:1 /a")
      for (
        const baseUrl of [
          "http://h/?a",
          "http://h/?",
          "http://h/#",
          "http://u:p@h",
          "ftp://x",
          "localhost:8080",
          "x",
          "http://",
          ""
        ]
      ) {
        strictEqual((yield* Effect.flip(HookrailConfig.make({ apiKey, baseUrl }))).option, "baseUrl")
      }
    }))

  it.effect("fromConfig passes values that are no Configs on to the checks, which name them", () =>
    Effect.gen(function*() {
      const options = yield* HookrailConfig.fromConfig({ apiKey: "hk_1" } as never)
      const error = yield* Effect.flip(HookrailConfig.make(options))
      strictEqual(error.option, "apiKey")
    }))

  it.effect("fromConfig reads Configs, and passes over undefined entries", () =>
    Effect.gen(function*() {
      const options = yield* HookrailConfig.fromConfig({ apiKey: Config.redacted("K"), baseUrl: undefined })
      strictEqual(options.apiKey && Redacted.value(options.apiKey), "k")
    }).pipe(environment({ K: "k" })))
})
