import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import type { Ground } from "../fiber/ground.js"

/** What a line of the log is about. */
export interface Ids {
  readonly [name: string]: string
}

/** Writes to the log. A logger that fails, or cannot show a cause, changes nothing. */
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

/** Anything as text, even what throws on the way. */
export const textOf = (value: unknown): string => {
  try {
    return String(value)
  } catch {
    return "(it cannot be shown)"
  }
}
