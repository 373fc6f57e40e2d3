import type { AttemptStatus } from "../model.js"

/** An event's request as the producer sent it. */
export interface SentRequest {
  readonly at: number
  /** Names in lower case, of repeated headers the first; the key is hidden. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly idempotencyKey: string | undefined
}

/** What a receiver answered. */
export interface ReceivedResponse {
  /** As they came: names and values in turn. */
  readonly rawHeaders: ReadonlyArray<string>
  /** The beginning of the body. */
  readonly body: Buffer
  /** How many bytes of the body arrived, up to the limit at which the server stops to read. */
  readonly bodyBytes: number
}

/** One attempt, with everything that went over the wire. */
export interface KeptAttempt {
  readonly at: number
  readonly attemptNo: number
  readonly claimVersion: number
  readonly status: AttemptStatus | "crashed"
  readonly httpStatus: number | undefined
  readonly errorClass: string | undefined
  readonly latencyMs: number
  readonly url: string
  /** The kind of the fault that was applied. */
  readonly fault: string | undefined
  /** The secret that signed it. */
  readonly secret: string
  /** The headers sent; absent if nothing was sent. */
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly response: ReceivedResponse | undefined
}

/** An event or a delivery of the store, by its identity: this module is below the store. */
type Event = { readonly deliveries: ReadonlyArray<object> }
type Delivery = object

/** What an entry takes besides its texts and bodies, roughly. */
const overhead = 1024

const lengthOf = (texts: Iterable<string>): number => {
  let length = 0
  for (const text of texts) length += text.length
  return length
}

const headerBytes = (headers: Readonly<Record<string, string>> = {}): number =>
  lengthOf(Object.keys(headers)) + lengthOf(Object.values(headers))

interface Entry {
  readonly bytes: number
  readonly drop: () => void
}

/**
 * What the page shows beyond what a server keeps: requests and responses as they were. Beyond a number of bytes the oldest
 * are dropped. Exists only where there is a page.
 */
export class History {
  private readonly requests = new Map<Event, SentRequest>()
  private readonly attempts = new Map<Delivery, Map<number, KeptAttempt>>()
  private entries: Array<Entry> = []
  private first = 0
  private bytes = 0

  constructor(private readonly limit: number) {}

  /** Keeps the request of an event. */
  sent(event: Event, request: SentRequest): void {
    this.requests.set(event, request)
    const { body, headers, idempotencyKey = "" } = request
    const bytes = body.length + headerBytes(headers) + idempotencyKey.length + overhead
    this.add({ bytes, drop: () => this.requests.delete(event) })
  }

  /** Keeps an attempt. */
  attempted(delivery: Delivery, attempt: KeptAttempt): void {
    let own = this.attempts.get(delivery)
    if (own === undefined) this.attempts.set(delivery, own = new Map())
    own.set(attempt.claimVersion, attempt)
    const kept = own
    const { headers, response, url } = attempt
    this.add({
      bytes: (response === undefined ? 0 : response.body.length + lengthOf(response.rawHeaders)) +
        headerBytes(headers) + url.length + overhead,
      drop: () => {
        kept.delete(attempt.claimVersion)
        if (kept.size === 0) this.attempts.delete(delivery)
      }
    })
  }

  /** The request of an event, unless it was dropped. */
  requestOf(event: Event): SentRequest | undefined {
    return this.requests.get(event)
  }

  /** The attempts of a delivery that were not dropped, oldest first. */
  attemptsOf(delivery: Delivery): Iterable<KeptAttempt> {
    return this.attempts.get(delivery)?.values() ?? []
  }

  /** Forgets an event that the store has forgotten. Its bytes count until its turn comes. */
  forget(event: Event): void {
    this.requests.delete(event)
    for (const delivery of event.deliveries) this.attempts.delete(delivery)
  }

  private add(entry: Entry): void {
    this.entries.push(entry)
    this.bytes += entry.bytes
    while (this.bytes > this.limit && this.first < this.entries.length) {
      const oldest = this.entries[this.first++]!
      oldest.drop()
      this.bytes -= oldest.bytes
    }
    // Trimmed rarely: copying the list for each entry would cost more than the memory it saves.
    if (this.first > 1024 && this.first * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.first)
      this.first = 0
    }
  }
}
