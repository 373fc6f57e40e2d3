import { Effect, Redacted } from "effect"
import { build } from "esbuild"
import * as fc from "fast-check"
import * as HookrailError from "hookrail/HookrailError"
import * as SignatureVerifier from "hookrail/SignatureVerifier"
import { fileURLToPath } from "node:url"
import * as util from "node:util"
import * as vm from "node:vm"
import { gzipSync } from "node:zlib"
import { afterEach, assert, describe, it, vi } from "vitest"
import { deliveryId, negativeMac, secret, t, vectors } from "../../hookrail/test/utils/vectors.js"
import { bundle as published } from "../bundle.js"
import * as Verify from "../src/verify.js"

const [body, mac] = vectors[0]!

const valid: Verify.VerifySignatureOptions = {
  secrets: secret,
  signature: `t=${t},v1=${mac}`,
  deliveryId,
  body,
  now: new Date(t * 1000)
}
const headers = {
  "hookrail-signature": valid.signature,
  "hookrail-delivery-id": deliveryId,
  "hookrail-event-id": "e",
  "hookrail-topic": "orders.created"
}

const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => assert.fail("it was verified"), (error: unknown) => error)

const refuses = async <E extends Error>(
  options: Partial<Verify.VerifySignatureOptions>,
  error: abstract new(...args: Array<never>) => E
): Promise<E> => {
  const actual = await failure(Verify.verifySignature({ ...valid, ...options }))
  assert.isTrue(actual instanceof error, util.inspect(actual))
  return actual as E
}

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe.each(["node:crypto", "WebCrypto"])("verifySignature with %s", (backend) => {
  // Keys are remembered: a secret of its own for each backend, where the test can choose one.
  const useBackend = () => {
    if (backend === "node:crypto") return
    // Not all of `process` is taken away: the runner needs it while the module is loaded.
    const builtin = process.getBuiltinModule
    vi.spyOn(process, "getBuiltinModule").mockImplementation(
      ((id: string) => id === "node:crypto" ? undefined : builtin(id)) as never
    )
  }
  const fresh = () => vi.importActual<typeof Verify>("../src/verify.js")

  it.each(vectors)("accepts the vector %s", async (body, mac) => {
    vi.resetModules()
    useBackend()
    const { verifySignature } = await fresh()
    const sign = vi.spyOn(crypto.subtle, "verify")
    for (const form of [body, new TextEncoder().encode(body), new TextEncoder().encode(body).buffer]) {
      const webhook = await verifySignature({ ...valid, signature: `t=${t},v1=${mac}`, body: form })
      assert.strictEqual(webhook.signedAtSeconds, t)
    }
    assert.strictEqual(sign.mock.calls.length, backend === "WebCrypto" ? 3 : 0)
  })

  it("refuses the negative vector, and accepts any of several secrets", async () => {
    vi.resetModules()
    useBackend()
    const { SignatureError, verifySignature } = await fresh()
    const error = await failure(verifySignature({ ...valid, signature: `t=${t},v1=${negativeMac}` }))
    assert.instanceOf(error, SignatureError)
    const { secretIndex } = await verifySignature({ ...valid, secrets: ["whsec_new_0123456789", secret] })
    assert.strictEqual(secretIndex, 1)
  })

  it("rejects with the caller's line in the stack", async () => {
    vi.resetModules()
    useBackend()
    const { verifyRequest, verifySignature } = await fresh()
    const forged = { ...valid, signature: `t=${t},v1=${negativeMac}` }
    const receive = async (verify: () => Promise<unknown>) => {
      await verify()
    }
    for (
      const verify of [
        () => verifySignature(forged),
        () => verifyRequest({ ...forged, headers: { ...headers, "hookrail-signature": forged.signature } })
      ]
    ) {
      assert.match((await failure(receive(verify)) as Error).stack ?? "", /\breceive .*verify\.test\.ts/)
    }
  })
})

