import { PGlite } from "@electric-sql/pglite"
import * as fc from "effect-3/FastCheck"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { renderJsonb } from "../src/json/jsonb.js"

/*
 * PostgreSQL itself says what a text becomes as JSONB. The one in PGlite is newer than the server's (18, not 15), which
 * shows in no text that is made here; jsonb.test.ts holds the one difference known, an exponent of 1073741823. Neither
 * can it be asked about three things that jsonb.test.ts holds too: it gives way under 10000 levels (WebAssembly has a
 * small stack), a text parameter holds no U+0000, and a lone surrogate becomes U+FFFD on its way in.
 */

let postgres: PGlite

beforeAll(async () => {
  postgres = await PGlite.create()
}, 60_000)

afterAll(() => postgres.close())

/** What PostgreSQL makes of each text; null is a refusal. */
const asJsonb = async (texts: ReadonlyArray<string>): Promise<ReadonlyArray<string | null>> => {
  const { rows } = await postgres.query<{ readonly text: string | null }>(
    `select case when pg_input_is_valid(raw, 'jsonb') then raw::jsonb::text end as text
     from unnest($1::text[]) with ordinality as given (raw, n) order by n`,
    [texts]
  )
  return rows.map((row) => row.text)
}

const ours = (raw: string): string | null => {
  const rendered = renderJsonb(raw)
  return rendered.ok ? rendered.text : null
}

const joined = (...parts: ReadonlyArray<fc.Arbitrary<string>>): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((texts) => texts.join(""))

const repeated = (part: fc.Arbitrary<string>, maxLength: number, minLength = 0): fc.Arbitrary<string> =>
  fc.array(part, { minLength, maxLength }).map((texts) => texts.join(""))

/** One of `common` mostly, so that most texts have nothing wrong, or one thing. */
const seldom = (
  rare: fc.Arbitrary<string>,
  common: fc.Arbitrary<string>,
  oneIn: number
): fc.Arbitrary<string> => fc.oneof({ weight: oneIn - 1, arbitrary: common }, { weight: 1, arbitrary: rare })

const blanks = seldom(
  fc.constantFrom("\u00a0", "\f", "\v", "\ufeff", "/**/"),
  fc.constantFrom("", "", "", "", " ", "\n", "\t", "\r\n", "  "),
  400
)

const digits = (maxLength: number): fc.Arbitrary<string> => repeated(fc.constantFrom(..."00123456789"), maxLength, 1)

const whole = fc.oneof(fc.constant("0"), joined(fc.constantFrom(..."123456789"), fc.oneof(fc.constant(""), digits(30))))

const exponent = joined(
  fc.constantFrom("e", "E"),
  fc.constantFrom("", "+", "-", "-0", "00"),
  fc.integer({ min: 0, max: 40 }).map(String)
)

const number = seldom(
  fc.constantFrom(
    "01",
    "-01",
    "1.",
    ".5",
    "+1",
    "1e",
    "1e+",
    "-",
    "--1",
    "NaN",
    "Infinity",
    "0x1f",
    "1_000",
    "1e1.5",
    "1f"
  ),
  joined(
    fc.constantFrom("", "", "-"),
    whole,
    fc.oneof(fc.constant(""), joined(fc.constant("."), digits(12))),
    fc.oneof(fc.constant(""), exponent)
  ),
  80
)

/** Numbers around the limits of numeric; each may be 131072 digits long, so they stand alone. */
const extremeNumber = joined(
  fc.constantFrom("", "-"),
  fc.constantFrom("0", "1", "9", "10", "1234", "12345"),
  fc.constantFrom("", ".0", ".00001", ".10", ".999"),
  fc.constantFrom("e", "e+", "e-"),
  fc.oneof(
    fc.constantFrom(131_072, 16_383, 1_000_000).chain((limit) =>
      fc.integer({ min: limit - 6, max: limit + 6 }).map(String)
    ),
    fc.constantFrom("1073741822", "1073741824", "2147483648", "9223372036854775808", "99999999999999999999999")
  )
)

const hex4 = fc.integer({ min: 1, max: 0xd7ff }).map((unit) => unit.toString(16).padStart(4, "0"))

const escaped = (unit: string): string => "\\u" + unit

const character = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(..."abcXYZ 019/<>&'{}[],:") },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "é",
      "ß",
      "\u007f",
      "\u0080",
      "\u07ff",
      "\u0800",
      "\u2028",
      "｡",
      "\ue000",
      "\uffff",
      "日",
      "😀",
      "𝄞"
    )
  },
  { weight: 1, arbitrary: fc.fullUnicode().filter((char) => char >= " " && char !== "\"" && char !== "\\") },
  { weight: 3, arbitrary: fc.constantFrom(..."\"\\/bfnrt").map((char) => "\\" + char) },
  { weight: 1, arbitrary: hex4.map(escaped) },
  { weight: 1, arbitrary: hex4.map((unit) => escaped(unit.toUpperCase())) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 0x5d }).map((unit) => escaped(unit.toString(16).padStart(4, "0")))
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.integer({ min: 0xd800, max: 0xdbff }), fc.integer({ min: 0xdc00, max: 0xdfff }))
      .map((units) => units.map((unit) => escaped(unit.toString(16))).join(""))
  }
)

