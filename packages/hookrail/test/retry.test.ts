import { assert, it } from "@effect/vitest"
import { strictEqual } from "@effect/vitest/utils"
import * as fc from "effect/FastCheck"
import { nextDelay } from "../src/call/backoff.js"
import { parseRetryAfter } from "../src/wire/retryAfter.js"

it("Retry-After never throws and is never negative", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "grapheme" }),
    fc.date({ noInvalidDate: true }).map((d) => d.toUTCString())
  )
  fc.assert(
    fc.property(text, fc.nat(), (text, now) => {
      const wait = parseRetryAfter(text, now)
      assert.isTrue(wait === undefined || wait >= 0)
    }),
    { seed: 3, numRuns: 500 }
  )
  strictEqual(parseRetryAfter(" 30 ", 0), 30_000)
  strictEqual(parseRetryAfter("²", 0), undefined)
})

it("a delay is neither shorter than the floor nor past the budget", () => {
  const ms = fc.integer({ min: 1, max: 100_000 })
  fc.assert(
    fc.property(
      ms,
      ms,
      ms,
      fc.nat(200_000),
      fc.option(ms, { nil: undefined }),
      fc.nat(99),
      fc.nat(40),
      (base, more, maxElapsed, elapsed, retryAfter, percent, retries) => {
        const policy = { maxRetries: 35, base, cap: base + more, maxElapsed, respectRetryAfter: true }
        const delay = nextDelay(policy, { retries, elapsed, retryAfter, random: percent / 100 })
        if (delay === undefined) return
        assert.isBelow(retries, 35)
        assert.isAtLeast(delay, retryAfter ?? 0)
        assert.isAtMost(elapsed + delay, maxElapsed)
      }
    ),
    { seed: 4, numRuns: 1_000 }
  )
})
