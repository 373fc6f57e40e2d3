import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"

/** Something under way outside of Effect. */
export interface Abortable {
  /** Ends it, if it has not ended. Whoever waits for it hears nothing any more. */
  readonly abort: () => void
}

/** Nothing is under way, or not any more. */
export const nothing: Abortable = { abort: () => {} }

type Begin<A, E> = (resume: (rest: Effect.Effect<A, E>) => void) => Abortable

/**
 * An effect that waits for a callback; interruption aborts what is under way.
 *
 * It is `Effect.async` with a finalizer in half the steps: this runs for every request, and a successful one needs none of
 * the finalizer's machinery.
 */
export const abortable = <A, E>(begin: Begin<A, E>): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) => waitFor(restore, begin))

/** The same within a region that cannot be interrupted. `onFailure` hears of failures, interruption among them. */
export const waitFor = <A, E>(
  restore: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>,
  begin: Begin<A, E>,
  onFailure?: (cause: Cause.Cause<E>) => void
): Effect.Effect<A, E> => {
  let running = nothing
  return Effect.catchAllCause(
    restore(Effect.async<A, E>((resume) => {
      running = begin(resume)
    })),
    (cause) => {
      running.abort()
      onFailure?.(cause)
      return Effect.failCause(cause)
    }
  )
}
