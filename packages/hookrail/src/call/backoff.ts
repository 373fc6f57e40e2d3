/** When the next attempt of a call may start: the arithmetic of a retry policy, without effects. */

/** A validated policy; all times in milliseconds. */
export interface Backoff {
  readonly maxRetries: number
  readonly base: number
  readonly cap: number
  readonly maxElapsed: number
  readonly respectRetryAfter: boolean
}

export interface Step {
  /** Retries made so far: 0 before the first one. */
  readonly retries: number
  /** Since the call began. */
  readonly elapsed: number
  /** What the server asked to wait, if it did. */
  readonly retryAfter: number | undefined
  /** Uniform in [0, 1). */
  readonly random: number
}

/**
 * The delay before the next attempt, in milliseconds, or `undefined` to give up.
 *
 * Full jitter: uniform in [0, min(cap, base * 2^retries)]. What the server asks for is a floor, with a jitter of at most
 * `base` on top, so that all who were told the same do not come back together. A floor beyond the remaining time ends
 * the call at once instead of sleeping for nothing; a jitter beyond it is cut off.
 */
export const nextDelay = (policy: Backoff, step: Step): number | undefined => {
  if (step.retries >= policy.maxRetries) return undefined
  const remaining = policy.maxElapsed - step.elapsed
  if (remaining <= 0) return undefined
  const floor = policy.respectRetryAfter ? step.retryAfter : undefined
  if (floor !== undefined) {
    return floor > remaining ? undefined : Math.min(remaining, floor + step.random * policy.base)
  }
  // The exponent is bounded so that the product stays a number.
  const ceiling = Math.min(policy.cap, policy.base * 2 ** Math.min(step.retries, 30))
  return Math.min(remaining, step.random * ceiling)
}
