import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { HookrailConfigError } from "hookrail/HookrailError"
import { layerFetch, Transport } from "hookrail/Transport"
import { inspect } from "node:util"
import * as NodeTransport from "../src/NodeTransport.js"
import { closed, FaultServer } from "./faultServer.js"
import { request, send, sendFails, transportSuite } from "./transportSuite.js"

transportSuite("NodeTransport", Layer.orDie(NodeTransport.layer()), { maxConnections: 64 })
// Undici, which is in Node's `fetch` as well, takes `100 Continue` for a broken answer; only our own pools get around it.
const skipsContinue = false
transportSuite("layerFetch", layerFetch, { skipsContinue })

describe("NodeTransport", () => {
  const withOptions = (options: NodeTransport.Options) => Effect.provide(Layer.orDie(NodeTransport.layer(options)))

  describe("options", () => {
    const cases: ReadonlyArray<[option: string, options: NodeTransport.Options]> = [
      ["connections", { connections: 0 }],
      ["connections", { connections: 1.5 }],
      ["connections", { connections: Number.NaN }],
      ["connectTimeout", { connectTimeout: 0 }],
      ["connectTimeout", { connectTimeout: "Infinity" as "1 second" }],
      ["connectTimeout", { connectTimeout: "soon" as "1 second" }],
      ["keepAliveTimeout", { keepAliveTimeout: -1 }],
      ["keepAliveTimeout", { keepAliveTimeout: "30 days" }]
    ]
    for (const [option, options] of cases) {
      it.effect(`${inspect(options)} is refused`, () =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(Effect.scoped(NodeTransport.make(options)))
          assert.instanceOf(error, HookrailConfigError)
          assert.strictEqual(error.option, option)
        }))
    }
  })

  describe("before a connection", () => {
    // To a server that does not speak TLS, a handshake is a request that never ends.
    const tls = (server: FaultServer) => server.origin.replace("http:", "https:")

    it.scoped("the connect timeout says that nothing was sent", () =>
      Effect.gen(function*() {
        const server = yield* FaultServer.make
        const error = yield* sendFails(tls(server), "/echo")
        assert.deepInclude(error, { reason: "timeout", phase: "connect", limit: 60 })
      }).pipe(withOptions({ connectTimeout: 60 })))

    it.scoped("so does the whole limit, and the response limit does not count yet", () =>
      Effect.gen(function*() {
        const server = yield* FaultServer.make
        const error = yield* sendFails(tls(server), "/echo", { responseTimeout: 30, timeout: 80 })
        assert.deepInclude(error, { reason: "timeout", phase: "connect", limit: 80 })
      }).pipe(withOptions({})))

    it.scoped("an unreadable origin fails, typed", () =>
      Effect.gen(function*() {
        const error = yield* sendFails("nonsense", "/echo")
        assert.deepInclude(error, { reason: "connection", phase: "connect" })
      }).pipe(withOptions({})))

    it.scoped("a request that undici refuses does not cost a connection", () =>
      Effect.gen(function*() {
        const server = yield* FaultServer.make
        for (let i = 0; i < 3; i++) {
          const error = yield* sendFails(server, "/with blank")
          assert.deepInclude(error, { reason: "connection", phase: "connect" })
        }
        // Also where it waited in the queue.
        const arrival = server.arrival("/stall")
        const stalled = yield* Effect.fork(send(server, "/stall"))
        yield* Effect.promise(() => arrival)
        const refused = yield* Effect.fork(sendFails(server, "/with blank"))
        const next = yield* Effect.fork(send(server, "/echo"))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(stalled)
        assert.strictEqual((yield* Fiber.join(refused)).phase, "connect")
        assert.strictEqual((yield* Fiber.join(next)).status, 200)
      }).pipe(withOptions({ connections: 1 })))

    it.scoped("a request that waits for a connection too long was not sent", () =>
      Effect.gen(function*() {
        const server = yield* FaultServer.make
        const arrival = server.arrival("/stall")
        const stalled = yield* Effect.fork(send(server, "/stall"))
        yield* Effect.promise(() => arrival)
        const error = yield* sendFails(server, "/echo", { responseTimeout: 30, timeout: 60 })
        assert.deepInclude(error, { reason: "timeout", phase: "connect", limit: 60 })
        yield* Fiber.interrupt(stalled)
        assert.strictEqual((yield* send(server, "/empty")).status, 200)
        assert.deepStrictEqual(server.requests, ["/stall", "/empty"])
      }).pipe(withOptions({ connections: 1 })))

    it.scoped("interrupted in the queue, requests never leave", () =>
      Effect.gen(function*() {
        const server = yield* FaultServer.make
        const arrivals = [server.arrival("/stall"), server.arrival("/stall")]
        const stalled = yield* Effect.forEach(arrivals, () => Effect.fork(send(server, "/stall")))
        yield* Effect.promise(() => Promise.all(arrivals))
        const queued = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.fork(send(server, "/echo")))
        yield* Effect.yieldNow()
        yield* Fiber.interruptAll(queued)
        yield* Fiber.interruptAll(stalled)
        assert.strictEqual((yield* send(server, "/empty")).status, 200)
        assert.deepStrictEqual(server.requests, ["/stall", "/stall", "/empty"])
      }).pipe(withOptions({ connections: 2 })))

    it.scoped("interrupted in the queue, requests leave the connection of others alone", () =>
      Effect.gen(function*() {
        const server = yield* FaultServer.make
        const first = yield* Effect.fork(send(server, "/echo"))
        const second = yield* Effect.fork(send(server, "/echo"))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(second)
        yield* Fiber.join(first)
        yield* send(server, "/echo")
        assert.strictEqual(server.accepted, 1)
      }).pipe(withOptions({ connections: 1 })))
  })

  describe("closing the scope", () => {
    it.scoped("ends what is in flight, queued or connecting, and frees every socket", () =>
      Effect.gen(function*() {
        const server = yield* FaultServer.make
        const scope = yield* Scope.make()
        const transport = yield* Scope.extend(NodeTransport.make({ connections: 2 }), scope)
        const paths = ["/stall", "/stall-body"]
        const arrivals = paths.map((path) => server.arrival(path))
        const running = yield* Effect.forEach([...paths, "/queued"], (path) =>
          Effect.fork(Effect.flip(transport.request(request(server, path)))))
        const sockets = yield* Effect.promise(() =>
          Promise.all(arrivals)
        )
        const handshake = server.connection()
        const tls = server.origin.replace("http:", "https:")
        const connecting = yield* Effect.fork(Effect.flip(transport.request(request(tls, "/echo"))))
        const socket = yield* Effect.promise(() => handshake)
        yield* Scope.close(scope, Exit.void)
        const errors = yield* Fiber.join(Fiber.all([...running, connecting]))
        assert.deepStrictEqual(errors.map((error) => [error.reason, error.phase]), [
          ["connection", "response"],
          ["connection", "body"],
          ["connection", "connect"],
          ["connection", "connect"]
        ])
        yield* Effect.promise(() => Promise.all([closed(socket), ...sockets.map((arrival) => arrival.closed)]))
        assert.strictEqual(server.open.size, 0)
        const late = yield* Effect.flip(transport.request(request(server, "/echo")))
        assert.deepInclude(late, { reason: "connection", phase: "connect" })
      }))

    it.scoped("frees idle connections", () =>
      Effect.gen(function*() {
        const server = yield* FaultServer.make
        yield* Effect.provide(send(server, "/echo"), NodeTransport.layer())
        const open = [...server.open]
        yield* Effect.promise(() => Promise.all(open.map(closed)))
        assert.strictEqual(server.accepted, 1)
      }))
  })
})

