/** Lets requests go when it is their turn: a limited number at a time, and paced while the server is overloaded. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { parseRetryAfter } from "../wire/retryAfter.js"
import type { Overload, Stats, Turn } from "./model.js"
import { Pace, type Settings } from "./pace.js"
import { Queue, type Queued } from "./queue.js"
import { GateTimeoutError, type Service } from "./service.js"

/** When a request began that met no pace: what comes of it is old news to any. */
const beforeOverload = -Infinity

/** How often the deadlines of the waiting are looked at, in milliseconds. */
const lookEvery = 1_000

/** Somebody who waits. */
export class Waiter implements Queued<Waiter> {
  next: Waiter | undefined
  previous: Waiter | undefined
  /** It has its place. */
  entered = false
  /** Set while it sleeps. A fiber that has to keep the pace, and is the first, waits on a timer instead. */
  wake: ((next: Effect.Effect<void, GateTimeoutError>) => void) | undefined

  constructor(readonly turn: Turn, readonly queue: Queue<Waiter>) {}
}

/** Somebody who wants a place and has no fiber to wait with. */
export interface Candidate {
  readonly turn: Turn
  /** It has a place. */
  readonly onPlace: () => void
  /** While it waited, a pace began, and to keep it takes a fiber. It goes on with `runFrom`, or says that it quits. */
  readonly onPace: (waiter: Waiter) => void
}

/** A gate that a request can pass without a fiber, as long as there is no pace to keep. */
export abstract class DirectGate implements Service {
  abstract readonly run: Service["run"]
  abstract readonly stats: Service["stats"]
  /** Gives a place, now or later; `false` if there is a pace to keep. The waiter is for quitting. */
  abstract admit(candidate: Candidate): Waiter | boolean
  /** Runs a request from its waiting on. `onStart` is called when it does so. */
  abstract runFrom<A, E>(
    waiter: Waiter,
    request: Effect.Effect<A, E>,
    overloadOf: (answer: A) => Overload | undefined,
    onStart: () => void
  ): Effect.Effect<A, E | GateTimeoutError>
  /** Waits no longer. */
  abstract quit(waiter: Waiter): void
  /** Gives the place back, after an answer or without one. */
  abstract leave(overload: Overload | undefined, clock: Clock.Clock): void
}

class PacedGate extends DirectGate {
  private inFlight = 0
  // Calls that have been tried before go first: they came before all that have not.
  private readonly retries = new Queue<Waiter>()
  private readonly newcomers = new Queue<Waiter>()
  // Only while the server is overloaded, and then the status that said so last.
  private pace: Pace | undefined
  private status = 0
  private nextLook = 0
  private isWaking = false
  private wakeAgain = false

  constructor(private readonly settings: Settings) {
    super()
  }

  readonly run: Service["run"] = (request, turn, overloadOf) =>
    Effect.uninterruptibleMask((restore) =>
      this.enter()
        ? this.runInPlace(restore(request), overloadOf, beforeOverload)
        : this.waitAndRun(restore, this.enqueue(turn), request, overloadOf)
    )

  readonly stats: Effect.Effect<Stats> = Effect.map(Clock.currentTimeMillis, (now) => ({
    inFlight: this.inFlight,
    waiting: this.newcomers.size + this.retries.size,
    rate: this.pace === undefined || this.pace.isOver(now) ? Infinity : this.pace.rate
  }))

  admit(candidate: Candidate): Waiter | boolean {
    if (this.enter()) {
      candidate.onPlace()
      return true
    }
    if (this.pace !== undefined) return false
    const waiter = this.enqueue(candidate.turn)
    waiter.wake = () => {
      if (this.pace !== undefined) {
        waiter.wake = undefined
        candidate.onPace(waiter)
      } else if (this.mayGo(waiter)) {
        waiter.wake = undefined
        this.take(waiter)
        candidate.onPlace()
      }
    }
    return waiter
  }

  runFrom<A, E>(
    waiter: Waiter,
    request: Effect.Effect<A, E>,
    overloadOf: (answer: A) => Overload | undefined,
    onStart: () => void
  ): Effect.Effect<A, E | GateTimeoutError> {
    return Effect.uninterruptibleMask((restore) => {
      onStart()
      return this.waitAndRun(restore, waiter, request, overloadOf)
    })
  }

  quit(waiter: Waiter): void {
    // Its turn may have come already.
    if (waiter.entered) return this.release()
    waiter.queue.delete(waiter)
    this.wakeFirst()
  }

  leave(overload: Overload | undefined, clock: Clock.Clock): void {
    if (overload !== undefined) this.slowDown(overload, beforeOverload, clock.unsafeCurrentTimeMillis())
    this.release()
  }

  /** Takes a place, if there is one, nobody waits, and there is no pace to keep. */
  private enter(): boolean {
    const isOpen = this.pace === undefined && this.inFlight < this.settings.maxInFlight &&
      this.newcomers.size === 0 && this.retries.size === 0
    if (isOpen) this.inFlight++
    return isOpen
  }

  private enqueue(turn: Turn): Waiter {
    const waiter = new Waiter(turn, turn.attempts > 0 ? this.retries : this.newcomers)
    waiter.queue.add(waiter)
    return waiter
  }

  private release(): void {
    this.inFlight--
    this.wakeFirst()
  }

  // -------------------------------------------------------------------------------------------------------------
  // waiting
  // -------------------------------------------------------------------------------------------------------------

  private first(): Waiter | undefined {
    return this.retries.first ?? this.newcomers.first
  }

