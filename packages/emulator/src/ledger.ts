import type { AttemptStatus } from "./store.js"

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

/** A list that keeps the newest entries. */
class Tail<A> {
  private entries: Array<A> = []

  constructor(private readonly limit: number) {}

  push(entry: A): void {
    this.entries.push(entry)
    // Cut rarely: moving the whole list for every entry would cost more than the memory saved.
    if (this.entries.length > this.limit * 2) this.entries = this.view()
  }

  view(): Array<A> {
    return this.entries.slice(-this.limit)
  }

  clear(): void {
    this.entries = []
  }
}

/** Writes down what happens. */
export class Ledger {
  private readonly requests: Tail<RequestEntry>
  private readonly events: Tail<EventEntry>
  private readonly attempts: Tail<AttemptEntry>

  constructor(limit: number, private readonly observer: Observer) {
    this.requests = new Tail(limit)
    this.events = new Tail(limit)
    this.attempts = new Tail(limit)
  }

  /** Adds a request; the caller may go on writing to the entry. */
  request(entry: RequestEntry): void {
    this.requests.push(entry)
  }

  /** Tells that a request has come to its end. */
  settled(entry: RequestEntry): void {
    this.observer.request?.(entry)
  }

  /** Adds an event. */
  event(entry: EventEntry): void {
    this.events.push(entry)
    this.observer.event?.(entry)
  }

  /** Adds an attempt. */
  attempt(entry: AttemptEntry): void {
    this.attempts.push(entry)
    this.observer.attempt?.(entry)
  }

  /** What is written down now. */
  view(): LedgerView {
    return { requests: this.requests.view(), events: this.events.view(), attempts: this.attempts.view() }
  }

  /** Forgets everything. */
  clear(): void {
    this.requests.clear()
    this.events.clear()
    this.attempts.clear()
  }
}
