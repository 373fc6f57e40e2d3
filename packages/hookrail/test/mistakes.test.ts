import { describe, it } from "@effect/vitest"
import { assertFalse, assertInclude, assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Cause, Effect, FastCheck as fc, Redacted, TestClock } from "effect"
import * as crypto from "node:crypto"
import * as util from "node:util"
import * as zlib from "node:zlib"
import { vi } from "vitest"
import type { Mistake } from "../src/HookrailError.js"
import { advice, findMistake, withBlanks } from "../src/signature/mistakes.js"
import * as SignatureVerifier from "../src/SignatureVerifier.js"
import { effectProperty } from "./utils/effectProperty.js"

const bare = "0123456789abcdef0123456789abcdef0123456789abcdef"
const secret = `whsec_${bare}`
const otherSecret = "whsec_fedcba9876543210fedcba9876543210fedcba9876543210"
const deliveryId = "01JXAMPLEDELIVERYID0000000"
const timestamp = 1781092800

/** As Hookrail's database renders it. */
const rendered = `{"id": "o_1", "name": "Zoë 😀", "items": [{"n": 2, "sku": "a: b"}], "total": 1.00}`

type Body = string | Uint8Array

interface Given {
  /** What Hookrail has signed and sent. */
  readonly sent?: Body | undefined
  /** What the verifier is given in its place. */
  readonly received?: Body | undefined
  /** The key of the MAC. */
  readonly key?: Body | undefined
  readonly secrets?: ReadonlyArray<string> | undefined
}

const macOf = (key: Body, body: Body): Uint8Array<ArrayBuffer> =>
  new Uint8Array(crypto.createHmac("sha256", key).update(`${timestamp}.${deliveryId}.`).update(body).digest())

const mistakeOf = ({ key = secret, sent = rendered, received = sent, secrets = [secret] }: Given) =>
  Effect.promise(() => findMistake({ secrets, timestamp, deliveryId, mac: macOf(key, sent), body: received }))

const parsed = (text: string, indent?: number): string => JSON.stringify(JSON.parse(text), undefined, indent)

const latin1 = (text: string): string => Buffer.from(text).toString("latin1")

const bodies: ReadonlyArray<readonly [name: string, sent: string]> = [
  ["keys of several lengths", `{"a": "x", "b": "y", "aa": true, "aaa": null}`],
  ["nested arrays and objects", `{"a": [], "b": {}, "c": [1, [2, {"d": [3]}], {}]}`],
  ["an array on top", `[{"a": 1}, "b", null]`],
  ["escapes in strings", String.raw`{"a": "\"q\": [1,2] \\", "b": "\n\t\b\f\r\u001f\\\"", "c:,": ":, :,\\"}`],
  ["text outside ASCII", `{"é": "日本 \u2028 <&>", "😀": "\u007f\u00a0 ,x"}`],
  ["white space in strings", `{"a": "  b  :  c , d  "}`],
  ["integers", `{"a": 0, "b": -7, "c": 9007199254740991}`]
]

