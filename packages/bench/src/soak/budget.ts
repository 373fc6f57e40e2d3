/** Whether a client used the time of a send as its retry policy says: no less than it has to, and no more than it may. */
import type { Result } from "./account.js"

export interface Budget {
  /** How many requests the client may make. */
  readonly maxAttempts: number
  /** How long attempts may begin. */
  readonly maxElapsedMs: number
  /** How long each may take. */
  readonly timeoutMs: number
}

/** How late a busy machine may be. */
const slackMs = 10_000

/** What is wrong with a result after `tookMs` of monotonic time, if anything. */
export const budgetFault = (result: Result, tookMs: number, budget: Budget): string | undefined => {
  const { maxAttempts, maxElapsedMs, timeoutMs } = budget
  if (tookMs > maxElapsedMs + timeoutMs + slackMs) return `took ${Math.round(tookMs)} ms, more than its budget`
  if (result._tag !== "Failed" || result.error._tag !== "RetryError") return undefined
  const { attempts } = result.error
  // The delay before an attempt that would begin too late is far shorter than half of the budget.
  return typeof attempts === "number" && attempts < maxAttempts && tookMs < maxElapsedMs / 2
    ? `gave up after ${attempts} of ${maxAttempts} attempts and ${Math.round(tookMs)} ms of ${maxElapsedMs}`
    : undefined
}
