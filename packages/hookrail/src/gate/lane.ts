/**
 * Requests of one kind: a limited number in flight at a time, the others in order of arrival, and paced while the server is
 * overloaded.
 */
import type { Clock } from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import { monotonicNow } from "../fiber/time.js"
import { parseRetryAfter } from "../wire/retryAfter.js"
import type { LaneStats, Overload, Turn } from "./model.js"
import { Pace, type Settings } from "./pace.js"
import { Queue, type Queued } from "./queue.js"
import type { Change, Reporter } from "./report.js"
import { GateTimeoutError } from "./service.js"

/** How often the deadlines of waiting requests are checked, in milliseconds. */
const lookEvery = 1_000

/** A pause in which nothing gets through is reported as an outage after this long, in milliseconds. */
const outage = 1_000

/** A request that waits for its turn. */
export class Waiter implements Queued<Waiter> {
  next: Waiter | undefined
  previous: Waiter | undefined
  /** It has its place. */
  entered = false
  /** Set while it sleeps. */
  wake: ((next: Effect.Effect<void, GateTimeoutError>) => void) | undefined
  /** The era in which the first waiter set a timer for its turn. Waking it is useless until the era changes. */
  timedIn = -1

  constructor(readonly turn: Turn, readonly queue: Queue<Waiter>) {}
}

export class Lane {
  readonly pace: Pace
  private inFlight = 0
  // Calls that have been tried before go first: they arrived earlier than any that have not.
  private readonly retries = new Queue<Waiter>()
  private readonly newcomers = new Queue<Waiter>()
  /** The status of the last overload. */
  private status = 0
  private told: Change["state"] = "open"
  private nextLook = -Infinity
  private isWaking = false
  private wakeAgain = false

  constructor(
    private readonly what: Change["what"],
    private readonly settings: Settings,
    private readonly reporter: Reporter
  ) {
    this.pace = new Pace(settings.maxPause)
  }

  stats(now: number): LaneStats {
    const { pace } = this
    if (pace.endIfUnbound(now)) this.changed(now)
    return {
      state: pace.state,
      inFlight: this.inFlight,
      waiting: this.newcomers.size + this.retries.size,
      rate: pace.rate
    }
  }

  /** Whether requests must wait for their turn, which takes a fiber. */
  get isPaced(): boolean {
    return this.pace.state !== "open"
  }

  // -------------------------------------------------------------------------------------------------------------
  // places
  // -------------------------------------------------------------------------------------------------------------

  /** Takes a place if one is free, nothing waits, and the gate is open. */
  enter(): boolean {
    const isFree = this.pace.state === "open" && this.hasRoom() &&
      this.newcomers.size === 0 && this.retries.size === 0
    if (isFree) this.inFlight++
    return isFree
  }

  enqueue(turn: Turn): Waiter {
    const waiter = new Waiter(turn, turn.attempts > 0 ? this.retries : this.newcomers)
    waiter.queue.add(waiter)
    return waiter
  }

  mayGo(waiter: Waiter): boolean {
    return this.hasRoom() && waiter === this.first()
  }

  private hasRoom(): boolean {
    return this.inFlight < this.pace.room(this.settings.maxInFlight)
  }

  take(waiter: Waiter): void {
    waiter.queue.delete(waiter)
    waiter.entered = true
    this.inFlight++
    this.wakeFirst()
  }

  /** Stops waiting. */
  quit(waiter: Waiter): void {
    // It may already have its place.
    if (waiter.entered) return this.release()
    waiter.queue.delete(waiter)
    this.wakeFirst()
  }

  /** Returns the place after an answer. `era` is the one in which the request started. */
  answered(era: number, overload: Overload | undefined, clock: Clock): void {
    const { pace } = this
    if (overload !== undefined) {
      const now = monotonicNow(clock)
      // Only an HTTP date needs the wall clock.
      const { retryAfter } = overload
      const wait = retryAfter === undefined ? 0 : parseRetryAfter(retryAfter, clock.unsafeCurrentTimeMillis()) ?? 0
      this.status = overload.status
      pace.overloaded(now, era, overload.status, wait)
      this.changed(now)
    } else if (pace.answered(era)) {
      const now = monotonicNow(clock)
      pace.look(now)
      this.changed(now)
    }
    this.release()
  }

  /** Returns the place without an answer. */
  release(): void {
    this.inFlight--
    this.wakeFirst()
  }

