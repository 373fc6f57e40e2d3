import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import * as fc from "effect/FastCheck"
import { build } from "esbuild"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import { encode, payloadOf, topicText, unusableText } from "../src/wire/payload.js"

const topic = topicText("t")

/** Where and why a payload is refused. */
const refusal = (payload: unknown) => {
  const encoded = encode(topic, payload)
  assert(encoded._tag !== "Encoded", "it is refused")
  return encoded as { readonly path: string; readonly reason: string }
}

/** What is sent for a payload. */
const sent = (payload: unknown): unknown => {
  const encoded = encode(topic, payload)
  assert(encoded._tag === "Encoded", JSON.stringify(encoded))
  return JSON.parse(new TextDecoder().decode(payloadOf(encoded)))
}

class Order {
  constructor(readonly items: unknown, readonly note?: string) {}
}

describe("what JSON would lose", () => {
  const cases: ReadonlyArray<[name: string, value: unknown, reason: RegExp]> = [
    ["a Map", new Map([["a", 1]]), /^a Map would be sent as \{\}/],
    ["a Set", new Set([1]), /^a Set would be sent as \{\}/],
    ["a WeakMap", new WeakMap(), /^a WeakMap would be sent as \{\}/],
    ["a WeakSet", new WeakSet(), /^a WeakSet would be sent as \{\}/],
    ["a Promise", Promise.resolve(1), /await it/],
    ["a RegExp", /x/, /^a RegExp /],
    ["an Error", new Error("x"), /^an Error /],
    ["bytes", new Uint8Array(2), /base64/],
    ["a DataView", new DataView(new ArrayBuffer(2)), /base64/],
    ["an ArrayBuffer", new ArrayBuffer(2), /base64/],
    ["a boxed NaN", Object(NaN), /^NaN is not a JSON number/],
    ["NaN", NaN, /^NaN is not a JSON number/],
    ["Infinity", Infinity, /^Infinity is not a JSON number/],
    ["-Infinity", -Infinity, /^-Infinity is not a JSON number/],
    ["a BigInt", 1n, /BigInt/],
    ["a function", () => 1, /function/],
    ["a symbol", Symbol("s"), /symbol/],
    ["an invalid date", new Date(NaN), /the date is invalid/],
    ["U+0000", "a\u0000", /U\+0000/],
    ["half a surrogate pair", "a\ud800", /surrogate/]
  ]
  for (const [name, value, reason] of cases) {
    it(`${name} is refused, wherever it is`, () => {
      for (
        const [payload, path] of [
          [value, "$"],
          [[1, value], "$[1]"],
          [{ a: { b: [null, value] } }, "$.a.b[1]"],
          [new Order([value], "n"), "$.items[0]"],
          [Object.assign(Object.create(null), { a: value }), "$.a"],
          [{ a: { toJSON: () => ({ b: value }) } }, "$.a.b"]
        ] as const
      ) {
        const refused = refusal(payload)
        strictEqual(refused.path, path)
        assert.match(refused.reason, reason)
      }
    })
  }

  it("undefined is refused, but for a member, which is left out", () => {
    deepStrictEqual([refusal(undefined).path, refusal([0, undefined]).path], ["$", "$[1]"])
    assert.match(refusal(undefined).reason, /send null/)
    assert.match(refusal([undefined]).reason, /use null/)
    deepStrictEqual(refusal({ toJSON: () => undefined }).path, "$")
    deepStrictEqual(sent({ a: undefined, b: 1 }), { b: 1 })
    deepStrictEqual(sent(new Order(1, undefined)), { items: 1 })
    // Left out also while what is wrong is being looked for.
    deepStrictEqual(refusal({ a: undefined, b: 1n }).path, "$.b")
  })

  it("the first one is named, and what comes before it is none", () => {
    const shared = { fine: true }
    const payload = { a: [shared, "x", 1, null, new Date(0)], b: shared, c: { d: shared }, e: 1n, f: 2n }
    strictEqual(refusal(payload).path, "$.e")
  })

  it("a list is nothing but its items, as in JSON", () => {
    const list = Object.assign([1], { more: 1n })
    deepStrictEqual(sent({ list }), { list: [1] })
    strictEqual(refusal({ list, b: 2n }).path, "$.b")
  })

  it("a circle is refused where it closes", () => {
    const payload: Record<string, unknown> = { a: 1 }
    payload["list"] = [0, payload]
    strictEqual(refusal(payload).path, "$.list[1]")
    assert.match(refusal(payload).reason, /refers back/)
  })
})

