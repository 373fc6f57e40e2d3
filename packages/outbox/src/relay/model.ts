/** What a relay is made of and what it tells, without Effect. */
import type { EncodedEvent } from "../enqueue/freeze.js"
import type { Executor } from "../executor/model.js"
import type { NamesOptions } from "../sql/names.js"

/**
 * What a relay needs of a client: the `Hookrail` of `@hookrail/promise` has it. It must send exactly the bytes of the event under
 * its key, try once, and reject with an error whose `outcome` says whether the event may be stored.
 *
 * @since 0.1.0
 * @category models
 */
export interface RelayClient {
  readonly sendEncoded: (
    event: EncodedEvent,
    options: { readonly retry: false; readonly timeout: number; readonly signal: AbortSignal }
  ) => Promise<{ readonly replayed: boolean }>
}

/**
 * One line of the log. Nothing here holds a payload, a secret or a connection string.
 *
 * @since 0.1.0
 * @category models
 */
export interface RelayLog {
  readonly level: "info" | "warn" | "error"
  readonly message: string
  readonly fields: Readonly<Record<string, string | number>>
}

/**
 * Options of a relay. Times are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface RelayOptions extends NamesOptions {
  /** Runs single statements, each in a transaction of its own: of a pool, or of a connection that nothing else uses. */
  readonly executor: Executor
  readonly client: RelayClient
  /** Whose events this relay sends. Default: `default`. */
  readonly destination?: string | undefined
  /** How many ordering keys, and as many events without one, are taken at a time. Default 64. */
  readonly batch?: number | undefined
  /** How many events of one ordering key are taken at a time. Default 8. */
  readonly run?: number | undefined
  /** How many sends may be in flight. Default 32. */
  readonly concurrency?: number | undefined
  /**
   * How long taken events belong to this relay. If it dies, others go on after this time. At least a second longer than
   * `sendTimeoutMs`, at most 10 minutes. Default 1 minute.
   */
  readonly leaseMs?: number | undefined
  /** How long one attempt may take. Default 15 seconds. */
  readonly sendTimeoutMs?: number | undefined
  /** How often an empty outbox is looked at: first after `minMs` (50), doubling up to `maxMs` (1,000). */
  readonly poll?: { readonly minMs?: number | undefined; readonly maxMs?: number | undefined } | undefined
  /**
   * When a failed event is tried again: after a random time of at most `baseMs` (1 second), doubling with each attempt up to
   * `capMs` (5 minutes). Never earlier than the server asked for.
   */
  readonly backoff?: { readonly baseMs?: number | undefined; readonly capMs?: number | undefined } | undefined
  /** Give an event up after this many attempts. Default: never; what may have been accepted is parked after 23 hours. */
  readonly maxAttempts?: number | undefined
  /**
   * An event that is given up stays in its place, and the later events of its ordering key wait for a decision (`"block"`, the
   * default); or it moves to the dead letters, and they go on (`"skip"`).
   */
  readonly onDead?: "block" | "skip" | undefined
  /**
   * For how long an event that may have been accepted is sent again. Hookrail forgets its key after 24 hours; sent later, it could
   * be stored twice. At most 23 hours, which is the default.
   */
  readonly ambiguousWindowMs?: number | undefined
  /** Is told what happens. Default: warnings and errors go to `console.warn`, each at most once a minute. */
  readonly onLog?: ((entry: RelayLog) => void) | undefined
}

/** Why an event is parked or dead. */
export type ParkReason = "refused" | "attempts_exhausted" | "idempotency_window" | "row_invalid"

/**
 * What a relay did since its start.
 *
 * @since 0.1.0
 * @category models
 */
export interface RelayStats {
  readonly state: "running" | "draining" | "stopped"
  readonly claims: number
  /** Statements that claimed nothing. */
  readonly emptyClaims: number
  readonly claimed: number
  /** Events that the server has accepted, the replayed ones included. */
  readonly accepted: number
  /** Accepted events that the server had accepted before. */
  readonly replayed: number
  /** Attempts that failed and are tried again. */
  readonly failed: number
  readonly parked: number
  readonly dead: number
  /** Events that were given back untried. */
  readonly released: number
  /** Failures that another relay had taken over meanwhile. */
  readonly fenced: number
  readonly acks: number
  readonly acked: number
  readonly inFlight: number
  /** Events that are taken and wait for their turn. */
  readonly queued: number
  /** For how long the gate of the destination is still closed. */
  readonly gateClosedMs: number
  readonly databaseErrors: number
  /** The latest failure of a statement; `undefined` once one succeeds. */
  readonly databaseError: string | undefined
  /** From the enqueueing to the acceptance: how many, their sum, and how many took at most so long. */
  readonly latency: {
    readonly count: number
    readonly sumMs: number
    readonly buckets: ReadonlyArray<{ readonly leMs: number; readonly count: number }>
  }
}

/**
 * A running relay.
 *
 * @since 0.1.0
 * @category models
 */
export interface Relay {
  /** A hint that there are new events: the relay looks at once. Call it after a commit in the same process. */
  readonly wake: () => void
  readonly stats: () => RelayStats
  /**
   * Ends the relay: it takes nothing more, finishes what is in flight, records what was accepted, and gives the rest back. After
   * `timeoutMs` (10 seconds) sends in flight are aborted; they are sent again later, under the same keys. Resolves with whether
   * everything was recorded: if not, others go on when the leases end.
   */
  readonly drain: (options?: { readonly timeoutMs?: number | undefined }) => Promise<boolean>
  /** Drains at the end of a block, with `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}
