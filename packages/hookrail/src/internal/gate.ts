/** Lets requests go when it is their turn: a limited number at a time, and paced while the server is overloaded. */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Overload, SendGate, Turn } from "../SendGate.js"
import { matchRestored, type Restore } from "./callbackRequest.js"
import { Pace, type Settings } from "./pace.js"
import { parseRetryAfter } from "./retryAfter.js"

/**
 * A request has missed its turn: the budget of its call ended first.
 *
 * @since 0.1.0
 * @category errors
 */
export class GateTimeoutError extends Data.TaggedError("GateTimeoutError")<{
  /** The overload that slowed the gate down: 429 or 503. */
  readonly status: number
}> {
  override get message(): string {
    return `the request has missed its turn: the client slows down because of answers with ${this.status}`
  }
}

/** When a request began that met no pace: what comes of it is old news to any. */
const beforeOverload = -Infinity

/** How often the deadlines of the waiting are looked at, in milliseconds. */
const lookEvery = 1_000

/** A request that waits. It sleeps until it is woken, or on a timer if it is the first and has to keep the pace. */
interface Waiter {
  readonly turn: Turn
  /** It has its place. */
  entered: boolean
  wake: ((next: Effect.Effect<void, GateTimeoutError>) => void) | undefined
}

export const make = (settings: Settings): SendGate.Service => {
  let inFlight = 0
  // Calls that have been tried before go first: they came before all that have not. Sets keep the order of insertion and
  // let a waiter leave from the middle.
  const retries = new Set<Waiter>()
  const newcomers = new Set<Waiter>()
  // Only while the server is overloaded, and then the status that said so last.
  let pace: Pace | undefined
  let status = 0
  let nextLook = 0

  const first = (): Waiter | undefined => {
    for (const waiter of retries) return waiter
    for (const waiter of newcomers) return waiter
    return undefined
  }

  const mayGo = (waiter: Waiter): boolean => inFlight < settings.maxInFlight && waiter === first()

  const wakeFirst = (): void => first()?.wake?.(Effect.void)

  const leaveQueue = (waiter: Waiter): void => {
    if (!retries.delete(waiter)) newcomers.delete(waiter)
  }

  const release = (): void => {
    inFlight--
    wakeFirst()
  }

  // -------------------------------------------------------------------------------------------------------------
  // waiting
  // -------------------------------------------------------------------------------------------------------------

  /** Waits for the turn of a waiter, and gives the time it began. */
  const turnOf = (waiter: Waiter): Effect.Effect<number, GateTimeoutError> =>
    Effect.suspend(() => {
      if (pace !== undefined) return Effect.flatMap(Clock.currentTimeMillis, (now) => pacedTurnOf(waiter, now))
      return mayGo(waiter) ? enter(waiter, beforeOverload) : asleep(waiter)
    })

  const pacedTurnOf = (waiter: Waiter, now: number): Effect.Effect<number, GateTimeoutError> => {
    if (pace === undefined || pace.isOver(now)) {
      pace = undefined
      return turnOf(waiter)
    }
    if (isTooLate(waiter, pace, now)) return Effect.fail(new GateTimeoutError({ status }))
    if (!mayGo(waiter)) return asleep(waiter)
    if (now >= nextLook) sendAway(pace, now)
    const delay = pace.delay(now)
    if (delay > 0) return Effect.flatMap(Effect.sleep(Math.min(delay, lookEvery)), () => turnOf(waiter))
    pace.start(now)
    return enter(waiter, now)
  }

  const enter = (waiter: Waiter, now: number): Effect.Effect<number> => {
    leaveQueue(waiter)
    waiter.entered = true
    inFlight++
    wakeFirst()
    return Effect.succeed(now)
  }

  const asleep = (waiter: Waiter): Effect.Effect<number, GateTimeoutError> =>
    Effect.flatMap(
      Effect.async<void, GateTimeoutError>((resume) => {
        // Its turn may have come while the fiber was on its way to here.
        if (mayGo(waiter)) return resume(Effect.void)
        waiter.wake = (next) => {
          waiter.wake = undefined
          resume(next)
        }
      }),
      () => turnOf(waiter)
    )

  const isTooLate = ({ turn }: Waiter, pace: Pace, now: number): boolean =>
    turn.deadline < Math.max(now, pace.pausedUntil)

  /** Those who would wait in vain need not wait for the front of the queue to learn it. */
  const sendAway = (pace: Pace, now: number): void => {
    nextLook = now + lookEvery
    for (const queue of [retries, newcomers]) {
      for (const waiter of queue) {
        if (isTooLate(waiter, pace, now)) waiter.wake?.(Effect.fail(new GateTimeoutError({ status })))
      }
    }
  }

  /** One that failed or was interrupted, perhaps after its turn had come. */
  const leave = (waiter: Waiter): void => {
    if (waiter.entered) return release()
    leaveQueue(waiter)
    wakeFirst()
  }

  // -------------------------------------------------------------------------------------------------------------
  // what the answers say
  // -------------------------------------------------------------------------------------------------------------

  const slowDown = (overload: Overload, started: number): Effect.Effect<void> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const retryAfter = parseRetryAfter(overload.retryAfter, now) ?? 0
      status = overload.status
      if (pace === undefined || pace.isOver(now)) pace = new Pace(settings, now, retryAfter)
      else pace.overloaded(now, started, retryAfter)
    })

  /** Runs a request that has its place, and gives the place back. To be called where it cannot be interrupted. */
  const runInPlace = <A, E, R>(
    request: Effect.Effect<A, E, R>,
    restore: Restore,
    overloadOf: (answer: A) => Overload | undefined,
    started: number
  ): Effect.Effect<A, E, R> => {
    const onFailure = (cause: Cause.Cause<E>) => {
      release()
      return Effect.failCause(cause)
    }
    const onSuccess = (answer: A) => {
      const overload = overloadOf(answer)
      if (overload === undefined) {
        pace?.answered(started)
        release()
        return Effect.succeed(answer)
      }
      return Effect.map(slowDown(overload, started), () => {
        release()
        return answer
      })
    }
    return matchRestored(request, restore, onFailure, onSuccess)
  }

  return {
    run: (request, turn, overloadOf) =>
      Effect.uninterruptibleMask((restore) => {
        if (pace === undefined && inFlight < settings.maxInFlight && newcomers.size === 0 && retries.size === 0) {
          inFlight++
          return runInPlace(request, restore, overloadOf, beforeOverload)
        }
        const waiter: Waiter = { turn, entered: false, wake: undefined }
        const queue = turn.attempts > 0 ? retries : newcomers
        queue.add(waiter)
        return Effect.flatMap(
          Effect.onError(restore(turnOf(waiter)), () => Effect.sync(() => leave(waiter))),
          (started) => runInPlace(request, restore, overloadOf, started)
        )
      }),
    stats: Effect.map(Clock.currentTimeMillis, (now) => ({
      inFlight,
      waiting: newcomers.size + retries.size,
      rate: pace === undefined || pace.isOver(now) ? Infinity : pace.rate
    }))
  }
}

/** Each fiber on its own: no limit, no slowing down. */
export const none: SendGate.Service = {
  run: (request) => request,
  stats: Effect.succeed({ inFlight: 0, waiting: 0, rate: Infinity })
}
