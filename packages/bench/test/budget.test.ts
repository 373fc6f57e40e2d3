import { describe, it } from "@effect/vitest"
import { strictEqual } from "@effect/vitest/utils"
import type { Result } from "../src/soak/account.js"
import { budgetFault } from "../src/soak/budget.js"

const budget = { maxAttempts: 4, maxElapsedMs: 20_000, timeoutMs: 1_000 }
const gaveUp = (attempts: number): Result => ({ _tag: "Failed", error: { _tag: "RetryError", attempts } })

describe("the budget of a send", () => {
  it("is used up when the client gives up", () => {
    strictEqual(budgetFault(gaveUp(4), 500, budget), undefined)
    strictEqual(budgetFault(gaveUp(3), 19_000, budget), undefined)
    strictEqual(budgetFault(gaveUp(3), 500, budget), "gave up after 3 of 4 attempts and 500 ms of 20000")
  })

  it("is a limit to any result", () => {
    strictEqual(budgetFault({ _tag: "Interrupted", told: undefined }, 31_000, budget), undefined)
    strictEqual(
      budgetFault({ _tag: "Interrupted", told: undefined }, 31_001, budget),
      "took 31001 ms, more than its budget"
    )
  })
})
