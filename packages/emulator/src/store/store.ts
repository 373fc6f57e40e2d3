import type { AttemptStatus, BackoffPolicy, DeliveryState } from "../model.js"
import type { History } from "./history.js"

/** An endpoint as stored. Times are milliseconds since 1970. */
export interface Endpoint {
  readonly id: string
  url: string
  description: string
  secret: string
  readonly createdAt: number
  deletedAt: number | undefined
}

/** A subscription as stored. */
export interface Subscription {
  readonly id: string
  readonly topic: string
  readonly endpoint: Endpoint
  readonly ordered: boolean
  maxAttempts: number
  active: boolean
  rateLimitRps: number | undefined
  backoff: BackoffPolicy | undefined
  deletedAt: number | undefined
}

/** One recorded attempt (protocol section 2). */
export interface Attempt {
  readonly attemptNo: number
  readonly claimVersion: number
  readonly status: AttemptStatus
  readonly httpStatus: number | undefined
  readonly errorClass: string | undefined
  readonly latencyMs: number
  readonly at: number
}

/** The dead-letter record of a delivery; kept when it is replayed (protocol section 5.3). */
export interface DeadLetter {
  readonly id: number
  readonly delivery: Delivery
  finalError: string
  deadAt: number
  replayedAt: number | undefined
}

/** A delivery as stored. */
export interface Delivery {
  readonly id: string
  readonly event: StoredEvent
  readonly subscription: Subscription
  readonly lane: Lane | undefined
  state: DeliveryState
  /** Claims since creation or replay, minus those returned. */
  attemptCount: number
  claimVersion: number
  /** When the next attempt is planned; absent if none is, or if the delivery is with the workers. */
  dueAt: number | undefined
  readonly attempts: Array<Attempt>
  deadLetter: DeadLetter | undefined
}

/** An event as stored. */
export interface StoredEvent {
  readonly id: string
  readonly topic: string
  /** PostgreSQL's text of the payload, which is what receivers get (protocol section 4.2). */
  readonly payload: string
  readonly orderingKey: string
  readonly createdAt: number
  readonly deliveries: Array<Delivery>
  /** Its place among all events, from 1: ids of one millisecond have no order. */
  ordinal: number
  /** The store's revision when this event or one of its deliveries last changed. */
  revision: number
}

/** Told of every change, right after it. */
export interface StoreWatcher {
  /** An event or one of its deliveries has changed; without an event, something else, such as a subscription. */
  readonly changed: (event: StoredEvent | undefined) => void
}

/** The unfinished deliveries of a subscription and ordering key, in order of ingest (protocol section 4.7). */
export interface Lane {
  readonly subscription: Subscription
  readonly key: string
  readonly queue: Set<Delivery>
}

/** What was answered to an idempotency key, and when (protocol section 1.6). */
export interface IdempotencyRecord {
  readonly fingerprint: string
  readonly event: StoredEvent
  readonly deliveryIds: ReadonlyArray<string> | null
  readonly createdAt: number
}

/** Whether a delivery is finished unless someone acts on it. */
export const isTerminal = (state: DeliveryState): boolean =>
  state !== "pending" && state !== "in_flight" && state !== "retry_scheduled"

/** A dead delivery in a lane still blocks it, so it is kept. */
const isForgettable = (delivery: Delivery): boolean =>
  isTerminal(delivery.state) && !(delivery.state === "dead_lettered" && delivery.lane !== undefined)

/** Whether a subscription and its endpoint still exist. */
export const isLive = (subscription: Subscription): boolean =>
  subscription.deletedAt === undefined && subscription.endpoint.deletedAt === undefined

/** The tables of the database. A transaction is a synchronous write. */
export class Store {
  readonly endpoints = new Map<string, Endpoint>()
  readonly subscriptions = new Map<string, Subscription>()
  readonly events = new Map<string, StoredEvent>()
  readonly deliveries = new Map<string, Delivery>()
  readonly deadLetters = new Map<number, DeadLetter>()
  readonly lanes = new Map<string, Lane>()
  private readonly idempotency = new Map<string, IdempotencyRecord>()
  private nextDeadLetter = 1
  private lastOrdinal = 0
  /** Counts changes. */
  revision = 0
  /** At most one; the page's feed. */
  watcher: StoreWatcher | undefined

