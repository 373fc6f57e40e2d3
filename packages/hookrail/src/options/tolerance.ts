/** Checks of the signature tolerance, without Effect: `@hookrail/promise/verify` does not contain it. */

/** Shared, so that every entry point reports an invalid tolerance in the same words. */
export const toleranceReason =
  "must be 0 or at least 1 second, such as \"5 minutes\" or 300000 (a number is milliseconds)"

/** Signature timestamps are whole seconds, so a number from 1 to 999 must have been meant as seconds. */
export const isTolerance = (millis: number): boolean => millis === 0 || (millis >= 1000 && millis < Infinity)

const units: Readonly<Record<string, number>> = {
  milli: 1,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000
}

/** The milliseconds in a number or text, as Effect reads them; `NaN` for anything else. */
export const millisOf = (input: unknown): number => {
  if (typeof input === "number") return input
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s+(\w+?)s?$/.exec(input as string) ?? []
  return Number(amount) * units[unit!]!
}