describe("layerFetch", () => {
  it.scoped("an error about a certificate can be printed as JSON", () =>
    Effect.gen(function*() {
      const certificate: { issuer?: unknown } = {}
      certificate.issuer = certificate
      const code = "ERR_TLS_CERT_ALTNAME_INVALID"
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const original = globalThis.fetch
          const cause = Object.assign(new Error("not its name"), { code, cert: certificate })
          globalThis.fetch = () => Promise.reject(new TypeError("fetch failed", { cause }))
          return original
        }),
        (original) => Effect.sync(() => globalThis.fetch = original)
      )
      const error = yield* sendFails("https://hooks.test", "/")
      assert.deepInclude(error, { reason: "connection", phase: "connect", code, description: "not its name" })
    }).pipe(Effect.provide(layerFetch)))

  it.scoped("takes fetch as it is at the time of the call, and an opaque redirect for a redirect", () =>
    Effect.gen(function*() {
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const original = globalThis.fetch
          globalThis.fetch = () =>
            Promise.resolve(Object.defineProperty(Response.error(), "type", { value: "opaqueredirect" }))
          return original
        }),
        (original) => Effect.sync(() => globalThis.fetch = original)
      )
      const transport = yield* Transport
      const response = yield* transport.request(request("http://127.0.0.1:1", "/"))
      assert.strictEqual(response.status, 302)
      assert.strictEqual(response.body, "")
    }).pipe(Effect.provide(layerFetch)))
})
