/** Lines for the log. The facade writes them itself, and contains no loggers. */
import * as Effect from "effect/Effect"

export interface Line {
  readonly level: "info" | "warning"
  readonly message: string
  readonly annotations: Readonly<Record<string, string | number>>
}

/** Writes a line as part of a call. */
export type Log = (line: Line) => Effect.Effect<void>

/** Writes it through the loggers in force. */
export const logged: Log = ({ annotations, level, message }) =>
  Effect.annotateLogs(level === "info" ? Effect.logInfo(message) : Effect.logWarning(message), annotations)
