import { randomBytes } from "node:crypto"
import { openPolicy, type UrlPolicy } from "../base/urlPolicy.js"
import { EmulatorStartError } from "../errors.js"
import type { BackoffPolicy, RateLimit } from "../model.js"
import { checked } from "./check.js"
import { emulatorOptions } from "./checks.js"
import type { EmulatorOptions } from "./options.js"

/** The options of the page with every default filled in. */
export interface PageSettings {
  readonly port: number
  readonly token: string
  readonly historyBytes: number
}

/** The options with every default filled in. */
export interface Settings {
  readonly port: number
  readonly host: string
  readonly adminPort: number | false
  readonly page: PageSettings | undefined
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

/** The token is never drawn from the emulator's seed, which anyone could repeat. */
const pageSettings = (page: EmulatorOptions["page"]): PageSettings | undefined => {
  if (page === undefined || page === false) return undefined
  const options = page === true ? {} : page
  return {
    port: options.port ?? 0,
    token: options.token ?? randomBytes(24).toString("base64url"),
    historyBytes: options.historyBytes ?? 64 * 1024 * 1024
  }
}

const day = 24 * 60 * 60 * 1000

/** Checks the options and fills in the defaults. Throws an {@link EmulatorStartError} that names the wrong option. */
export const settingsOf = (options: EmulatorOptions): Settings => {
  checked(emulatorOptions, options, "", (message, option) => new EmulatorStartError(message, { option }))
  return {
    port: options.port ?? 0,
    host: options.host ?? "127.0.0.1",
    adminPort: options.adminPort ?? 0,
    page: pageSettings(options.page),
    backoff: options.backoff ?? { baseMs: 5000, capMs: 6 * 60 * 60 * 1000 },
    sweepIntervalMs: options.sweepIntervalMs ?? 30_000,
    ingestRateLimit: options.ingestRateLimit ?? { rps: 500, burst: 1000 },
    deliveryRateLimit: options.deliveryRateLimit ?? { rps: 1000, burst: 2000 },
    orderingKeyMaxBytes: options.orderingKeyMaxBytes ?? 256,
    orderedKeyBacklogMax: options.orderedKeyBacklogMax ?? 10_000,
    idempotencyTtlMs: options.idempotencyTtlMs ?? day,
    retentionMs: options.retentionMs ?? 30 * day,
    leaseMs: options.leaseMs ?? 30_000,
    bodyTimeoutMs: options.bodyTimeoutMs ?? 15_000,
    connectTimeoutMs: options.attemptTimeouts?.connectMs ?? 3000,
    headersTimeoutMs: options.attemptTimeouts?.headersMs ?? 10_000,
    attemptTimeoutMs: options.attemptTimeouts?.attemptMs ?? 15_000,
    workers: options.workers ?? 64,
    urlPolicy: options.urlPolicy ?? openPolicy,
    statusErrorsAre404: options.legacy?.statusErrorsAre404 ?? false,
    ledgerLimit: options.ledgerLimit ?? 100_000,
    eventLimit: options.eventLimit ?? 100_000
  }
}
