/** Durations are measured on a clock that never steps. The wall clock is for dates: those of HTTP, and of signatures. */
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"
import { liveClock, withOnlyClock } from "./services.js"

/**
 * Milliseconds since some moment. They go on while the wall clock is set, and while the process is stopped; `TestClock`
 * drives them as it drives the wall clock. The default clock would make two bigints for each reading.
 */
export const monotonicNow = (clock: Clock): number =>
  clock === liveClock ? performance.now() : Number(clock.unsafeCurrentTimeNanos()) / 1_000_000

export const monotonic: Effect.Effect<number> = withOnlyClock((clock) => Effect.succeed(monotonicNow(clock)))
