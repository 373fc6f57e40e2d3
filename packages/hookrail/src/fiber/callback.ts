/**
 * The callback protocol that requests, the gate, calls and the facade's promises share.
 *
 * A `Callback` is an effect that can also be started without a fiber. Its `Listener` is resumed once, with an effect of what
 * remains to be done: usually just the result. Until then the operation can be aborted.
 */
import type * as Cause from "effect/Cause"
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import { asynchronous, type Wait, withOnlyClock } from "./services.js"

/**
 * An operation that runs outside of Effect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Abortable {
  /** Ends the operation, unless it has ended, and frees its resources. Its listener is not called afterwards. */
  readonly abort: () => void
}

/**
 * Receives the end of a callback-based operation.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listener<in A, in E> {
  /** Call it once, with what remains to be done: `Effect.succeed` with the result, or `Effect.fail` with an error. */
  readonly resume: (rest: Effect.Effect<A, E>) => void
}

/** Nothing to abort. */
export const nothing: Abortable = { abort: () => {} }

/** An effect that can be started without a fiber. */
export abstract class Callback<A, E> extends Effectable.Class<A, E> {
  /** Starts the operation. It may call the listener before it returns, and must not throw. */
  abstract begin(listener: Listener<A, E>, clock: Clock): Abortable

  /** Runs the operation in a fiber; interruption aborts it. */
  run(clock: Clock, wait: Wait = asynchronous): Effect.Effect<A, E> {
    return wait((resume) => this.begin(new Resuming(resume), clock))
  }

  override commit(): Effect.Effect<A, E> {
    return withOnlyClock((clock) => this.run(clock))
  }
}

/** Starts an effect as far as that is possible without a fiber. */
export const begin = <A, E>(effect: Effect.Effect<A, E>, listener: Listener<A, E>, clock: Clock): Abortable => {
  if (effect instanceof Callback) return (effect as Callback<A, E>).begin(listener, clock)
  listener.resume(effect)
  return nothing
}

/** Runs an effect in a fiber whose clock is known, and how to wait in it. */
export const run = <A, E>(effect: Effect.Effect<A, E>, clock: Clock, wait: Wait): Effect.Effect<A, E> =>
  effect instanceof Callback ? (effect as Callback<A, E>).run(clock, wait) : effect

/** Resumes a waiting fiber. */
class Resuming<A, E> implements Listener<A, E> {
  constructor(readonly resume: (rest: Effect.Effect<A, E>) => void) {}
}

/**
 * Waits for an operation, in an uninterruptible region. `map` may change what remains to be done; `onFailure` is called with
 * failures, including interruption.
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

/** Whether an effect is already a result. */
export const isSuccess = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Success<A, never> =>
  Exit.isExit(effect) && Exit.isSuccess(effect)
