/** Lets requests go when it is their turn: a limited number at a time, and paced while the server is overloaded. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Abortable, Callback, type Listener, nothing } from "../fiber/callback.js"
import { parseRetryAfter } from "../wire/retryAfter.js"
import type { Overload, Stats, Turn } from "./model.js"
import { Pace, type Settings } from "./pace.js"
import { Queue, type Queued } from "./queue.js"
import { GateTimeoutError, type Service } from "./service.js"

/** When a request began that met no pace: its answer says nothing about a later pace. */
const beforeOverload = -Infinity

/** How often the deadlines of the waiting are looked at, in milliseconds. */
const lookEvery = 1_000

/** Somebody who waits. */
class Waiter implements Queued<Waiter> {
  next: Waiter | undefined
  previous: Waiter | undefined
  /** It has its place. */
  entered = false
  /** Set while it sleeps. A fiber that has to keep the pace, and is the first, waits on a timer instead. */
  wake: ((next: Effect.Effect<void, GateTimeoutError>) => void) | undefined

  constructor(readonly turn: Turn, readonly queue: Queue<Waiter>) {}
}

class PacedGate implements Service {
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

  constructor(private readonly settings: Settings) {}

  readonly run: Service["run"] = (request, turn, overloadOf) =>
    request instanceof Callback
      ? new Passage(this, request, turn, overloadOf)
      : Effect.uninterruptibleMask((restore) =>
        this.enter()
          ? this.runInPlace(restore(request), overloadOf, beforeOverload)
          : this.waitAndRun(restore, this.enqueue(turn), request, overloadOf)
      )

  readonly stats: Effect.Effect<Stats> = Effect.map(Clock.currentTimeMillis, (now) => ({
    inFlight: this.inFlight,
    waiting: this.newcomers.size + this.retries.size,
    rate: this.pace === undefined || this.pace.isOver(now) ? Infinity : this.pace.rate
  }))

  /** There is a pace to keep, which takes a fiber. */
  get isPaced(): boolean {
    return this.pace !== undefined
  }

  /** Takes a place, if there is one, nobody waits, and there is no pace to keep. */
  enter(): boolean {
    const isOpen = this.pace === undefined && this.inFlight < this.settings.maxInFlight &&
      this.newcomers.size === 0 && this.retries.size === 0
    if (isOpen) this.inFlight++
    return isOpen
  }

  enqueue(turn: Turn): Waiter {
    const waiter = new Waiter(turn, turn.attempts > 0 ? this.retries : this.newcomers)
    waiter.queue.add(waiter)
    return waiter
  }

  mayGo(waiter: Waiter): boolean {
    return this.inFlight < this.settings.maxInFlight && waiter === this.first()
  }

  take(waiter: Waiter): void {
    waiter.queue.delete(waiter)
    waiter.entered = true
    this.inFlight++
    this.wakeFirst()
  }

  /** Waits no longer. */
  quit(waiter: Waiter): void {
    // Its turn may have come already.
    if (waiter.entered) return this.release()
    waiter.queue.delete(waiter)
    this.wakeFirst()
  }

  /** Gives the place back, after an answer or without one. */
  leave(overload: Overload | undefined, clock: Clock.Clock): void {
    if (overload !== undefined) this.slowDown(overload, beforeOverload, clock.unsafeCurrentTimeMillis())
    this.release()
  }

  /** To be run where it cannot be interrupted. */
  waitAndRun<A, E, R>(
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

  /** Runs a request that has its place, and gives the place back. To be run where it cannot be interrupted. */
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

  /** In a loop, not recursively: the one that is woken may finish at once, and so may all that wait behind it. */
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

  /** Those that would wait in vain learn it now, not only at the front of the queue. */
  private sendAway(pace: Pace, now: number): void {
    this.nextLook = now + lookEvery
    for (const queue of [this.retries, this.newcomers]) {
      for (const waiter of queue) {
        if (isTooLate(waiter, pace, now)) waiter.wake?.(Effect.fail(new GateTimeoutError({ status: this.status })))
      }
    }
  }

  private slowDown(overload: Overload, started: number, now: number): void {
    const retryAfter = parseRetryAfter(overload.retryAfter, now) ?? 0
    this.status = overload.status
    if (this.pace === undefined || this.pace.isOver(now)) this.pace = new Pace(this.settings, now, retryAfter)
    else this.pace.overloaded(now, started, retryAfter)
  }
}

/** The way of a request through the gate that needs no fiber as long as there is no pace to keep. */
class Passage<A, E> extends Callback<A, E | GateTimeoutError> {
  constructor(
    private readonly gate: PacedGate,
    private readonly request: Callback<A, E>,
    private readonly turn: Turn,
    private readonly overloadOf: (answer: A) => Overload | undefined
  ) {
    super()
  }

