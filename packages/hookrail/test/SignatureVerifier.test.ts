import * as PlatformHeaders from "@effect/platform/Headers"
import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import {
  Cause,
  Config,
  ConfigProvider,
  type Duration,
  Effect,
  Exit,
  FastCheck as fc,
  Layer,
  Redacted,
  TestClock
} from "effect"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import * as util from "node:util"
import type { HookrailConfigError, WebhookVerificationError } from "../src/HookrailError.js"
import * as SignatureVerifier from "../src/SignatureVerifier.js"

const text = "whsec_test_secret"
const secret = Redacted.make(text)
const deliveryId = "01JXAMPLEDELIVERYID0000000"
const t = 1781092800
const body = `{"order_id":"o_1","amount":42}`
const mac = "d270845b932d510270e3b7132b702de5b0c03c3781221badb79fe39c66672644"
const signature = `t=${t},v1=${mac}`
const signed = { signature, deliveryId, body }
const headers = {
  "hookrail-signature": signature,
  "hookrail-delivery-id": deliveryId,
  "hookrail-event-id": "01JXAMPLEEVENTID0000000000",
  "hookrail-topic": "orders.created"
}

const layer = SignatureVerifier.layer({ secrets: secret })

/** With the clock at the time of the signature. */
const atT = <A, E, R>(effect: Effect.Effect<A, E, R>, seconds = 0) =>
  Effect.zipRight(TestClock.setTime((t + seconds) * 1000), effect)

const verifyAt = (seconds: number, request: SignatureVerifier.SignedWebhook = signed) =>
  atT(SignatureVerifier.verify(request), seconds).pipe(Effect.provide(layer))

const makeError = (options: unknown) =>
  Effect.flip(SignatureVerifier.make(options as SignatureVerifier.SignatureVerifierOptions))

afterEach(() => {
  vi.restoreAllMocks()
})

