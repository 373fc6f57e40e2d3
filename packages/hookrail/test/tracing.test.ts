import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Fiber, Layer, Random, Redacted, TestClock } from "effect"
import { DeliveryLog, HookrailClient, type HookrailConfig, SignatureVerifier, Webhooks } from "../src/index.js"
import { takeTrace, tracedKey, traceMember, traceparentIn, traceparentOf, withTrace } from "../src/wire/traceparent.js"
import { accepted, type Answer, brokenConnection, layer, problem, scripted } from "./utils/memoryTransport.js"
import { countsOf, debugLines, tagged, traced } from "./utils/observed.js"

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
const other = "00-11111111111111111111111111111111-2222222222222222-00"

const keyOf = (request: { readonly headers: Readonly<Record<string, string>> }): string =>
  request.headers["idempotency-key"]!

const textOf = (request: { readonly body: Uint8Array | undefined }): string => new TextDecoder().decode(request.body)

const run = <A, E>(
  transport: ReturnType<typeof scripted>,
  program: Effect.Effect<A, E, HookrailClient.HookrailClient>,
  options?: HookrailConfig.Options,
  tracer: Layer.Layer<never> = Layer.empty
) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(
      Effect.exit(program.pipe(Effect.provide(layer(transport, options)), Effect.provide(tracer)))
    )
    yield* TestClock.adjust("10 minutes")
    return yield* Fiber.join(fiber)
  }).pipe(Effect.withRandom(Random.make("fixed")))

describe("the member of a payload", () => {
  it("is added to objects only, and never over a member of the program's own", () => {
    strictEqual(withTrace("{}", trace), `{"${traceMember}":"${trace}"}`)
    strictEqual(withTrace("{\"a\":1}", trace), `{"${traceMember}":"${trace}","a":1}`)
    for (const text of ["[1]", "\"{\"", "null", `{"${traceMember}":"mine"}`]) strictEqual(withTrace(text, trace), text)
  })

  it("is taken out if it is a trace", () => {
    const payload: Record<string, unknown> = { a: 1, [traceMember]: trace }
    strictEqual(takeTrace(payload), trace)
    deepStrictEqual(payload, { a: 1 })
    const mine = { [traceMember]: "mine" }
    strictEqual(takeTrace(mine), undefined)
    deepStrictEqual(mine, { [traceMember]: "mine" })
    for (const value of [null, [1], "x", 3]) strictEqual(takeTrace(value), undefined)
  })

  it("is found in the key that was made with it", () => {
    strictEqual(traceparentIn(tracedKey(trace, "r")), trace)
    for (
      const key of [undefined, "k", "traceparent.", `traceparent.${trace}`, `traceparent.${trace.toUpperCase()}.r`]
    ) {
      strictEqual(traceparentIn(key), undefined)
    }
    strictEqual(traceparentOf("0".repeat(32), "1".repeat(16), true), undefined)
    strictEqual(traceparentOf("native", "1".repeat(16), true), undefined)
  })
})

describe("a traced send", () => {
  it.effect("carries the trace of its span, with the same bytes and key in each attempt", () =>
    Effect.gen(function*() {
      const { layer: tracer, spans } = traced()
      const transport = scripted([brokenConnection, problem(503), accepted])
      yield* run(transport, HookrailClient.sendEvent("t", { a: 1 }), { propagateTrace: true }, tracer)
      const [first, ...retries] = transport.requests
      const span = spans.find(({ name }) => name === "HookrailClient.sendEvent")!
      const expected = `00-${span.traceId}-${span.spanId}-01`
      strictEqual(textOf(first!), `{"topic":"t","payload":{"${traceMember}":"${expected}","a":1}}`)
      strictEqual(retries.length, 2)
      for (const retry of retries) {
        strictEqual(textOf(retry), textOf(first!))
        strictEqual(keyOf(retry), keyOf(first!))
      }
      // Whoever sends it again with the key of the first send sends the same bytes, without a tracer too.
      const again = scripted([accepted])
      yield* run(again, HookrailClient.sendEvent("t", { a: 1 }, { idempotencyKey: keyOf(first!) }))
      strictEqual(textOf(again.requests[0]!), textOf(first!))
      // And in another trace.
      const elsewhere = scripted([accepted])
      const send = HookrailClient.sendEvent("t", { a: 1 }, { idempotencyKey: keyOf(first!), traceparent: other })
      yield* run(elsewhere, send, { propagateTrace: true }, traced().layer)
      strictEqual(textOf(elsewhere.requests[0]!), textOf(first!))
    }))

  it.effect("carries nothing by default, without a tracer, or with a key of its own", () =>
    Effect.gen(function*() {
      const send = (options?: HookrailConfig.Options, key?: string, tracer?: Layer.Layer<never>) =>
        Effect.gen(function*() {
          const transport = scripted([accepted])
          yield* run(transport, HookrailClient.sendEvent("t", {}, { idempotencyKey: key }), options, tracer)
          strictEqual(textOf(transport.requests[0]!), "{\"topic\":\"t\",\"payload\":{}}")
        })
      yield* send({}, undefined, traced().layer)
      yield* send({ propagateTrace: true })
      yield* send({ propagateTrace: true }, "order-1", traced().layer)
    }))

  it.effect("carries the trace that it is given, and refuses what is none", () =>
    Effect.gen(function*() {
      const transport = scripted([accepted])
      const send = (traceparent: string) => HookrailClient.sendEvent("t", {}, { idempotencyKey: "k", traceparent })
      yield* run(transport, send(trace))
      strictEqual(textOf(transport.requests[0]!), `{"topic":"t","payload":{"${traceMember}":"${trace}"}}`)
      strictEqual(keyOf(transport.requests[0]!), "k")
      const error = yield* Effect.flip(send("no").pipe(Effect.provide(layer(transport))))
      assert(error._tag === "InvalidArgumentError")
      strictEqual(error.argument, "traceparent")
      strictEqual(transport.requests.length, 1)
    }))

  it.effect("leaves the trace out where there is no room for it", () =>
    Effect.gen(function*() {
      const room = 262_144 - "{\"a\":\"\"}".length
      const member = `"${traceMember}":"${trace}",`.length
      const sizes: Array<readonly [number, boolean]> = [[room, false], [room - member, true], [
        room - member + 1,
        false
      ]]
      for (const [size, isTraced] of sizes) {
        const transport = scripted([accepted])
        yield* run(transport, HookrailClient.sendEvent("t", { a: "x".repeat(size) }, { traceparent: trace }))
        strictEqual(textOf(transport.requests[0]!).includes(traceMember), isTraced)
      }
    }))

  it.effect("has an event for each attempt", () =>
    Effect.gen(function*() {
      const { layer: tracer, spans } = traced()
      yield* run(scripted([brokenConnection, problem(503), accepted]), HookrailClient.sendEvent("t", {}), {}, tracer)
      deepStrictEqual(spans[0]!.events, [
        ["hookrail.attempt", { "hookrail.attempt": 1, "error.type": "HookrailConnectionError" }],
        ["hookrail.attempt", {
          "hookrail.attempt": 2,
          "error.type": "ServerError",
          "http.response.status_code": 503
        }],
        ["hookrail.attempt", { "hookrail.attempt": 3 }]
      ])
      strictEqual(spans[0]!.attributes.get("hookrail.attempts"), 3)
      const failing = traced()
      yield* run(scripted([problem(403)]), HookrailClient.sendEvent("t", {}), {}, failing.layer)
      strictEqual(failing.spans[0]!.events.length, 1)
    }))

  it.effect("logs failed attempts at level debug", () =>
    Effect.gen(function*() {
      const { layer: logger, lines } = debugLines()
      yield* run(scripted([problem(503), accepted]), HookrailClient.sendEvent("t", {})).pipe(Effect.provide(logger))
      strictEqual(lines.length, 1)
      assert.match(lines[0]!, /^hookrail: attempt 1 has failed: /)
    }))
})

