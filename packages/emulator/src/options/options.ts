import type { UrlPolicy } from "../base/urlPolicy.js"
import type { FaultRule } from "../faults.js"
import type { BackoffPolicy, Observer, RateLimit, SubscriptionSettings } from "../model.js"

/** A producer key and the topic patterns it may publish to (protocol section 1.5). */
export interface ApiKeyOptions {
  /** What producers send after `Bearer `. */
  readonly key: string
  /** Topic patterns; an empty list allows no topic. Default `["*"]`. */
  readonly scopes?: ReadonlyArray<string> | undefined
}

/** An endpoint to deliver to. */
export interface EndpointOptions {
  /** Where deliveries are POSTed to. Plain http and loopback are allowed unless `urlPolicy` forbids them. */
  readonly url: string
  /** Free text, shown by the admin API. Default empty. */
  readonly description?: string | undefined
  /** The signing secret. Default a generated one (`whsec_` and 48 hex digits). */
  readonly secret?: string | undefined
}

/**
 * A subscription made in code. With a `url` it uses the live endpoint of that URL, or makes one; with an
 * `endpointId` it uses that endpoint.
 */
export type SubscribeOptions =
  & SubscriptionSettings
  & { readonly topic: string }
  & (
    | { readonly url: string; readonly secret?: string | undefined; readonly endpointId?: undefined }
    | { readonly endpointId: string; readonly url?: undefined; readonly secret?: undefined }
  )

/** Limits of one delivery attempt in milliseconds of real time, whatever the clock (protocol section 4.4). */
export interface AttemptTimeouts {
  /** Until the connection is open. Default 3000. */
  readonly connectMs?: number | undefined
  /** From there to the response headers. Default 10000. */
  readonly headersMs?: number | undefined
  /** For the whole attempt, body included. Default 15000. */
  readonly attemptMs?: number | undefined
}

/** Options of the page. */
export interface PageOptions {
  /** Port of the page, always on `127.0.0.1`; 0 takes a free one. Default 0. */
  readonly port?: number | undefined
  /** What the page and its calls are opened with, at least 16 of `A-Z a-z 0-9 _ -`. Default a random one in each run. */
  readonly token?: string | undefined
  /**
   * Most bytes of requests and responses kept for the page: their headers and bodies, and 1 KiB for each of them. The oldest are
   * dropped first. The events themselves, with their deliveries and payloads, are kept besides: see `eventLimit`. Default 64 MiB.
   */
  readonly historyBytes?: number | undefined
}

/** Options of `startEmulator`. Every option has a default, the server's own where it has one. */
export interface EmulatorOptions {
  /** Port of the producer side; 0 takes a free one. Default 0. */
  readonly port?: number | undefined
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Port of the admin API; 0 takes a free one, `false` starts none. Default 0. */
  readonly adminPort?: number | false | undefined
  /**
   * Serves a page to look at events and deliveries, with its calls, on a port of its own: `true` or its options. Default
   * `false`.
   */
  readonly page?: boolean | PageOptions | undefined
  /** Producer keys; a plain string has the scope `*`. Default one generated key. */
  readonly apiKeys?: ReadonlyArray<string | ApiKeyOptions> | undefined
  /** The environment token of the admin API (protocol section 3). Default a generated one. */
  readonly adminToken?: string | undefined
  /** Subscriptions that exist from the start. */
  readonly subscriptions?: ReadonlyArray<SubscribeOptions> | undefined
  /** Retry timing. Default 5 s base and 6 h cap (protocol section 4.5). */
  readonly backoff?: BackoffPolicy | undefined
  /** Period of the sweeper that notices due retries, in milliseconds; 0 sends them when due. Default 30000. */
  readonly sweepIntervalMs?: number | undefined
  /** Seed of ids, secrets, jitter and fault probabilities; default a different one in each run. */
  readonly seed?: number | undefined
  /** A `manual` clock stands still until `advance` is called. Default `real`. */
  readonly clock?: "real" | "manual" | undefined
  /** Start of a manual clock in milliseconds since 1970. Default the current time. */
  readonly startAt?: number | undefined
  /** Ingest limit per producer key, or `false` for none. Default 500/s, burst 1000 (protocol section 6). */
  readonly ingestRateLimit?: RateLimit | false | undefined
  /** Delivery limit per endpoint, or `false` for none. Default 1000/s, burst 2000 (protocol section 4.5). */
  readonly deliveryRateLimit?: RateLimit | false | undefined
  /** Longest ordering key in bytes. Default 256 (protocol section 1.7). */
  readonly orderingKeyMaxBytes?: number | undefined
  /** Most unfinished deliveries per subscription and ordering key. Default 10000 (protocol section 1.7). */
  readonly orderedKeyBacklogMax?: number | undefined
  /** How long an idempotency key is remembered, in milliseconds. Default 24 h (protocol section 1.6). */
  readonly idempotencyTtlMs?: number | undefined
  /** How long payloads, attempts and dead letters are kept, in milliseconds. Default 30 days (protocol section 4.7). */
  readonly retentionMs?: number | undefined
  /** How long a crashed worker's claim holds, in milliseconds. Default 30000 (protocol section 4.5). */
  readonly leaseMs?: number | undefined
  /** How long a producer may take to send its body, in milliseconds of real time. Default 15000 (protocol section 6). */
  readonly bodyTimeoutMs?: number | undefined
  /** Limits of one delivery attempt. */
  readonly attemptTimeouts?: AttemptTimeouts | undefined
  /** Most delivery attempts at the same time. Default 64. */
  readonly workers?: number | undefined
  /** Which endpoint URLs are accepted. Default all of http and https; `strictUrlPolicy` is the server's. */
  readonly urlPolicy?: UrlPolicy | undefined
  /** Behaviour of older servers that a client may still meet. */
  readonly legacy?: {
    /** Every failure of `GET /v1/events/{id}` is a 404 (protocol section 2, before 47cab64). Default false. */
    readonly statusErrorsAre404?: boolean | undefined
  } | undefined
  /** Faults that are in place from the start. */
  readonly faults?: ReadonlyArray<FaultRule> | undefined
  /** Called for requests, events and attempts as they happen. */
  readonly observer?: Observer | undefined
  /** Most entries of each kind in the ledger; older ones are dropped. Default 100000. */
  readonly ledgerLimit?: number | undefined
  /**
   * Most events kept, with their deliveries, whatever their payloads take. The oldest ones are dropped, but none that is not
   * finished, or that blocks an ordering key, nor any after it. Default 100000.
   */
  readonly eventLimit?: number | undefined
}