  /** Without a `history` only what a server keeps is kept. */
  constructor(private readonly eventLimit: number, readonly history?: History) {}

  /** Notes a change of an event, of one of its deliveries, or of something else. */
  changed(event?: StoredEvent): void {
    this.revision++
    if (event !== undefined) event.revision = this.revision
    this.watcher?.changed(event)
  }

  /** The lane of a subscription and key, created if absent. */
  lane(subscription: Subscription, key: string): Lane {
    const id = `${subscription.id}:${key}`
    const known = this.lanes.get(id)
    if (known !== undefined) return known
    const lane: Lane = { subscription, key, queue: new Set() }
    this.lanes.set(id, lane)
    return lane
  }

  /** Unfinished deliveries of a subscription and key. */
  backlog(subscription: Subscription, key: string): number {
    return this.lanes.get(`${subscription.id}:${key}`)?.queue.size ?? 0
  }

  /** Adds an event with its deliveries, and drops the oldest finished events beyond the limit. */
  addEvent(event: StoredEvent): void {
    event.ordinal = ++this.lastOrdinal
    this.events.set(event.id, event)
    for (const delivery of event.deliveries) {
      this.deliveries.set(delivery.id, delivery)
      delivery.lane?.queue.add(delivery)
    }
    for (const oldest of this.events.values()) {
      if (this.events.size <= this.eventLimit) break
      if (!oldest.deliveries.every(isForgettable)) break
      this.forget(oldest)
    }
    this.changed(event)
  }

  private forget(event: StoredEvent): void {
    this.events.delete(event.id)
    this.history?.forget(event)
    for (const delivery of event.deliveries) {
      this.deliveries.delete(delivery.id)
      if (delivery.deadLetter !== undefined) this.deadLetters.delete(delivery.deadLetter.id)
      this.leaveLane(delivery)
    }
  }

  /** Removes a delivery from its lane and returns the new head, if any. */
  leaveLane(delivery: Delivery): Delivery | undefined {
    const lane = delivery.lane
    if (lane === undefined) return undefined
    lane.queue.delete(delivery)
    if (lane.queue.size === 0) this.lanes.delete(`${lane.subscription.id}:${lane.key}`)
    return headOf(lane)
  }

  /** Records why a delivery is dead; an earlier record is reused (protocol section 5.3). */
  bury(delivery: Delivery, finalError: string, now: number): void {
    delivery.state = "dead_lettered"
    const letter = delivery.deadLetter ?? {
      id: this.nextDeadLetter++,
      delivery,
      finalError,
      deadAt: now,
      replayedAt: undefined
    }
    letter.finalError = finalError
    letter.deadAt = now
    letter.replayedAt = undefined
    delivery.deadLetter = letter
    this.deadLetters.set(letter.id, letter)
    this.changed(delivery.event)
  }

  /** The record of an idempotency key of a producer that is younger than `ttlMs`. */
  remembered(id: string, now: number, ttlMs: number): IdempotencyRecord | undefined {
    const record = this.idempotency.get(id)
    return record !== undefined && now - record.createdAt < ttlMs ? record : undefined
  }

  /** Remembers an answer and drops expired records. */
  remember(id: string, record: IdempotencyRecord, ttlMs: number): void {
    // Delete first, so that the map stays ordered by age.
    this.idempotency.delete(id)
    this.idempotency.set(id, record)
    for (const [oldId, old] of this.idempotency) {
      if (record.createdAt - old.createdAt < ttlMs && this.idempotency.size <= this.eventLimit) break
      this.idempotency.delete(oldId)
    }
  }
}

/** The delivery of a lane whose turn it is. */
export const headOf = (lane: Lane): Delivery | undefined => {
  const first = lane.queue.values().next()
  return first.done === true ? undefined : first.value
}
