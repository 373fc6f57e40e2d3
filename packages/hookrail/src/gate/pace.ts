/**
 * How fast a client may send that the server has told to slow down: the arithmetic of a gate, without effects. Times are
 * in milliseconds, rates in requests per second.
 *
 * As in TCP: slow start doubles the rate each second up to a threshold, above it the rate grows by a constant, and each
 * overload lowers it by a factor. The rate grows by answers, not by time, so it never gets far ahead of what is used.
 */

/** Validated settings of a gate. */
export interface Settings {
  readonly maxInFlight: number
  readonly initialRate: number
  readonly increase: number
  readonly decrease: number
  readonly maxPause: number
  readonly calmAfter: number
}

export const defaults: Settings = {
  maxInFlight: 64,
  initialRate: 20,
  increase: 4,
  decrease: 0.9,
  maxPause: 60_000,
  calmAfter: 60_000
}

const minRate = 1

/** The pause after an overload without `Retry-After`: doubled, up to the longest, while nothing else is answered. */
const firstPause = 100
const longestPause = 10_000

/** How far behind its plan a pace may catch up: timers are late, and have whole milliseconds. */
const maxLag = 50

export class Pace {
  rate: number
  pausedUntil: number
  /** Slow start ends at this rate. */
  private threshold = Infinity
  private nextStart: number
  private overloadedAt: number
  /** Overloads since another answer came. */
  private inARow = 1

  constructor(private readonly settings: Settings, now: number, retryAfter: number) {
    this.rate = settings.initialRate
    this.overloadedAt = now
    this.pausedUntil = now + this.pause(retryAfter)
    this.nextStart = this.pausedUntil
  }

  /** How long the next request has to wait. */
  delay(now: number): number {
    return Math.max(0, Math.ceil(Math.max(this.nextStart, this.pausedUntil) - now))
  }

  /** A request goes out. */
  start(now: number): void {
    this.nextStart = Math.max(this.nextStart, now - maxLag) + 1_000 / this.rate
  }

  /** A request that began at `started` was answered, and not with an overload. */
  answered(started: number): void {
    if (started <= this.overloadedAt) return
    this.inARow = 0
    // ln 2 per answer doubles the rate each second.
    this.rate = this.rate < this.threshold
      ? Math.min(this.threshold, this.rate + Math.LN2)
      : this.rate + this.settings.increase / this.rate
  }

  /** A request that began at `started` was answered with an overload. */
  overloaded(now: number, started: number, retryAfter: number): void {
    // Those sent before the pace last changed tell nothing new.
    if (started <= this.overloadedAt) {
      this.pausedUntil = Math.max(this.pausedUntil, now + Math.min(retryAfter, this.settings.maxPause))
      return
    }
    if (this.inARow > 0) {
      // Nothing has gone through since: the pauses do the rest, and slow start begins again.
      this.rate = Math.min(this.rate, this.settings.initialRate)
    } else {
      // The first time, slow start has gone too far by up to a doubling.
      this.rate = Math.max(minRate, this.rate * (this.threshold === Infinity ? 0.5 : this.settings.decrease))
      this.threshold = this.rate
    }
    this.inARow++
    this.overloadedAt = now
    this.pausedUntil = Math.max(this.pausedUntil, now + this.pause(retryAfter))
    this.nextStart = this.pausedUntil
  }

  /** No overload for so long that the pace is of no use any more. */
  isOver(now: number): boolean {
    return now >= Math.max(this.overloadedAt, this.pausedUntil) + this.settings.calmAfter
  }

  private pause(retryAfter: number): number {
    const own = Math.min(longestPause, firstPause * 2 ** Math.min(this.inARow - 1, 30))
    return Math.min(this.settings.maxPause, Math.max(retryAfter, own))
  }
}
