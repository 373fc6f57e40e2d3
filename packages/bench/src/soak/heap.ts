/** Whether the heap grows. */
import { Effect, Schedule } from "effect"
import { median } from "../stats.js"

/**
 * How much larger the last third of the samples may be than the middle third, in bytes. In sound runs of one and of five minutes
 * the medians differed by less than half a megabyte. At 70 sends per second a leak of 1.5 KB per send exceeds it in one minute, a
 * leak of 300 bytes in five.
 */
export const toleranceBytes = 2 * 2 ** 20

/** Takes samples at regular intervals, after a full collection if `node --expose-gc` allows it. */
export const sampling = (samples: Array<number>, everyMs: number): Effect.Effect<unknown> =>
  Effect.sync(() => {
    globalThis.gc?.()
    samples.push(process.memoryUsage().heapUsed)
  }).pipe(Effect.repeat(Schedule.spaced(everyMs)))

/** The median of the last third of the samples minus that of the middle third, in bytes. */
export const growth = (samples: ReadonlyArray<number>): number => {
  const third = Math.floor(samples.length / 3)
  return third === 0 ? 0 : median(samples.slice(-third)) - median(samples.slice(-2 * third, -third))
}
