import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import type { Ground } from "../fiber/ground.js"

/** What a log line is about. */
export interface Ids {
  readonly [name: string]: string
}

/** Writes to the log. A logger that fails, or cannot print a cause, has no effect on the request. */
export const note = (
  ground: Ground,
  level: LogLevel.LogLevel,
  message: string,
  ids?: Ids | undefined,
  cause: Cause.Cause<unknown> = Cause.empty
): void => {
  const line = Effect.logWithLevel(level, message, cause)
  ground.run(ids === undefined ? line : Effect.annotateLogs(line, ids))
}

/** Any value as text, even if converting it throws. */
export const textOf = (value: unknown): string => {
  try {
    return String(value)
  } catch {
    return "(it cannot be shown)"
  }
}
