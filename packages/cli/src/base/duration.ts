/** Durations on the command line: `30s`, `500ms`, `5m`, `2 hours`; a number alone is seconds. */
import { usage } from "./exit.js"

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const unitOf = (name: string): number | undefined => {
  if (name === "" || /^s(ec(ond)?s?)?$/.test(name)) return units.s
  if (/^(ms|milli(second)?s?)$/.test(name)) return units.ms
  if (/^m(in(ute)?s?)?$/.test(name)) return units.m
  if (/^h((ou)?rs?)?$/.test(name)) return units.h
  return /^d(ays?)?$/.test(name) ? units.d : undefined
}

/** In milliseconds. `name` is the flag, for the message. */
export const millisOf = (name: string, text: string): number => {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? []
  const factor = unitOf(unit.toLowerCase())
  const millis = Number(number) * (factor ?? Number.NaN)
  if (Number.isFinite(millis)) return millis
  throw usage(`${name} must be a duration, such as 30s, 500ms or 5m, but is ${JSON.stringify(text)}`)
}
