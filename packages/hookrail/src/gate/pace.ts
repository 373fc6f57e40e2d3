/**
 * How fast a client may send, derived from the answers of the server: the arithmetic of a gate, without effects. Times are
 * in milliseconds of a monotonic clock, rates in requests per second.
 *
 * There are three states:
 *
 * - *open*: no rate limit. A few overloads among many answers change nothing: a server that fails now and then does not
 *   fail less often if it gets fewer requests.
 * - *paced*: the server refuses too large a share of the requests. The rate falls below what it accepted recently, and
 *   rises again along a cubic curve: fast at first, slowly near the rate that was refused before, then fast again.
 * - *probing*: nothing gets through. One request is tried after each pause, until one is accepted.
 *
 * Each cut and each change of the state starts a new era, and only answers to requests that started in the current era
 * count. So a burst that is refused as a whole causes one cut, however many requests were in it.
 */
import type { State } from "./model.js"

/** Validated settings of a gate. */
export interface Settings {
  readonly maxInFlight: number
  readonly maxPause: number
}

export const defaults: Settings = { maxInFlight: 64, maxPause: 30_000 }

/** This many overloads in a row mean that nothing gets through. Paced requests are spread evenly, so fewer are needed. */
const streak = { open: 8, paced: 5 }

/** From this many in a row on, possibly nothing gets through. */
const doubtful = 2

/**
 * The share of overloads is an average over about this many answers, however long they took. While open, it must distinguish
 * a server that fails now and then from one that is overloaded.
 */
const memory = { open: 200, paced: 60 }

/**
 * A share up to this is attributed to chance. The limit is higher while the rate that the server accepts is unknown, because
 * a cut is deep then. A 429 is never chance.
 */
const tolerated = 0.05
const toleratedAtFirst = 0.2

/** A cut reduces the rate to this part of what was accepted. */
const decrease = 0.85

/** The cubic curve returns to the rate accepted before the cut after this long. */
const recovery = 4_000

/** The lowest rate of all, and the lowest initial rate if nothing is known about the server. */
const minRate = 1
const initialRate = 20

/** Growth per answer in a slow start: each second the rate quadruples up to a known limit, and otherwise doubles. */
const growthToLimit = 2 * Math.LN2
const growth = Math.LN2

/** The pauses while nothing gets through: each is twice the last, from the first to the longest. */
const firstPause = 100
const longestPause = 5_000

/** After an outage of this length the server is cold: the rate restarts at this part of what it was. */
const longOutage = 2_000
const cold = 1 / 8

/** This many answers show whether a cut has helped. They are compared with an average over the last few before it. */
const sample = 100
const memoryBefore = 32

/** Above this share the server is overloaded, even if a cut does not help. */
const mostByChance = 0.4

/** The share tolerated after a cut that did not help, as a multiple of the observed share, and its half-life. */
const leniency = 1.5
const halfLife = 30_000

/** Pacing ends when it has delayed no request for this long. */
const unboundFor = 2_000

/** How far pacing may catch up with its schedule: timers are late, and count whole milliseconds. */
const maxLag = 50

/** The clock is read once per this many answers while nothing depends on it. */
const glance = 32

/** Updates an average over the last `memory` answers with an overload that follows `others` other answers. */
const average = (share: number, memory: number, others: number): number =>
  share * (1 - 1 / memory) ** (others + 1) + 1 / memory

/** Counts accepted requests, and measures their rate over the last half to whole second. */
class Meter {
  count = 0
  private markedAt = -Infinity
  private countAtMark = 0
  private windowStart = -Infinity
  private countAtStart = 0

  look(now: number): void {
    if (now - this.markedAt < 500) return
    this.windowStart = this.markedAt
    this.countAtStart = this.countAtMark
    this.markedAt = now
    this.countAtMark = this.count
  }

  /** `undefined` in the first half second, and after a time with few requests. */
  rate(now: number): number | undefined {
    const span = now - this.windowStart
    return span <= 4_000 ? (this.count - this.countAtStart) * 1_000 / span : undefined
  }