describe("verifySignature", () => {
  it("R1: gives back what was signed", async () => {
    assert.deepStrictEqual<unknown>(await Verify.verifySignature(valid), {
      deliveryId,
      eventId: undefined,
      topic: undefined,
      body,
      signedAtSeconds: t,
      secretIndex: 0
    })
  })

  it("R2, R3, R11, R12: refuses another key, body or delivery id", async () => {
    await refuses({ secrets: "test_secret_0123456789" }, Verify.SignatureError)
    await refuses({ secrets: ["whsec_a_0123456789", "whsec_b_0123456789"] }, Verify.SignatureError)
    await refuses({ deliveryId: "01JXAMPLEDELIVERYID0000001" }, Verify.SignatureError)
    const [delivered, mac] = vectors[1]!
    const signature = `t=${t},v1=${mac}`
    await refuses({ signature, body: JSON.stringify(JSON.parse(delivered)) }, Verify.SignatureError)
  })

  it("R4: the tolerance is inclusive, in both directions", async () => {
    for (const now of [t + 300, t - 300]) {
      await Verify.verifySignature({ ...valid, now: now * 1000 })
      await Verify.verifySignature({ ...valid, now: new Date(now * 1000) })
    }
    for (const seconds of [300.001, -300.001]) {
      const error = await refuses({ now: (t + seconds) * 1000 }, Verify.SignatureTimestampError)
      assert.deepStrictEqual([error.ageSeconds, error.toleranceSeconds], [seconds, 300])
    }
    await Verify.verifySignature({ ...valid, now: (t + 10) * 1000, tolerance: "10 seconds" })
    await refuses({ now: (t + 11) * 1000, tolerance: 10_000 }, Verify.SignatureTimestampError)
    await refuses({ now: new Date(NaN) }, Verify.SignatureTimestampError)
  })

  it("takes this machine's time unless told another", async () => {
    vi.useFakeTimers({ now: (t + 300) * 1000 })
    await Verify.verifySignature({ ...valid, now: undefined })
    vi.setSystemTime((t + 301) * 1000)
    await refuses({ now: undefined }, Verify.SignatureTimestampError)
  })

  it("R6, R9: accepts upper-case hex, blanks and unknown parts", async () => {
    await Verify.verifySignature({ ...valid, signature: `t=${t}, v0=x, v1=${mac.toUpperCase()} ` })
  })

  it("R7: malformed signatures", async () => {
    for (const signature of ["", "x", `v1=${mac}`, `t=${t}`, `t=abc,v1=${mac}`, `t=-1,v1=${mac}`, `t=${t},v1=00`]) {
      await refuses({ signature }, Verify.MalformedSignatureError)
    }
  })

  it("asks for the raw body if it gets a parsed one", async () => {
    const error = await refuses({ body: JSON.parse(body) }, Verify.MalformedSignatureError)
    assert.match(error.message, /raw body.*JSON\.stringify/)
  })

  it("rejects with a TypeError for secrets or a tolerance that cannot work, and shows no secret", async () => {
    const canaries = ["whsec_canary\n", " whsec_canary", "\"whsec_canary\"", [secret, "'whsec_canary'"]]
    for (const secrets of ["", [], [""], undefined, null, 1, ...canaries] as ReadonlyArray<string>) {
      const error = await refuses({ secrets }, TypeError)
      assert.include(error.message, "secrets")
      assert.notInclude(util.inspect(error), "canary")
    }
    for (
      const tolerance of [
        -1,
        NaN,
        Infinity,
        300,
        "300 millis",
        "5 parsecs" as never,
        null as never,
        {} as never
      ] as const
    ) {
      const { message } = await refuses({ tolerance }, TypeError)
      assert.include(message, "tolerance must be 0 or at least 1 second, such as \"5 minutes\" or 300000")
    }
  })

  it("property: what the core signs verifies, and not under another secret", () =>
    fc.assert(
      fc.asyncProperty(
        fc.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}$/),
        fc.uint8Array(),
        fc.nat(),
        async (deliveryId, body, timestamp) => {
          const signature = await Effect.runPromise(
            SignatureVerifier.sign({ secret: Redacted.make(secret), deliveryId, body, timestamp })
          )
          const now = timestamp * 1000
          await Verify.verifySignature({ secrets: secret, signature, deliveryId, body, now })
          await refuses({ secrets: "whsec_other_0123456789", signature, deliveryId, body, now }, Verify.SignatureError)
        }
      ),
      { seed: 6, numRuns: 100 }
    ))

  it("property: rejects anything else with one of its errors", () =>
    fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), fc.string(), fc.uint8Array(), (signature, deliveryId, body) =>
        refuses({ signature, deliveryId, body }, Verify.WebhookVerificationError).then(() => {})),
      { seed: 7, numRuns: 300 }
    ))
})

describe("verifyRequest", () => {
  const request: Verify.VerifyRequestOptions = { secrets: secret, headers, body, now: t * 1000 }

  it("takes headers of any kind, and gives event id and topic", async () => {
    const upper = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]))
    for (const given of [headers, upper, new Headers(headers)]) {
      const webhook = await Verify.verifyRequest({ ...request, headers: given })
      assert.deepStrictEqual<unknown>(webhook, {
        deliveryId,
        eventId: "e",
        topic: "orders.created",
        body,
        signedAtSeconds: t,
        secretIndex: 0
      })
    }
  })

  it("names the header that is missing", async () => {
    for (const name of ["hookrail-signature", "hookrail-delivery-id"]) {
      const error = await failure(Verify.verifyRequest({ ...request, headers: { ...headers, [name]: undefined } }))
      assert.instanceOf(error, Verify.MalformedSignatureError)
      assert.include((error as Error).message, name)
    }
  })

  it("decodes a topic outside ASCII", async () => {
    const topic = "订单.créée"
    const bytes = Buffer.from(topic).toString("latin1")
    const webhook = await Verify.verifyRequest({ ...request, headers: { ...headers, "hookrail-topic": bytes } })
    assert.strictEqual(webhook.topic, topic)
  })
})

