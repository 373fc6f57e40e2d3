import * as fc from "effect-3/FastCheck"
import { describe, expect, it } from "vitest"
import { JsonSyntaxError, renderJsonb, scanValue } from "../src/json/jsonb.js"

const params = { seed: 20_240_607, numRuns: 500 }

/** The text of a value that must be accepted. */
const textOf = (raw: string): string => {
  const rendered = renderJsonb(raw)
  if (!rendered.ok) throw new Error(`refused: ${rendered.reason}`)
  return rendered.text
}

const reasonOf = (raw: string): string | undefined => {
  const rendered = renderJsonb(raw)
  return rendered.ok ? undefined : rendered.reason
}

/** Where the value at 0 ends, or the offset of the error as a negative number less one. */
const scan = (text: string): number => {
  try {
    return scanValue(text, 0)
  } catch (error) {
    if (error instanceof JsonSyntaxError) return -1 - error.offset
    throw error
  }
}

const nested = (open: string, inner: string, close: string, depth: number): string =>
  open.repeat(depth) + inner + close.repeat(depth)

describe("renderJsonb", () => {
  it.each([
    // The order of keys, duplicates (E80, E81, E84).
    [`{"b":1,"aa":2,"a":1.00}`, `{"a": 1.00, "b": 1, "aa": 2}`],
    [`{"é":1,"zz":2,"b":3,"":4,"aaa":5,"B":6}`, `{"": 4, "B": 6, "b": 3, "zz": 2, "é": 1, "aaa": 5}`],
    [
      `{"b":1,"aa":2,"a":1.00,"n":1e3,"z":-0,"u":"\\u00e9","s":"\\/"}`,
      `{"a": 1.00, "b": 1, "n": 1000, "s": "/", "u": "é", "z": 0, "aa": 2}`
    ],
    [`{"a":1,"a":2}`, `{"a": 2}`],
    [`{"a":{"x":1},"\\u0061":[]}`, `{"a": []}`],
    [`{"10":1,"9":2,"__proto__":3}`, `{"9": 2, "10": 1, "__proto__": 3}`],
    // Four bytes each; in UTF-16 the first would come first.
    [`{"😀":1,"｡a":2}`, `{"｡a": 2, "😀": 1}`],
    // The length that counts is that of the key, not of its escapes.
    [`{"\\n\\n":1,"abc":2,"\\"":3}`, `{"\\"": 3, "\\n\\n": 1, "abc": 2}`],
    // Blanks, containers, scalars (E14, E15).
    [" \t\r\n{ \"a\" : [ 1 ,{ } , [ ] ] } \n", `{"a": [1, {}, []]}`],
    ["null", "null"],
    ["[true,false,null]", "[true, false, null]"],
    [`"s"`, `"s"`],
    // Strings (E85).
    [`"\\u00e9\\/\\ud83d\\ude00"`, `"é/😀"`],
    [`"\\u0022\\u005C\\u0008\\u000c\\u000A\\u000d\\u0009"`, `"\\"\\\\\\b\\f\\n\\r\\t"`],
    [`"\\u001F\\u0001\\u000B"`, `"\\u001f\\u0001\\u000b"`],
    [`"\\u007f\\u2028<>&\u007f\u2028"`, `"\u007f\u2028<>&\u007f\u2028"`]
  ])("%s", (raw, text) => expect(renderJsonb(raw)).toEqual({ ok: true, text }))

  it.each([
    ["1.00", "1.00"],
    ["1.0", "1.0"],
    ["1e3", "1000"],
    ["1.0E5", "100000"],
    ["0.1e1", "1"],
    ["100e-2", "1.00"],
    ["1.0e0", "1.0"],
    ["1e-7", "0.0000001"],
    ["-0", "0"],
    ["-0.0", "0.0"],
    ["-0e-2", "0.00"],
    ["-0.50", "-0.50"],
    ["12345678901234567890.10", "12345678901234567890.10"],
    ["123.456e+1", "1234.56"],
    ["123.456e-5", "0.00123456"],
    ["0.00123e2", "0.123"],
    ["-0.00123E+07", "-12300"],
    ["0e131072", "0"],
    ["1e0000000000000000000000000000000000000001", "10"]
  ])("the number %s", (raw, text) => expect(renderJsonb(raw)).toEqual({ ok: true, text }))

  it("refuses numbers that numeric cannot hold, and only those (E29)", () => {
    const overflow = "value overflows numeric format"
    expect(textOf("1e131071")).toBe("1" + "0".repeat(131_071))
    expect(textOf("-9.9e131071")).toBe("-99" + "0".repeat(131_070))
    expect(textOf("0.01e131073")).toBe("1" + "0".repeat(131_071))
    expect(textOf("1e-16383")).toBe("0." + "0".repeat(16_382) + "1")
    expect(textOf("0." + "1".repeat(16_383))).toBe("0." + "1".repeat(16_383))
    expect(textOf(`0.${"0".repeat(20_000)}1e20001`)).toBe("1")
    expect(textOf("7".repeat(131_072))).toBe("7".repeat(131_072))
    for (
      const raw of [
        "1e131072",
        "[{\"a\":-1e131072}]",
        "0.1e131073",
        "7".repeat(131_073),
        "1e-16384",
        "0e-16384",
        "0." + "0".repeat(16_384),
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "1e" + "9".repeat(1000),
        // Here PostgreSQL 15 and 16 differ, by one.
        "0e1073741823"
      ]
    ) {
      expect(reasonOf(raw)).toBe(overflow)
    }
    expect(textOf("0e1073741822")).toBe("0")
  })

  it("bounds what short numbers may grow to", () => {
    expect(textOf(`[${Array(100).fill("1e131071").join()}]`)).toHaveLength(100 * 131_074)
    expect(reasonOf(`[${Array(20_000).fill("1e131071").join()}]`)).toContain("too long")
  })

  it.each([
    [`"\\u0000"`],
    [`{"\\u0000":1}`],
    [`{"a":"x\\u0000","a":1}`],
    [`"\\ud800"`],
    [`"\\udc00"`],
    [`"\\ude00\\ud83d"`],
    [`"\\ud83d\\ud83d\\ude00"`],
    [`"\\ud83dx\\ude00"`],
    [`{"\\ud800":1}`],
    // Characters that no UTF-8 stands for, also where an escape would complete them.
    [`"\ud800"`],
    [`"\\ud83d\ude00"`],
    [`"\ud83d\\ude00"`]
  ])("refuses what valid JSON may say and JSONB may not: %j (E27, E28)", (raw) => {
    expect(scan(raw)).toBe(raw.length)
    expect(reasonOf(raw)).toBeTypeOf("string")
  })

  it.each([["1 2"], ["{}x"], [""], [" "], ["\u00a01"], ["\ufeff1"], ["[1]]"]])("refuses %j as a whole", (raw) => {
    expect(reasonOf(raw)).toMatch(/^unexpected /)
  })

  it("reaches the deepest nesting, and no deeper", () => {
    for (const [open, inner, close] of [["[", "1", "]"], ["{\"a\": ", "{}", "}"]] as const) {
      const depth = inner === "{}" ? 9999 : 10_000
      expect(textOf(nested(open, inner, close, depth))).toBe(nested(open, inner, close, depth))
      expect(reasonOf(nested(open, inner, close, depth + 1))).toBe("exceeded max depth")
    }
    // A large value is not to be copied once for every level around it: that would be gigabytes.
    const deep = nested("[0, ", "1e131071", ", 2]", 9000)
    expect(textOf(deep)).toHaveLength(deep.length - 8 + 131_072)
  })

  it("keeps what the value means, and is at home with its own output", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = textOf(JSON.stringify(value))
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value).replace(/-0\b(?![.e])/g, "0")))
        expect(textOf(text)).toBe(text)
      }),
      params
    )
  })

  it("orders keys as their bytes are ordered", () => {
    const unit = fc.constantFrom(
      "a",
      "b",
      "\u0080",
      "é",
      "\u07ff",
      "\u0800",
      "\ud7ff",
      "\ue000",
      "\uffff",
      "😀",
      "\u{10ffff}"
    )
    fc.assert(
      fc.property(fc.uniqueArray(fc.array(unit, { maxLength: 4 }).map((units) => units.join(""))), (keys) => {
        const bytes = (key: string) => Buffer.from(key, "utf8")
        const sorted = [...keys].sort((a, b) => bytes(a).length - bytes(b).length || Buffer.compare(bytes(a), bytes(b)))
        expect(textOf(`{${keys.map((key) => `"${key}":0`).join()}}`)).toBe(
          `{${sorted.map((key) => `"${key}": 0`).join(", ")}}`
        )
      }),
      params
    )
  })
})

