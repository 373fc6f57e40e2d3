/** Parses the `Retry-After` header: whole seconds, or one of the three date formats of HTTP. */

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

const imf = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const rfc850 =
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const asctime = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/

/** Parses an HTTP date into milliseconds since 1970; `undefined` if it is invalid. Stricter than `Date.parse`, on purpose. */
export const parseHttpDate = (text: string, now: number): number | undefined => {
  let match = imf.exec(text)
  if (match !== null) return instant(match[3], match[2], match[1], match[4], match[5], match[6])
  match = asctime.exec(text)
  if (match !== null) return instant(match[6], match[1], match[2], match[3], match[4], match[5])
  match = rfc850.exec(text)
  if (match === null) return undefined
  // A two-digit year that appears to be more than 50 years ahead is in the past (RFC 9110, section 5.6.7).
  const thisYear = new Date(now).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + Number(match[3])
  return instant(`${year > thisYear + 50 ? year - 100 : year}`, match[2], match[1], match[4], match[5], match[6])
}

const instant = (
  year: string | undefined,
  month: string | undefined,
  day: string | undefined,
  hour: string | undefined,
  minute: string | undefined,
  second: string | undefined
): number | undefined => {
  const monthIndex = months.indexOf(month ?? "")
  const [d, h, m, s] = [Number(day), Number(hour), Number(minute), Number(second)]
  // Second 60 is a leap second.
  if (monthIndex < 0 || h > 23 || m > 59 || s > 60) return undefined
  const time = Date.UTC(Number(year), monthIndex, d, h, m, s)
  const date = new Date(Date.UTC(Number(year), monthIndex, d))
  return date.getUTCDate() === d && date.getUTCMonth() === monthIndex ? time : undefined
}

/**
 * How long the server asks to wait, in milliseconds from `now`, never negative. `undefined` if the header is absent, or neither
 * seconds nor a date. Only ASCII digits count.
 */
export const parseRetryAfter = (value: string | undefined, now: number): number | undefined => {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^[0-9]+$/.test(text)) return Math.min(Number(text) * 1_000, Number.MAX_SAFE_INTEGER)
  const date = parseHttpDate(text, now)
  return date === undefined ? undefined : Math.max(0, date - now)
}