  begin(listener: Listener<A, E | GateTimeoutError>, clock: Clock.Clock): Abortable {
    const { gate, overloadOf, request, turn } = this
    if (gate.isPaced) {
      listener.resume(
        Effect.uninterruptibleMask((restore) => gate.waitAndRun(restore, gate.enqueue(turn), request, overloadOf))
      )
      return nothing
    }
    const passing = new Passing(gate, request, turn, overloadOf, listener, clock)
    passing.begin()
    return passing
  }
}

/** A passage under way: it waits for its place, or is in it and waits for its answer. */
class Passing<A, E> implements Listener<A, E>, Abortable {
  private isOver = false
  private waiter: Waiter | undefined
  private running = nothing

  constructor(
    private readonly gate: PacedGate,
    private readonly request: Callback<A, E>,
    private readonly turn: Turn,
    private readonly overloadOf: (answer: A) => Overload | undefined,
    private readonly listener: Listener<A, E | GateTimeoutError>,
    private readonly clock: Clock.Clock
  ) {}

  begin(): void {
    if (this.gate.enter()) return this.go()
    const waiter = this.gate.enqueue(this.turn)
    waiter.wake = () => this.wake(waiter)
    this.waiter = waiter
  }

  resume(rest: Effect.Effect<A, E>): void {
    if (this.isOver) return
    if (Exit.isExit(rest)) this.listener.resume(this.end(rest as Exit.Exit<A, E>))
    else this.listener.resume(Effect.flatMap(Effect.exit(rest), (exit) => this.end(exit)))
  }

  abort(): void {
    if (this.isOver) return
    this.isOver = true
    if (this.waiter !== undefined) return this.gate.quit(this.waiter)
    this.gate.leave(undefined, this.clock)
    this.running.abort()
  }

  private wake(waiter: Waiter): void {
    if (this.gate.isPaced) {
      // A pace began while it waited, and to keep it takes a fiber.
      waiter.wake = undefined
      this.listener.resume(Effect.uninterruptibleMask((restore) => {
        this.isOver = true
        return this.gate.waitAndRun(restore, waiter, this.request, this.overloadOf)
      }))
    } else if (this.gate.mayGo(waiter)) {
      waiter.wake = undefined
      this.waiter = undefined
      this.gate.take(waiter)
      this.go()
    }
  }

  private go(): void {
    try {
      this.running = this.request.begin(this, this.clock)
    } catch (defect) {
      this.resume(Effect.die(defect))
    }
  }

  /** Gives the place back. */
  private end(exit: Exit.Exit<A, E>): Exit.Exit<A, E> {
    if (this.isOver) return exit
    this.isOver = true
    let overload: Overload | undefined
    // Often called from outside of Effect: a defect must not end up in a transport.
    try {
      if (Exit.isSuccess(exit)) overload = this.overloadOf(exit.value)
    } catch (defect) {
      exit = Exit.die(defect)
    }
    this.gate.leave(overload, this.clock)
    return exit
  }
}

const isTooLate = ({ turn }: Waiter, pace: Pace, now: number): boolean =>
  turn.deadline < Math.max(now, pace.pausedUntil)

export const make = (settings: Settings): Service => new PacedGate(settings)

/** Each fiber on its own: no limit, no slowing down. */
export const none: Service = {
  run: (request) => request,
  stats: Effect.succeed({ inFlight: 0, waiting: 0, rate: Infinity })
}
