/** Lets requests start when it is their turn. Sends, reads and checks of `/readyz` each have their own lane. */
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Abortable, Callback, type Listener, nothing } from "../fiber/callback.js"
import { withOnlyClock } from "../fiber/services.js"
import { monotonic } from "../fiber/time.js"
import { Lane, type Waiter } from "./lane.js"
import type { LaneStats, Overload, Stats, Turn } from "./model.js"
import type { Settings } from "./pace.js"
import { type Report, Reporter } from "./report.js"
import type { GateTimeoutError, Service } from "./service.js"

type OverloadOf<A> = (answer: A) => Overload | undefined

class PacedGate implements Service {
  private readonly sends: Lane
  private readonly reads: Lane
  // Never paced: its answers say nothing about load.
  private readonly looks: Lane

  constructor(settings: Settings, report: Report) {
    const reporter = new Reporter(report)
    this.sends = new Lane("sends", settings, reporter)
    this.reads = new Lane("reads", settings, reporter)
    this.looks = new Lane("reads", settings, reporter)
  }

  readonly run: Service["run"] = (request, turn, overloadOf) => {
    const lane = turn.kind === "read" ? this.reads : turn.kind === "look" ? this.looks : this.sends
    return request instanceof Callback
      ? new Passage(lane, request, turn, overloadOf)
      : withOnlyClock((clock) =>
        Effect.uninterruptibleMask((restore) =>
          lane.enter()
            ? runInPlace(lane, restore(request), overloadOf, lane.pace.era, clock)
            : waitAndRun(lane, restore, lane.enqueue(turn), request, overloadOf, clock)
        )
      )
  }

  readonly stats: Effect.Effect<Stats> = Effect.map(monotonic, (now) => ({
    ...this.sends.stats(now),
    reads: this.reads.stats(now)
  }))
}

/** Call it in an uninterruptible region. */
const waitAndRun = <A, E, R>(
  lane: Lane,
  restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
  waiter: Waiter,
  request: Effect.Effect<A, E, R>,
  overloadOf: OverloadOf<A>,
  clock: Clock
): Effect.Effect<A, E | GateTimeoutError, R> =>
  Effect.flatMap(
    Effect.catchAllCause(restore(lane.turnOf(waiter, clock)), (cause) => {
      lane.quit(waiter)
      return Effect.failCause(cause)
    }),
    (era) => runInPlace(lane, restore(request), overloadOf, era, clock)
  )

/** Runs a request that has its place, and returns the place. Call it in an uninterruptible region. */
const runInPlace = <A, E, R>(
  lane: Lane,
  request: Effect.Effect<A, E, R>,
  overloadOf: OverloadOf<A>,
  era: number,
  clock: Clock
): Effect.Effect<A, E, R> => Effect.flatMap(Effect.exit(request), (exit) => leave(lane, exit, overloadOf, era, clock))

/** Returns a place. May be called outside of Effect: a defect must not reach the transport. */
const leave = <A, E>(
  lane: Lane,
  exit: Exit.Exit<A, E>,
  overloadOf: OverloadOf<A>,
  era: number,
  clock: Clock
): Exit.Exit<A, E> => {
  let overload: Overload | undefined
  try {
    if (Exit.isSuccess(exit)) overload = overloadOf(exit.value)
  } catch (defect) {
    exit = Exit.die(defect)
  }
  if (Exit.isSuccess(exit)) lane.answered(era, overload, clock)
  else lane.release()
  return exit
}

/**
 * A request on its way through the gate: waits for its place, or has it and waits for its answer. Needs no fiber while the gate
 * is open.
 */
class Passage<A, E> extends Callback<A, E | GateTimeoutError> implements Listener<A, E>, Abortable {
  private isOver = false
  /** The request has called back; the place is returned when the remaining effect ends. */
  private isAnswered = false
  private era = 0
  private waiter: Waiter | undefined
  private running = nothing
  // Set when it begins.
  private listener!: Listener<A, E | GateTimeoutError>
  private clock!: Clock

  constructor(
    private readonly lane: Lane,
    private readonly request: Callback<A, E>,
    private readonly turn: Turn,
    private readonly overloadOf: OverloadOf<A>
  ) {
    super()
  }

  begin(listener: Listener<A, E | GateTimeoutError>, clock: Clock): Abortable {
    const { lane, overloadOf, request, turn } = this
    // An effect may run again: the second time it is another passage.
    if (this.clock !== undefined) return new Passage(lane, request, turn, overloadOf).begin(listener, clock)
    this.listener = listener
    this.clock = clock
    if (lane.isPaced) {
      this.isOver = true
      listener.resume(
        Effect.uninterruptibleMask((restore) =>
          waitAndRun(lane, restore, lane.enqueue(turn), request, overloadOf, clock)
        )
      )
    } else if (lane.enter()) {
      this.go()
    } else {
      const waiter = lane.enqueue(turn)
      waiter.wake = () => this.wake(waiter)
      this.waiter = waiter
    }
    return this
  }

  resume(rest: Effect.Effect<A, E>): void {
    if (this.isOver || this.isAnswered) return
    this.isAnswered = true
    if (Exit.isExit(rest)) this.listener.resume(this.end(rest as Exit.Exit<A, E>))
    else this.listener.resume(Effect.flatMap(Effect.exit(rest), (exit) => this.end(exit)))
  }

  abort(): void {
    if (this.isOver) return
    this.isOver = true
    if (this.waiter !== undefined) return this.lane.quit(this.waiter)
    this.lane.release()
    this.running.abort()
  }

  private wake(waiter: Waiter): void {
    const { clock, lane, overloadOf, request } = this
    if (lane.isPaced) {
      // The gate became paced while this one waited: waiting for a turn then takes a fiber.
      waiter.wake = undefined
      this.listener.resume(Effect.uninterruptibleMask((restore) => {
        this.isOver = true
        return waitAndRun(lane, restore, waiter, request, overloadOf, clock)
      }))
    } else if (lane.mayGo(waiter)) {
      waiter.wake = undefined
      this.waiter = undefined
      lane.take(waiter)
      this.go()
    }
  }

  private go(): void {
    this.era = this.lane.pace.era
    try {
      this.running = this.request.begin(this, this.clock)
    } catch (defect) {
      this.resume(Effect.die(defect))
    }
  }

  /** Returns the place. */
  private end(exit: Exit.Exit<A, E>): Exit.Exit<A, E> {
    if (this.isOver) return exit
    this.isOver = true
    return leave(this.lane, exit, this.overloadOf, this.era, this.clock)
  }
}

export const make = (settings: Settings, report: Report): Service => new PacedGate(settings, report)

const idle: LaneStats = { state: "open", inFlight: 0, waiting: 0, rate: Infinity }

/** No gate: no limit and no slowing down. */
export const none: Service = {
  run: (request) => request,
  stats: Effect.succeed({ ...idle, reads: idle })
}
