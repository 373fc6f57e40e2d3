/** Checks the options of a relay. */
import { checkExecutor, checkNames, refuse } from "../check.js"
import { checkDestination } from "../enqueue/statement.js"
import { type Names, namesOf } from "../sql/names.js"
import type { RelayLog, RelayOptions } from "./model.js"

/** The longest lease. An expired lease says that its owner may have sent the event, this long before its end at the earliest. */
export const maxLease = 600_000

const hour = 3_600_000

export interface Settings {
  readonly names: Names
  readonly destination: string
  readonly batch: number
  readonly run: number
  readonly concurrency: number
  readonly leaseMs: number
  readonly sendTimeoutMs: number
  readonly pollMinMs: number
  readonly pollMaxMs: number
  readonly backoffBaseMs: number
  readonly backoffCapMs: number
  readonly maxAttempts: number
  readonly skips: boolean
  readonly ambiguousWindowMs: number
  readonly onLog: (entry: RelayLog) => void
}

const known = [
  "executor",
  "client",
  "schema",
  "prefix",
  "destination",
  "batch",
  "run",
  "concurrency",
  "leaseMs",
  "sendTimeoutMs",
  "poll",
  "backoff",
  "maxAttempts",
  "onDead",
  "ambiguousWindowMs",
  "onLog"
]

export const whole = (option: string, value: unknown, fallback: number, min: number, max: number): number => {
  if (value === undefined) return fallback
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value
  return refuse(option, `must be a whole number from ${min} to ${max}`)
}

/** A relay that stands still because of a wrong key must not be silent where nobody listens. */
const toConsole = (): (entry: RelayLog) => void => {
  const told = new Map<string, number>()
  return ({ fields, level, message }) => {
    // The same thing again within a minute, such as for each event of a backlog, says nothing new.
    const now = performance.now()
    if (level === "info" || now - (told.get(message) ?? -Infinity) < 60_000) return
    told.set(message, now)
    // eslint-disable-next-line no-console -- what nobody listens to
    console.warn(`hookrail relay: ${message}`, fields)
  }
}

/** Throws an `OutboxConfigError` for an invalid option, also for an unknown one. */
export const settingsOf = (options: RelayOptions): Settings => {
  if (options === undefined || typeof (options as { readonly execute?: unknown }).execute === "function") {
    refuse("executor", "must be a member of one object: startRelay({ executor, client })")
  }
  checkNames(options, known)
  const { backoff = {}, client, executor, onDead = "block", onLog = toConsole(), poll = {} } = options
  checkExecutor(executor)
  if (executor.inTransaction() === true) {
    refuse("executor", "must be in no transaction: each statement commits by itself")
  }
  if (typeof client?.sendEncoded !== "function") {
    refuse("client", "must be a client, such as new Hookrail() of @hookrail/promise")
  }
  checkNames(poll, ["minMs", "maxMs"], "poll")
  checkNames(backoff, ["baseMs", "capMs"], "backoff")
  if (onDead !== "block" && onDead !== "skip") refuse("onDead", "must be \"block\" or \"skip\"")
  if (typeof onLog !== "function") refuse("onLog", "must be a function")
  const sendTimeoutMs = whole("sendTimeoutMs", options.sendTimeoutMs, 15_000, 1, maxLease - 1_000)
  const pollMinMs = whole("poll.minMs", poll.minMs, 50, 1, 60_000)
  const backoffBaseMs = whole("backoff.baseMs", backoff.baseMs, 1_000, 1, hour)
  return {
    names: namesOf(options),
    destination: checkDestination(options.destination),
    batch: whole("batch", options.batch, 64, 1, 1_000),
    run: whole("run", options.run, 8, 1, 100),
    concurrency: whole("concurrency", options.concurrency, 32, 1, 1_000),
    leaseMs: whole(
      "leaseMs",
      options.leaseMs,
      Math.max(60_000, sendTimeoutMs + 1_000),
      sendTimeoutMs + 1_000,
      maxLease
    ),
    sendTimeoutMs,
    pollMinMs,
    pollMaxMs: whole("poll.maxMs", poll.maxMs, Math.max(1_000, pollMinMs), pollMinMs, hour),
    backoffBaseMs,
    backoffCapMs: whole("backoff.capMs", backoff.capMs, Math.max(300_000, backoffBaseMs), backoffBaseMs, 24 * hour),
    maxAttempts: whole("maxAttempts", options.maxAttempts, Infinity, 1, 1_000_000),
    skips: onDead === "skip",
    ambiguousWindowMs: whole("ambiguousWindowMs", options.ambiguousWindowMs, 23 * hour, 1_000, 23 * hour),
    onLog: (entry) => {
      try {
        onLog(entry)
      } catch {
        // A fault of whoever listens must not stop what is sent.
      }
    }
  }
}
