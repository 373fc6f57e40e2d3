import type { Random } from "../base/random.js"
import type { BackoffPolicy } from "../model.js"

/** The upper bound of the jitter after the n-th attempt (n from 1), in milliseconds (protocol section 4.5). */
export const jitterBound = (policy: BackoffPolicy, attempt: number): number =>
  Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(attempt - 1, 62))

/**
 * The wait after the n-th attempt in milliseconds: full jitter, or the receiver's `Retry-After` if that is longer, up to
 * the cap (protocol section 4.5).
 */
export const nextDelay = (
  policy: BackoffPolicy,
  attempt: number,
  retryAfterMs: number | undefined,
  random: Random
): number => {
  const drawn = random.next() * jitterBound(policy, attempt)
  return retryAfterMs !== undefined && retryAfterMs > drawn ? Math.min(retryAfterMs, policy.capMs) : drawn
}

/** A receiver's `Retry-After` in milliseconds: whole seconds, or an HTTP date in the future (protocol section 4.5). */
export const parseRetryAfter = (value: string | undefined, now: number): number | undefined => {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^\+?\d+$/.test(text)) return Number(text) * 1000
  const date = /^[A-Z][a-z]+, /.test(text) && text.endsWith("GMT") ? Date.parse(text) : NaN
  return date > now ? date - now : undefined
}
