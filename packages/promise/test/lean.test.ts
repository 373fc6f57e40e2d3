/** What replaces modules of Effect in the bundle, next to the originals. */
import * as Original from "effect/Duration"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Lean from "../lean/duration.js"

const units = ["milli", "second", "minute", "hour", "day", "week"].flatMap((unit) => [unit, `${unit}s`])

const texts = fc.tuple(
  fc.oneof(fc.nat(1_000).map(String), fc.tuple(fc.nat(1_000), fc.nat(9_999)).map((parts) => parts.join("."))),
  fc.constantFrom(...units)
).map((parts) => parts.join(" ") as Original.Input)
  // Beyond that, milliseconds are no longer exact to a nanosecond.
  .filter((text) => Original.toMillis(text) < 1e9)

const numbers = fc.oneof(
  fc.integer(),
  fc.double({ min: 0, max: 1e9 }),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 0.1, 86_400_000)
)

const inputs = fc.oneof(texts, numbers)

const failed = (run: () => unknown): boolean => {
  try {
    run()
    return false
  } catch {
    return true
  }
}

describe("lean durations", () => {
  it("read and print what the facade takes as Effect does", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const [lean, original] = [Lean.fromInputUnsafe(input), Original.fromInputUnsafe(input)]
        assert.strictEqual(Lean.toMillis(lean), Original.toMillis(original))
        assert.strictEqual(Lean.format(lean), Original.format(original))
      }),
      { seed: 1, numRuns: 2_000 }
    )
  })

  it("compare as those of Effect", () => {
    fc.assert(
      fc.property(inputs, inputs, (one, other) => {
        for (const which of ["min", "max"] as const) {
          assert.strictEqual(
            Lean.toMillis(Lean[which](Lean.fromInputUnsafe(one), Lean.fromInputUnsafe(other))),
            Original.toMillis(Original[which](Original.fromInputUnsafe(one), Original.fromInputUnsafe(other)))
          )
        }
      }),
      { seed: 2 }
    )
  })

  it("are made as those of Effect", () => {
    fc.assert(
      fc.property(numbers, (count) => {
        for (const make of ["millis", "seconds", "minutes"] as const) {
          assert.strictEqual(Lean.toMillis(Lean[make](count)), Original.toMillis(Original[make](count)))
        }
      }),
      { seed: 3 }
    )
    assert.isTrue(Lean.isDuration(Lean.zero))
    for (const other of [undefined, null, 1, {}]) assert.isFalse(Lean.isDuration(other))
  })

  it("refuse what the types exclude", () => {
    for (const input of ["soon", "5", "5 parsecs", "", null, undefined, {}]) {
      assert.isTrue(failed(() => Lean.fromInputUnsafe(input as never)), String(input))
    }
  })
})