describe("verify", () => {
  it.effect("R1: gives back what was signed", () =>
    Effect.gen(function*() {
      const webhook = yield* verifyAt(0)
      assert.deepStrictEqual({ ...webhook } as unknown, {
        deliveryId,
        eventId: undefined,
        topic: undefined,
        body,
        signedAtSeconds: t,
        secretIndex: 0
      })
    }))

  it.effect("gives the body as given, without a copy", () =>
    Effect.gen(function*() {
      const bytes = Buffer.from(body)
      assert.strictEqual((yield* verifyAt(0, { ...signed, body: bytes })).body, bytes)
      const { buffer } = new TextEncoder().encode(body)
      const view = (yield* verifyAt(0, { ...signed, body: buffer })).body
      assert.instanceOf(view, Uint8Array)
      assert.strictEqual((view as Uint8Array).buffer, buffer)
    }))

  it.effect("R2, R3, R12: fails with SignatureError, which says what to check", () =>
    Effect.gen(function*() {
      for (
        const request of [
          { ...signed, body: `{"order_id": "o_1", "amount": 42}` },
          { ...signed, deliveryId: "01JXAMPLEDELIVERYID0000001" },
          { ...signed, signature: `t=${t},v1=d5f857cac2d5eeb3a62faa3b2aaac4eb1b476de2409ad42a7cba6aab44cd79a9` }
        ]
      ) {
        const error = yield* Effect.flip(verifyAt(0, request))
        assert.strictEqual(error._tag, "SignatureError")
        assert.match(error.message, /^webhook signature does not match: .*(secret|body)/)
      }
    }))

  it.effect("R4: time is the Clock's, and the tolerance of 5 minutes inclusive", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* verifyAt(300)).deliveryId, deliveryId)
      assert.strictEqual((yield* verifyAt(-300)).deliveryId, deliveryId)
      for (const seconds of [300.001, -300.001, 86400]) {
        const error = yield* Effect.flip(verifyAt(seconds))
        assert.isTrue(error._tag === "SignatureTimestampError")
        if (error._tag === "SignatureTimestampError") {
          assert.strictEqual(error.ageSeconds, seconds)
          assert.strictEqual(error.toleranceSeconds, 300)
          assert.isTrue(error.genuine)
        }
        const forged = yield* Effect.flip(verifyAt(seconds, { ...signed, body: "{}" }))
        assert.isTrue(forged._tag === "SignatureTimestampError" && forged.genuine === false)
        assert.include(forged.message, "nor does it match")
      }
    }))

  it.effect("reads the clock each time it runs", () =>
    Effect.gen(function*() {
      const verify = SignatureVerifier.verify(signed).pipe(Effect.provide(layer), Effect.exit)
      yield* TestClock.setTime((t + 300) * 1000)
      assert.isTrue(Exit.isSuccess(yield* verify))
      yield* TestClock.adjust("1 millis")
      assert.isTrue(Exit.isFailure(yield* verify))
    }))

  it.effect("R7: a malformed signature is a MalformedSignatureError", () =>
    Effect.gen(function*() {
      for (const signature of ["", "x", `t=-1,v1=${mac}`, `t=${t},v1=${mac.slice(2)}`]) {
        const error = yield* Effect.flip(verifyAt(0, { ...signed, signature }))
        assert.strictEqual(error._tag, "MalformedSignatureError")
        assert.include(error.message, "hookrail-signature")
      }
    }))

  it.effect("R13: verifies a repeated delivery again, with the same delivery id", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* verifyAt(0), yield* verifyAt(1))
    }))

  it.effect("asks for the raw body if it gets a parsed one", () =>
    Effect.gen(function*() {
      for (const parsed of [JSON.parse(body), [], undefined, null, 3]) {
        const error = yield* Effect.flip(verifyAt(0, { ...signed, body: parsed }))
        assert.strictEqual(error._tag, "MalformedSignatureError")
        assert.match(error.message, /raw body.*JSON\.stringify/)
      }
    }))

  it.effect("R11: several secrets during a rotation, and which one matched", () =>
    Effect.gen(function*() {
      const [old, fresh] = [Redacted.make("whsec_old_0123456789"), Redacted.make("whsec_new_0123456789")]
      const service = yield* SignatureVerifier.make({ secrets: [fresh, old] })
      yield* TestClock.setTime(t * 1000)
      for (const [index, secret] of [fresh, old].entries()) {
        const signature = yield* SignatureVerifier.sign({ secret, deliveryId, body })
        assert.strictEqual((yield* service.verify({ ...signed, signature })).secretIndex, index)
      }
      assert.strictEqual((yield* Effect.flip(service.verify(signed)))._tag, "SignatureError")
    }))

  it("is synchronous on Node", () => {
    const verifier = Effect.runSync(SignatureVerifier.make({ secrets: secret, tolerance: "36500 days" }))
    assert.strictEqual(Effect.runSync(verifier.verify(signed)).deliveryId, deliveryId)
    assert.strictEqual(Effect.runSync(verifier.verifyRequest(headers, body)).deliveryId, deliveryId)
  })

  it.effect("works with WebCrypto alone", () =>
    Effect.gen(function*() {
      vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined as never)
      const verifier = yield* SignatureVerifier.make({ secrets: [Redacted.make("whsec_other_0123456789"), secret] })
      assert.strictEqual((yield* atT(verifier.verify(signed))).secretIndex, 1)
      assert.strictEqual((yield* atT(verifier.verifyRequest(headers, body))).topic, "orders.created")
      const failures = yield* Effect.all([
        Effect.flip(atT(verifier.verify({ ...signed, body: "{}" }))),
        Effect.flip(atT(verifier.verify(signed), 301)),
        Effect.flip(atT(verifier.verify({ ...signed, signature: "x" })))
      ])
      assert.deepStrictEqual(failures.map((error) => error._tag), [
        "SignatureError",
        "SignatureTimestampError",
        "MalformedSignatureError"
      ])
      const fresh = Redacted.make("whsec_for_web_crypto")
      const made = yield* SignatureVerifier.sign({ secret: fresh, deliveryId, body, timestamp: t })
      const request = { ...signed, signature: made, secrets: fresh }
      assert.strictEqual((yield* atT(SignatureVerifier.verifySignature(request))).signedAtSeconds, t)
    }))

  it.effect("property: any way of changing a signed webhook fails, with a declared error", () =>
    Effect.gen(function*() {
      const verifier = yield* SignatureVerifier.make({ secrets: secret })
      yield* TestClock.setTime(t * 1000)
      const runtime = yield* Effect.runtime<never>()
      const { runSync } = yield* Effect.sync(() => ({
        runSync: <A, E>(effect: Effect.Effect<A, E>) => Effect.runSync(Effect.provide(effect, runtime))
      }))
      fc.assert(
        fc.property(fc.string({ unit: "binary" }), fc.string(), fc.uint8Array(), (signature, deliveryId, body) => {
          const exit = runSync(Effect.exit(verifier.verify({ signature, deliveryId, body })))
          assert.isTrue(Exit.isFailure(exit) && Cause.isFailure(exit.cause))
        }),
        { seed: 5, numRuns: 500 }
      )
    }))
})