describe("errors", () => {
  const pairs = [
    [new Verify.SignatureError({ reason: "r" }), new HookrailError.SignatureError({ reason: "r" })],
    [new Verify.MalformedSignatureError({ reason: "r" }), new HookrailError.MalformedSignatureError({ reason: "r" })],
    ...[301.5, -301.5].map((ageSeconds) => {
      const fields = { ageSeconds, toleranceSeconds: 300 }
      return [new Verify.SignatureTimestampError(fields), new HookrailError.SignatureTimestampError(fields)] as const
    })
  ] as const

  it.each(pairs)("%s is as in the core", (error, core) => {
    assert.instanceOf(error, Error)
    assert.isTrue(error instanceof Verify.WebhookVerificationError)
    assert.strictEqual(error.name, core.name)
    assert.strictEqual(error.message, core.message)
    assert.isTrue(error.stack?.startsWith(`${error.name}: ${error.message}\n`))
    const { message: _, ...json } = core.toJSON() as { readonly message: string }
    assert.deepStrictEqual(JSON.parse(JSON.stringify(error)), json)
    assert.strictEqual(error._tag, core._tag)
  })

  it("can be told apart by _tag and by class", () => {
    assert.deepStrictEqual(pairs.map(([error]) => error._tag), [
      "SignatureError",
      "MalformedSignatureError",
      "SignatureTimestampError",
      "SignatureTimestampError"
    ])
    assert.notInstanceOf(pairs[0][0], Verify.MalformedSignatureError)
  })
})

describe("explainMismatch", () => {
  const parsed = JSON.stringify(JSON.parse(body))

  it("tells what has happened to body or secret", async () => {
    const cases: ReadonlyArray<[options: Partial<Verify.VerifySignatureOptions>, mistake: Verify.Mistake | undefined]> =
      [
        [{ body: parsed }, "body-parsed"],
        [{ body: "" }, "body-empty"],
        [{ body: `${body}\n` }, "body-trimmed"],
        [{ secrets: secret.replace("whsec_", "") }, "secret-prefix"],
        [{ secrets: ["whsec_other_0123456789", secret], body: new TextEncoder().encode(parsed).buffer }, "body-parsed"],
        [{ signature: "t=1" }, undefined],
        [{ body: "no JSON" }, undefined]
      ]
    for (const [options, mistake] of cases) {
      assert.strictEqual((await Verify.explainMismatch({ ...valid, ...options }))?.mistake, mistake)
    }
  })

  it("reads the headers of a request, and says what to do", async () => {
    const { advice = "" } = await Verify.explainMismatch({ ...valid, headers, body: parsed }) ?? {}
    assert.include(advice, "parsed and written again")
    assert.notInclude(advice, secret)
  })
})

describe("the bundle", () => {
  const bundle = async (format: "esm" | "iife"): Promise<string> => {
    const { outputFiles } = await build({
      // A program that only verifies.
      stdin: {
        contents: "export { verifyRequest, verifySignature, WebhookVerificationError, SignatureError, " +
          "SignatureTimestampError, MalformedSignatureError } from \"./src/verify.js\"",
        resolveDir: fileURLToPath(new URL("..", import.meta.url))
      },
      bundle: true,
      plugins: published.plugins,
      minify: true,
      write: false,
      format,
      globalName: "verify",
      target: "es2022",
      conditions: ["@hookrail/source"]
    })
    return outputFiles[0]!.text
  }

  it("is at most 2.45 kB, minified and compressed, and imports nothing", async () => {
    const code = await bundle("esm")
    assert.isAtMost(gzipSync(code, { level: 9 }).length, 2450)
    assert.notMatch(code, /\bimport\b|\brequire\b|effect/)
  })

  it("runs where there is nothing of Node", async () => {
    const context = vm.createContext({ crypto, TextEncoder, Uint8Array, ArrayBuffer })
    vm.runInContext(await bundle("iife"), context)
    const isolated = (context as { readonly verify: typeof Verify }).verify
    assert.strictEqual(vm.runInContext("typeof process + typeof Buffer", context), "undefinedundefined")
    assert.strictEqual((await isolated.verifySignature(valid)).deliveryId, deliveryId)
    const error = await failure(isolated.verifySignature({ ...valid, secrets: "whsec_other_0123456789" }))
    assert.instanceOf(error, isolated.SignatureError)
  })
})
