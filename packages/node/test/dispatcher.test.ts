import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { HookrailConfigError } from "hookrail/HookrailError"
import type { Transport } from "hookrail/Transport"
import { type Dispatcher, type DispatchHandler, type TransportError } from "hookrail/Transport"
import { setImmediate } from "node:timers/promises"
import { inspect } from "node:util"
import * as undici from "undici"
import * as undici5 from "undici-5"
import * as undici6 from "undici-6"
import type * as undici8 from "undici-8"
import * as NodeTransport from "../src/NodeTransport.js"
import { closed, closedOrigin, FaultServer } from "./faultServer.js"
import { ProxyServer } from "./proxyServer.js"
import { tls } from "./tls.js"
import { request, secret, send, sendFails, transportSuite } from "./transportSuite.js"

interface Closable extends Dispatcher {
  readonly close: () => Promise<void>
}

/** The program's own dispatcher, which it closes itself: behind the transport, as anything it depends on. */
const over = <D extends Closable>(make: () => D): Layer.Layer<Transport> =>
  Layer.unwrapScoped(Effect.map(
    Effect.acquireRelease(Effect.sync(make), (dispatcher) => Effect.promise(() => dispatcher.close())),
    (dispatcher) => Layer.orDie(NodeTransport.layer({ dispatcher }))
  ))

const through = (dispatcher: Dispatcher) => Effect.provide(Layer.orDie(NodeTransport.layer({ dispatcher })))

type Undici = Pick<typeof undici, "Agent" | "MockAgent" | "ProxyAgent">

const versions: Array<[name: string, undici: Undici]> = [
  ["5", undici5 as unknown as Undici],
  ["6", undici6 as unknown as Undici],
  ["7", undici]
]
// It does not load on an older Node.
if (Number.parseInt(process.versions.node) >= 22) {
  versions.push(["8", await import("undici-8") as unknown as Undici])
}

// The oldest and the newest. Undici ends a connection on `100 Continue`; only our own pools get around it.
for (const [version, { Agent }] of [versions[0]!, versions.at(-1)!]) {
  transportSuite(`an Agent of undici ${version}`, over(() => new Agent()), { skipsContinue: false })
}

it("dispatchers of each version fit the type", () => {
  const dispatchers: ReadonlyArray<() => Dispatcher> = [
    () => new undici5.Agent(),
    () => new undici6.Agent(),
    () => new undici.Agent(),
    () => new undici.ProxyAgent("http://127.0.0.1:1"),
    () => new undici.MockAgent(),
    () => new undici.Agent().compose(undici.interceptors.retry()),
    () => undici.getGlobalDispatcher()
  ]
  assert.lengthOf(dispatchers, 7)
  const newest = (agent: undici8.Agent | undici8.MockAgent): Dispatcher => agent
  assert.typeOf(newest, "function")
})

describe("options", () => {
  const refuses = (title: string, options: unknown, option: string, text: string) =>
    it.effect(title, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Effect.scoped(NodeTransport.make(options as NodeTransport.Options)))
        assert.instanceOf(error, HookrailConfigError)
        assert.strictEqual(error.option, option)
        assert.include(error.message, text)
        assert.notInclude(error.message, "s3cret")
      }))

  const dispatcher = new undici.Agent()
  for (
    const [name, value] of Object.entries({
      connections: 3,
      connectTimeout: "1 second",
      keepAliveTimeout: 1_000,
      ca: tls.ca,
      ...tls.client,
      pfx: tls.pfx,
      passphrase: "s3cret",
      proxy: "http://user:s3cret@127.0.0.1:1"
    })
  ) refuses(`${name} is refused beside it`, { dispatcher, [name]: value }, name, "has no meaning beside `dispatcher`")
  refuses("so is false for a proxy", { dispatcher, proxy: false }, "proxy", "leave it out")
  refuses("and an unknown name", { dispatcher, connection: 3 }, "connection", "connections")
  for (const wrong of [null, 1, "Agent", undici.Agent, {}, { dispatch: true }]) {
    refuses(`${inspect(wrong)} is none`, { dispatcher: wrong }, "dispatcher", "such as `new Agent()`")
  }
})

