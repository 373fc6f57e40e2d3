import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Fiber, Layer, Redacted } from "effect"
import { HookrailClient } from "hookrail"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeHookrail from "../src/NodeHookrail.js"
import { ProxyServer } from "./proxyServer.js"

const accepted = JSON.stringify({ event_id: "01JZ8Q4T6WABCDEFGHJKMNPQRS", delivery_ids: ["d"] })

/** Answers nobody until so many requests are there at the same time. */
const patientServer = (atOnce: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const waiting: Array<ServerResponse> = []
        const server = createServer((request, response) => {
          request.resume()
          waiting.push(response)
          if (waiting.length < atOnce) return
          for (const each of waiting.splice(0)) {
            each.writeHead(202, { "content-type": "application/json" }).end(accepted)
          }
        })
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
        return server
      }),
      (server) =>
        Effect.promise(() =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            server.closeAllConnections()
          })
        )
    ),
    (server) => (server.address() as AddressInfo).port
  )

/** Keeps sends waiting until `release`, and answers reads at once. `two`: when two sends are there. */
const busyServer = Effect.gen(function*() {
  const waiting: Array<ServerResponse> = []
  let connections = 0
  let areTwo: () => void
  const two = new Promise<void>((resolve) => areTwo = resolve)
  const server = createServer((request, response) => {
    request.resume()
    response.setHeader("content-type", "application/json")
    if (request.method === "POST") {
      if (waiting.push(response) === 2) areTwo()
    } else response.end(JSON.stringify({ event_id: "01JZ8Q4T6WABCDEFGHJKMNPQRS", topic: "orders", deliveries: null }))
  }).on("connection", () => connections++)
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
    () =>
      Effect.promise(() =>
        new Promise<void>((resolve) => {
          server.close(() => resolve())
          server.closeAllConnections()
        })
      )
  )
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    two: Effect.promise(() => two),
    release: Effect.sync(() => {
      for (const response of waiting.splice(0)) response.writeHead(202).end(accepted)
    })
  }
})

const read = HookrailClient.getEvent("01JZ8Q4T6WABCDEFGHJKMNPQRS")

const sendMany = (count: number, layer: Layer.Layer<HookrailClient.HookrailClient, unknown>) =>
  Effect.forEach(
    Array.from({ length: count }, (_, n) => n),
    (n) => HookrailClient.sendEvent("orders", { n }),
    { concurrency: "unbounded" }
  ).pipe(Effect.provide(layer))

const twoSends = Effect.all([HookrailClient.sendEvent("orders", 1), HookrailClient.sendEvent("orders", 2)], {
  concurrency: "unbounded"
})

const apiKey = Redacted.make("hk_key")

describe("NodeHookrail", () => {
  it.scopedLive("as many connections as requests may be in flight", () =>
    Effect.gen(function*() {
      const port = yield* patientServer(100)
      const layer = NodeHookrail.layer({ apiKey, baseUrl: `http://127.0.0.1:${port}`, maxInFlight: 100, retry: false })
      assert.lengthOf(yield* sendMany(100, layer), 100)
    }))

  it.scopedLive("also where the options are Configs", () =>
    Effect.gen(function*() {
      const port = yield* patientServer(100)
      const layer = NodeHookrail.layerConfig({
        apiKey: Config.redacted("KEY"),
        baseUrl: Config.string("URL"),
        maxInFlight: Config.integer("IN_FLIGHT")
      })
      const variables = { KEY: "hk_key", URL: `http://127.0.0.1:${port}`, IN_FLIGHT: "100" }
      const results = yield* Effect.withConfigProvider(
        sendMany(100, layer),
        ConfigProvider.fromMap(new Map(Object.entries(variables)))
      )
      assert.lengthOf(results, 100)
    }))

  it.scopedLive("asks for answers without compression", () =>
    Effect.gen(function*() {
      const port = yield* patientServer(1)
      const proxy = yield* ProxyServer.make(port)
      const layer = NodeHookrail.layer({ apiKey, baseUrl: "http://hooks.test", transport: { proxy: proxy.url() } })
      yield* sendMany(1, layer)
      yield* Effect.ignore(Effect.provide(HookrailClient.getEvent("01JZ8Q4T6WABCDEFGHJKMNPQRS"), layer))
      assert.deepStrictEqual(
        proxy.asked.slice(0, 2).map(({ headers, line }) => [line[0], headers["accept-encoding"]]),
        [
          ["P", "identity"],
          ["G", "identity"]
        ]
      )
    }))

  it.scopedLive("unless the transport has a number of its own", () =>
    Effect.gen(function*() {
      const port = yield* patientServer(3)
      const proxy = yield* ProxyServer.make(port)
      const layer = NodeHookrail.layer({
        apiKey,
        baseUrl: "http://hooks.test",
        maxInFlight: 100,
        retry: false,
        transport: { connections: 3, proxy: proxy.url() }
      })
      assert.lengthOf(yield* sendMany(30, layer), 30)
      assert.strictEqual(proxy.accepted, 3)
    }))

  it.scopedLive("reads do not wait while sends have all connections", () =>
    Effect.gen(function*() {
      const server = yield* busyServer
      const client = yield* Layer.build(
        NodeHookrail.layer({ apiKey, baseUrl: server.url, maxInFlight: 2, retry: false })
      )
      yield* Effect.gen(function*() {
        // A connection that is free serves a read as well.
        yield* read
        const sends = yield* Effect.fork(twoSends)
        yield* server.two
        yield* Effect.all([read, read], { concurrency: "unbounded" })
        yield* server.release
        yield* Fiber.join(sends)
        assert.isAtMost(server.connections(), 4)
        // Now that connections are free again, none is added.
        const before = server.connections()
        yield* Effect.all([read, read], { concurrency: "unbounded" })
        assert.strictEqual(server.connections(), before)
      }).pipe(Effect.provide(client))
    }))

  it.scopedLive("unless there is a number of connections, which no request exceeds", () =>
    Effect.gen(function*() {
      const server = yield* busyServer
      const client = yield* Layer.build(
        NodeHookrail.layer({ apiKey, baseUrl: server.url, maxInFlight: 2, retry: false, transport: { connections: 2 } })
      )
      yield* Effect.gen(function*() {
        const sends = yield* Effect.fork(twoSends)
        yield* server.two
        const reading = yield* Effect.fork(read)
        yield* Effect.yieldNow()
        yield* server.release
        yield* Fiber.join(sends)
        yield* Fiber.join(reading)
        assert.strictEqual(server.connections(), 2)
      }).pipe(Effect.provide(client))
    }))

  it.effect("a wrong maxInFlight is reported as such", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(sendMany(0, NodeHookrail.layer({ apiKey, maxInFlight: 0 })))
      assert.deepInclude(error, { _tag: "HookrailConfigError", option: "maxInFlight" })
    }))
})
