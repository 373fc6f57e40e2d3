import * as Duration from "effect/Duration"

/**
 * A duration in milliseconds; `undefined` if it is no duration, or an endless one. `Duration` itself throws on input
 * that its types exclude, and reads a negative one as zero: callers without types deserve a typed error instead.
 */
export const toMillis = (input: Duration.DurationInput): number | undefined => {
  if (typeof input === "number" && !(input >= 0)) return undefined
  if (typeof input === "string" && input.startsWith("-")) return undefined
  try {
    const millis = Duration.toMillis(input)
    return Number.isFinite(millis) ? millis : undefined
  } catch {
    return undefined
  }
}
