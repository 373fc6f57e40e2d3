import type { RateLimit } from "../model.js"

/** A token bucket that starts full and refills with time (protocol sections 4.5 and 6). */
export class TokenBucket {
  private tokens: number
  private last: number

  constructor(private limit: RateLimit, now: number) {
    this.tokens = limit.burst
    this.last = now
  }

  /** Takes one token if there is one, at a time in milliseconds. */
  take(now: number, limit: RateLimit = this.limit): boolean {
    this.limit = limit
    this.tokens = Math.min(limit.burst, this.tokens + Math.max(0, now - this.last) * limit.rps / 1000)
    this.last = now
    if (this.tokens < 1) return false
    this.tokens -= 1
    return true
  }
}
