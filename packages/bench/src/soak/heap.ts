/** Whether the heap grows. */
import { Effect, Schedule } from "effect"
import { median } from "../stats.js"

/**
 * How much more the last third of the samples may hold than the middle third, in bytes. Their medians were less than half
 * a megabyte apart in sound runs of one and of five minutes. At 70 sends per second a leak of 1.5 KB per send exceeds it
 * in a minute, one of 300 bytes in five.
 */
export const toleranceBytes = 2 * 2 ** 20

/** Takes a sample at regular times, after a full collection where `node --expose-gc` allows one. */
export const sampling = (samples: Array<number>, everyMs: number): Effect.Effect<unknown> =>
  Effect.sync(() => {
    globalThis.gc?.()
    samples.push(process.memoryUsage().heapUsed)
  }).pipe(Effect.repeat(Schedule.spaced(everyMs)))

/** By how many bytes the median of the last third of the samples is above that of the middle third. */
export const growth = (samples: ReadonlyArray<number>): number => {
  const third = Math.floor(samples.length / 3)
  return third === 0 ? 0 : median(samples.slice(-third)) - median(samples.slice(-2 * third, -third))
}
