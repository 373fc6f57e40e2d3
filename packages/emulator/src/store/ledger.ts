import type { AttemptEntry, EventEntry, LedgerView, Observer, RequestEntry } from "../model.js"

/** A list that keeps the newest entries. */
class Tail<A> {
  private entries: Array<A> = []

  constructor(private readonly limit: number) {}

  push(entry: A): void {
    this.entries.push(entry)
    // Trimmed rarely: copying the list for each entry would cost more than the memory it saves.
    if (this.entries.length > this.limit * 2) this.entries = this.view()
  }

  view(): Array<A> {
    return this.entries.slice(-this.limit)
  }

  clear(): void {
    this.entries = []
  }
}

/** Records what happens. */
export class Ledger {
  private readonly requests: Tail<RequestEntry>
  private readonly events: Tail<EventEntry>
  private readonly attempts: Tail<AttemptEntry>

  constructor(limit: number, private readonly observer: Observer) {
    this.requests = new Tail(limit)
    this.events = new Tail(limit)
    this.attempts = new Tail(limit)
  }

  /** Adds a request; the caller may still change the entry. */
  request(entry: RequestEntry): void {
    this.requests.push(entry)
  }

  /** Reports that a request has ended. */
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

  /** What is recorded now. */
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