describe("ownership", () => {
  it.scoped("closing the transport ends what is in flight, and leaves the dispatcher to its owner", () =>
    Effect.gen(function*() {
      const server = yield* FaultServer.make
      const dispatcher = new undici.Agent({ connections: 1 })
      const scope = yield* Scope.make()
      const transport = yield* Scope.extend(NodeTransport.make({ dispatcher }), scope)
      const arrival = server.arrival("/stall")
      const running = yield* Effect.fork(Effect.flip(transport.request(request(server, "/stall"))))
      const stalled = yield* Effect.promise(() => arrival)
      const queued = yield* Effect.fork(Effect.flip(transport.request(request(server, "/queued"))))
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      assert.deepInclude(yield* Fiber.join(running), { reason: "connection", phase: "response" })
      assert.strictEqual((yield* Fiber.join(queued)).description, "the transport is closed")
      yield* Effect.promise(() => stalled.closed)
      const late = yield* Effect.flip(transport.request(request(server, "/echo")))
      assert.deepInclude(late, { reason: "connection", phase: "connect", description: "the transport is closed" })

      const { statusCode, body } = yield* Effect.promise(() => undici.request(`${server.origin}/echo`, { dispatcher }))
      yield* Effect.promise(() => body.dump())
      assert.strictEqual(statusCode, 200)
      assert.deepStrictEqual(server.requests, ["/stall", "/echo"])
      yield* Effect.promise(() => dispatcher.close())
    }))

  for (const way of ["close", "destroy"] as const) {
    it.scoped(`after its owner's ${way}, requests fail, typed`, () =>
      Effect.gen(function*() {
        const server = yield* FaultServer.make
        const dispatcher = new undici.Agent()
        yield* Effect.promise(() => dispatcher[way]())
        const error = yield* Effect.provide(
          sendFails(server, "/echo"),
          Layer.orDie(NodeTransport.layer({ dispatcher }))
        )
        assert.deepInclude(error, { reason: "connection", phase: "connect" })
        assert.include(error.description, "its owner has closed it")
        assert.deepStrictEqual(server.requests, [])
      }))
  }
})

describe("in its queue", () => {
  it.scoped("interrupted requests never leave", () =>
    Effect.gen(function*() {
      const server = yield* FaultServer.make
      const arrival = server.arrival("/stall")
      const stalled = yield* Effect.fork(send(server, "/stall"))
      yield* Effect.promise(() => arrival)
      const queued = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.fork(send(server, "/echo")))
      yield* Effect.yieldNow()
      yield* Fiber.interruptAll(queued)
      yield* Fiber.interrupt(stalled)
      assert.strictEqual((yield* send(server, "/empty")).status, 200)
      assert.deepStrictEqual(server.requests, ["/stall", "/empty"])
    }).pipe(Effect.provide(over(() => new undici.Agent({ connections: 1 })))))

  it.scoped("nor do those that wait too long", () =>
    Effect.gen(function*() {
      const server = yield* FaultServer.make
      const arrival = server.arrival("/stall")
      const stalled = yield* Effect.fork(send(server, "/stall"))
      yield* Effect.promise(() => arrival)
      const error = yield* sendFails(server, "/echo", { responseTimeout: 30, timeout: 60 })
      assert.deepInclude(error, { reason: "timeout", phase: "response", limit: 60 })
      yield* Fiber.interrupt(stalled)
      assert.strictEqual((yield* send(server, "/empty")).status, 200)
      assert.deepStrictEqual(server.requests, ["/stall", "/empty"])
    }).pipe(Effect.provide(over(() => new undici.Agent({ connections: 1 })))))
})