describe("verifyRequest", () => {
  const verifyRequest = (headers: SignatureVerifier.WebhookHeaders, payload: SignatureVerifier.WebhookBody = body) =>
    atT(SignatureVerifier.verifyRequest(headers, payload)).pipe(Effect.provide(layer))

  it.effect("takes the headers of fetch, of Node and of @effect/platform, in any case", () =>
    Effect.gen(function*() {
      const canonical = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value])
      )
      const node: http.IncomingHttpHeaders = { host: "x", ...headers }
      for (
        const given of [
          headers,
          canonical,
          node,
          new Headers(canonical),
          new Request("http://localhost", { headers }).headers,
          PlatformHeaders.fromInput(canonical)
        ]
      ) {
        const webhook = yield* verifyRequest(given)
        assert.deepStrictEqual({ ...webhook } as unknown, {
          deliveryId,
          eventId: "01JXAMPLEEVENTID0000000000",
          topic: "orders.created",
          body,
          signedAtSeconds: t,
          secretIndex: 0
        })
      }
    }))

  it.effect("R7: names the header that is missing", () =>
    Effect.gen(function*() {
      for (const name of ["hookrail-signature", "hookrail-delivery-id"]) {
        const error = yield* Effect.flip(verifyRequest({ ...headers, [name]: undefined }))
        assert.strictEqual(error._tag, "MalformedSignatureError")
        assert.include(error.message, name)
      }
    }))

  it.effect("does without the headers that are not signed", () =>
    Effect.gen(function*() {
      const webhook = yield* verifyRequest({ "hookrail-signature": signature, "hookrail-delivery-id": deliveryId })
      assert.isUndefined(webhook.eventId)
      assert.isUndefined(webhook.topic)
    }))

  it.effect("asks for the raw body if it gets a parsed one", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(verifyRequest(headers, JSON.parse(body)))
      assert.match(error.message, /raw body.*JSON\.stringify/)
    }))

  it.live("reads a topic outside ASCII as Node receives it", () =>
    Effect.gen(function*() {
      const topic = "订单.créée"
      const request = yield* Effect.async<{ headers: http.IncomingHttpHeaders; body: Buffer }>((resume) => {
        const server = http.createServer((request, response) => {
          const chunks: Array<Buffer> = []
          request.on("data", (chunk: Buffer) => chunks.push(chunk))
          request.on("end", () => {
            response.end()
            server.close()
            resume(Effect.succeed({ headers: request.headers, body: Buffer.concat(chunks) }))
          })
        })
        server.listen(0, "127.0.0.1", () => {
          const { port } = server.address() as AddressInfo
          const bytes = Buffer.from(topic).toString("latin1")
          http.request({ port, host: "127.0.0.1", method: "POST", headers: { ...headers, "Hookrail-Topic": bytes } })
            // Bytes: with a text Node would write the headers as UTF-8, too.
            .end(Buffer.from(body))
        })
      })
      const verifier = yield* SignatureVerifier.make({ secrets: secret, tolerance: "36500 days" })
      const webhook = yield* verifier.verifyRequest(request.headers, request.body)
      assert.strictEqual(webhook.topic, topic)
    }))
})

