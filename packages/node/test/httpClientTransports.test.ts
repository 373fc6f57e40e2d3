import { FetchHttpClient, HttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Layer, Tracer } from "effect"
import { layerHttpClient } from "hookrail/Transport"
import { inspect } from "node:util"
import { FaultServer } from "./faultServer.js"
import { secret, send, sendFails, transportSuite } from "./transportSuite.js"

const over = (client: Layer.Layer<HttpClient.HttpClient>) => Layer.provide(layerHttpClient, client)

// Undici, which is in Node's `fetch` as well, takes `100 Continue` for a broken answer; only our own pools get around it.
const skipsContinue = false
transportSuite("layerHttpClient over fetch", over(FetchHttpClient.layer), { skipsContinue })
transportSuite("layerHttpClient over undici", over(NodeHttpClient.layerUndici), { skipsContinue })
// Its agent opens a connection per request, and it waits until the request is written.
transportSuite("layerHttpClient over node:http", over(NodeHttpClient.layer), {
  keepsConnections: false,
  answersEarly: false
})

describe("layerHttpClient", () => {
  it.scoped("credentials show in no span", () =>
    Effect.gen(function*() {
      const server = yield* FaultServer.make
      const spans: Array<Tracer.Span> = []
      const native = yield* Effect.tracer
      const recording = Tracer.make({
        span: (...args) => {
          const span = native.span(...args)
          spans.push(span)
          return span
        },
        context: native.context
      })
      yield* send(server, "/echo").pipe(
        Effect.zip(sendFails(server, "/reset")),
        Effect.zip(sendFails(server, "/truncated")),
        Effect.withSpan("caller"),
        Effect.provide(over(FetchHttpClient.layer)),
        Effect.withTracer(recording)
      )
      assert.deepStrictEqual(spans.map((span) => span.name), ["caller", ...Array(3).fill("http.client POST")])
      assert.strictEqual(spans[1]!.attributes.get("http.request.header.authorization"), "<redacted>")
      for (const span of spans) {
        // What exporters read: the attributes, and the failure as text.
        assert.notInclude(inspect([...span.attributes], { depth: null, showHidden: true }), secret)
        assert.isTrue(span.status._tag === "Ended")
        if (span.status._tag === "Ended" && Exit.isFailure(span.status.exit)) {
          assert.notInclude(Cause.pretty(span.status.exit.cause, { renderErrorCause: true }), secret)
        }
      }
    }))

  it.scoped("a client that takes error statuses for errors is none the worse", () =>
    Effect.gen(function*() {
      const server = yield* FaultServer.make
      const strict = Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, HttpClient.filterStatusOk))
      const response = yield* Effect.provide(
        send(server, "/status/409/10"),
        over(Layer.provide(strict, FetchHttpClient.layer))
      )
      assert.strictEqual(response.status, 409)
      assert.strictEqual(response.body.length, 10)
    }))

  it.scoped("what the user set for fetch stays", () =>
    Effect.gen(function*() {
      const server = yield* FaultServer.make
      const seen = yield* Deferred.make<RequestInit>()
      const fetch: typeof globalThis.fetch = (input, init) => {
        Deferred.unsafeDone(seen, Effect.succeed(init!))
        return globalThis.fetch(input, init)
      }
      yield* Effect.provide(
        send(server, "/echo"),
        layerHttpClient.pipe(
          Layer.provide(FetchHttpClient.layer),
          Layer.provide(Layer.succeed(FetchHttpClient.Fetch, fetch)),
          Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { referrer: "about:client" }))
        )
      )
      const init = yield* Deferred.await(seen)
      assert.strictEqual(init.referrer, "about:client")
      assert.strictEqual(init.redirect, "manual")
    }))
})
