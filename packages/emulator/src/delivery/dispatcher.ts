import type { Clock, Timer } from "../base/clock.js"
import { TokenBucket } from "../base/limiter.js"
import type { Random } from "../base/random.js"
import type { DeliveryFaultAction, Faults } from "../faults.js"
import type { DatabaseState, RateLimit } from "../model.js"
import type { Settings } from "../options/settings.js"
import type { Ledger } from "../store/ledger.js"
import { type Delivery, type Endpoint, headOf, isLive, isTerminal, type Store } from "../store/store.js"
import { type AttemptOutcome, classify, type Sender } from "./attempt.js"
import { nextDelay, parseRetryAfter } from "./backoff.js"
import { signature } from "./signing.js"

/** State of the surrounding services, which tests can change. */
export interface Surroundings {
  database: DatabaseState
  redis: "up" | "down"
}

/** What a dispatcher works with. */
export interface DispatcherParts {
  readonly settings: Settings
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly faults: Faults
  readonly ledger: Ledger
  readonly sender: Sender
  readonly surroundings: Surroundings
}

/** How often orphaned retries are cancelled, in milliseconds (protocol section 4.6). */
const janitorPeriodMs = 60 * 60 * 1000

/** How long a rate-limited delivery waits, in milliseconds (protocol section 4.5). */
const releaseMs = 1000

const reachesReceiver = (fault: DeliveryFaultAction): boolean => {
  switch (fault.kind) {
    case "panic":
    case "secretDecrypt":
      return false
    case "crash":
      return fault.when !== "before"
    default:
      return fault.when === "after"
  }
}

/** The headers of an attempt (protocol section 4.1). */
const headersOf = ({ event, id }: Delivery, signed: string, length: number): Readonly<Record<string, string>> => ({
  "User-Agent": "hookrail/0.1",
  "Content-Length": String(length),
  "Content-Type": "application/json",
  "Hookrail-Delivery-Id": id,
  "Hookrail-Event-Id": event.id,
  "Hookrail-Signature": signed,
  // Headers are bytes: one character per byte of the topic's UTF-8.
  "Hookrail-Topic": Buffer.from(event.topic, "utf8").toString("latin1"),
  "Accept-Encoding": "gzip"
})

/**
 * The workers and the sweeper: claims deliveries, sends them and schedules retries (protocol section 4). Every change of
 * state is synchronous, so nothing else sees it half done.
 */
export class Dispatcher {
  private ready: Array<Delivery> = []
  private taken = 0
  private inFlight = 0
  private pumping = false
  private closed = false
  private held = false
  private readonly waiting = new Map<Delivery, Timer>()
  private readonly parked = new Set<Delivery>()
  private readonly lost = new Set<Delivery>()
  private readonly orphans = new Map<Delivery, Timer>()
  private readonly buckets = new Map<string, TokenBucket>()
  private quietWaiters: Array<() => void> = []
  private readonly epoch: number

  constructor(private readonly parts: DispatcherParts) {
    this.epoch = parts.clock.now()
  }

  /** Hands a new or replayed delivery to the workers; in a lane, only once it is the head. */
  publish(delivery: Delivery): void {
    if (delivery.lane !== undefined && headOf(delivery.lane) !== delivery) return
    if (this.parts.surroundings.redis === "down") this.plan(delivery, this.parts.clock.now() + 1)
    else this.enqueue(delivery)
  }

  /** Resumes the deliveries that waited for the database. */
  resume(): void {
    const parked = [...this.parked]
    this.parked.clear()
    for (const delivery of parked) this.plan(delivery, this.parts.clock.now())
  }

  /** Makes the workers take nothing more, or go on. Attempts in flight end as usual. */
  hold(held: boolean): void {
    this.held = held
    const { store } = this.parts
    store.changed()
    // What they wait for has changed.
    for (const { event } of this.ready.slice(this.taken)) store.changed(event)
    for (const { event } of this.parked) store.changed(event)
    this.pump()
  }

  /** Whether the workers are held. */
  get paused(): boolean {
    return this.held
  }

  /** Sends a scheduled delivery now; false if it is not scheduled. */
  hasten(delivery: Delivery): boolean {
    const timer = this.waiting.get(delivery)
    if (timer === undefined) return false
    timer.cancel()
    this.waiting.delete(delivery)
    this.enqueue(delivery)
    return true
  }

  /** Cancels the pending and scheduled deliveries of a deleted target (protocol section 4.6). */
  cancel(concerns: (delivery: Delivery) => boolean): void {
    for (const delivery of this.parts.store.deliveries.values()) {
      if (delivery.state !== "pending" && delivery.state !== "retry_scheduled") continue
      if (concerns(delivery)) this.cancelOne(delivery)
    }
    this.notify()
  }

