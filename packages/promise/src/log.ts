/** Where log lines go: those of the core, and those of this package. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Logger from "effect/Logger"
import { CurrentLogAnnotations } from "effect/References"
import { Reason } from "hookrail/options/check"
import { fromCore } from "./fromCore.js"
import type { Log, LogEntry } from "./types.js"

/**
 * Writes a line. Never throws: a log has no effect on what it tells of.
 *
 * @internal
 */
export type Write = (entry: LogEntry) => void

type Console = Exclude<Log, false | ((entry: LogEntry) => unknown)>

/**
 * Calls a function of the user's that is only told something: what it throws or rejects with is ignored.
 *
 * @internal
 */
export const tell = <A>(listener: (what: A) => unknown, what: A): void => {
  try {
    const answer = listener(what)
    if (typeof answer === "object" && answer !== null) void Promise.resolve(answer).then(undefined, () => {})
  } catch {
    // Ignored.
  }
}

const methods = { debug: "debug", info: "info", warning: "warn", error: "error" } as const

/** Calls the method on each line: programs and tests replace those of `console`. */
const writeTo = (target: Console, { annotations, error, level, message }: LogEntry): unknown => {
  const ids = Object.entries(annotations).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`).join("")
  // Some messages of the core begin with it.
  const prefix = message.startsWith("hookrail:") ? "" : "hookrail: "
  return target[methods[level]](`${prefix}${message}${ids}`, ...(error === undefined ? [] : [error]))
}

const isUrgent = ({ level }: LogEntry): boolean => level === "warning" || level === "error"

/**
 * Checks the option `log`.
 *
 * @internal
 */
export const logOf = (log: unknown): Write | Reason => {
  if (log === undefined) {
    return (entry) => {
      if (isUrgent(entry)) tell((entry) => writeTo(console, entry), entry)
    }
  }
  if (log === false) return () => {}
  if (typeof log === "function") return (entry) => tell(log as (entry: LogEntry) => unknown, entry)
  const target = (log ?? {}) as Console
  return Object.values(methods).every((method) => typeof target[method] === "function")
    ? (entry) => tell((entry) => writeTo(target, entry), entry)
    : new Reason(
      "must be a function, false, or an object with the methods debug, info, warn and error, such as console"
    )
}

const levels: { readonly [tag: string]: LogEntry["level"] } = {
  Info: "info",
  Warn: "warning",
  Error: "error",
  Fatal: "error"
}

const loggerOf = (write: Write): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, fiber, logLevel, message }) =>
    write({
      level: levels[logLevel] ?? "debug",
      message: [message].flat().map(String).join(" "),
      annotations: { ...fiber.getRef(CurrentLogAnnotations) },
      ...(cause.reasons.length === 0 ? {} : { error: thrownOf(cause) })
    })
  )

/** What a handler threw, unchanged; errors of the core become those of this package. */
const thrownOf = (cause: Cause.Cause<unknown>): unknown => {
  const thrown = Cause.squash(cause)
  try {
    return fromCore(thrown)
  } catch {
    return thrown
  }
}

/**
 * The context whose fibers log by `write` alone: the default logger of Effect prints to the standard output.
 *
 * @internal
 */
export const contextOf = (write: Write): Context.Context<never> =>
  Context.make(Logger.CurrentLoggers, new Set([loggerOf(write)]))