describe("options", () => {
  const secrets = secret

  it.effect.each(
    [
      [{}, "secrets", "is missing"],
      [{ secrets: [] }, "secrets", "at least one"],
      [{ secrets: "whsec_bare" }, "secrets", "Redacted"],
      [{ secrets: ["whsec_bare"] }, "secrets", "Redacted"],
      [{ secrets: Redacted.make(undefined) }, "secrets", "is missing"],
      [{ secrets: Redacted.make("") }, "secrets", "empty"],
      [{ secrets: Redacted.make("whsec_") }, "secrets", "shorter than 16 bytes"],
      [{ secrets: Redacted.make("undefined") }, "secrets", "shorter than 16 bytes"],
      [{ secrets: Redacted.make("whsec_undefined") }, "secrets", "shorter than 16 bytes"],
      [{ secrets: [secret, Redacted.make("whsec_123456789")] }, "secrets", "secret 2 of 2 is shorter than 16 bytes"],
      [{ secrets: Redacted.make("whsec_canary\n") }, "secrets", "white space"],
      [{ secrets: Redacted.make(" whsec_canary") }, "secrets", "white space"],
      [{ secrets: Redacted.make("\"whsec_canary\"") }, "secrets", "quotes"],
      [{ secrets: Redacted.make("'whsec_canary'") }, "secrets", "quotes"],
      [{ secrets: [secret, Redacted.make("whsec_canary ")] }, "secrets", "secret 2 of 2"],
      [{ secrets, tolerance: -1 }, "tolerance", "0 or at least 1 second"],
      [{ secrets, tolerance: -1n }, "tolerance", "0 or at least 1 second"],
      [{ secrets, tolerance: NaN }, "tolerance", "at least 1 second"],
      [{ secrets, tolerance: Infinity }, "tolerance", "at least 1 second"],
      [{ secrets, tolerance: "-5 minutes" }, "tolerance", "0 or at least 1 second"],
      [{ secrets, tolerance: [-1, 0] }, "tolerance", "0 or at least 1 second"],
      [{ secrets, tolerance: "5 parsecs" }, "tolerance", "5 minutes"],
      [{ secrets, tolerance: "soon" }, "tolerance", "5 minutes"],
      [{ secrets, tolerance: null }, "tolerance", "5 minutes"],
      [{ secrets, tolerance: {} }, "tolerance", "5 minutes"]
    ] satisfies ReadonlyArray<readonly [unknown, string, string]>
  )(
    "%# are refused with a HookrailConfigError",
    ([options, option, reason]) =>
      Effect.gen(function*() {
        const error = yield* makeError(options)
        assert.strictEqual(error._tag, "HookrailConfigError")
        assert.strictEqual(error.option, option)
        assert.include(error.message, reason)
        assert.notInclude(util.inspect(error), "canary")
      })
  )

  it.effect("the error comes out of the layer, and of the plain function", () =>
    Effect.gen(function*() {
      const secrets = Redacted.make("")
      const inLayer: HookrailConfigError = yield* SignatureVerifier.layer({ secrets }).pipe(
        Layer.build,
        Effect.scoped,
        Effect.flip
      )
      assert.strictEqual(inLayer.option, "secrets")
      const plain = yield* Effect.flip(SignatureVerifier.verifySignature({ ...signed, secrets }))
      assert.strictEqual(plain._tag, "HookrailConfigError")
    }))

  it.effect("says so where there is no HMAC", () =>
    Effect.gen(function*() {
      vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined as never)
      vi.stubGlobal("crypto", undefined)
      const error = yield* makeError({ secrets }).pipe(Effect.ensuring(Effect.sync(() => vi.unstubAllGlobals())))
      assert.include(error.message, "WebCrypto")
    }))

  it.effect("any duration may be the tolerance", () =>
    Effect.gen(function*() {
      const tolerances: Array<Duration.DurationInput> = [10_000, "10 seconds", 10_000_000_000n, [10, 0]]
      for (const tolerance of tolerances) {
        const verifier = yield* SignatureVerifier.make({ secrets, tolerance })
        assert.strictEqual((yield* atT(verifier.verify(signed), 10)).deliveryId, deliveryId)
        assert.strictEqual((yield* Effect.flip(atT(verifier.verify(signed), 11)))._tag, "SignatureTimestampError")
      }
      const exact = yield* SignatureVerifier.make({ secrets, tolerance: 0 })
      assert.strictEqual((yield* atT(exact.verify(signed))).deliveryId, deliveryId)
      const defaulted = yield* SignatureVerifier.make({ secrets, tolerance: undefined })
      assert.strictEqual((yield* atT(defaulted.verify(signed), 300)).deliveryId, deliveryId)
    }))
})

describe("layerConfig", () => {
  const withEnv = (env: ReadonlyArray<readonly [string, string]>) =>
    Layer.setConfigProvider(ConfigProvider.fromMap(new Map(env)))

  it.effect("reads one secret, or several, and the tolerance", () =>
    Effect.gen(function*() {
      const one = SignatureVerifier.layerConfig({
        secrets: Config.redacted("SECRET"),
        tolerance: Config.duration("TOLERANCE")
      })
      const several = SignatureVerifier.layerConfig({
        secrets: Config.array(Config.redacted(), "SECRETS"),
        tolerance: undefined
      })
      const env = withEnv([["SECRET", text], ["SECRETS", `whsec_a_0123456789, ${text}`], ["TOLERANCE", "10 seconds"]])
      const verify = (seconds: number) => atT(SignatureVerifier.verify(signed), seconds)
      const first = yield* verify(10).pipe(Effect.provide(Layer.provide(one, env)))
      const second = yield* verify(300).pipe(Effect.provide(Layer.provide(several, env)))
      assert.deepStrictEqual([first.secretIndex, second.secretIndex], [0, 1])
      const late = yield* verify(11).pipe(Effect.provide(Layer.provide(one, env)), Effect.flip)
      assert.strictEqual(late._tag, "SignatureTimestampError")
    }))

  it.effect("fails with ConfigError for what is missing, and HookrailConfigError for what cannot work", () =>
    Effect.gen(function*() {
      const layer = SignatureVerifier.layerConfig({ secrets: Config.redacted("SECRET") })
      const failure = (env: ReadonlyArray<readonly [string, string]>) =>
        Layer.build(layer).pipe(Effect.scoped, Effect.provide(withEnv(env)), Effect.flip)
      assert.include(yield* failure([]), { _op: "MissingData" })
      const error = yield* failure([["SECRET", "\"whsec_canary\""]])
      assert.include(error, { _tag: "HookrailConfigError", option: "secrets" })
      assert.notInclude(util.inspect(error), "canary")
    }))
})