  /** Skips the dead head of a lane and returns the new head (protocol section 5.2). */
  skip(delivery: Delivery): Delivery | undefined {
    delivery.state = "skipped"
    this.parts.store.changed(delivery.event)
    return this.advanceLane(delivery)
  }

  /** Whether a delivery is in flight, or could be sent now. */
  get busy(): boolean {
    return this.inFlight > 0 || (!this.held && this.taken < this.ready.length)
  }

  /** Whether a retry is scheduled. */
  get planned(): boolean {
    return this.waiting.size > 0 || this.parked.size > 0
  }

  /** Resolves when `busy` or `planned` may have changed. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.quietWaiters.push(resolve))
  }

  /** Stops at once and drops what is in flight. */
  close(): void {
    this.closed = true
    this.ready = []
    this.taken = 0
    this.parts.clock.stop()
    this.notify()
  }

  /** Wakes those who wait for a change. */
  wake(): void {
    this.notify()
  }

  private notify(): void {
    const waiters = this.quietWaiters
    this.quietWaiters = []
    for (const waiter of waiters) waiter()
  }

  private enqueue(delivery: Delivery): void {
    delivery.dueAt = undefined
    this.ready.push(delivery)
    this.parts.store.changed(delivery.event)
    if (this.pumping || this.closed) return
    this.pumping = true
    // After the answer to the producer, like a worker in another process.
    setImmediate(() => {
      this.pumping = false
      this.pump()
    })
  }

  private pump(): void {
    while (
      !this.closed && !this.held && this.inFlight < this.parts.settings.workers && this.taken < this.ready.length
    ) {
      this.claim(this.ready[this.taken++]!)
    }
    if (this.taken > 1024 && this.taken * 2 > this.ready.length) {
      this.ready = this.ready.slice(this.taken)
      this.taken = 0
    }
    if (!this.busy) this.notify()
  }

  /** Schedules a delivery for the first sweep at or after a time (protocol section 4.5). */
  private plan(delivery: Delivery, due: number): void {
    const period = this.parts.settings.sweepIntervalMs
    const time = period === 0 ? due : this.epoch + Math.ceil((due - this.epoch) / period) * period
    this.waiting.get(delivery)?.cancel()
    delivery.dueAt = time
    this.parts.store.changed(delivery.event)
    this.waiting.set(
      delivery,
      this.parts.clock.at(time, () => {
        this.waiting.delete(delivery)
        this.enqueue(delivery)
      })
    )
  }

  private claim(delivery: Delivery): void {
    const { clock, store, surroundings } = this.parts
    const claimable = delivery.state === "pending" || delivery.state === "retry_scheduled" || this.lost.has(delivery)
    if (!claimable || (delivery.lane !== undefined && headOf(delivery.lane) !== delivery)) return
    if (surroundings.database !== "up") {
      this.parked.add(delivery)
      store.changed(delivery.event)
      return
    }
    this.lost.delete(delivery)
    if (!isLive(delivery.subscription)) {
      delivery.state = "retry_scheduled"
      return this.orphan(delivery)
    }
    delivery.claimVersion++
    if (delivery.attemptCount >= delivery.subscription.maxAttempts) {
      store.bury(delivery, "attempts_exhausted", clock.now())
      return
    }
    if (!this.admitted(delivery.subscription.endpoint)) {
      // The attempt number is returned, the claim version is not.
      delivery.state = "retry_scheduled"
      return this.plan(delivery, clock.now() + releaseMs)
    }
    delivery.attemptCount++
    delivery.state = "in_flight"
    store.changed(delivery.event)
    this.inFlight++
    void this.attempt(delivery).finally(() => {
      this.inFlight--
      this.pump()
    })
  }

  private admitted(endpoint: Endpoint): boolean {
    const { clock, settings, store } = this.parts
    let limit: RateLimit | false = settings.deliveryRateLimit
    let rps = Infinity
    for (const subscription of store.subscriptions.values()) {
      if (subscription.endpoint !== endpoint || !subscription.active || subscription.deletedAt !== undefined) continue
      rps = Math.min(rps, subscription.rateLimitRps ?? Infinity)
    }
    if (rps !== Infinity) limit = { rps, burst: Math.max(1, 2 * rps) }
    if (limit === false) return true
    let bucket = this.buckets.get(endpoint.id)
    if (bucket === undefined) this.buckets.set(endpoint.id, bucket = new TokenBucket(limit, clock.now()))
    return bucket.take(clock.now(), limit)
  }

