/** Checks of the tolerance of signatures, without Effect: `@hookrail/promise/verify` has none. */

/** The one wording, whichever entry is given a tolerance that cannot work. */
export const toleranceReason =
  "must be 0 or at least 1 second, such as \"5 minutes\" or 300000 (a number is milliseconds)"

/** Signatures are made to the second: a number below 1000 can only be one of seconds. */
export const isTolerance = (millis: number): boolean => millis === 0 || (millis >= 1000 && millis < Infinity)

const units: Readonly<Record<string, number>> = {
  milli: 1,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000
}

/** The milliseconds of a number or a text, as Effect reads them; `NaN` for anything else. */
export const millisOf = (input: unknown): number => {
  if (typeof input === "number") return input
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s+(\w+?)s?$/.exec(input as string) ?? []
  return Number(amount) * units[unit!]!
}
