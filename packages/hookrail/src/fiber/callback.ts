/**
 * The one protocol for what works by callbacks: requests, their way through the gate, calls, and the facade's promises.
 *
 * A `Callback` is an effect that can also be begun without a fiber. Whoever begins it passes a `Listener`, which hears once
 * what remains to be done: as a rule the result, which is an effect too. What is under way can be aborted.
 */
import type * as Cause from "effect/Cause"
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import { withClock } from "./services.js"

/**
 * Something under way outside of Effect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Abortable {
  /** Ends it, if it has not ended, and frees what it holds. Its listener hears nothing any more. */
  readonly abort: () => void
}

/**
 * Hears how something ended that works by callbacks.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listener<in A, in E> {
  /** Takes what remains to be done: `Effect.succeed` with the result, `Effect.fail` with an error. To be called once. */
  readonly resume: (rest: Effect.Effect<A, E>) => void
}

/** Nothing is under way, or not any more. */
export const nothing: Abortable = { abort: () => {} }

/** An effect that can be begun without a fiber. */
export abstract class Callback<A, E> extends Effectable.Class<A, E> {
  /** Begins it. The listener may hear of the end at once. Must not throw. */
  abstract begin(listener: Listener<A, E>, clock: Clock): Abortable

  /** Waits for it in a fiber; interruption aborts it. */
  run(clock: Clock): Effect.Effect<A, E> {
    return Effect.uninterruptibleMask((restore) => waitFor(restore, (listener) => this.begin(listener, clock)))
  }

  override commit(): Effect.Effect<A, E> {
    return withClock((clock) => this.run(clock))
  }
}

/** Begins an effect as far as that is possible without a fiber. */
export const begin = <A, E>(effect: Effect.Effect<A, E>, listener: Listener<A, E>, clock: Clock): Abortable => {
  if (effect instanceof Callback) return (effect as Callback<A, E>).begin(listener, clock)
  listener.resume(effect)
  return nothing
}

/** Waits for an effect in a fiber whose clock is known. */
export const run = <A, E>(effect: Effect.Effect<A, E>, clock: Clock): Effect.Effect<A, E> =>
  effect instanceof Callback ? (effect as Callback<A, E>).run(clock) : effect

/** Hands what comes back to the fiber that waits for it. */
class Resuming<A, E> implements Listener<A, E> {
  constructor(readonly resume: (rest: Effect.Effect<A, E>) => void) {}
}

/**
 * Waits in a region that cannot be interrupted. `map` may change what remains to be done, `onFailure` hears of failures,
 * interruption among them.
 *
 * It is `Effect.async` with a finalizer in half the steps: this runs for every request, and a successful one needs none of
 * the finalizer's machinery.
 */
export const waitFor = <A, E>(
  restore: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>,
  begin: (listener: Listener<A, E>) => Abortable,
  map?: (rest: Effect.Effect<A, E>) => Effect.Effect<A, E>,
  onFailure?: (cause: Cause.Cause<E>) => void
): Effect.Effect<A, E> => {
  let running = nothing
  return Effect.catchAllCause(
    restore(Effect.async<A, E>((resume) => {
      running = begin(new Resuming(map === undefined ? resume : (rest) => resume(map(rest))))
    })),
    (cause) => {
      running.abort()
      onFailure?.(cause)
      return Effect.failCause(cause)
    }
  )
}

/** Whether an effect is a result already. */
export const isSuccess = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Success<A, never> =>
  Exit.isExit(effect) && Exit.isSuccess(effect)
