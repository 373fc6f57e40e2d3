/** When the next attempt of a call may start: the pure arithmetic of a retry policy. */

/** A validated policy; all times in milliseconds. */
export interface Backoff {
  readonly maxRetries: number
  readonly base: number
  readonly cap: number
  readonly maxElapsed: number
  readonly respectRetryAfter: boolean
}

export interface Step {
  /** The retries so far: 0 before the first one. */
  readonly retries: number
  /** Since the call began. */
  readonly elapsed: number
  /** How long the server asked to wait, if it did. */
  readonly retryAfter: number | undefined
  /** Uniform in [0, 1). */
  readonly random: number
}

/**
 * The delay before the next attempt, in milliseconds, or `undefined` to give up.
 *
 * Full jitter: uniform in [0, min(cap, base * 2^retries)]. `Retry-After` is a lower bound with a jitter of at most `base` on
 * top, so that clients that were told the same delay do not return together. If the bound exceeds the remaining time, the call
 * ends at once instead of sleeping in vain; jitter beyond the remaining time is cut off.
 */
export const nextDelay = (policy: Backoff, step: Step): number | undefined => {
  if (step.retries >= policy.maxRetries) return undefined
  const remaining = policy.maxElapsed - step.elapsed
  if (remaining <= 0) return undefined
  const floor = policy.respectRetryAfter ? step.retryAfter : undefined
  if (floor !== undefined) {
    return floor > remaining ? undefined : Math.min(remaining, floor + step.random * policy.base)
  }
  // Bounded, so that the product stays finite.
  const ceiling = Math.min(policy.cap, policy.base * 2 ** Math.min(step.retries, 30))
  return Math.min(remaining, step.random * ceiling)
}
