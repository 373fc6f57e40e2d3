/** Steps of the wall clock, as an administrator makes them, or a machine that wakes up. Monotonic time and timers go on. */
import { Effect, type Scope } from "effect"

/** Milliseconds away from the right time, one after the other: an hour back, and two minutes ahead. */
const offsets: ReadonlyArray<number> = [-3_600_000, 0, 120_000, 0]

/**
 * Steps the wall clock of this process at regular intervals, as long as the scope is open. Both clients take their wall time from
 * `Date.now`, by Effect's `Clock`. Returns the number of steps so far.
 */
export const steppingClock = (everyMs: number): Effect.Effect<() => number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const real = Date.now
      let steps = 0
      let offset = 0
      Date.now = () => real() + offset
      const timer = setInterval(() => {
        offset = offsets[steps++ % offsets.length]!
      }, everyMs)
      return {
        steps: () => steps,
        restore: () => {
          clearInterval(timer)
          Date.now = real
        }
      }
    }),
    ({ restore }) => Effect.sync(restore)
  ).pipe(Effect.map(({ steps }) => steps))