  /** Accepted since the last mark: all that is known in the first half second. */
  get sinceMark(): number {
    return this.count - this.countAtMark
  }

  restart(): void {
    this.markedAt = -Infinity
    this.windowStart = -Infinity
  }
}

export class Pace {
  state: State = "open"
  /** Requests per second: `Infinity` while open, 0 while probing. */
  rate = Infinity
  /** A request must remember the era in which it starts, and pass it along with its answer. */
  era = 0

  private readonly accepted = new Meter()

  // The overloads of this era: their recent share, their most recent share, and the answers since the last one.
  private share = 0
  private shareOfLate = 0
  private sinceOverload = 0
  /** Whether the last one may be chance: a 503 may be, a 429 never is. */
  private byChance = false
  private inARow = 0

  // The answers since a cut, until there are enough to tell whether it has helped.
  private isSampling = false
  private sampled = 0
  private sampledOverloads = 0
  private shareBefore = 0

  // The share tolerated beyond the usual one, and since when.
  private leniency = 0
  private lenientSince = 0

  // Paced: up to a limit, along the curve or in a slow start. Unknown limit: a slow start until the next overload.
  private limit: number | undefined
  private isStarting = false
  /** When pacing, or probing, began. */
  since = 0
  private nextStart = 0
  private boundAt = 0

  // Probing.
  private pause = firstPause
  private rateAfterwards = initialRate

  constructor(private readonly maxPause: number) {}

  // -------------------------------------------------------------------------------------------------------------
  // requests
  // -------------------------------------------------------------------------------------------------------------

  /**
   * How many requests may be in flight, at most `most`. During a series of overloads, no more start than are needed to be sure
   * that nothing gets through: the answers to those in flight arrive soon.
   */
  room(most: number): number {
    return this.inARow < doubtful ? most : Math.min(most, streak.open)
  }

  /** How long the next request has to wait. */
  delay(now: number): number {
    return this.state === "open" ? 0 : Math.max(0, this.nextStart - now)
  }

  /** A request starts while paced or probing. */
  start(now: number): void {
    if (this.state === "probing") this.nextStart = now + this.pause
    else if (this.state === "paced") this.startPaced(now)
  }

  private startPaced(now: number): void {
    if (this.endIfUnbound(now)) return
    if (this.nextStart > now - maxLag) this.boundAt = now
    if (!this.isStarting) this.rate = this.curve(now)
    this.nextStart = Math.max(this.nextStart, now - maxLag) + 1_000 / this.rate
  }

  /** Opens if pacing has delayed no request for a while. Returns whether it does. */
  endIfUnbound(now: number): boolean {
    const isOver = this.state === "paced" && this.nextStart <= now - maxLag && now - this.boundAt > unboundFor
    if (isOver) this.open()
    return isOver
  }

  private curve(now: number): number {
    const x = (now - this.since) / recovery - 1
    return Math.max(minRate, this.limit! * (1 + (1 - decrease) * x ** 3))
  }

  // -------------------------------------------------------------------------------------------------------------
  // answers
  // -------------------------------------------------------------------------------------------------------------

  /**
   * A request was answered, and not with an overload. Usually this is only counted; `true` means that the clock must be read:
   * call `look` then.
   */
  answered(era: number): boolean {
    this.accepted.count++
    if (era !== this.era) {
      if (era === this.era - 1) this.shareBefore *= 1 - 1 / memoryBefore
      return false
    }
    const isNews = this.state !== "open" || this.inARow > 0
    this.inARow = 0
    this.sinceOverload++
    return isNews || this.accepted.count % glance === 0
  }

  look(now: number): void {
    this.accepted.look(now)
    if (this.state === "probing") return this.resume(now)
    if (this.isSampling) this.judge(now)
    // Only once the series of overloads is broken: until then, all requests fail, not a share of them.
    else if (this.sinceOverload === 1 && this.share > this.tolerance(now)) return this.cut(now)
    if (this.state === "paced" && this.isStarting) this.climb()
  }