describe("a body that was parsed", () => {
  for (const [name, sent] of bodies) {
    it.effect(`is found behind ${name}, compact or pretty-printed`, () =>
      Effect.gen(function*() {
        strictEqual(withBlanks(parsed(sent)), sent)
        for (const received of [parsed(sent), parsed(sent, 2), parsed(sent, 1).replaceAll("\n", "\r\n")]) {
          strictEqual(yield* mistakeOf({ sent, received }), "body-parsed")
          strictEqual(yield* mistakeOf({ sent, received: Buffer.from(received) }), "body-parsed")
          // By what was signed, and not by its looks.
          strictEqual(yield* mistakeOf({ sent, received, secrets: [otherSecret, secret] }), "body-parsed")
        }
      }))
  }

  it.effect.each([
    ["a decimal", `{"total": 1.00, "x": 1}`],
    ["a large integer", `{"id": 12345678901234567890}`],
    ["a number that gets an exponent", `{"n": 1000000000000000000000000}`],
    ["the order of integer-like keys", `{"a": 1, "10": 2}`]
  ])("is found by elimination, where the parser has lost %s", ([, sent]) =>
    Effect.gen(function*() {
      assertFalse(withBlanks(parsed(sent!)) === sent)
      strictEqual(yield* mistakeOf({ sent, received: parsed(sent!) }), "body-parsed")
    }))

  it.effect("is found by elimination, where it was written with escapes that Hookrail does not write", () =>
    Effect.gen(function*() {
      // As json.dumps of Python writes it, and json_encode of PHP with blanks.
      for (
        const received of [String.raw`{"name": "Zo\u00eb", "n": 1.5}`, String.raw`{"name": "Zo\u00eb", "url": "\/"}`]
      ) {
        strictEqual(yield* mistakeOf({ sent: `{"n": 1.50, "name": "Zoë"}`, received }), "body-parsed")
      }
    }))
})

describe("other changes to a body", () => {
  it.effect.each<readonly [string, Body, Mistake]>([
    ["empty text", "", "body-empty"],
    ["no bytes", new Uint8Array(), "body-empty"],
    ["gzip", zlib.gzipSync(rendered), "body-compressed"],
    ["base64", Buffer.from(rendered).toString("base64"), "body-base64"],
    ["base64 without padding", Buffer.from(rendered).toString("base64").replaceAll("=", ""), "body-base64"],
    ["base64 in bytes", Buffer.from(Buffer.from(rendered).toString("base64")), "body-base64"],
    ["base64 for URLs", Buffer.from(rendered).toString("base64url"), "body-base64"],
    ["base64 and a newline", `${Buffer.from(rendered).toString("base64")}\n`, "body-base64"],
    ["Latin-1 as text", latin1(rendered), "body-encoding"],
    ["Latin-1 as bytes", Buffer.from(latin1(rendered)), "body-encoding"],
    ["a byte order mark", `\ufeff${rendered}`, "body-trimmed"],
    ["a byte order mark in bytes", Buffer.from(`\ufeff${rendered}`), "body-trimmed"],
    ["a newline after it", `${rendered}\n`, "body-trimmed"],
    ["a newline after it, in bytes", Buffer.from(`${rendered}\r\n`), "body-trimmed"],
    ["blanks before it", `  ${rendered}`, "body-trimmed"],
    ["a byte order mark and a newline", `\ufeff${rendered}\n`, "body-trimmed"]
  ])("%s is found", ([, received, mistake]) =>
    Effect.gen(function*() {
      strictEqual(yield* mistakeOf({ received }), mistake)
    }))

  it.effect("Windows-1252, which the Encoding Standard takes Latin-1 for, is found", () =>
    Effect.gen(function*() {
      strictEqual(yield* mistakeOf({ sent: `{"price": "5 €"}`, received: `{"price": "5 â\u201a¬"}` }), "body-encoding")
    }))

  it.effect("both alphabets of base64 are found", () =>
    Effect.gen(function*() {
      const sent = `["??>>>", "~~~???>>>"]`
      const [standard, url] = [Buffer.from(sent).toString("base64"), Buffer.from(sent).toString("base64url")]
      assertTrue(/\+.*\/|\/.*\+/.test(standard) && /-.*_|_.*-/.test(url), `${standard} ${url}`)
      strictEqual(yield* mistakeOf({ sent, received: standard }), "body-base64")
      strictEqual(yield* mistakeOf({ sent, received: url }), "body-base64")
    }))

  it.effect("base64 and Latin-1 are found in bodies of any length", () =>
    Effect.gen(function*() {
      for (const sent of [`"é"`, `"éé"`, `"ééé"`, `{"é": "ÿ\u0080"}`]) {
        strictEqual(yield* mistakeOf({ sent, received: Buffer.from(sent).toString("base64") }), "body-base64")
        strictEqual(yield* mistakeOf({ sent, received: latin1(sent) }), "body-encoding")
      }
    }))
})