describe("a ProxyAgent", () => {
  for (const [version, { ProxyAgent }] of versions) {
    it.scoped(`of undici ${version} leads an https server's requests through a tunnel`, () =>
      Effect.gen(function*() {
        const server = yield* FaultServer.makeWith(tls.server)
        const proxy = yield* ProxyServer.make(server.port, { authorization: "Bearer pr0xy" })
        const response = yield* Effect.provide(
          send(`https://hooks.test:${server.port}`, "/echo"),
          over(() => new ProxyAgent({ uri: proxy.url(), token: "Bearer pr0xy", requestTls: { ca: tls.ca } }))
        )
        assert.strictEqual(JSON.parse(response.body).headers.authorization, `Bearer ${secret}`)
        assert.deepStrictEqual(proxy.asked.map(({ line }) => line), [`CONNECT hooks.test:${server.port} HTTP/1.1`])
        assert.notInclude(proxy.read, secret)
        yield* Effect.promise(() => proxy.allClosed())
      }))

    it.scoped(`of undici ${version}: if its proxy refuses, nothing was sent`, () =>
      Effect.gen(function*() {
        const server = yield* FaultServer.makeWith(tls.server)
        const proxy = yield* ProxyServer.make(server.port, { authorization: "Bearer pr0xy" })
        const error = yield* Effect.provide(
          sendFails(server, "/echo"),
          over(() => new ProxyAgent({ uri: proxy.url(), requestTls: { ca: tls.ca } }))
        )
        assert.deepInclude(error, { reason: "connection", phase: "connect" })
        assert.include(error.description, "407")
      }))
  }

  it.scoped("without a proxy there: nothing was sent", () =>
    Effect.gen(function*() {
      const uri = yield* closedOrigin
      const error = yield* Effect.provide(
        sendFails("https://hooks.test", "/echo"),
        over(() => new undici.ProxyAgent(uri))
      )
      assert.deepInclude(error, { reason: "connection", phase: "connect", code: "ECONNREFUSED" })
    }))

  it.scoped("a proxy that hangs is left in time", () =>
    Effect.gen(function*() {
      const proxy = yield* ProxyServer.make(1, { answer: "" })
      const error = yield* Effect.provide(
        sendFails("https://hooks.test", "/echo", { timeout: 60 }),
        // Its own connections stay until it is closed.
        over(() => {
          const agent = new undici.ProxyAgent(proxy.url())
          return Object.assign(agent, { close: () => agent.destroy() })
        })
      )
      assert.deepInclude(error, { reason: "timeout", limit: 60 })
    }))
})

