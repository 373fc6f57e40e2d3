import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import {
  BigDecimal,
  Cause,
  Chunk,
  Data,
  DateTime,
  Duration,
  Effect,
  Either,
  Exit,
  HashMap,
  HashSet,
  Layer,
  List,
  Option,
  Redacted,
  Stream
} from "effect"
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

  it("finds the ordering key that is in the text, wherever it comes from", () => {
    class Order {
      constructor(readonly ordering_key: unknown) {}
    }
    class Named {
      constructor(readonly name: string) {}
      get ordering_key() {
        return this.name
      }
    }
    const payloads: ReadonlyArray<readonly [unknown, string | undefined]> = [
      [{ ordering_key: "a" }, "a"],
      [{
        get ordering_key() {
          return "a"
        }
      }, "a"],
      [Object.assign(Object.create(null), { ordering_key: "a" }), "a"],
      [new Order("a"), "a"],
      [{ toJSON: () => ({ ordering_key: "a" }) }, "a"],
      [{ nested: { toJSON: () => 1 }, ordering_key: "a" }, "a"],
      [{ ordering_key: "\u0001" }, "\u0001"],
      // Not in the text.
      [Object.defineProperty({}, "ordering_key", { value: "a", enumerable: false }), undefined],
      [Object.create(null, { ordering_key: { value: "a" } }), undefined],
      [new Named("a"), undefined],
      [{ ordering_key: undefined }, undefined],
      // Not a key.
      [new Order(7), undefined],
      [{ ordering_key: "" }, undefined],
      [["ordering_key"], undefined],
      [{ nested: { ordering_key: "a" } }, undefined],
      ["ordering_key", undefined],
      [null, undefined]
    ]
    for (const [payload, key] of payloads) {
      const encoded = encode(topicText("t"), payload)
      assert(encoded._tag === "Encoded", JSON.stringify(encoded))
      strictEqual(encoded.orderingKey, key, decoder.decode(encoded.body))
    }
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

  it("calls each toJSON once, with its key, as JSON.stringify does", () => {
    const make = () => {
      const calls: Array<string> = []
      const speaking = (result: () => unknown) => ({
        toJSON(key: string) {
          calls.push(key)
          return result()
        }
      })
      const self: Record<string, unknown> = { n: 1, toJSON: () => self }
      return {
        calls,
        value: speaking(() => ({
          a: speaking(() => "x"),
          list: [speaking(() => ({ inner: speaking(() => 1) }))],
          absent: speaking(() => undefined),
          boxed: [Object("s"), Object(1), Object(true)],
          date: new Date(0),
          twice: speaking(() => speaking(() => "never")),
          self
        }))
      }
    }
    const [mine, theirs] = [make(), make()]
    const encoded = encode(topicText("t"), mine.value)
    const expected = JSON.stringify(theirs.value)
    assert(encoded._tag === "Encoded")
    strictEqual(decoder.decode(payloadOf(encoded)), expected)
    deepStrictEqual(mine.calls, theirs.calls)
  })

  it("refuses a hole in an array", () => {
    // eslint-disable-next-line no-sparse-arrays -- that is what it is about
    const encoded = encode(topicText("t"), [1, , 2])
    assert(encoded._tag === "Refused")
    strictEqual(encoded.path, "$[1]")
  })

  it("a member may be called __proto__", () => {
    const payload = { a: { toJSON: () => JSON.parse("{\"__proto__\":1}") } }
    const encoded = encode(topicText("t"), payload)
    assert(encoded._tag === "Encoded")
    strictEqual(decoder.decode(payloadOf(encoded)), "{\"a\":{\"__proto__\":1}}")
  })

  it("a getter that changes its mind sneaks nothing past the check", () => {
    let reads = 0
    const payload = {
      get text() {
        return reads++ === 0 ? "fine" : "\u0000"
      }
    }
    const encoded = encode(topicText("t"), payload)
    assert(encoded._tag === "Refused")
    strictEqual(encoded.path, "$.text")
  })

  const lost: ReadonlyArray<readonly [string, unknown, RegExp]> = [
    ["Map", new Map([["a", 1]]), /a Map would be sent as \{\}/],
    ["Set", new Set([1]), /a Set would be/],
    ["WeakMap", new WeakMap(), /a WeakMap would be/],
    ["WeakSet", new WeakSet(), /a WeakSet would be/],
    ["WeakRef", new WeakRef({}), /a WeakRef would be/],
    ["Promise", Promise.resolve(1), /await it first/],
    ["RegExp", /x/, /send its text/],
    ["Error", new Error("x"), /send its text/],
    ["Blob", new Blob(["x"]), /a Blob would be/],
    ["FormData", new FormData(), /a FormData would be/],
    ["Headers", new Headers(), /a Headers would be/],
    ["URLSearchParams", new URLSearchParams("a=1"), /an? URLSearchParams would be/],
    ["Request", new Request("http://127.0.0.1"), /a Request would be/],
    ["Response", new Response("x"), /a Response would be/],
    ["ReadableStream", new ReadableStream(), /a ReadableStream would be/],
    ["AbortSignal", new AbortController().signal, /an AbortSignal would be/],
    ["generator", (function*() {})(), /a Generator would be/],
    ["iterator", [1].values(), /an Array Iterator would be/],
    ["bytes", new Uint8Array(1), /send it as base64/],
    ["buffer", new ArrayBuffer(1), /send it as base64/],
    [
      "private fields",
      new (class Order {
        #id = 1
        get id() {
          return this.#id
        }
      })(),
      /an Order would be sent as \{\}/
    ],
    ["invalid date", new Date(NaN), /the date is invalid/],
    ["boxed NaN", Object(NaN), /NaN is not a JSON number/],
    ["Effect", Effect.succeed(1), /did you forget yield\*/],
    ["Effect.gen", Effect.gen(function*() {}), /did you forget yield\*/],
    ["Exit", Exit.succeed(1), /did you forget yield\*/],
    ["Option", Option.some(1), /an Option/],
    ["Either", Either.right(1), /an Either/],
    ["Redacted", Redacted.make("hk_secret"), /Redacted\.value/],
    ["Stream", Stream.make(1), /run it first/],
    ["Chunk", Chunk.make(1), /Chunk\.toReadonlyArray/],
    ["HashMap", HashMap.empty(), /a HashMap/],
    ["HashSet", HashSet.empty(), /a HashSet/],
    ["List", List.make(1), /a List/],
    ["Duration", Duration.seconds(1), /Duration\.toMillis/],
    ["BigDecimal", BigDecimal.fromBigInt(1n), /BigDecimal\.format/],
    ["Cause", Cause.fail("hk_secret"), /a Cause/],
    ["Layer", Layer.empty, /a Layer/]
  ]

  it.each(lost)("refuses what JSON would lose: %s", (_, value, reason) => {
    for (const [payload, path] of [[value, "$"], [{ a: [{ b: value }] }, "$.a[0].b"]] as const) {
      const encoded = encode(topicText("t"), payload)
      assert(encoded._tag === "Refused")
      strictEqual(encoded.path, path)
      assert.match(encoded.reason, reason)
      assert.notInclude(encoded.reason, "hk_secret")
    }
  })

  it("takes what JSON keeps: instances, dates, URLs, errors that say what they are", () => {
    class Point {
      constructor(readonly x: number, readonly y?: number) {}
    }
    class Problem extends Error {
      toJSON() {
        return { problem: this.message }
      }
    }
    const payload = {
      point: new Point(1),
      date: new Date(0),
      url: new URL("http://127.0.0.1/"),
      problem: new Problem("p"),
      time: DateTime.unsafeMake(0),
      data: Data.struct({ a: 1 })
    }
    const encoded = encode(topicText("t"), payload)
    assert(encoded._tag === "Encoded")
    strictEqual(decoder.decode(payloadOf(encoded)), JSON.stringify(payload))
  })
})
