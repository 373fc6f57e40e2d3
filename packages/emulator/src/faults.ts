import { topicMatches } from "./base/matching.js"
import type { Random } from "./base/random.js"
import type { DatabaseState } from "./model.js"

/** What a rule applies to: `delivery` is an attempt to deliver, the others are incoming requests. */
export type FaultPoint = "ingest" | "status" | "ready" | "health" | "metrics" | "admin" | "delivery"

/** Which requests a rule applies to; all of them by default. */
export interface FaultSelection {
  /** Only events whose topic matches this pattern (protocol section 1.5). */
  readonly topic?: string | undefined
  /** Only the n-th matching request, counted from 1. */
  readonly nth?: number | undefined
  /** At most this many times. */
  readonly times?: number | undefined
  /** Each request with this probability, 0..1, drawn from the emulator's seed. */
  readonly probability?: number | undefined
}

/** Whether the request is processed first: with `after`, an event is stored and only the answer goes wrong. */
export type FaultMoment = "before" | "after"

/** What happens to an incoming request. */
export type AnswerFaultAction =
  /** Another response. `problem` gives a problem document, `body` any text. Default `when` is `before`. */
  | {
    readonly kind: "status"
    readonly status: number
    readonly when?: FaultMoment | undefined
    readonly problem?: { readonly title: string; readonly detail: string } | undefined
    readonly body?: string | undefined
    readonly headers?: Readonly<Record<string, string>> | undefined
    readonly retryAfter?: string | undefined
  }
  /** A TCP reset instead of a response. Default `when` is `before`. */
  | { readonly kind: "reset"; readonly when?: FaultMoment | undefined }
  /** An orderly close instead of a response. Default `when` is `before`. */
  | { readonly kind: "close"; readonly when?: FaultMoment | undefined }
  /** No response; the connection stays open. Default `when` is `before`. */
  | { readonly kind: "stall"; readonly when?: FaultMoment | undefined }
  /** The real response's head with its full `Content-Length`, then this many bytes of the body, then a close. */
  | { readonly kind: "truncate"; readonly bytes: number }
  /** The real response, its body in chunks, `everyMs` milliseconds of real time apart. */
  | { readonly kind: "drip"; readonly chunkBytes: number; readonly everyMs: number }
  /** A body that breaks the protocol. Default `status` 202 and `when` `after`. */
  | {
    readonly kind: "garbage"
    readonly body: string
    readonly status?: number | undefined
    readonly when?: FaultMoment | undefined
  }
  /** The real response, delayed by milliseconds of the emulator's clock. */
  | { readonly kind: "delay"; readonly ms: number }
  /** The database is in another state for this request. Default `down`. */
  | { readonly kind: "database"; readonly state?: DatabaseState | undefined }

/** What happens to a delivery attempt. With `after`, the receiver gets the request and only its response is lost. */
export type DeliveryFaultAction =
  /** As if the receiver had answered with this status. Default `when` is `before`: nothing is sent. */
  | {
    readonly kind: "status"
    readonly status: number
    readonly retryAfter?: string | undefined
    readonly when?: FaultMoment | undefined
  }
  /** As if the connection had been reset: class `connection`. Default `when` is `before`. */
  | { readonly kind: "reset"; readonly when?: FaultMoment | undefined }
  /** As if the receiver had not answered in time, without the wait: class `timeout`. Default `when` is `before`. */
  | { readonly kind: "timeout"; readonly when?: FaultMoment | undefined }
  /** The worker crashes: no attempt is recorded, and the delivery is retried after the lease. Default `after`. */
  | { readonly kind: "crash"; readonly when?: FaultMoment | undefined }
  /** The worker fails: dead-lettered as `panic` or `secret_decrypt`, and nothing is sent. */
  | { readonly kind: "panic" }
  | { readonly kind: "secretDecrypt" }

/** A fault of an incoming request; of ingest if `on` is absent. */
export type AnswerFaultRule =
  & FaultSelection
  & { readonly on?: Exclude<FaultPoint, "delivery"> | undefined }
  & AnswerFaultAction

/** A fault of deliveries. */
export type DeliveryFaultRule = FaultSelection & { readonly on: "delivery" } & DeliveryFaultAction

/** What goes wrong, where and how often. */
export type FaultRule = AnswerFaultRule | DeliveryFaultRule

/** An active rule. */
export interface FaultHandle {
  /** Removes the rule. */
  readonly remove: () => void
  /** How often the rule was applied. */
  readonly hits: number
}

/** A rule among all active ones. */
export interface ActiveFault {
  readonly id: number
  readonly rule: FaultRule
  readonly hits: number
}

interface Entry {
  readonly id: number
  readonly rule: FaultRule
  seen: number
  hits: number
}

const pointOf = (rule: FaultRule): FaultPoint => rule.on ?? "ingest"

/** The active rules. The first match wins. */
export class Faults {
  private readonly entries = new Set<Entry>()
  private lastId = 0

  /** `changed` is called whenever a rule comes, goes, or is applied. */
  constructor(private readonly random: Random, private readonly changed: () => void = () => {}) {}

  /** Activates a rule. */
  add(rule: FaultRule): FaultHandle & { readonly id: number } {
    const entry: Entry = { id: ++this.lastId, rule, seen: 0, hits: 0 }
    this.entries.add(entry)
    this.changed()
    return {
      id: entry.id,
      remove: () => {
        this.remove(entry.id)
      },
      get hits() {
        return entry.hits
      }
    }
  }

  /** The active rules, used-up ones included. */
  list(): ReadonlyArray<ActiveFault> {
    return [...this.entries].map(({ hits, id, rule }) => ({ id, rule, hits }))
  }

  /** Removes a rule; false if there is none with that id. */
  remove(id: number): boolean {
    for (const entry of this.entries) {
      if (entry.id !== id) continue
      this.entries.delete(entry)
      this.changed()
      return true
    }
    return false
  }

  /** Removes all rules. */
  clear(): void {
    this.entries.clear()
    this.changed()
  }

  /** Whether a rule at this point depends on the topic, so that the body must be read first. */
  needTopic(point: FaultPoint): boolean {
    for (const { rule } of this.entries) if (pointOf(rule) === point && rule.topic !== undefined) return true
    return false
  }

  /** The rule that applies to an incoming request. */
  forAnswer(point: Exclude<FaultPoint, "delivery">, topic?: string): AnswerFaultAction | undefined {
    return this.take(point, topic) as AnswerFaultAction | undefined
  }

  /** The rule that applies to a delivery attempt. */
  forDelivery(topic: string): DeliveryFaultAction | undefined {
    return this.take("delivery", topic) as DeliveryFaultAction | undefined
  }

  private take(point: FaultPoint, topic: string | undefined): FaultRule | undefined {
    for (const entry of this.entries) {
      const { rule } = entry
      if (pointOf(rule) !== point) continue
      if (rule.topic !== undefined && !(topic !== undefined && topicMatches(rule.topic, topic))) continue
      entry.seen++
      if (rule.nth !== undefined && entry.seen !== rule.nth) continue
      if (rule.times !== undefined && entry.hits >= rule.times) continue
      if (rule.probability !== undefined && this.random.next() >= rule.probability) continue
      entry.hits++
      this.changed()
      return rule
    }
    return undefined
  }
}
