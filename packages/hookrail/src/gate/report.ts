/** Tells an operator why a client is slow: logs changes of the gate's state, at most one per second. */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type { State } from "./model.js"

export interface Change {
  readonly what: "sends" | "reads"
  readonly state: State
  readonly rate: number
  readonly waiting: number
  /** The status of the last overload. */
  readonly status: number
}

export type Report = (change: Change) => void

/** The shortest time between two lines, in milliseconds. */
const interval = 1_000

/** Skips changes that follow another line too soon. The next check reports what has changed by then. */
export class Reporter {
  private next = -Infinity

  constructor(private readonly report: Report) {}

  /** Returns whether the change was reported. */
  tell(now: number, change: Change): boolean {
    if (now < this.next) return false
    this.next = now + interval
    this.report(change)
    return true
  }
}

/**
 * Logs through the loggers in force where the gate is made. The state may change by the answer to any call that shares the
 * gate, so the annotations of that call would be misleading.
 */
export const loggedBy = (runtime: Runtime.Runtime<never>): Report => (change) =>
  void Runtime.runFork(runtime, lineOf(change))

const lineOf = ({ rate, state, status, waiting, what }: Change): Effect.Effect<void> => {
  const rounded = Math.round(10 * rate) / 10
  const line = state === "open"
    ? Effect.logInfo(`hookrail: ${what} are no longer slowed down`)
    : state === "paced"
    ? Effect.logWarning(`hookrail: ${what} are slowed down to ${rounded} per second: the server answers ${status}`)
    : Effect.logWarning(
      `hookrail: ${what} wait, one is tried after each pause: the server answers nothing but ${status}`
    )
  return Effect.annotateLogs(line, { "hookrail.gate.state": state, "hookrail.gate.waiting": waiting })
}