describe("what JSON keeps", () => {
  it("is sent as it is", () => {
    for (const value of [null, true, false, 0, -1.5, "", "é語😀", [], {}, [[]], { a: { b: [] } }]) {
      deepStrictEqual(sent(value), value)
    }
  })

  it("is what objects say of themselves", () => {
    deepStrictEqual(sent(new Date(0)), "1970-01-01T00:00:00.000Z")
    deepStrictEqual(sent({ url: new URL("http://h/") }), { url: "http://h/" })
    deepStrictEqual(sent({ toJSON: () => [1] }), [1])
    deepStrictEqual(sent(Object.assign(new Map(), { toJSON: () => ({ size: 0 }) })), { size: 0 })
    deepStrictEqual(sent(Object.assign(Object.create(null), { toJSON: () => 7 })), 7)
    // `JSON.stringify` calls it with the empty key at the top, and so do the checks.
    deepStrictEqual(sent({ toJSON: (key: string) => key === "" ? 1 : 1n }), 1)
    assert.match(refusal({ toJSON: (key: string) => key === "" ? NaN : 1 }).reason, /NaN/)
  })

  it("is what instances hold themselves, boxed values too", () => {
    deepStrictEqual(sent(new Order([1], "n")), { items: [1], note: "n" })
    deepStrictEqual(sent([Object(1), Object("x"), Object(true)]), [1, "x", true])
    class Child extends Order {}
    Object.defineProperty(Child.prototype, "inherited", { enumerable: true, value: 1n })
    deepStrictEqual(sent(new Child(1)), { items: 1 })
  })

  it("may have a member named toJSON that is no function", () => {
    deepStrictEqual(sent({ toJSON: 1, a: 2 }), { toJSON: 1, a: 2 })
    strictEqual(refusal({ toJSON: 1, a: 1n }).path, "$.a")
  })
})

describe("the path", () => {
  const pathOf = (key: string) => refusal({ [key]: 1n }).path

  it("names a member as one would write it", () => {
    strictEqual(pathOf("_a$1"), "$._a$1")
    strictEqual(pathOf("Z"), "$.Z")
    strictEqual(pathOf("$a"), "$.$a")
    for (const key of ["a b", "1a", "a-b", "-a", "a.", "", "é", "\"", "[0]"]) {
      strictEqual(pathOf(key), `$[${JSON.stringify(key)}]`)
    }
  })

  it("cuts a long name", () => {
    strictEqual(pathOf("x".repeat(64)), `$.${"x".repeat(64)}`)
    strictEqual(pathOf("x".repeat(65)), `$["${"x".repeat(64)}..."]`)
    strictEqual(pathOf(`-${"x".repeat(63)}`), `$["-${"x".repeat(63)}"]`)
    strictEqual(pathOf(`-${"x".repeat(64)}`), `$["-${"x".repeat(63)}..."]`)
  })

  it("leads to the name of a member that cannot be stored", () => {
    const refused = refusal({ a: { "b\u0000": 1 } })
    strictEqual(refused.path, "$.a[\"b\\u0000\"]")
    assert.match(refused.reason, /^in the member's name, .*U\+0000/)
  })
})

describe("texts", () => {
  it("with control characters are fine, but for U+0000", () => {
    deepStrictEqual(sent({ "a\u0001": ["\u001f\n\u007f", "😀"] }), { "a\u0001": ["\u001f\n\u007f", "😀"] })
    // An escape that somebody has written out is a text like any other.
    deepStrictEqual(sent("\\u0000 \\ud800"), "\\u0000 \\ud800")
  })

  it("can be stored exactly if they are well-formed and without U+0000", () => {
    const units = [0, 1, 0x41, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff]
    const text = fc.array(fc.constantFrom(...units), { maxLength: 6 }).map((all) => String.fromCharCode(...all))
    fc.assert(
      fc.property(text, (text) => {
        const isStorable = !/\p{Surrogate}/u.test(text) && !text.includes("\u0000")
        strictEqual(unusableText(text) === undefined, isStorable)
        strictEqual(encode(topic, [text])._tag === "Encoded", isStorable)
      }),
      { seed: 6, numRuns: 2_000 }
    )
  })
})

describe("depth", () => {
  const nested = (levels: number, wrap: (inner: unknown) => unknown, innermost: unknown) => {
    let value = innermost
    for (let level = 0; level < levels; level++) value = wrap(value)
    return value
  }
  const array = (inner: unknown) => [inner]
  const object = (inner: unknown) => ({ a: inner })

  const instance = (inner: unknown) => new Order(inner)
  const itself = (inner: unknown) => ({ toJSON: () => [inner] })

  it("that no stack can take is refused, not a crash", () => {
    for (const wrap of [array, object, instance, itself]) {
      strictEqual(encode(topic, nested(1_000, wrap, 1))._tag, "Encoded")
      const { path, reason } = refusal(nested(50_000, wrap, 1))
      strictEqual(path, "$")
      assert.match(reason, /nested (too deep|deeper)/)
    }
    const endless = (): unknown => ({ toJSON: endless })
    // The result of a toJSON is not asked for its own.
    deepStrictEqual(sent(endless()), {})
    const deep = (): unknown => ({ inner: { toJSON: deep } })
    assert.match(refusal(deep()).reason, /nested (too deep|deeper)/)
  })

  it("of 9900 levels is taken where the stack is large enough, and one more is refused as such", async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL("../src/wire/payload.ts", import.meta.url))],
      bundle: true,
      write: false,
      format: "cjs"
    })
    const code = outputFiles[0]!.text
    const script = `
      ${code}
      const { parentPort } = require("node:worker_threads")
      const levels = [9899, 9900, 9901, 9902]
      const wraps = [(inner) => [inner], (inner) => ({ a: inner }), (inner) => new (class { a = inner })]
      for (const wrap of wraps) for (const level of levels) {
        let value = 1
        for (let count = 0; count < level; count++) value = wrap(value)
        const { path, reason } = module.exports.encode(module.exports.topicText("t"), value)
        parentPort.postMessage([level, path, reason])
      }`
    const worker = new Worker(script, { eval: true, resourceLimits: { stackSizeMb: 32 } })
    const results: Array<unknown> = []
    worker.on("message", (result) => results.push(result))
    await once(worker, "exit")
    const deeper = "it is nested deeper than 9900 levels"
    const each = [[9899, undefined, undefined], [9900, undefined, undefined], [9901, "$", deeper], [9902, "$", deeper]]
    deepStrictEqual(results, [...each, ...each, ...each])
  })
})

