import * as Effect from "effect/Effect"

/** Lets at most a given number of effects run at a time; the others wait in the order they came. */
export interface Gate {
  readonly run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** How many run now. */
  readonly inFlight: () => number
}

export const make = (limit: number): Gate => {
  let inFlight = 0
  // A Set keeps the order of insertion and lets an interrupted waiter leave from the middle.
  const waiting = new Set<() => void>()

  const release = (): void => {
    for (const next of waiting) {
      // The place is handed over: the number in flight stays as it is.
      waiting.delete(next)
      return next()
    }
    inFlight--
  }
  const releasing = () => Effect.sync(release)

  const wait = Effect.async<void>((resume) => {
    const enter = () => resume(Effect.void)
    waiting.add(enter)
    // Interrupted after the place was handed over, but before the fiber took it: pass it on.
    return Effect.sync(() => {
      if (!waiting.delete(enter)) release()
    })
  })

  return {
    inFlight: () => inFlight,
    run: (effect) =>
      Effect.uninterruptibleMask((restore) => {
        if (inFlight >= limit) {
          return Effect.flatMap(restore(wait), () => Effect.onExit(restore(effect), releasing))
        }
        inFlight++
        return Effect.onExit(restore(effect), releasing)
      })
  }
}
