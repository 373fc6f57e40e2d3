/** Tells an operator why a client is slow: a line in the log when the state of a gate changes, at most one a second. */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type { State } from "./model.js"

export interface Change {
  readonly what: "sends" | "reads"
  readonly state: State
  readonly rate: number
  readonly waiting: number
  /** Of the last overload. */
  readonly status: number
}

export type Report = (change: Change) => void

/** Between two lines, in milliseconds. */
const interval = 1_000

/** Leaves out what comes too soon after another line. What has changed by then is told later, by whoever looks next. */
export class Reporter {
  private next = -Infinity

  constructor(private readonly report: Report) {}

  /** Whether it was told. */
  tell(now: number, change: Change): boolean {
    if (now < this.next) return false
    this.next = now + interval
    this.report(change)
    return true
  }
}

/**
 * Through the loggers of the place where the gate is made. The call whose answer changed the state is any of those that
 * share the gate; its own annotations would mislead.
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