  private mayGo(waiter: Waiter): boolean {
    return this.inFlight < this.settings.maxInFlight && waiter === this.first()
  }

  /** In a loop, not from within: who is woken may be through at once, and so may all who wait behind. */
  private wakeFirst(): void {
    this.wakeAgain = true
    if (this.isWaking) return
    this.isWaking = true
    try {
      while (this.wakeAgain) {
        this.wakeAgain = false
        this.first()?.wake?.(Effect.void)
      }
    } finally {
      this.isWaking = false
    }
  }

  /** Waits for the turn of a waiter, and gives the time it began. */
  private turnOf(waiter: Waiter): Effect.Effect<number, GateTimeoutError> {
    return Effect.suspend(() => {
      if (this.pace !== undefined) {
        return Effect.flatMap(Clock.currentTimeMillis, (now) => this.pacedTurnOf(waiter, now))
      }
      if (!this.mayGo(waiter)) return this.asleep(waiter)
      this.take(waiter)
      return Effect.succeed(beforeOverload)
    })
  }

  private pacedTurnOf(waiter: Waiter, now: number): Effect.Effect<number, GateTimeoutError> {
    const { pace } = this
    if (pace === undefined || pace.isOver(now)) {
      this.pace = undefined
      return this.turnOf(waiter)
    }
    if (isTooLate(waiter, pace, now)) return Effect.fail(new GateTimeoutError({ status: this.status }))
    if (!this.mayGo(waiter)) return this.asleep(waiter)
    if (now >= this.nextLook) this.sendAway(pace, now)
    const delay = pace.delay(now)
    if (delay > 0) return Effect.flatMap(Effect.sleep(Math.min(delay, lookEvery)), () => this.turnOf(waiter))
    pace.start(now)
    this.take(waiter)
    return Effect.succeed(now)
  }

  private take(waiter: Waiter): void {
    waiter.queue.delete(waiter)
    waiter.entered = true
    this.inFlight++
    this.wakeFirst()
  }

  private asleep(waiter: Waiter): Effect.Effect<number, GateTimeoutError> {
    return Effect.flatMap(
      Effect.async<void, GateTimeoutError>((resume) => {
        // Its turn may have come while the fiber was on its way to here.
        if (this.mayGo(waiter)) return resume(Effect.void)
        waiter.wake = (next) => {
          waiter.wake = undefined
          resume(next)
        }
      }),
      () => this.turnOf(waiter)
    )
  }

  /** Those who would wait in vain need not wait for the front of the queue to learn it. */
  private sendAway(pace: Pace, now: number): void {
    this.nextLook = now + lookEvery
    for (const queue of [this.retries, this.newcomers]) {
      for (const waiter of queue) {
        if (isTooLate(waiter, pace, now)) waiter.wake?.(Effect.fail(new GateTimeoutError({ status: this.status })))
      }
    }
  }

  // -------------------------------------------------------------------------------------------------------------
  // what the answers say
  // -------------------------------------------------------------------------------------------------------------

  private slowDown(overload: Overload, started: number, now: number): void {
    const retryAfter = parseRetryAfter(overload.retryAfter, now) ?? 0
    this.status = overload.status
    if (this.pace === undefined || this.pace.isOver(now)) this.pace = new Pace(this.settings, now, retryAfter)
    else this.pace.overloaded(now, started, retryAfter)
  }

  /** To be called where it cannot be interrupted. */
  private waitAndRun<A, E, R>(
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
    waiter: Waiter,
    request: Effect.Effect<A, E, R>,
    overloadOf: (answer: A) => Overload | undefined
  ): Effect.Effect<A, E | GateTimeoutError, R> {
    return Effect.flatMap(
      Effect.onError(restore(this.turnOf(waiter)), () => Effect.sync(() => this.quit(waiter))),
      (started) => this.runInPlace(restore(request), overloadOf, started)
    )
  }

  /** Runs a request that has its place, and gives the place back. To be called where it cannot be interrupted. */
  private runInPlace<A, E, R>(
    request: Effect.Effect<A, E, R>,
    overloadOf: (answer: A) => Overload | undefined,
    started: number
  ): Effect.Effect<A, E, R> {
    return Effect.matchCauseEffect(request, {
      onFailure: (cause) => {
        this.release()
        return Effect.failCause(cause)
      },
      onSuccess: (answer) => {
        const overload = overloadOf(answer)
        if (overload === undefined) {
          this.pace?.answered(started)
          this.release()
          return Effect.succeed(answer)
        }
        return Effect.map(Clock.currentTimeMillis, (now) => {
          this.slowDown(overload, started, now)
          this.release()
          return answer
        })
      }
    })
  }
}

const isTooLate = ({ turn }: Waiter, pace: Pace, now: number): boolean =>
  turn.deadline < Math.max(now, pace.pausedUntil)

class OpenGate extends DirectGate {
  readonly run: Service["run"] = (request) => request
  readonly stats: Effect.Effect<Stats> = Effect.succeed({ inFlight: 0, waiting: 0, rate: Infinity })

  admit(candidate: Candidate): boolean {
    candidate.onPlace()
    return true
  }

  // Nobody ever waits.
  runFrom<A, E>(_: Waiter, request: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return request
  }
  quit(): void {}
  leave(): void {}
}

export const make = (settings: Settings): Service => new PacedGate(settings)

/** Each fiber on its own: no limit, no slowing down. */
export const none: Service = new OpenGate()
