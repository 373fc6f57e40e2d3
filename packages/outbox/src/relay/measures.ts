/** What is measured, for every system of metrics: the command's and Effect's have the same names. */
import type { OutboxStats } from "../operate/events.js"
import type { RelayStats } from "./model.js"

export interface Measure<A> {
  readonly name: string
  readonly help: string
  readonly of: (stats: A) => number
}

const measure = <A>(name: string, help: string, of: (stats: A) => number): Measure<A> => ({ name, help, of })

const count = (name: keyof RelayStats, help: string): Measure<RelayStats> =>
  measure(name.replace(/[A-Z]/g, (it) => `_${it.toLowerCase()}`), help, (stats) => stats[name] as number)

/** They only grow. */
export const counters: ReadonlyArray<Measure<RelayStats>> = [
  count("accepted", "Events that the server accepted."),
  count("replayed", "Accepted events that the server had accepted before."),
  count("failed", "Attempts that failed and are repeated."),
  count("parked", "Events that were parked until somebody decides."),
  count("dead", "Events that were moved to the dead letters."),
  count("claims", "Statements that claim events."),
  count("emptyClaims", "Claims that found nothing."),
  count("claimed", "Events that were claimed."),
  count("released", "Claimed events that were given back untried."),
  count("fenced", "Results that came after another relay had taken over."),
  count("acks", "Statements that delete accepted events."),
  count("acked", "Accepted events that were deleted."),
  count("databaseErrors", "Statements that failed.")
]

export const gauges: ReadonlyArray<Measure<RelayStats>> = [
  count("inFlight", "Ordering keys, and events without one, that are being sent."),
  count("queued", "Claimed events that wait for their turn."),
  measure("gate_closed_seconds", "For how long the relay still pauses.", ({ gateClosedMs }) => gateClosedMs / 1_000)
]

/** Of the table, for all relays together. */
export const depths: ReadonlyArray<Measure<OutboxStats>> = [
  measure("pending", "Events that wait, counted up to 100000.", ({ pending }) => pending),
  measure("oldest_age_seconds", "For how long the oldest of them has been waiting.", (it) => it.oldestAgeMs / 1_000),
  measure("parked_events", "Events that are parked.", ({ parked }) => parked),
  measure("blocked_keys", "Ordering keys that a parked event blocks.", ({ blockedKeys }) => blockedKeys),
  measure("dead_events", "Dead letters.", ({ dead }) => dead)
]
