import { describe, it } from "@effect/vitest"
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { soak, type SoakOptions } from "../src/soak/soak.js"

/** At most 180 sends: a busy machine has to keep up, or the clients would meet nothing but timeouts. */
const brief: SoakOptions = { seconds: 3, seed: 1, fibers: 20, rate: 60, timeoutMs: 500 }

describe("a brief soak run", () => {
  it.live("accounts for every send", () =>
    Effect.gen(function*() {
      const report = yield* soak(brief)
      deepStrictEqual(report.violations, [])
      deepStrictEqual(report.leftOpen, { atProxy: 0, atEmulator: 0 })
      assertTrue(report.summary.sends > 20 && report.summary.sends <= 180)
      const { results } = report.summary
      const counted = (what: string) => [...results].some(([name]) => name.startsWith(what))
      assertTrue(counted("succeeded") && counted("interrupted") && counted("HookrailClosedError"))
      assertTrue(report.summary.retries > 0 && report.summary.sentAgain > 0)
      assertTrue(report.steps > 0 && report.replaced > 0)
      const { answers, deliveries, leftOpen, slowAnswers } = report.receiving!
      // Handled, and known from before.
      assertTrue(deliveries > 0 && (answers.get("204") ?? 0) > 0 && (answers.get("200") ?? 0) > 0)
      assertTrue((slowAnswers.get("half: 408") ?? 0) > 0 && (slowAnswers.get("drip: 408") ?? 0) > 0)
      strictEqual(leftOpen, 0)
    }), 60_000)

  it.live("finds out a server that forgets its idempotency keys", () =>
    Effect.gen(function*() {
      const report = yield* soak({ ...brief, seconds: 1, emulator: { idempotencyTtlMs: 0 } })
      assertTrue(report.violations.some((violation) => violation.includes("stored twice")))
    }), 60_000)
})
