/** Types that several rooms share. They stand here, below all rooms, so that no room needs another for its types. */

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
  /** Most tokens that can be saved up, which is also what the bucket starts with. */
  readonly burst: number
}

/** What a subscription may set besides its topic and target. */
export interface SubscriptionSettings {
  /** Attempts before a delivery is dead-lettered, 1..100. Default 8 (protocol section 4.5). */
  readonly maxAttempts?: number | undefined
  /** Whether events with an ordering key are delivered one after the other (protocol section 4.7). Default false. */
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

/** What became of a request: answered, cut off by a fault, given up by the client, or still open. */
export type RequestOutcome = "open" | "answered" | "reset" | "closed" | "stalled" | "truncated" | "aborted"

/** A request that the emulator received, on either port. */
export interface RequestEntry {
  /** When it came, in milliseconds since 1970 of the emulator's clock. */
  readonly at: number
  readonly surface: "producer" | "admin"
  readonly method: string
  /** The request target as sent, query included. */
  readonly path: string
  /** Header names in lower case; the value of `authorization` is hidden. Of repeated headers the first. */
  readonly headers: Readonly<Record<string, string>>
  readonly idempotencyKey: string | undefined
  readonly orderingKey: string | undefined
  /** How many bytes of the body were read, which is fewer than were sent where the request was refused before. */
  readonly bodyBytes: number
  readonly body: string
  /** The kind of the fault that was applied. */
  readonly fault: string | undefined
  readonly outcome: RequestOutcome
  /** The answer that was written, or would have been written where a fault kept it back. */
  readonly answer:
    | { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string }
    | undefined
}

/** An event that was stored; a replay adds none. */
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

/** A delivery attempt that was recorded, or lost by a crashed worker. */
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
  /** `crashed` marks an attempt that a crash fault kept from being recorded. */
  readonly status: AttemptStatus | "crashed"
  readonly httpStatus: number | undefined
  readonly errorClass: string | undefined
  readonly latencyMs: number
  /** The `hookrail-signature` sent; absent where nothing was sent. */
  readonly signature: string | undefined
}

/** Everything that happened, oldest first. */
export interface LedgerView {
  readonly requests: ReadonlyArray<RequestEntry>
  readonly events: ReadonlyArray<EventEntry>
  readonly attempts: ReadonlyArray<AttemptEntry>
}

/** Is told of what happens when it happens, for a log; it must not throw. */
export interface Observer {
  /** A request has been answered, or cut off by a fault, or given up. */
  readonly request?: ((entry: RequestEntry) => void) | undefined
  /** An event has been stored. */
  readonly event?: ((entry: EventEntry) => void) | undefined
  /** An attempt has ended. */
  readonly attempt?: ((entry: AttemptEntry) => void) | undefined
}
