/** Tells an operator why a client is slow: logs changes of the gate's state, at most one per second. */
import * as Runtime from "effect/Runtime"
import { type Line, logged } from "../fiber/log.js"
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
  void Runtime.runFork(runtime, logged(lineOf(change)))

export const lineOf = ({ rate, state, status, waiting, what }: Change): Line => ({
  level: state === "open" ? "info" : "warning",
  message: `hookrail: ${what} ${
    state === "open"
      ? "are no longer slowed down"
      : state === "paced"
      ? `are slowed down to ${Math.round(10 * rate) / 10} per second: the server answers ${status}`
      : `wait, one is tried after each pause: the server answers nothing but ${status}`
  }`,
  annotations: { "hookrail.gate.state": state, "hookrail.gate.waiting": waiting }
})
