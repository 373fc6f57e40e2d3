/** Milliseconds, possibly fractional, in whole microseconds, PostgreSQL's resolution. */
export const microsOf = (millis: number): number => Math.round(millis * 1000)

/** A time as the server writes it: RFC 3339 in UTC, zeros at the end of the fraction cut (protocol section 5.1). */
export const formatTime = (millis: number): string => {
  const micros = microsOf(millis)
  const seconds = Math.floor(micros / 1_000_000)
  const fraction = String(micros - seconds * 1_000_000).padStart(6, "0").replace(/0+$/, "")
  return new Date(seconds * 1000).toISOString().slice(0, -".000Z".length) + (fraction === "" ? "" : `.${fraction}`) +
    "Z"
}

/** RFC 3339 as Go parses it: one digit is enough for the hour, and a comma may replace the point. */
const shape = /^(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/

/** Parses RFC 3339 into microseconds since 1970; undefined if malformed, or if there is no such date or time. */
export const parseTime = (text: string): number | undefined => {
  const match = shape.exec(text)
  if (match === null) return undefined
  const part = (index: number): number => Number(match[index] ?? 0)
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map(part) as [
    number,
    number,
    number,
    number,
    number,
    number
  ]
  const [zoneHour, zoneMinute] = [part(9), part(10)]
  if (hour > 23 || minute > 59 || second > 59 || zoneHour > 24 || zoneMinute > 60) return undefined
  const date = new Date(0)
  // Not Date.UTC, which maps the years 0 to 99 to 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day)
  // A day beyond the end of the month has rolled over.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined
  const offset = (zoneHour * 60 + zoneMinute) * (match[8] === "-" ? -1 : 1)
  const seconds = date.getTime() / 1000 + (hour * 60 + minute - offset) * 60 + second
  return seconds * 1_000_000 + Number((match[7] ?? "").slice(0, 6).padEnd(6, "0"))
}