describe("a payload that throws", () => {
  const throwing = (thrown: unknown) => ({
    get a() {
      throw thrown
    }
  })

  it("is refused by the kind of what it threw, not by its text", () => {
    for (
      const [thrown, kind] of [
        [new TypeError("hidden"), "TypeError"],
        ["hidden", "string"],
        [undefined, "nothing"],
        [null, "object"]
      ] as const
    ) {
      const { path, reason } = refusal(throwing(thrown))
      deepStrictEqual([path, reason], ["$", `it cannot be written as JSON: reading it threw ${kind}`])
    }
    assert.match(refusal(throwing(new RangeError("hidden"))).reason, /nested too deep/)
  })

  /** Gives its values in turn when it is read, and throws what is an error. */
  const changing = (...values: ReadonlyArray<unknown>) => {
    let reads = 0
    return {
      get a() {
        const value = values[Math.min(reads++, values.length - 1)]
        if (value instanceof Error) throw value
        return value
      }
    }
  }

  it("is refused whenever it throws", () => {
    assert.match(refusal(changing(1, new TypeError("hidden"))).reason, /threw TypeError$/)
    assert.match(refusal(changing(1n, new TypeError("hidden"))).reason, /threw TypeError$/)
  })

  it("is sent as it was read last, and that is checked", () => {
    // Bad at first, good from then on: what goes out is the copy.
    deepStrictEqual(sent(changing(1n, 1)), { a: 1 })
    assert.match(refusal(changing(1, new TypeError("hidden"), 1)).reason, /threw TypeError$/)
    deepStrictEqual(sent(changing("\u0001", "\u0001", "fine")), { a: "\u0001" })
    let calls = 0
    strictEqual(sent({ toJSON: () => ++calls }), 1)
  })
})

describe("size", () => {
  it("is told in bytes", () => {
    assert.match(JSON.stringify(encode(topic, "x".repeat(262_143))), /262145/)
    assert.match(JSON.stringify(encode(topic, "é".repeat(140_000))), /280002/)
    assert.match(JSON.stringify(encode(topic, "é".repeat(300_000))), /600002/)
  })

  it("counts the topic: 266240 bytes in all, and not one more", () => {
    const payload = "x".repeat(262_142)
    const long = (more: string) => topicText("語".repeat(1_357) + more)
    const fitting = encode(long("xx"), payload)
    assert(fitting._tag === "Encoded")
    strictEqual(fitting.body.length, 266_240)
    const refused = encode(long("xxx"), payload)
    assert(refused._tag !== "Encoded")
    assert.match(JSON.stringify(refused), /TooLarge.*266241/)
  })
})

describe("without Node's Buffer", () => {
  const { stackTraceLimit } = Error

  afterEach(() => {
    vi.resetModules()
    Error.stackTraceLimit = stackTraceLimit
  })

  it("the bytes are the same", async () => {
    // Only for the module: those who run this test need it. Who ran before may have left a limit of one line.
    Error.stackTraceLimit = 10
    const own = Object.getOwnPropertyDescriptor(globalThis, "Buffer")!
    const { Buffer } = globalThis
    Object.defineProperty(globalThis, "Buffer", {
      configurable: true,
      get: () => new Error().stack!.includes("wire/payload") ? undefined : Buffer
    })
    vi.resetModules()
    const other = await import("../src/wire/payload.js").finally(() => Object.defineProperty(globalThis, "Buffer", own))
    for (const payload of [{ a: "é語😀" }, "x".repeat(10_000)]) {
      const [one, two] = [encode(topic, payload), other.encode(other.topicText("t"), payload)]
      assert(one._tag === "Encoded" && two._tag === "Encoded")
      deepStrictEqual([...two.body], [...one.body])
      assert.isTrue(Buffer.isBuffer(one.body))
      assert.isFalse(Buffer.isBuffer(two.body))
    }
  })
})
