import { openPolicy, type UrlPolicy } from "../base/urlPolicy.js"
import { EmulatorStartError } from "../errors.js"
import type { BackoffPolicy, RateLimit } from "../model.js"
import type { EmulatorOptions } from "./options.js"

/** The options with every default filled in. */
export interface Settings {
  readonly port: number
  readonly host: string
  readonly adminPort: number | false
  readonly backoff: BackoffPolicy
  readonly sweepIntervalMs: number
  readonly ingestRateLimit: RateLimit | false
  readonly deliveryRateLimit: RateLimit | false
  readonly orderingKeyMaxBytes: number
  readonly orderedKeyBacklogMax: number
  readonly idempotencyTtlMs: number
  readonly retentionMs: number
  readonly leaseMs: number
  readonly bodyTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly headersTimeoutMs: number
  readonly attemptTimeoutMs: number
  readonly workers: number
  readonly urlPolicy: UrlPolicy
  readonly statusErrorsAre404: boolean
  readonly ledgerLimit: number
  readonly eventLimit: number
}

const day = 24 * 60 * 60 * 1000

/** Fills in the defaults and refuses numbers that make no sense. */
export const settingsOf = (options: EmulatorOptions): Settings => {
  const count = (name: string, value: number | undefined, fallback: number, least: number): number => {
    if (value === undefined) return fallback
    if (Number.isFinite(value) && value >= least) return value
    throw new EmulatorStartError(`${name} must be a number of at least ${least}, got ${value}`)
  }
  const limit = (name: string, value: RateLimit | false | undefined, fallback: RateLimit): RateLimit | false => {
    if (value === undefined || value === false) return value ?? fallback
    if (value.rps > 0 && value.burst >= 1) return value
    throw new EmulatorStartError(`${name} needs rps > 0 and burst >= 1`)
  }
  const backoff = options.backoff ?? { baseMs: 5000, capMs: 6 * 60 * 60 * 1000 }
  if (!(backoff.baseMs >= 0 && backoff.capMs >= backoff.baseMs)) {
    throw new EmulatorStartError("backoff needs 0 <= baseMs <= capMs")
  }
  return {
    port: count("port", options.port, 0, 0),
    host: options.host ?? "127.0.0.1",
    adminPort: options.adminPort === false ? false : count("adminPort", options.adminPort, 0, 0),
    backoff,
    sweepIntervalMs: count("sweepIntervalMs", options.sweepIntervalMs, 30_000, 0),
    ingestRateLimit: limit("ingestRateLimit", options.ingestRateLimit, { rps: 500, burst: 1000 }),
    deliveryRateLimit: limit("deliveryRateLimit", options.deliveryRateLimit, { rps: 1000, burst: 2000 }),
    orderingKeyMaxBytes: count("orderingKeyMaxBytes", options.orderingKeyMaxBytes, 256, 1),
    orderedKeyBacklogMax: count("orderedKeyBacklogMax", options.orderedKeyBacklogMax, 10_000, 1),
    idempotencyTtlMs: count("idempotencyTtlMs", options.idempotencyTtlMs, day, 0),
    retentionMs: count("retentionMs", options.retentionMs, 30 * day, 0),
    leaseMs: count("leaseMs", options.leaseMs, 30_000, 0),
    bodyTimeoutMs: count("bodyTimeoutMs", options.bodyTimeoutMs, 15_000, 1),
    connectTimeoutMs: count("attemptTimeouts.connectMs", options.attemptTimeouts?.connectMs, 3000, 1),
    headersTimeoutMs: count("attemptTimeouts.headersMs", options.attemptTimeouts?.headersMs, 10_000, 1),
    attemptTimeoutMs: count("attemptTimeouts.attemptMs", options.attemptTimeouts?.attemptMs, 15_000, 1),
    workers: count("workers", options.workers, 64, 1),
    urlPolicy: options.urlPolicy ?? openPolicy,
    statusErrorsAre404: options.legacy?.statusErrorsAre404 ?? false,
    ledgerLimit: count("ledgerLimit", options.ledgerLimit, 100_000, 1),
    eventLimit: count("eventLimit", options.eventLimit, 100_000, 1)
  }
}
