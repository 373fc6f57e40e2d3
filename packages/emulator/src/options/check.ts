/** A wrong value of an option. Callers turn it into their own error. */
export class Invalid extends Error {
  constructor(readonly option: string, message: string) {
    super(message)
  }
}

/** Throws an {@link Invalid} for a wrong value. `at` is the path of the option, empty at the top level. */
export type Check = (value: unknown, at: string) => void

/** One check per field of a type, so that none is forgotten. */
export type Fields<A> = { readonly [K in keyof A]-?: Check }

const join = (at: string, name: string): string => at === "" ? name : `${at}.${name}`

const words = (list: ReadonlyArray<string>): string =>
  list.length < 2 ? list.join("") : `${list.slice(0, -1).join(", ")} or ${list[list.length - 1]}`

/** Shows a value in a message. Not for secrets. */
export const show = (value: unknown): string => {
  if (typeof value === "string") {
    const text = value.replace(/\/\/[^/@]*@/, "//***@")
    return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
  }
  if (value === undefined || value === null || typeof value === "number" || typeof value === "boolean") {
    return String(value)
  }
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`
}

const showKind = (value: unknown): string =>
  value === ""
    ? "an empty string"
    : typeof value === "string"
    ? "a string"
    : typeof value === "number"
    ? "a number"
    : show(value)

/** Edit distance: letters changed, added, dropped, or swapped with the next one. */
const distance = (a: string, b: string): number => {
  let [before, last]: [Array<number>, Array<number>] = [[], Array.from({ length: b.length + 1 }, (_, index) => index)]
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      next[j] = Math.min(last[j]! + 1, next[j - 1]! + 1, last[j - 1]! + same)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) next[j] = Math.min(next[j]!, before[j - 2]! + 1)
    }
    ;[before, last] = [last, next]
  }
  return last[b.length]!
}

/** The known name that was probably meant. */
export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const limit = Math.max(1, Math.floor(name.length / 3))
  const ranked = known
    .map((other) => ({ other, far: distance(name.toLowerCase(), other.toLowerCase()) }))
    .sort((a, b) => a.far - b.far)
  return ranked[0] !== undefined && ranked[0].far <= limit ? ranked[0].other : undefined
}

const refuse = (at: string, expected: string, got: string): never => {
  throw new Invalid(at, `${at === "" ? "the options" : at} must be ${expected}, got ${got}`)
}

/** Accepts `undefined`. */
export const optional = (check: Check): Check => (value, at) => {
  if (value !== undefined) check(value, at)
}

/** A number within bounds, both included. */
export const number = (
  least: number,
  most: number = Number.MAX_VALUE,
  { whole = false }: { readonly whole?: boolean } = {}
): Check =>
(value, at) => {
  if (typeof value === "number" && value >= least && value <= most && (!whole || Number.isInteger(value))) return
  const range = most < Number.MAX_VALUE
    ? ` of ${least}..${most}`
    : least > -Number.MAX_VALUE
    ? ` of at least ${least}`
    : ""
  refuse(at, `a ${whole ? "whole " : ""}number${range}`, show(value))
}

/** A whole number within bounds, both included. */
export const whole = (least: number, most?: number): Check => number(least, most, { whole: true })

/** A number above 0, which may be infinite. */
export const positive: Check = (value, at) => {
  if (!(typeof value === "number" && value > 0)) refuse(at, "a number above 0", show(value))
}

/** Milliseconds for a native timer, up to the longest it supports. */
export const timer = (least: number): Check => number(least, 2 ** 31 - 1)

/** A string. */
export const text: Check = (value, at) => {
  if (typeof value !== "string") refuse(at, "a string", show(value))
}

/** A non-empty string. */
export const filled: Check = (value, at) => {
  if (typeof value !== "string" || value === "") refuse(at, "a non-empty string", show(value))
}

/** A topic pattern. A star elsewhere is taken literally, which is never intended. */
export const topicPattern: Check = (value, at) => {
  const star = typeof value === "string" ? value.indexOf("*") : 0
  const fits = value === "*" || (typeof value === "string" && value !== "" &&
    (star < 0 || (star > 1 && star === value.length - 1 && value[star - 1] === ".")))
  if (!fits) refuse(at, "a topic, a prefix followed by \".*\" (as in \"orders.*\"), or \"*\"", show(value))
}

/** A non-empty string whose value is never shown. */
export const secret: Check = (value, at) => {
  if (typeof value !== "string" || value === "") refuse(at, "a non-empty string", showKind(value))
}

/** True or false. */
export const flag: Check = (value, at) => {
  if (typeof value !== "boolean") refuse(at, "true or false", show(value))
}

/** A function. */
export const callback: Check = (value, at) => {
  if (typeof value !== "function") refuse(at, "a function", show(value))
}

/** One of some strings. */
export const oneOf = (...known: ReadonlyArray<string>): Check => (value, at) => {
  if (typeof value === "string" && known.includes(value)) return
  const meant = typeof value === "string" ? nearest(value, known) : undefined
  const hint = meant === undefined ? "" : `; did you mean "${meant}"?`
  refuse(at, words(known.map((one) => `"${one}"`)), show(value) + hint)
}

/** A list whose items pass a check. `hidden` if the items are secrets. */
export const list = (check: Check, { hidden = false }: { readonly hidden?: boolean } = {}): Check => (value, at) => {
  if (!Array.isArray(value)) return refuse(at, "a list", hidden ? showKind(value) : show(value))
  for (const [index, item] of (value as ReadonlyArray<unknown>).entries()) check(item, `${at}[${index}]`)
}

/** `false`, or an object that passes a check. */
export const orFalse = (check: Check): Check => (value, at) => {
  if (value === false) return
  if (typeof value !== "object" || value === null) return refuse(at, "false or an object", show(value))
  check(value, at)
}

/** An object with these fields and no others. `takes` names its kind in messages, `example` shows one. */
export const object = <A>(fields: Fields<A>, takes?: string, example?: string): Check => (value, at) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(at, example === undefined ? "an object" : `an object, such as ${example},`, show(value))
  }
  const known = Object.keys(fields)
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue
    const meant = nearest(name, known)
    const hint = meant === undefined ? `: ${takes ?? "it"} takes ${known.join(", ")}` : `; did you mean "${meant}"?`
    const owner = at === "" ? "there is no option" : `${at} has no option`
    throw new Invalid(join(at, name), `${owner} ${JSON.stringify(name.slice(0, 60))}${hint}`)
  }
  for (const [name, check] of Object.entries<Check>(fields)) {
    check((value as Record<string, unknown>)[name], join(at, name))
  }
}

/** Runs a check and converts its error. */
export const checked = (
  check: Check,
  value: unknown,
  at: string,
  errorOf: (message: string, option: string) => Error
): void => {
  try {
    check(value, at)
  } catch (error) {
    throw error instanceof Invalid ? errorOf(error.message, error.option) : error
  }
}