describe("scanValue", () => {
  it.each([
    ["{}garbage", 2],
    ["{}{}", 2],
    ["[1, 2] ", 6],
    [`"a\\"b"c`, 6],
    ["nullx", 4],
    ["01", 1],
    ["-0x", 2],
    ["1.5.2", 3],
    ["1e5e5", 3],
    ["10,", 2],
    ["\"\ud800\u007f\"", 4]
  ])("%j ends at %i", (text, end) => expect(scan(text)).toBe(end))

  it("begins where it is told", () => {
    const text = `{"topic":"t", "payload": {"a": [1]} }`
    expect(text.slice(25, scanValue(text, 25))).toBe(`{"a": [1]}`)
  })

  it.each([
    ["", 0],
    [" 1", 0],
    ["\ufeff{}", 0],
    ["x", 0],
    ["+1", 0],
    [".5", 0],
    ["NaN", 0],
    ["-", 1],
    ["-a", 1],
    ["1.", 2],
    ["1.e3", 2],
    ["1e", 2],
    ["1e+", 3],
    ["tru", 3],
    ["trux", 3],
    ["'a'", 0],
    ["\"a", 2],
    ["\"\t\"", 1],
    ["\"\0\"", 1],
    ["\"\u001f\"", 1],
    ["\"\\x\"", 2],
    ["\"\\", 2],
    ["\"\\u12", 5],
    ["\"\\u12g4\"", 5],
    ["\"\\U0041\"", 2],
    ["[", 1],
    ["[1", 2],
    ["[1,]", 3],
    ["[,1]", 1],
    ["[1 2]", 3],
    ["[01]", 2],
    ["[}", 1],
    ["{", 1],
    ["{,}", 1],
    ["{a:1}", 1],
    ["{1:1}", 1],
    ["{\"a\"}", 4],
    ["{\"a\" 1}", 5],
    ["{\"a\":}", 5],
    ["{\"a\":1,}", 7],
    ["{\"a\":1]", 6],
    ["[1\u00a0]", 2],
    ["[1\f]", 2],
    ["[1/**/]", 2]
  ])("%j goes wrong at %i", (text, offset) => expect(scan(text)).toBe(-1 - offset))

  it("reaches 10000 levels, and no deeper (E30)", () => {
    expect(scan(nested("[", "", "]", 10_000))).toBe(20_000)
    expect(() => scanValue(nested("[", "", "]", 10_001), 0)).toThrow(JsonSyntaxError)
    expect(() => scanValue("[".repeat(10_001), 0)).toThrow("exceeded max depth")
    expect(scan("[".repeat(10_000))).toBe(-1 - 10_000)
    // Depth, not number.
    expect(scan(`[${Array(20_000).fill("[]").join()}]`)).toBe(60_001)
  })

  it("agrees with JSON.parse about what is JSON", () => {
    const alphabet = fc.constantFrom(
      ..."{}[],:\"\\ \n\t01-+.eEu/ntxé".split(""),
      "true",
      "null",
      "\"a\"",
      "\\u0041",
      "\0"
    )
    const texts = fc.tuple(
      fc.oneof(fc.json(), fc.constant("")),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 2 }), alphabet), { maxLength: 3 }),
      fc.array(alphabet, { maxLength: 12 })
    ).map(([json, edits, pieces]) =>
      edits.reduce((text, [at, drop, piece]) => {
        const where = at % (text.length + 1)
        return text.slice(0, where) + piece + text.slice(where + drop)
      }, json === "" ? pieces.join("") : json)
    )
    let valid = 0
    fc.assert(
      fc.property(texts, (text) => {
        const value = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "")
        let parses = true
        try {
          JSON.parse(text)
        } catch {
          parses = false
        }
        if (parses) valid++
        expect(scan(value) === value.length).toBe(parses)
      }),
      { ...params, numRuns: 3000 }
    )
    expect(valid).toBeGreaterThan(300)
    expect(valid).toBeLessThan(2700)
  })
})