  private changed(now: number): void {
    const { pace, status, told, what } = this
    const { rate, state } = pace
    if (state === told) return
    // Near the limit, short pauses are part of pacing.
    if (state === "probing" && told === "paced" && now - pace.since < outage) return
    const waiting = this.newcomers.size + this.retries.size
    if (this.reporter.tell(now, { what, state, rate, waiting, status })) this.told = state
  }

  // -------------------------------------------------------------------------------------------------------------
  // waiting
  // -------------------------------------------------------------------------------------------------------------

  /**
   * While probing, prefers a request that was not refused yet: a few events that the server always refuses are not
   * representative of the others.
   */
  private first(): Waiter | undefined {
    return this.pace.state === "probing"
      ? this.newcomers.first ?? this.retries.first
      : this.retries.first ?? this.newcomers.first
  }

  /** In a loop, not recursively: the woken request may finish at once, and so may all that wait behind it. */
  private wakeFirst(): void {
    this.wakeAgain = true
    if (this.isWaking) return
    this.isWaking = true
    try {
      while (this.wakeAgain) {
        this.wakeAgain = false
        const first = this.first()
        if (first !== undefined && first.timedIn !== this.pace.era) first.wake?.(Effect.void)
      }
    } finally {
      this.isWaking = false
    }
  }

  /** Waits for the turn of a waiter, and returns the era in which its request starts. */
  turnOf(waiter: Waiter, clock: Clock): Effect.Effect<number, GateTimeoutError> {
    return Effect.suspend(() => {
      const { pace } = this
      if (pace.state === "open") {
        if (!this.mayGo(waiter)) return this.asleep(waiter, clock)
        this.take(waiter)
        return Effect.succeed(pace.era)
      }
      const now = monotonicNow(clock)
      if (this.isTooLate(waiter, now)) return Effect.fail(new GateTimeoutError({ status: this.status }))
      if (!this.mayGo(waiter)) return this.asleep(waiter, clock)
      if (now >= this.nextLook) this.sendAway(now)
      const delay = pace.delay(now)
      if (delay > 0) return this.timed(waiter, clock, Math.min(Math.ceil(delay), lookEvery))
      pace.start(now)
      this.changed(now)
      this.take(waiter)
      return Effect.succeed(pace.era)
    })
  }

  private asleep(waiter: Waiter, clock: Clock): Effect.Effect<number, GateTimeoutError> {
    return Effect.flatMap(
      Effect.async<void, GateTimeoutError>((resume) => {
        // Its turn may have come before the fiber got here.
        if (this.mayGo(waiter)) return resume(Effect.void)
        waiter.wake = (next) => {
          waiter.wake = undefined
          resume(next)
        }
      }),
      () => this.turnOf(waiter, clock)
    )
  }

  /** The first waiter sleeps until its turn, or until something changes. It can be woken as soon as this is called. */
  private timed(waiter: Waiter, clock: Clock, millis: number): Effect.Effect<number, GateTimeoutError> {
    let woken: Effect.Effect<void, GateTimeoutError> | undefined
    let resume: ((next: Effect.Effect<void, GateTimeoutError>) => void) | undefined
    let cancel: (() => void) | undefined
    const wake = (next: Effect.Effect<void, GateTimeoutError>) => {
      waiter.wake = undefined
      waiter.timedIn = -1
      woken = next
      cancel?.()
      resume?.(next)
    }
    waiter.wake = wake
    waiter.timedIn = this.pace.era
    const slept = (runtime: Runtime.Runtime<never>) =>
      Effect.async<void, GateTimeoutError>((go) => {
        if (woken !== undefined) return go(woken)
        resume = go
        // The timer has a fiber of its own: the clock may be any.
        const stop = Runtime.runCallback(runtime, clock.sleep(Duration.millis(millis)), {
          onExit: (exit) => {
            if (Exit.isSuccess(exit) && waiter.wake === wake) wake(Effect.void)
          }
        })
        cancel = () => stop()
        return Effect.sync(cancel)
      })
    return Effect.flatMap(Effect.flatMap(Effect.runtime<never>(), slept), () => this.turnOf(waiter, clock))
  }

  private isTooLate({ turn }: Waiter, now: number): boolean {
    return turn.deadline < now + this.pace.delay(now)
  }

  /** Fails those that would wait in vain now, instead of when they reach the front of the queue. */
  private sendAway(now: number): void {
    this.nextLook = now + lookEvery
    for (const queue of [this.retries, this.newcomers]) {
      for (const waiter of queue) {
        if (this.isTooLate(waiter, now)) waiter.wake?.(Effect.fail(new GateTimeoutError({ status: this.status })))
      }
    }
  }
}