describe("a wrong secret", () => {
  it.effect.each<readonly [string, string, Body, Mistake]>([
    ["without its whsec_", bare, secret, "secret-prefix"],
    ["with whsec_ twice", `whsec_${secret}`, secret, "secret-prefix"],
    ["with a whsec_ that the sender leaves out", secret, bare, "secret-prefix"],
    ["that the sender decodes", secret, Buffer.from(bare, "base64"), "secret-decoded"],
    ["without its whsec_, that the sender decodes", bare, Buffer.from(bare, "base64"), "secret-decoded"],
    ["with padding, that the sender decodes", "whsec_+/8=", Buffer.from("+/8=", "base64"), "secret-decoded"],
    ["of another endpoint", otherSecret, secret, "secret-other"]
  ])("%s is found", ([, configured, key, mistake]) =>
    Effect.gen(function*() {
      strictEqual(yield* mistakeOf({ key, secrets: [configured] }), mistake)
      strictEqual(yield* mistakeOf({ key, secrets: [configured], received: Buffer.from(rendered) }), mistake)
    }))

  it.effect("is found wherever it stands among several", () =>
    Effect.gen(function*() {
      strictEqual(yield* mistakeOf({ secrets: [otherSecret, bare] }), "secret-prefix")
      strictEqual(yield* mistakeOf({ secrets: [bare, otherSecret] }), "secret-prefix")
      strictEqual(yield* mistakeOf({ secrets: [otherSecret, `${otherSecret}0`] }), "secret-other")
    }))

  it.effect("does not hide what happened to the body, if the body is parsed too", () =>
    Effect.gen(function*() {
      strictEqual(yield* mistakeOf({ secrets: [otherSecret], received: parsed(rendered) }), "body-parsed")
    }))

  it.effect("may be nothing but its prefix", () =>
    Effect.gen(function*() {
      strictEqual(yield* mistakeOf({ secrets: ["whsec_"] }), "secret-other")
      strictEqual(yield* mistakeOf({ secrets: ["whsec_", secret], received: `\ufeff${rendered}` }), "body-trimmed")
    }))
})

describe("what is not from Hookrail", () => {
  it.effect.each<readonly [string, Body]>([
    ["text", "hello, world"],
    ["a form", "a=1&b=2"],
    ["JSON cut off", rendered.slice(0, -1)],
    ["JSON and more", `${rendered}}`],
    ["bytes", new Uint8Array([0, 255, 254, 128])],
    ["another base64", "aGVsbG8="],
    ["white space", " \n"]
  ])("%s is explained by no mistake", ([, received]) =>
    Effect.gen(function*() {
      strictEqual(yield* mistakeOf({ received }), undefined)
    }))
})

