import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Redacted } from "effect"
import { HookrailClient, HookrailConfig, type HookrailError } from "../src/index.js"
import { isBrowser } from "../src/options/browser.js"
import { accepted, layer, scripted } from "./utils/memoryTransport.js"

describe("headers of a call", () => {
  it.effect("are sent with each request, in lower case", () =>
    Effect.gen(function*() {
      const transport = scripted([accepted])
      yield* HookrailClient.sendEvent("t", {}, { headers: { "X-Request-Id": "r 1", "x-none": undefined } }).pipe(
        Effect.provide(layer(transport))
      )
      const { headers } = transport.requests[0]!
      strictEqual(headers["x-request-id"], "r 1")
      strictEqual("x-none" in headers, false)
      const read = scripted([{ status: 200, body: { event_id: "e", topic: "t", deliveries: [] } }])
      yield* HookrailClient.getEvent("e", { headers: { a: "1" } }).pipe(Effect.provide(layer(read)))
      yield* HookrailClient.awaitEvent("e", { headers: { a: "2" } }).pipe(Effect.provide(layer(read)))
      yield* HookrailClient.getEvent("e").pipe(Effect.provide(layer(read)))
      deepStrictEqual(read.requests.map(({ headers }) => headers["a"]), ["1", "2", undefined])
    }))

  it.effect("are refused if they are the client's or the connection's, or cannot be sent", () =>
    Effect.gen(function*() {
      const refused: ReadonlyArray<readonly [unknown, RegExp]> = [
        [{ Authorization: "s3cret" }, /"Authorization" is written by the client: use the option apiKey/],
        [{ "Idempotency-Key": "s3cret" }, /use the option idempotencyKey/],
        [{ "User-Agent": "s3cret" }, /use the option appInfo/],
        [JSON.parse("{\"__proto__\": \"s3cret\"}"), /not the name of a header/],
        [{ host: "s3cret" }, /"host" is written by the client\W/],
        [{ "content-length": "1" }, /written by the client/],
        [{ Connection: "s3cret" }, /about the connection/],
        [{ "Proxy-Authorization": "s3cret" }, /about the connection/],
        [{ "transfer-encoding": "s3cret" }, /about the connection/],
        [{ "a b": "s3cret" }, /"a b" is not the name of a header/],
        [{ "": "s3cret" }, /not the name of a header/],
        [{ a: "s3cret\r\nb: c" }, /"a" must be ASCII without line breaks/],
        [{ a: "s3cret é" }, /must be ASCII/],
        [{ a: 1 }, /"a" must be ASCII/],
        [{ a: "s3cret", A: "s3cret" }, /given twice/],
        [[["a", "s3cret"]], /must be an object/],
        [new Map([["a", "s3cret"]]), /must be an object/],
        [null, /must be an object/]
      ]
      for (const [headers, message] of refused) {
        const transport = scripted([accepted])
        const options = { headers } as HookrailClient.SendOptions
        const calls: ReadonlyArray<
          Effect.Effect<unknown, HookrailError.SendError | HookrailError.ReadError, HookrailClient.HookrailClient>
        > = [
          HookrailClient.sendEvent("t", {}, options),
          HookrailClient.getEvent("e", options)
        ]
        for (const call of calls) {
          const error = yield* Effect.flip(Effect.provide(call, layer(transport)))
          assert(error._tag === "InvalidArgumentError")
          strictEqual(error.argument, "headers")
          assert.match(error.message, message)
          assert.notMatch(error.message, /s3cret/)
        }
        strictEqual(transport.requests.length, 0)
      }
    }))
})

describe("appInfo", () => {
  const agent = (appInfo: unknown) =>
    Effect.map(
      HookrailConfig.make({ apiKey: Redacted.make("k"), appInfo } as HookrailConfig.Options),
      ({ userAgent }) => userAgent
    )

  it.effect("is part of the user agent", () =>
    Effect.gen(function*() {
      assert.match(yield* agent(undefined), /^hookrail-typescript\/\S+$/)
      assert.match(yield* agent({ name: "orders" }), /^hookrail-typescript\/\S+ orders$/)
      assert.match(
        yield* agent({ name: "orders", version: "1.2", url: "https://x.test/a" }),
        /^hookrail-typescript\/\S+ orders\/1.2 \(https:\/\/x\.test\/a\)$/
      )
    }))

  it.effect("is checked", () =>
    Effect.gen(function*() {
      const wrong = [
        null,
        "orders",
        {},
        { name: "" },
        { name: "a b" },
        { name: "a\r\nb" },
        { name: "a", version: "1 2" },
        {
          name: "a",
          url: "x.test"
        },
        { name: "a", url: "https://x.test/)" },
        { name: "a", vesion: "1" }
      ]
      for (const appInfo of wrong) strictEqual((yield* Effect.flip(agent(appInfo))).option, "appInfo")
    }))
})

describe("a browser", () => {
  const firefox = { userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" }

  it("is a page or a worker of one, or the window of an Electron program", () => {
    strictEqual(isBrowser({ document: {}, navigator: firefox }), true)
    strictEqual(isBrowser({ WorkerGlobalScope: class {}, navigator: firefox }), true)
    // What bundlers put in place of Node's.
    strictEqual(isBrowser({ document: {}, navigator: firefox, process: { versions: {} } }), true)
    strictEqual(
      isBrowser({ document: {}, navigator: firefox, process: { type: "renderer", versions: { node: "22.0.0" } } }),
      true
    )
  })

  it("is no server, and no test", () => {
    const process = { versions: { node: "22.0.0" } }
    strictEqual(isBrowser(globalThis as never), false)
    strictEqual(isBrowser({}), false)
    // jsdom
    strictEqual(isBrowser({ document: {}, navigator: { userAgent: "Mozilla/5.0 jsdom/26" }, process }), false)
    strictEqual(isBrowser({ navigator: firefox, process: { ...process, type: "browser" } }), false)
    for (const userAgent of ["Deno/2.9", "Bun/1.4", "Cloudflare-Workers", undefined]) {
      strictEqual(isBrowser({ WorkerGlobalScope: class {}, navigator: { userAgent } }), false)
    }
  })

  it.effect("is refused, unless the program allows it", () =>
    Effect.gen(function*() {
      const { navigator, process } = globalThis
      const define = (name: string, value: unknown) =>
        Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
      const make = (options: HookrailConfig.Options) => HookrailConfig.make({ apiKey: Redacted.make("k"), ...options })
      try {
        define("document", {})
        define("navigator", firefox)
        define("process", { ...process, versions: {} })
        const error = Effect.runSync(Effect.flip(make({})))
        strictEqual(error.option, "dangerouslyAllowBrowser")
        assert.match(error.message, /everybody can read the API key in a browser/)
        assert(Effect.runSync(make({ dangerouslyAllowBrowser: true })))
      } finally {
        define("process", process)
        define("navigator", navigator)
        delete (globalThis as { document?: unknown }).document
      }
    }))
})
