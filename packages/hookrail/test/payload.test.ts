import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import * as fc from "effect/FastCheck"
import { encode, payloadOf, topicText } from "../src/wire/payload.js"

const decoder = new TextDecoder()

describe("encode", () => {
  it("writes any JSON value, and knows the payload's own bytes", () => {
    fc.assert(
      fc.property(fc.constantFrom("t", "é語😀", "a\"b"), fc.jsonValue(), (topic, value) => {
        const encoded = encode(topicText(topic), value)
        if (encoded._tag === "Refused") return assert.match(encoded.reason, /U\+0000|surrogate/)
        assert(encoded._tag === "Encoded")
        const body = decoder.decode(encoded.body)
        deepStrictEqual(JSON.parse(body), { topic, payload: JSON.parse(JSON.stringify(value)) })
        strictEqual(decoder.decode(payloadOf(encoded)), JSON.stringify(value))
      }),
      { seed: 1, numRuns: 300 }
    )
  })

  it("never throws", () => {
    const anything = fc.anything({
      withBigInt: true,
      withMap: true,
      withSet: true,
      withDate: true,
      withTypedArray: true
    })
    fc.assert(
      fc.property(anything, (value) => {
        assert.include(["Encoded", "Refused"], encode(topicText("t"), value)._tag)
      }),
      { seed: 2, numRuns: 500 }
    )
    const circular: Record<string, unknown> = {}
    circular["self"] = circular
    const boom = () => {
      throw new Error("hidden")
    }
    const bad = [
      circular,
      {
        get a() {
          return boom()
        }
      },
      { toJSON: boom },
      Symbol("s"),
      boom,
      1n,
      NaN,
      "\u0000",
      "\ud800",
      [undefined]
    ]
    for (const value of bad) {
      const encoded = encode(topicText("t"), value)
      assert(encoded._tag === "Refused")
      assert.notInclude(encoded.reason, "hidden")
    }
  })

  it("takes exactly 262144 bytes", () => {
    const topic = topicText("t")
    strictEqual(encode(topic, "x".repeat(262_142))._tag, "Encoded")
    strictEqual(encode(topic, "x".repeat(262_143))._tag, "TooLarge")
    strictEqual(encode(topic, "é".repeat(131_071))._tag, "Encoded")
    strictEqual(encode(topic, `${"é".repeat(131_071)}x`)._tag, "TooLarge")
  })
})
