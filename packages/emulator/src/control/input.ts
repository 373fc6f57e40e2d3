import { problem } from "../http/problem.js"
import type { Answer } from "../http/wire.js"
import { type Check, Invalid, nearest, show } from "../options/check.js"

/** A refusal that a call throws, with its answer. */
export class Refused extends Error {
  constructor(readonly answer: Answer) {
    super("refused")
  }
}

/** Refuses a call. */
export const refuse = (status: number, title: string, detail: string): never => {
  throw new Refused(problem(status, title, detail))
}

/** 404. */
export const found = <A>(value: A | undefined, what: string): A =>
  value ?? refuse(404, "not found", `there is no ${what} with that id`)

/** 400 for a wrong input; the detail names the field and says what is valid. */
export const invalid = (detail: string): never => refuse(400, "invalid input", detail)

/** Checks a body and gives it its type. An absent body counts as an empty object. */
export const input = <A>(check: Check, body: unknown): A => {
  const value = body ?? {}
  try {
    check(value, "")
  } catch (error) {
    throw error instanceof Invalid ? new Refused(problem(400, "invalid input", error.message)) : error
  }
  return value as A
}

/** The values of a query: each at most once, and no others than these. */
export const queryValues = <Name extends string>(
  query: URLSearchParams,
  names: ReadonlyArray<Name>
): Partial<Record<Name, string>> => {
  const values: Partial<Record<Name, string>> = {}
  for (const [name, value] of query) {
    const known = names.find((one) => one === name)
    if (known === undefined) {
      const meant = nearest(name, names)
      return invalid(
        `there is no parameter ${show(name)}${
          meant === undefined ? `: this call takes ${names.join(", ")}` : `; did you mean "${meant}"?`
        }`
      )
    }
    if (values[known] !== undefined) return invalid(`${name} is given twice`)
    values[known] = value
  }
  return values
}

/** A whole number of a query. */
export const wholeNumber = (
  name: string,
  text: string | undefined,
  least: number,
  most: number
): number | undefined => {
  if (text === undefined) return undefined
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN
  return value >= least && value <= most
    ? value
    : invalid(`${name} must be a whole number of ${least}..${most}, got ${show(text)}`)
}
