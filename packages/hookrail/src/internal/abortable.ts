import * as Effect from "effect/Effect"

/** Something under way outside of Effect. */
export interface Abortable {
  /** Ends it, if it has not ended. Whoever waits for it hears nothing any more. */
  readonly abort: () => void
}

/** Nothing is under way, or not any more. */
export const nothing: Abortable = { abort: () => {} }

/**
 * An effect that waits for a callback; interruption aborts what is under way.
 *
 * It is `Effect.async` with a finalizer in half the steps: this runs for every request, and a successful one needs none of
 * the finalizer's machinery.
 */
export const abortable = <A, E>(
  begin: (resume: (rest: Effect.Effect<A, E>) => void) => Abortable
): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) => {
    let running = nothing
    return Effect.catchAllCause(
      restore(Effect.async<A, E>((resume) => {
        running = begin(resume)
      })),
      (cause) => {
        running.abort()
        return Effect.failCause(cause)
      }
    )
  })