describe("a MockAgent", () => {
  const origin = "https://hooks.test"

  for (const [version, { MockAgent }] of versions) {
    const mocked = (prepare: (pool: undici.Interceptable) => void) =>
      over(() => {
        const agent = new MockAgent()
        agent.disableNetConnect()
        prepare(agent.get(origin))
        return agent
      })

    it.effect(`of undici ${version} answers`, () => {
      const bodies: Array<unknown> = []
      return Effect.gen(function*() {
        const response = yield* send(origin, "/v1/events")
        assert.strictEqual(response.status, 202)
        assert.strictEqual(response.header("retry-after"), "7")
        assert.strictEqual(response.body, "{\"hello\":\"wörld\"}")
        assert.strictEqual(bodies[0], "{\"hello\":\"wörld\"}")
      }).pipe(Effect.provide(mocked((pool) =>
        pool
          .intercept({ path: "/v1/events", method: "POST", body: (body) => bodies.push(body) > 0 })
          .reply(202, ({ body }) => String(body), { headers: { "Retry-After": "7" } })
      )))
    })

    it.effect(`of undici ${version} that knows no answer sends nothing, and shows no key`, () =>
      Effect.gen(function*() {
        const unknown = yield* sendFails(origin, "/v1/other")
        assert.deepInclude(unknown, { reason: "connection", phase: "connect" })
        assert.include(unknown.description, "/v1/other")
        const headers = yield* sendFails(origin, "/v1/events")
        assert.deepInclude(headers, { reason: "connection", phase: "connect" })
        assert.include(headers.description, "Mock dispatch not matched for headers")
        assert.include(headers.description, "***")
      }).pipe(
        Effect.provide(
          mocked((pool) =>
            pool.intercept({ path: "/v1/events", method: "POST", headers: { authorization: "Bearer other" } }).reply(
              202
            )
          )
        )
      ))

    it.effect(`of undici ${version} whose answer is an error: the outcome is unknown`, () =>
      Effect.gen(function*() {
        const error = yield* sendFails(origin, "/v1/events")
        assert.deepInclude(error, { reason: "connection", phase: "response", description: "lost" })
      }).pipe(Effect.provide(mocked((pool) =>
        pool.intercept({ path: "/v1/events", method: "POST" }).replyWithError(new Error("lost"))
      ))))

    it.effect(`of undici ${version} that answers late is given up`, () =>
      Effect.gen(function*() {
        const error = yield* sendFails(origin, "/v1/events", { timeout: 30 })
        assert.deepInclude(error, { reason: "timeout", phase: "response", limit: 30 })
        const fiber = yield* Effect.fork(send(origin, "/v1/events"))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.provide(mocked((pool) =>
        pool.intercept({ path: "/v1/events", method: "POST" }).reply(202, "{}").delay(60_000).persist()
      ))))
  }
})

describe("a dispatcher of one's own", () => {
  /** What a handler is told to do, in either generation of its methods. */
  const generations: ReadonlyArray<[
    name: string,
    (handler: DispatchHandler) => {
      readonly start: (abort: (error?: Error) => void) => void
      readonly headers: (status: number, headers: Record<string, string | Array<string>>) => void
      readonly data: (chunk: Uint8Array | string) => void
      readonly end: () => void
      readonly error: (error: unknown) => void
    }
  ]> = [
    ["old", (handler) => ({
      start: (abort) => handler.onConnect(abort),
      headers: (status, headers) =>
        void handler.onHeaders(status, Object.entries(headers).flatMap(([name, value]) => [name, [value].flat()[0]!])),
      data: (chunk) => void handler.onData(chunk as Uint8Array),
      end: () => handler.onComplete([]),
      error: (error) => handler.onError(error as Error)
    })],
    ["new", (handler) => {
      let controller = { abort: (_: Error): void => {} }
      return {
        start: (abort) => {
          controller = { abort }
          handler.onRequestStart(controller)
        },
        headers: (status, headers) => handler.onResponseStart(controller, status, headers),
        data: (chunk) => handler.onResponseData(controller, chunk as Uint8Array),
        end: () => handler.onResponseEnd(controller, {}),
        error: (error) => handler.onResponseError(controller, error as Error)
      }
    }]
  ]

  const origin = "http://hooks.test"
  const fails = (dispatcher: Dispatcher) => sendFails(origin, "/", { timeout: 50 }).pipe(through(dispatcher))
  const expects = (error: TransportError, fields: Partial<TransportError>) => assert.deepInclude(error, fields)

  for (const [generation, tell] of generations) {
    const dispatcherOf = (run: (tell: ReturnType<typeof generations[number][1]>) => void): Dispatcher => ({
      dispatch: (_, handler) => {
        run(tell(handler))
        return true
      }
    })

    describe(`by the ${generation} methods`, () => {
      it.effect("that answers twice is heard once", () =>
        Effect.gen(function*() {
          const response = yield* send(origin, "/").pipe(through(dispatcherOf((tell) => {
            for (const status of [202, 503]) {
              tell.start(() => {})
              tell.headers(103, { link: "x" })
              tell.headers(status, { "X-Status": [String(status), "other"] })
              tell.data("one")
              tell.data(new TextEncoder().encode(" two"))
              tell.end()
              tell.end()
            }
            tell.error(new Error("late"))
          })))
          assert.strictEqual(response.status, 202)
          assert.strictEqual(response.body, "one two")
          assert.strictEqual(response.header("x-status"), "202")
        }))

      it.effect("that forgets to say when it begins is heard all the same", () =>
        Effect.gen(function*() {
          const response = yield* send(origin, "/").pipe(through(dispatcherOf((tell) => {
            tell.headers(202, {})
            tell.end()
          })))
          assert.deepInclude(response, { status: 202, body: "" })
        }))

      it.effect("that fails is an unknown outcome, unless it can only have failed before", () =>
        Effect.gen(function*() {
          const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" })
          expects(yield* fails(dispatcherOf((tell) => tell.error(refused))), { phase: "connect", code: "ECONNREFUSED" })
          expects(yield* fails(dispatcherOf((tell) => tell.error(new Error("no")))), { phase: "response" })
          expects(
            yield* fails(dispatcherOf((tell) => {
              tell.start(() => {})
              tell.error(refused)
            })),
            { phase: "response" }
          )
          expects(
            yield* fails(dispatcherOf((tell) => {
              tell.start(() => {})
              tell.headers(202, {})
              tell.error(new Error("no"))
            })),
            { phase: "body" }
          )
          for (const nothing of [undefined, null, "no"]) {
            const error = yield* fails(dispatcherOf((tell) => tell.error(nothing)))
            expects(error, { reason: "connection", phase: "response" })
            assert.include(error.description, `the dispatcher failed with ${nothing}`)
          }
        }))

      it.effect("that ends without an answer fails at once", () =>
        Effect.gen(function*() {
          const error = yield* sendFails(origin, "/").pipe(through(dispatcherOf((tell) => {
            tell.start(() => {})
            tell.end()
          })))
          expects(error, { phase: "response", description: "the dispatcher ended without an answer" })
        }))

      it.effect("that throws after it has begun is an unknown outcome", () =>
        Effect.gen(function*() {
          const error = yield* fails(dispatcherOf((tell) => {
            tell.start(() => {})
            throw new Error("boom")
          }))
          expects(error, { reason: "connection", phase: "response", description: "boom" })
        }))

      it.effect("is aborted, once it begins, if its request is over by then", () =>
        Effect.gen(function*() {
          const aborted: Array<unknown> = []
          let begin = () => {}
          const dispatcher = dispatcherOf((tell) => {
            begin = () =>
              tell.start((error) => {
                aborted.push(error)
                throw new Error("an abort that throws")
              })
            throw new Error("boom")
          })
          expects(yield* fails(dispatcher), { phase: "connect", description: "boom" })
          begin()
          assert.lengthOf(aborted, 1)
        }))

      it.effect("is aborted by interruption and by the limit", () =>
        Effect.gen(function*() {
          let aborted = 0
          const layer = NodeTransport.layer({
            dispatcher: dispatcherOf((tell) => tell.start(() => aborted++))
          })
          yield* Effect.gen(function*() {
            const fiber = yield* Effect.fork(send(origin, "/"))
            yield* Effect.yieldNow()
            yield* Fiber.interrupt(fiber)
            assert.strictEqual(aborted, 1)
            expects(yield* sendFails(origin, "/", { responseTimeout: 30 }), { reason: "timeout", phase: "response" })
            // The request is told first, and its connection dropped in the same turn.
            yield* Effect.promise(() => setImmediate())
            assert.strictEqual(aborted, 2)
          }).pipe(Effect.provide(layer))
        }))
    })
  }

  it.effect("that throws sends nothing", () =>
    Effect.gen(function*() {
      const error = yield* fails({
        dispatch: () => {
          throw new Error("boom")
        }
      })
      expects(error, { reason: "connection", phase: "connect", description: "boom" })
    }))

  it.effect("that never answers is left when the time is up, with an unknown outcome", () =>
    Effect.gen(function*() {
      expects(yield* fails({ dispatch: () => true }), { reason: "timeout", phase: "response", limit: 50 })
    }))

  it.effect("whose method is async and rejects leaves no unhandled rejection", () =>
    Effect.gen(function*() {
      const dispatch = () => Promise.reject(new Error("async")) as unknown as boolean
      expects(yield* fails({ dispatch }), { reason: "connection", description: "async" })
    }))

  it.effect("that quotes the key in its error, or behind it, is not quoted", () =>
    Effect.gen(function*() {
      for (const quote of [`Bearer ${secret}`, secret]) {
        const inner = Object.assign(new Error(`inner ${quote}`), { code: "ECONNRESET" })
        for (const error of [new Error(`outer ${quote}`), new Error("outer", { cause: inner })]) {
          const seen = yield* fails({
            dispatch: (_, handler) => {
              handler.onError(error)
              return true
            }
          })
          assert.include(seen.description, "***")
        }
      }
    }))

  it.scoped("may wrap another one", () =>
    Effect.gen(function*() {
      const server = yield* FaultServer.make
      const agent = new undici.Agent()
      const paths: Array<string> = []
      const wrapper: Dispatcher = {
        dispatch: (options, handler) => {
          paths.push(options.path)
          return agent.dispatch({ ...options, headers: { ...options.headers, "x-own": "1" } }, handler)
        }
      }
      const { body } = yield* send(server, "/echo").pipe(through(wrapper))
      assert.strictEqual(JSON.parse(body).headers["x-own"], "1")
      assert.deepStrictEqual(paths, ["/echo"])
      const open = [...server.open]
      yield* Effect.promise(() => Promise.all([agent.close(), ...open.map(closed)]))
    }))

  it.scoped("that retries by itself: a failure to connect afterwards leaves the outcome unknown", () =>
    Effect.gen(function*() {
      const server = yield* FaultServer.make
      const agent = new undici.Agent()
      const retrying = agent.compose(undici.interceptors.retry({ maxRetries: 1, minTimeout: 1, methods: ["POST"] }))
      const error = yield* sendFails(server, "/reset").pipe(through(retrying))
      expects(error, { reason: "connection", phase: "response" })
      yield* Effect.promise(() => agent.close())
    }))
})
