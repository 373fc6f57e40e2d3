/** Checks of what callers without types, or with a slip of the pen, pass. */
import { suggestion } from "hookrail/options/check"
import { OutboxConfigError } from "./errors.js"

export const refuse = (option: string, reason: string): never => {
  throw new OutboxConfigError({ option, reason })
}

/** What something is, in a sentence about what it should be. */
const described = (value: unknown): string => {
  if (typeof value === "function") return "a function"
  if (typeof value !== "object" || value === null) {
    return value === undefined || value === null
      ? `${value}`
      : `a ${typeof value}`
  }
  return typeof (value as { readonly then?: unknown }).then === "function"
    ? "a Promise: await it first"
    : "something else"
}

/** Throws unless all names of the options are known: one that is misspelt would be ignored. */
export const checkNames = (options: object, names: ReadonlyArray<string>, within = ""): void => {
  if (typeof options !== "object" || options === null) {
    return refuse(within === "" ? "options" : within, `must be an object with ${names.join(", ")}`)
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue
    refuse(within === "" ? name : `${within}.${name}`, `does not exist: ${suggestion(name, names)}`)
  }
}

const isDialect = (dialect: unknown): boolean => dialect === "postgres" || dialect === "sqlite"

export const checkDialect = (dialect: unknown): void => {
  if (!isDialect(dialect)) refuse("dialect", "must be \"postgres\" or \"sqlite\"")
}

/** Throws unless statements can be run over it. */
export const checkExecutor = (executor: unknown): void => {
  const { dialect, execute, inTransaction } = Object(executor) as {
    readonly dialect?: unknown
    readonly execute?: unknown
    readonly inTransaction?: unknown
  }
  if (typeof execute !== "function" || typeof inTransaction !== "function") {
    refuse("executor", "must run statements: make one of your connection with fromPg, fromSqlite and so on")
  }
  if (!isDialect(dialect)) refuse("executor", "must say its dialect, \"postgres\" or \"sqlite\"")
}

/** Throws unless the handle of a driver has the method that is used. */
export const checkHandle = (maker: string, handle: unknown, method: string, kind: string): void => {
  const has = handle !== undefined && handle !== null &&
    typeof (handle as Readonly<Record<string, unknown>>)[method] === "function"
  if (!has) refuse(`handle of ${maker}`, `must be ${kind}, but it is ${described(handle)}`)
}
