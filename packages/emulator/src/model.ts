/** Types that several folders share. They are kept here so that no folder imports another for its types. */

/** Bounds of the wait between two attempts, in milliseconds (protocol section 4.5). */
export interface BackoffPolicy {
  /** Upper bound of the jitter after the first attempt, in milliseconds; it doubles with every attempt. */
  readonly baseMs: number
  /** Upper bound of every wait, in milliseconds; a receiver's `Retry-After` is clipped to it as well. */
  readonly capMs: number
}

/** A token bucket: tokens per second and the size of the bucket (protocol sections 4.5 and 6). */
export interface RateLimit {
  /** Tokens gained per second. */
  readonly rps: number
  /** Capacity of the bucket, which starts full. */
  readonly burst: number
}

/** Settings of a subscription besides its topic and target. */
export interface SubscriptionSettings {
  /** Attempts before a delivery is dead-lettered, 1..100. Default 8 (protocol section 4.5). */
  readonly maxAttempts?: number | undefined
  /** Whether events with the same ordering key are delivered one after the other (protocol section 4.7). Default false. */
  readonly ordered?: boolean | undefined
  /** Overrides the server's retry timing for this subscription. */
  readonly backoff?: BackoffPolicy | undefined
  /** Deliveries per second to this endpoint, 0.01..1000000 (protocol section 4.5). */
  readonly rateLimitRps?: number | undefined
}

/** State of the database: away, failing right after authentication, or failing on writes only. */
export type DatabaseState = "up" | "down" | "failing" | "readonly"

/** The states of a delivery (protocol section 2). */
export type DeliveryState =
  | "pending"
  | "in_flight"
  | "retry_scheduled"
  | "succeeded"
  | "dead_lettered"
  | "cancelled"
  | "skipped"

/** How an attempt ended (protocol section 2). */
export type AttemptStatus = "success" | "retryable_failure" | "permanent_failure"

/** How a request ended: answered, cut off by a fault, aborted by the client, or still open. */
export type RequestOutcome = "open" | "answered" | "reset" | "closed" | "stalled" | "truncated" | "aborted"

/** A request that the emulator received, on either port. */
export interface RequestEntry {
  /** When it arrived, in milliseconds since 1970 by the emulator's clock. */
  readonly at: number
  readonly surface: "producer" | "admin"
  readonly method: string
  /** The request target as sent, query included. */
  readonly path: string
  /** Header names in lower case; the value of `authorization` is hidden. Of repeated headers the first. */
  readonly headers: Readonly<Record<string, string>>
  readonly idempotencyKey: string | undefined
  readonly orderingKey: string | undefined
  /** How many bytes of the body were read; fewer than were sent if the request was refused first. */
  readonly bodyBytes: number
  readonly body: string
  /** The kind of the fault that was applied. */
  readonly fault: string | undefined
  readonly outcome: RequestOutcome
  /** The answer that was written, or that a fault suppressed. */
  readonly answer:
    | { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string }
    | undefined
}

/** A stored event; an idempotent replay adds none. */
export interface EventEntry {
  readonly at: number
  readonly eventId: string
  readonly topic: string
  /** The payload as receivers get it (protocol section 4.2). */
  readonly payload: string
  readonly idempotencyKey: string | undefined
  readonly orderingKey: string | undefined
  readonly deliveryIds: ReadonlyArray<string>
}

/** A delivery attempt, recorded or lost by a crashed worker. */
export interface AttemptEntry {
  /** When it began. */
  readonly at: number
  readonly deliveryId: string
  readonly eventId: string
  readonly subscriptionId: string
  readonly endpointId: string
  readonly url: string
  readonly topic: string
  readonly attemptNo: number
  readonly claimVersion: number
  /** `crashed`: not recorded because of a crash fault. */
  readonly status: AttemptStatus | "crashed"
  readonly httpStatus: number | undefined
  readonly errorClass: string | undefined
  readonly latencyMs: number
  /** The `hookrail-signature` sent; absent if nothing was sent. */
  readonly signature: string | undefined
}

/** Everything that happened, oldest first. */
export interface LedgerView {
  readonly requests: ReadonlyArray<RequestEntry>
  readonly events: ReadonlyArray<EventEntry>
  readonly attempts: ReadonlyArray<AttemptEntry>
}

/** Called as things happen, for a log; it must not throw. */
export interface Observer {
  /** A request was answered, cut off by a fault, or aborted. */
  readonly request?: ((entry: RequestEntry) => void) | undefined
  /** An event has been stored. */
  readonly event?: ((entry: EventEntry) => void) | undefined
  /** An attempt has ended. */
  readonly attempt?: ((entry: AttemptEntry) => void) | undefined
}