describe("without a service", () => {
  it.effect("verifySignature verifies", () =>
    Effect.gen(function*() {
      const webhook = yield* atT(SignatureVerifier.verifySignature({ ...signed, secrets: secret }), 300)
      assert.strictEqual(webhook.deliveryId, deliveryId)
      const error = yield* Effect.flip(
        atT(SignatureVerifier.verifySignature({ ...signed, secrets: [secret], tolerance: "1 second" }), 2)
      )
      assert.strictEqual(error._tag, "SignatureTimestampError")
    }))

  it.effect("takes from its argument only what is verified", () =>
    Effect.gen(function*() {
      const claims = { ...signed, secrets: secret, topic: "forged", eventId: "forged" }
      assert.isUndefined((yield* atT(SignatureVerifier.verifySignature(claims))).topic)
      assert.isUndefined((yield* verifyAt(0, claims)).eventId)
    }))

  it.effect("sign gives the header, at a given time or now", () =>
    Effect.gen(function*() {
      const sign = (timestamp?: number) => SignatureVerifier.sign({ secret, deliveryId, body, timestamp })
      assert.strictEqual(yield* sign(t), signature)
      yield* TestClock.setTime(t * 1000 + 999)
      assert.strictEqual(yield* sign(), signature)
    }))

  it.effect("what is signed verifies", () =>
    Effect.gen(function*() {
      const body = new Uint8Array([0, 255, 128])
      const made = yield* SignatureVerifier.sign({ secret, deliveryId, body })
      const webhook = yield* SignatureVerifier.verify({ signature: made, deliveryId, body }).pipe(Effect.provide(layer))
      assert.strictEqual(webhook.body, body)
    }))
})

describe("the tag", () => {
  it("has the accessors as statics, and is no thenable", () => {
    assert.strictEqual(SignatureVerifier.SignatureVerifier.verify, SignatureVerifier.verify)
    assert.strictEqual(SignatureVerifier.SignatureVerifier.verifyRequest, SignatureVerifier.verifyRequest)
    assert.notProperty(SignatureVerifier.SignatureVerifier, "then")
  })

  it("only verification makes a VerifiedWebhook", () => {
    // @ts-expect-error the brand cannot be written
    const forged: SignatureVerifier.VerifiedWebhook = { deliveryId, body, signedAtSeconds: t, secretIndex: 0 }
    assert.isDefined(forged)
  })
})

describe("secrets", () => {
  it.effect("are in no rendering of a layer, a service, an effect or an error", () =>
    Effect.gen(function*() {
      const canary = "whsec_canary_0123456789"
      const options = { secrets: [Redacted.make(canary), Redacted.make(`${canary}_2`)] } as const
      const layer = SignatureVerifier.layer(options)
      const service = yield* SignatureVerifier.make(options)
      const failures: Array<WebhookVerificationError | HookrailConfigError> = []
      for (const request of [signed, { ...signed, body: {} as never }, { ...signed, signature: "x" }]) {
        failures.push(yield* Effect.flip(atT(service.verify(request))))
      }
      failures.push(yield* Effect.flip(atT(service.verify(signed), 1000)))
      failures.push(yield* makeError({ secrets: [Redacted.make(canary), Redacted.make(`${canary} `)] }))
      const values = [
        layer,
        service,
        service.verify(signed),
        SignatureVerifier.verifySignature({ ...signed, ...options })
      ]
      for (const value of [...values, ...failures]) {
        const renderings = [
          util.inspect(value, { depth: Infinity, showHidden: true, getters: true }),
          JSON.stringify(value) ?? "",
          String(value)
        ]
        for (const rendering of renderings) assert.notInclude(rendering, "canary")
      }
      for (const error of failures) {
        assert.notInclude(`${error.message} ${error.stack} ${Cause.pretty(Cause.fail(error))}`, "canary")
      }
    }))

  it.effect("and an error repeats nothing of the request", () =>
    Effect.gen(function*() {
      const canary = "canary\n\u001b[31m"
      for (const request of [{ ...signed, signature: canary }, { ...signed, deliveryId: canary }]) {
        assert.notInclude(util.inspect(yield* Effect.flip(verifyAt(0, request))), "canary")
      }
    }))
})