  private async attempt(delivery: Delivery): Promise<void> {
    const { clock, faults, ledger, store } = this.parts
    // Read once: later changes of the endpoint do not affect this attempt.
    const { id: endpointId, secret, url } = delivery.subscription.endpoint
    const { attemptCount: attemptNo, claimVersion } = delivery
    const at = clock.now()
    const fault = faults.forDelivery(delivery.event.topic)
    let signed: string | undefined
    let headers: Readonly<Record<string, string>> | undefined
    let outcome: AttemptOutcome | undefined
    if (fault === undefined || reachesReceiver(fault)) {
      signed = signature(secret, Math.floor(at / 1000), delivery.id, delivery.event.payload)
      const body = Buffer.from(delivery.event.payload, "utf8")
      headers = headersOf(delivery, signed, body.length)
      outcome = await this.send(url, headers, body).catch(() => ({ kind: "panic" as const }))
      if (this.closed) return
    }
    const answered = outcome?.kind === "response" ? outcome.answer?.() : undefined
    const latencyMs = Math.max(0, clock.now() - at)
    const crashed = fault?.kind === "crash"
    switch (fault?.kind) {
      case "status":
        outcome = { kind: "response", status: fault.status, retryAfter: fault.retryAfter }
        break
      case "reset":
        outcome = { kind: "connection" }
        break
      case "timeout":
      case "panic":
        outcome = { kind: fault.kind }
        break
      case "secretDecrypt":
        outcome = { kind: "secret_decrypt" }
    }
    const known = outcome ?? { kind: "connection" }
    const verdict = classify(known)
    ledger.attempt({
      at,
      deliveryId: delivery.id,
      eventId: delivery.event.id,
      subscriptionId: delivery.subscription.id,
      endpointId,
      url,
      topic: delivery.event.topic,
      attemptNo,
      claimVersion,
      status: crashed ? "crashed" : verdict.status,
      httpStatus: verdict.httpStatus,
      errorClass: verdict.errorClass,
      latencyMs,
      signature: signed
    })
    store.history?.attempted(delivery, {
      at,
      attemptNo,
      claimVersion,
      status: crashed ? "crashed" : verdict.status,
      httpStatus: verdict.httpStatus,
      errorClass: verdict.errorClass,
      latencyMs,
      url,
      fault: fault?.kind,
      secret,
      headers,
      response: answered
    })
    if (crashed) {
      this.lost.add(delivery)
      return this.plan(delivery, at + this.parts.settings.leaseMs)
    }
    delivery.attempts.push({ attemptNo, claimVersion, ...verdict, latencyMs, at })
    this.settle(delivery, known)
  }

  private async send(url: string, headers: Readonly<Record<string, string>>, body: Buffer): Promise<AttemptOutcome> {
    return this.parts.sender.post(url, headers, body)
  }

  /** Decides what follows an attempt (protocol sections 4.4 to 4.7). */
  private settle(delivery: Delivery, outcome: AttemptOutcome): void {
    const { clock, random, settings, store } = this.parts
    const { errorClass, status } = classify(outcome)
    const { subscription } = delivery
    if (status === "success") {
      delivery.state = "succeeded"
      store.changed(delivery.event)
      this.advanceLane(delivery)
    } else if (status === "permanent_failure" || delivery.attemptCount >= subscription.maxAttempts) {
      store.bury(delivery, errorClass ?? "", clock.now())
    } else {
      delivery.state = "retry_scheduled"
      if (!isLive(subscription)) return this.orphan(delivery)
      const asked = outcome.kind === "response" ? parseRetryAfter(outcome.retryAfter, clock.now()) : undefined
      const wait = nextDelay(subscription.backoff ?? settings.backoff, delivery.attemptCount, asked, random)
      this.plan(delivery, clock.now() + wait)
    }
  }

  private advanceLane(delivery: Delivery): Delivery | undefined {
    const next = this.parts.store.leaveLane(delivery)
    if (next !== undefined && !isTerminal(next.state)) this.publish(next)
    return next
  }

  /** A retry whose target was deleted waits for the hourly janitor (protocol section 4.6). */
  private orphan(delivery: Delivery): void {
    this.parts.store.changed(delivery.event)
    const hours = Math.floor((this.parts.clock.now() - this.epoch) / janitorPeriodMs) + 1
    this.orphans.set(
      delivery,
      this.parts.clock.at(this.epoch + hours * janitorPeriodMs, () => this.cancelOne(delivery))
    )
  }

  private cancelOne(delivery: Delivery): void {
    this.waiting.get(delivery)?.cancel()
    this.waiting.delete(delivery)
    this.orphans.get(delivery)?.cancel()
    this.orphans.delete(delivery)
    this.parked.delete(delivery)
    delivery.state = "cancelled"
    delivery.dueAt = undefined
    this.parts.store.changed(delivery.event)
    this.advanceLane(delivery)
  }
}