type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** JSON as the database renders it: keys by the length of their UTF-8, then by their bytes (protocol section 4.2). */
const jsonb = (value: Json): string => {
  if (Array.isArray(value)) return `[${value.map(jsonb).join(", ")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(([key, member]) => ({ key, bytes: Buffer.from(key), member }))
  members.sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes))
  return `{${members.map(({ key, member }) => `${JSON.stringify(key)}: ${jsonb(member)}`).join(", ")}}`
}

const jsonText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("\"", "\\", ":", ",", " ", "\n", "\u0001", "{", "]", "é", "x") })
)

/** Without decimals and integer-like keys, which a parser loses. */
const json = fc.letrec<{ readonly json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small" },
    jsonText,
    fc.maxSafeInteger(),
    fc.constantFrom(true, false, null),
    fc.array(tie("json"), { maxLength: 5 }),
    fc.dictionary(jsonText.filter((key) => !/^\d+$/.test(key)), tie("json"), { maxKeys: 5 })
  )
})).json

/** What looking at a body alone can tell. */
const byItsLooks = (body: Uint8Array): Mistake | undefined => {
  if (body.length === 0) return "body-empty"
  if (body[0] === 0x1f && body[1] === 0x8b) return "body-compressed"
  const text = Buffer.from(body).toString("utf8")
  try {
    JSON.parse(text)
  } catch {
    return undefined
  }
  return withBlanks(text) === text ? "secret-other" : "body-parsed"
}

describe("properties", () => {
  it("withBlanks restores what the database renders, from compact and from pretty-printed JSON", () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = jsonb(value)
        strictEqual(withBlanks(text), text)
        strictEqual(withBlanks(parsed(text)), text)
        strictEqual(withBlanks(parsed(text, 2)), text)
      }),
      { seed: 11, numRuns: 500 }
    )
  })

  effectProperty(
    "a parser is found behind any body that it changes",
    json.map(jsonb).filter((sent) => parsed(sent, 1) !== sent),
    (sent) =>
      Effect.gen(function*() {
        const received = parsed(sent, 1)
        strictEqual(yield* mistakeOf({ sent, received }), "body-parsed")
      }),
    { seed: 12, numRuns: 50 }
  )

  const secrets = fc.array(
    fc.oneof(
      fc.string({ minLength: 1, unit: "binary" }),
      fc.base64String({ minLength: 1 }).map((text) => `whsec_${text}`),
      fc.constantFrom(secret, bare, "whsec_", "whsec_whsec_")
    ),
    { minLength: 1, maxLength: 3 }
  )
  const mac = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const anyBody = fc.oneof(
    fc.uint8Array(),
    fc.string({ unit: "binary" }).map((text) => new TextEncoder().encode(text)),
    fc.base64String().map((text) => new TextEncoder().encode(text)),
    json.map((value) => new TextEncoder().encode(JSON.stringify(value)))
  )

  effectProperty(
    "whatever comes, nothing is thrown, and no mistake is found that is not there",
    fc.tuple(secrets, mac, anyBody),
    ([secrets, mac, body]) =>
      Effect.gen(function*() {
        const mismatch = { secrets, timestamp, deliveryId, mac: new Uint8Array(mac), body: new Uint8Array(body) }
        strictEqual(yield* Effect.promise(() => findMistake(mismatch)), byItsLooks(body))
      }),
    { seed: 13, numRuns: 200 }
  )

  it.effect("a body of more than 64 KB is not looked at: not a MAC is taken", () =>
    Effect.gen(function*() {
      const importKey = vi.spyOn(crypto.subtle, "importKey")
      const text = JSON.stringify(Array.from({ length: 32 * 1024 }, () => 0))
      for (const received of [text, Buffer.from(text)]) {
        assertTrue(received.length > 64 * 1024)
        strictEqual(yield* mistakeOf({ received }), undefined)
      }
      strictEqual(importKey.mock.calls.length, 0)
      strictEqual(yield* mistakeOf({ received: parsed(rendered) }), "body-parsed")
      assertTrue(importKey.mock.calls.length > 0)
      importKey.mockRestore()
    }))

  it.effect("nor is anything thrown for a body of many megabytes", () =>
    Effect.gen(function*() {
      for (const long of ["x".repeat(12 * 1024 * 1024), "\n".repeat(6 * 1024 * 1024)]) {
        const mistake = yield* mistakeOf({ received: JSON.stringify(long) })
        assertTrue(mistake === undefined || mistake === "secret-other", mistake)
      }
    }))
})

describe("through SignatureVerifier", () => {
  const make = (...secrets: readonly [string, ...Array<string>]) => {
    const [first, ...others] = secrets
    return SignatureVerifier.make({ secrets: [Redacted.make(first), ...others.map((text) => Redacted.make(text))] })
  }

  const signatureOf = (key: Body, body: Body) => `t=${timestamp},v1=${Buffer.from(macOf(key, body)).toString("hex")}`

  /** The error of a delivery that was signed, `millis` after that. */
  const errorOf = (
    verifier: SignatureVerifier.Service,
    { key = secret, received, sent = rendered }: Given,
    millis = 0
  ) =>
    Effect.gen(function*() {
      yield* TestClock.setTime(timestamp * 1000 + millis)
      const request = { signature: signatureOf(key, sent), deliveryId, body: received ?? sent }
      const error = yield* Effect.flip(verifier.verify(request))
      if (error._tag !== "SignatureError") throw error
      return error
    })

  it.effect("the error names the mistake and says what to do", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [Mistake, string, Given]> = [
        ["body-empty", secret, { received: "" }],
        ["body-parsed", secret, { received: parsed(rendered) }],
        ["body-base64", secret, { received: Buffer.from(rendered).toString("base64") }],
        ["body-compressed", secret, { received: zlib.gzipSync(rendered) }],
        ["body-encoding", secret, { received: latin1(rendered) }],
        ["body-trimmed", secret, { received: `\ufeff${rendered}` }],
        ["secret-prefix", bare, {}],
        ["secret-decoded", secret, { key: Buffer.from(bare, "base64") }],
        ["secret-other", otherSecret, {}]
      ]
      deepStrictEqual(cases.map(([mistake]) => mistake).sort(), Object.keys(advice).sort() as Array<Mistake>)
      for (const [mistake, configured, given] of cases) {
        const error = yield* errorOf(yield* make(configured), given)
        strictEqual(error.mistake, mistake)
        strictEqual(error.reason, advice[mistake])
        strictEqual(error.message, `webhook signature does not match: ${advice[mistake]}`)
      }
    }))

  it.effect("the error of what cannot be explained has general advice, and no mistake", () =>
    Effect.gen(function*() {
      const error = yield* errorOf(yield* make(secret), { received: "garbage" })
      strictEqual(error.mistake, undefined)
      assertFalse(Object.values(advice).includes(error.reason))
      assertInclude(error.message, "whsec_ included")
      assertInclude(error.message, "raw body")
    }))

  it.effect("an ArrayBuffer is explained as its bytes are", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(timestamp * 1000)
      const verifier = yield* make(secret)
      const { buffer } = new TextEncoder().encode(parsed(rendered))
      const request = { signature: signatureOf(secret, rendered), deliveryId, body: buffer }
      const error = yield* Effect.flip(verifier.verify(request))
      assertTrue(error._tag === "SignatureError" && error.mistake === "body-parsed")
    }))

  it.effect("a mismatch is explained at most once in 10 seconds, by each verifier", () =>
    Effect.gen(function*() {
      const given = { received: parsed(rendered) }
      const verifier = yield* make(secret)
      const mistakes: Array<Mistake | undefined> = []
      for (const millis of [0, 0, 1, 9_999, 10_000, 10_001, 19_999, 20_000]) {
        mistakes.push((yield* errorOf(verifier, given, millis)).mistake)
      }
      const [yes, no] = ["body-parsed", undefined] as const
      deepStrictEqual(mistakes, [yes, no, no, no, yes, no, no, yes])
      strictEqual((yield* errorOf(yield* make(secret), given, 20_000)).mistake, yes)
    }))

  it.effect("of 50 mismatches at the same time, one is explained", () =>
    Effect.gen(function*() {
      const verifier = yield* make(secret)
      const error = errorOf(verifier, { received: parsed(rendered) })
      const errors = yield* Effect.all(Array.from({ length: 50 }, () => error), { concurrency: "unbounded" })
      strictEqual(errors.filter(({ mistake }) => mistake === "body-parsed").length, 1)
    }))

  it.effect("what verifies takes nothing from the explanations", () =>
    Effect.gen(function*() {
      const verifier = yield* make(secret)
      yield* TestClock.setTime(timestamp * 1000)
      yield* verifier.verify({ signature: signatureOf(secret, rendered), deliveryId, body: rendered })
      strictEqual((yield* errorOf(verifier, { received: parsed(rendered) })).mistake, "body-parsed")
    }))

  it.effect("a mistake that is found makes no request pass", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(timestamp * 1000)
      const verifier = yield* make(bare)
      const request = { signature: signatureOf(secret, rendered), deliveryId, body: rendered }
      for (let times = 0; times < 3; times++) {
        strictEqual((yield* Effect.flip(verifier.verify(request)))._tag, "SignatureError")
      }
    }))

  it.effect("verifySignature explains, too", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(timestamp * 1000)
      const signature = signatureOf(secret, rendered)
      const request = { signature, deliveryId, body: rendered, secrets: Redacted.make(bare) }
      const error = yield* Effect.flip(SignatureVerifier.verifySignature(request))
      assertTrue(error._tag === "SignatureError" && error.mistake === "secret-prefix")
    }))

  it.effect("secrets are in no rendering of an error", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [string, Given]> = [
        [secret, { received: parsed(rendered) }],
        [secret, { received: "garbage" }],
        [bare, {}],
        [`whsec_${secret}`, {}],
        [secret, { key: Buffer.from(bare, "base64") }],
        [secret, { key: otherSecret }]
      ]
      for (const [configured, given] of cases) {
        const error = yield* errorOf(yield* make(configured), given)
        const renderings = [
          error.message,
          JSON.stringify(error),
          String(error),
          String(error.stack),
          util.inspect(error, { depth: Infinity, showHidden: true, getters: true }),
          Cause.pretty(Cause.fail(error))
        ]
        for (const rendering of renderings) assertFalse(rendering.includes("0123456789abcdef"), rendering)
      }
    }))
})

describe("the webhooks of other products", () => {
  const verifyRequest = (headers: SignatureVerifier.WebhookHeaders) =>
    Effect.gen(function*() {
      yield* TestClock.setTime(timestamp * 1000)
      const verifier = yield* SignatureVerifier.make({ secrets: Redacted.make(secret) })
      return yield* verifier.verifyRequest(headers, rendered)
    })

  const messageOf = (headers: SignatureVerifier.WebhookHeaders) =>
    Effect.map(Effect.flip(verifyRequest(headers)), (error) => {
      strictEqual(error._tag, "MalformedSignatureError")
      return error.message
    })

  it.effect.each([
    ["Stripe-Signature", "Stripe"],
    ["svix-signature", "Svix"],
    ["webhook-signature", "Standard Webhooks"],
    ["X-Hub-Signature-256", "GitHub"],
    ["x-hookdeck-signature", "Hookdeck"],
    ["x-convoy-signature", "Convoy"],
    ["x-inngest-signature", "Inngest"],
    ["x-slack-signature", "Slack"],
    ["x-shopify-hmac-sha256", "Shopify"],
    ["x-twilio-signature", "Twilio"]
  ])("%s is malformed, and the error names the product", ([header, product]) =>
    Effect.gen(function*() {
      const headers = { [header!]: "t=1,v1=canary" }
      for (const given of [headers, new Headers(headers)]) {
        const message = yield* messageOf(given)
        assertInclude(message, product!)
        assertFalse(message.includes("canary"))
      }
    }))

  it.effect("a request without any signature is asked for Hookrail's", () =>
    Effect.gen(function*() {
      assertInclude(yield* messageOf({ "content-type": "application/json" }), "hookrail-signature is missing")
    }))

  it.effect("Hookrail's signature counts, whatever else is there", () =>
    Effect.gen(function*() {
      const signature = `t=${timestamp},v1=${Buffer.from(macOf(secret, rendered)).toString("hex")}`
      const headers = {
        "stripe-signature": "t=1,v1=x",
        "hookrail-delivery-id": deliveryId,
        "hookrail-signature": signature
      }
      strictEqual((yield* verifyRequest(headers)).deliveryId, deliveryId)
    }))
})
