/**
 * What stands in the bundle for Effect's `Duration`: milliseconds, and the texts that the facade accepts. The original counts
 * nanoseconds and is ten times as large. Values are rounded as the original rounds them, to a nanosecond.
 */
import type * as Original from "effect/Duration"
import { millisOf } from "hookrail/options/tolerance"

// What is not defined here is that of the original: a test sees to it that none of it is in the bundle.
export * from "effect/Duration"

class Millis {
  constructor(readonly count: number) {}
}

/** To those who use it, it is the type of the original. */
const made = (count: number) => new Millis(count) as unknown as Original.Duration

export const isDuration = (u: unknown): u is Original.Duration => u instanceof Millis

export const millis = (count: number): Original.Duration =>
  made(Number.isInteger(count) ? count : Math.round(count * 1e6) / 1e6 || 0)

export const seconds = (count: number): Original.Duration => millis(count * 1_000)

export const minutes = (count: number): Original.Duration => millis(count * 60_000)

export const zero: Original.Duration = /* #__PURE__ */ made(0)

export const fromInputUnsafe = (input: Original.Input): Original.Duration => {
  if (isDuration(input)) return input
  const count = typeof input === "number" || typeof input === "string" ? millisOf(input) : NaN
  // As the original, which takes a number that is none for zero, and throws at everything else.
  if (count !== count && typeof input !== "number") throw new Error(`Invalid duration: ${String(input)}`)
  return millis(count)
}

export const toMillis = (input: Original.Input): number => (fromInputUnsafe(input) as unknown as Millis).count

export const min = (self: Original.Duration, that: Original.Duration): Original.Duration =>
  toMillis(self) < toMillis(that) ? self : that

export const max = (self: Original.Duration, that: Original.Duration): Original.Duration =>
  toMillis(self) > toMillis(that) ? self : that

const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }

export const format = (self: Original.Duration): string => {
  const count = toMillis(self)
  if (!Number.isFinite(count)) return String(count)
  if (count < 0) return `-${format(made(-count))}`
  const parts: Array<string> = []
  let rest = Math.floor(count)
  const nanos = Math.round((count - rest) * 1e6)
  for (const [unit, size] of Object.entries(units)) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)}${unit}`)
    rest %= size
  }
  if (nanos > 0) parts.push(`${nanos}ns`)
  return parts.join(" ") || "0"
}