  /** A request was answered with an overload, 429 or 503. `retryAfter` is 0 if the server did not send it. */
  overloaded(now: number, era: number, status: number, retryAfter: number): void {
    if (era !== this.era) {
      if (era === this.era - 1) this.shareBefore += (1 - this.shareBefore) / memoryBefore
      return
    }
    this.accepted.look(now)
    if (this.state === "probing") {
      this.pause = Math.min(longestPause, 2 * this.pause)
      return this.wait(now, retryAfter)
    }
    this.share = average(this.share, memory[this.state], this.sinceOverload)
    this.shareOfLate = average(this.shareOfLate, memoryBefore, this.sinceOverload)
    this.sinceOverload = 0
    this.byChance = status === 503
    if (++this.inARow >= streak[this.state]) return this.probe(now, retryAfter)
    if (this.isSampling) {
      this.sampledOverloads++
      if (this.byChance) this.judge(now)
      else this.isSampling = false
    }
  }

  private tolerance(now: number): number {
    const isUnknown = this.state === "open" && this.byChance && this.accepted.rate(now) === undefined
    const base = isUnknown ? toleratedAtFirst : tolerated
    return base + this.leniency * 0.5 ** ((now - this.lenientSince) / halfLife)
  }

  // -------------------------------------------------------------------------------------------------------------
  // states
  // -------------------------------------------------------------------------------------------------------------

  private enter(state: State, rate: number): void {
    this.state = state
    this.rate = rate
    this.era++
    this.shareBefore = this.shareOfLate
    this.share = 0
    this.shareOfLate = 0
    this.sinceOverload = 0
    this.inARow = 0
    this.isSampling = false
  }

  private open(): void {
    this.enter("open", Infinity)
  }

  private cut(now: number): void {
    const limit = this.seemingLimit(now)
    this.enter("paced", limit === undefined ? this.firstRate() : Math.max(minRate, decrease * limit))
    this.keep(now, limit, limit === undefined)
    this.isSampling = true
    this.sampled = 0
    this.sampledOverloads = 0
  }

  /** The rate that the server seems to accept. Less than half of the current rate is a gap in the answers, not a limit. */
  private seemingLimit(now: number): number | undefined {
    const accepted = this.accepted.rate(now)
    if (accepted === undefined) return this.limit
    return this.state === "open" ? accepted : Math.min(this.rate, Math.max(this.rate / 2, accepted))
  }

  private firstRate(): number {
    return Math.max(initialRate, decrease * this.accepted.sinceMark)
  }

  private keep(now: number, limit: number | undefined, isStarting: boolean): void {
    this.limit = limit === undefined ? undefined : Math.max(minRate, limit)
    this.isStarting = isStarting
    this.since = now
    this.nextStart = now
    this.boundAt = now
  }

  /** One step of a slow start. */
  private climb(): void {
    this.rate += this.limit === undefined ? growth : growthToLimit
    if (this.limit !== undefined && this.rate >= this.limit) this.open()
  }

  private probe(now: number, retryAfter: number): void {
    this.limit = this.seemingLimit(now)
    this.rateAfterwards = this.firstRate()
    this.enter("probing", 0)
    this.since = now
    this.pause = firstPause
    this.wait(now, retryAfter)
  }

  private wait(now: number, retryAfter: number): void {
    this.nextStart = now + Math.min(this.maxPause, Math.max(this.pause, retryAfter))
  }

  /** Something got through. */
  private resume(now: number): void {
    const { limit } = this
    const isStarting = limit === undefined || now - this.since >= longOutage
    const rate = limit === undefined ? this.rateAfterwards : isStarting ? cold * limit : decrease * limit
    this.enter("paced", Math.max(minRate, rate))
    this.keep(now, limit, isStarting)
    this.accepted.restart()
  }

  /** If 503s are as frequent after a cut as before, this client does not cause them. */
  private judge(now: number): void {
    if (++this.sampled < sample) return
    this.isSampling = false
    const share = this.sampledOverloads / this.sampled
    if (share <= this.shareBefore / 2 || share > mostByChance) return
    this.leniency = leniency * share
    this.lenientSince = now
    this.open()
  }
}