const badCharacter = fc.constantFrom(
  ...["\\u0000", "\\ud800", "\\udc00", "\\ude00\\ud83d", "\\ud83d😀", "\\ud83d\\n", "\\ud83d\\ud83d\\ude00"],
  ...["\\u12", "\\u00g0", "\\x41", "\\U0041", "\\'", "\\", "\"", "\n", "\t", "\u0001", "\u001f"]
)

const string = (maxLength: number): fc.Arbitrary<string> =>
  joined(fc.constant("\""), repeated(seldom(badCharacter, character, 250), maxLength), fc.constant("\""))

/** Few, and short, so that they meet: as duplicates, at the same length, and at the same length in UTF-16 only. */
const key = fc.oneof(
  { weight: 3, arbitrary: string(3) },
  {
    weight: 4,
    arbitrary: repeated(
      fc.constantFrom("a", "a", "b", "A", "\\u0061", "1", "é", "\\u00e9", "｡", "\uffff", "😀", "\\ud83d\\ude00", "\\n"),
      3
    ).map((text) => `"${text}"`)
  }
)

const { value } = fc.letrec<{ readonly value: string; readonly array: string; readonly object: string }>((tie) => {
  const list = (open: string, item: fc.Arbitrary<string>, close: string) =>
    fc.tuple(
      fc.array(item, { maxLength: 6 }).map((items) => items.join()),
      seldom(fc.constant(","), fc.constant(""), 100),
      blanks,
      seldom(fc.constantFrom("", "]", "}"), fc.constant(close), 150)
    ).map((parts) => open + parts.join(""))
  return {
    value: joined(
      blanks,
      fc.oneof(
        { maxDepth: 4, depthSize: "small" },
        { weight: 4, arbitrary: number },
        { weight: 4, arbitrary: string(8) },
        {
          weight: 2,
          arbitrary: seldom(
            fc.constantFrom("True", "nul", "nulls", "undefined", ""),
            fc.constantFrom("true", "false", "null"),
            60
          )
        },
        { weight: 3, arbitrary: tie("array") },
        { weight: 4, arbitrary: tie("object") }
      ),
      blanks
    ),
    array: list("[", tie("value"), "]"),
    object: list(
      "{",
      joined(blanks, key, blanks, seldom(fc.constantFrom("", "=", "::"), fc.constant(":"), 200), tie("value")),
      "}"
    )
  }
})

/** A text with one place changed: what a hand or a bad writer leaves behind. */
const damaged = fc.tuple(
  value,
  fc.nat(),
  fc.nat({ max: 2 }),
  fc.constantFrom("", "", ..."{}[],:\"\\ 0-.eu")
).map(([text, at, drop, piece]) => {
  // By whole characters: half of a surrogate pair is not for PostgreSQL to see.
  const characters = [...text]
  characters.splice(at % (characters.length + 1), drop, piece)
  return characters.join("")
})

/**
 * Compares texts in batches. A batch is as many queries as one text is (one), and still shrinks: to the one text that
 * differs, and then to the part of it that does.
 */
const compare = async (text: fc.Arbitrary<string>, runs: number, perBatch: number) => {
  const seen = { accepted: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: perBatch, size: "max" }), async (texts) => {
      const theirs = await asJsonb(texts)
      for (const [index, raw] of texts.entries()) {
        const expected = theirs[index] ?? null
        seen[expected === null ? "refused" : "accepted"]++
        expect({ raw, text: ours(raw) }).toEqual({ raw, text: expected })
      }
    }),
    { seed: 20_240_607, numRuns: runs }
  )
  return seen
}

describe("renderJsonb against PostgreSQL", () => {
  it("writes what it writes, and refuses what it refuses", async () => {
    const seen = await compare(value, 120, 100)
    expect(seen.accepted).toBeGreaterThan(3000)
    expect(seen.refused).toBeGreaterThan(300)
  })

  it("agrees on damaged texts", async () => {
    const seen = await compare(damaged, 100, 100)
    expect(seen.accepted).toBeGreaterThan(300)
    expect(seen.refused).toBeGreaterThan(1000)
  })

  it("agrees on numbers at the limits of numeric", async () => {
    const seen = await compare(extremeNumber, 15, 40)
    expect(seen.accepted).toBeGreaterThan(50)
    expect(seen.refused).toBeGreaterThan(100)
  })

  it("agrees on numbers as long as their limits, and on deep nesting", async () => {
    const texts = [
      "7".repeat(131_072),
      "7".repeat(131_073),
      `0.${"3".repeat(16_383)}`,
      `0.${"3".repeat(16_384)}`,
      `-0.${"0".repeat(16_383)}`,
      `-0.${"0".repeat(16_384)}`,
      `0.${"0".repeat(20_000)}15e20001`,
      `${"123".repeat(40_000)}.5e-130000`,
      "[".repeat(1000) + "]".repeat(1000),
      "{\"b\":0,\"a\":".repeat(1000) + "1" + "}".repeat(1000),
      "[".repeat(1000) + "]".repeat(999)
    ]
    expect(texts.map(ours)).toEqual(await asJsonb(texts))
  })
})
