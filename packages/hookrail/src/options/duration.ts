/** Checks of durations. */
import * as Duration from "effect/Duration"
import { type Check, Reason } from "./check.js"
import { isTolerance, toleranceReason } from "./tolerance.js"

/**
 * A duration in milliseconds, or `undefined` if it is invalid or infinite. `Duration` itself throws on input that its types
 * exclude, and reads a negative duration as zero. Untyped callers get a typed error instead.
 */
export const toMillis = (input: unknown): number | undefined => {
  try {
    const parts = typeof input === "string" ? [Number.parseFloat(input)] : [input].flat()
    if (parts.some((part) => typeof part !== "object" && !((part as number) >= 0))) return undefined
    // Effect 4 takes it for zero.
    if (typeof input === "object" && Object.keys(input ?? {}).length === 0 && !Duration.isDuration(input)) {
      return undefined
    }
    const millis = Duration.toMillis(input as Duration.DurationInput)
    return Number.isFinite(millis) ? millis : undefined
  } catch {
    return undefined
  }
}

const example = "such as \"20 seconds\" (a number alone is milliseconds)"

/**
 * A finite duration in milliseconds, above 0 and at most `atMost`.
 *
 * @since 0.1.0
 * @category options
 */
export const duration = (atMost?: Duration.DurationInput): Check<number> => {
  const most = atMost === undefined ? Infinity : Duration.toMillis(atMost)
  const reason = new Reason(
    `must be a finite duration above 0${atMost === undefined ? "" : `, at most ${String(atMost)}`}, ${example}`
  )
  return (value) => {
    const millis = toMillis(value)
    return millis === undefined || millis <= 0 || millis > most ? reason : millis
  }
}

/** How far the timestamp of a signature may be off, in milliseconds. */
export const tolerance: Check<number> = (value) => {
  const millis = toMillis(value)
  return millis !== undefined && isTolerance(millis) ? millis : mustBeTolerance
}

const mustBeTolerance = new Reason(toleranceReason)

export const positiveDuration: Check<number> = duration()