describe("metrics of sends", () => {
  const count = (answers: ReadonlyArray<Answer>, name: string) =>
    Effect.gen(function*() {
      yield* tagged(name, run(scripted(answers), HookrailClient.sendEvent("t", {}), { retry: { maxRetries: 2 } }))
      return yield* countsOf(name)
    })

  it.effect("count sends by result and attempts by outcome", () =>
    Effect.gen(function*() {
      deepStrictEqual(yield* count([brokenConnection, problem(429), accepted], "a"), [
        "hookrail.send.attempts accepted: 1",
        "hookrail.send.attempts refused: 1",
        "hookrail.send.attempts unknown: 1",
        "hookrail.send.duration accepted accepted: 1",
        "hookrail.sends accepted accepted: 1"
      ])
      deepStrictEqual(yield* count([accepted], "b"), [
        "hookrail.send.attempts accepted: 1",
        "hookrail.send.duration accepted accepted: 1",
        "hookrail.sends accepted accepted: 1"
      ])
      deepStrictEqual(yield* count([problem(403)], "c"), [
        "hookrail.send.attempts refused: 1",
        "hookrail.send.duration ForbiddenError refused: 1",
        "hookrail.sends ForbiddenError refused: 1"
      ])
      deepStrictEqual(yield* count([problem(503)], "d"), [
        "hookrail.send.attempts unknown: 3",
        "hookrail.send.duration RetryError unknown: 1",
        "hookrail.sends RetryError unknown: 1"
      ])
    }))
})

describe("a webhook with a trace", () => {
  it.effect("links its span to the sender's, and hides the member from the handler", () =>
    Effect.gen(function*() {
      const secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef"
      const body = JSON.stringify({ a: 1, [traceMember]: trace })
      const seen: Array<unknown> = []
      const webhooks = Webhooks.layer([
        Webhooks.otherwise(({ payload, traceparent }) => Effect.sync(() => void seen.push(payload, traceparent)))
      ]).pipe(Layer.provide([
        SignatureVerifier.layer({ secrets: Redacted.make(secret) }),
        DeliveryLog.layerMemory()
      ]))
      const signature = yield* SignatureVerifier.sign({
        secret: Redacted.make(secret),
        deliveryId: "d1",
        body
      })
      const { layer: tracer, spans } = traced()
      const answer = yield* Effect.flatMap(Webhooks.Webhooks, (service) =>
        service.handle({
          method: "POST",
          headers: {
            "hookrail-signature": signature,
            "hookrail-delivery-id": "d1",
            "hookrail-event-id": "e1",
            "hookrail-topic": "t"
          },
          body: () => Effect.succeed(new TextEncoder().encode(body)),
          advice: ""
        })).pipe(Effect.provide(webhooks), Effect.provide(tracer))
      strictEqual(answer.outcome, "handled")
      deepStrictEqual(seen, [{ a: 1 }, trace])
      const span = spans.find(({ name }) => name === "hookrail.webhook")!
      deepStrictEqual(span.links.map(({ span }) => [span.traceId, span.spanId, span.sampled]), [
        ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", true]
      ])
    }))
})
