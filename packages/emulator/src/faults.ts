import { topicMatches } from "./base/matching.js"
import type { Random } from "./base/random.js"
import type { DatabaseState } from "./model.js"

/** What a rule applies to. `delivery` is the way to receivers, the others are requests that come in. */
export type FaultPoint = "ingest" | "status" | "ready" | "health" | "metrics" | "admin" | "delivery"

/** Which of the requests at its point a rule applies to; without any of these, to all. */
export interface FaultSelection {
  /** Only events whose topic matches this pattern (protocol section 1.5). */
  readonly topic?: string | undefined
  /** Only the n-th request that the rule could apply to, counted from 1. */
  readonly nth?: number | undefined
  /** At most this many requests. */
  readonly times?: number | undefined
  /** Each request with this probability, 0..1, drawn from the emulator's seed. */
  readonly probability?: number | undefined
}

/** Whether the request is processed first: with `after`, an event is stored and only the answer goes wrong. */
export type FaultMoment = "before" | "after"

/** What happens to a request that comes in. */
export type AnswerFaultAction =
  /** Another answer. `problem` gives a problem document, `body` any text. Default `when` is `before`. */
  | {
    readonly kind: "status"
    readonly status: number
    readonly when?: FaultMoment | undefined
    readonly problem?: { readonly title: string; readonly detail: string } | undefined
    readonly body?: string | undefined
    readonly headers?: Readonly<Record<string, string>> | undefined
    readonly retryAfter?: string | undefined
  }
  /** A TCP reset in place of an answer. Default `when` is `before`. */
  | { readonly kind: "reset"; readonly when?: FaultMoment | undefined }
  /** An orderly close in place of an answer. Default `when` is `before`. */
  | { readonly kind: "close"; readonly when?: FaultMoment | undefined }
  /** No answer at all; the connection stays open. Default `when` is `before`. */
  | { readonly kind: "stall"; readonly when?: FaultMoment | undefined }
  /** The true answer's head with its full `Content-Length`, then this many bytes of the body and a close. */
  | { readonly kind: "truncate"; readonly bytes: number }
  /** The true answer, its body in pieces with a pause of `everyMs` milliseconds of real time between them. */
  | { readonly kind: "drip"; readonly chunkBytes: number; readonly everyMs: number }
  /** A body that is not what the protocol promises. Default `status` 202 and `when` `after`. */
  | {
    readonly kind: "garbage"
    readonly body: string
    readonly status?: number | undefined
    readonly when?: FaultMoment | undefined
  }
  /** The true answer after a wait, in milliseconds of the emulator's clock. */
  | { readonly kind: "delay"; readonly ms: number }
  /** This request finds the database in another state. Default `down`. */
  | { readonly kind: "database"; readonly state?: DatabaseState | undefined }

/** What happens to a delivery attempt. With `after`, the receiver got the request and only its answer is lost. */
export type DeliveryFaultAction =
  /** As if the receiver had answered this status. Default `when` is `before`: the receiver is not asked. */
  | {
    readonly kind: "status"
    readonly status: number
    readonly retryAfter?: string | undefined
    readonly when?: FaultMoment | undefined
  }
  /** As if the connection had been reset: class `connection`. Default `when` is `before`. */
  | { readonly kind: "reset"; readonly when?: FaultMoment | undefined }
  /** As if the receiver had been silent, without the wait: class `timeout`. Default `when` is `before`. */
  | { readonly kind: "timeout"; readonly when?: FaultMoment | undefined }
  /** The worker dies: no attempt is recorded and the delivery is taken up again after the lease. Default `after`. */
  | { readonly kind: "crash"; readonly when?: FaultMoment | undefined }
  /** A failure inside the worker: dead-lettered as `panic` or `secret_decrypt`, nothing is sent. */
  | { readonly kind: "panic" }
  | { readonly kind: "secretDecrypt" }

/** A fault of an answer. Without `on` it is one of ingest. */
export type AnswerFaultRule =
  & FaultSelection
  & { readonly on?: Exclude<FaultPoint, "delivery"> | undefined }
  & AnswerFaultAction

/** A fault of deliveries. */
export type DeliveryFaultRule = FaultSelection & { readonly on: "delivery" } & DeliveryFaultAction

/** A rule about what goes wrong, where and how often. */
export type FaultRule = AnswerFaultRule | DeliveryFaultRule

/** A rule in force. */
export interface FaultHandle {
  /** Ends the rule. */
  readonly remove: () => void
  /** How often the rule was applied. */
  readonly hits: number
}

interface Entry {
  readonly rule: FaultRule
  seen: number
  hits: number
}

const pointOf = (rule: FaultRule): FaultPoint => rule.on ?? "ingest"

/** The rules in force. The first that applies wins. */
export class Faults {
  private readonly entries = new Set<Entry>()

  constructor(private readonly random: Random) {}

  /** Puts a rule into force. */
  add(rule: FaultRule): FaultHandle {
    const entry: Entry = { rule, seen: 0, hits: 0 }
    this.entries.add(entry)
    return {
      remove: () => {
        this.entries.delete(entry)
      },
      get hits() {
        return entry.hits
      }
    }
  }

  /** Ends all rules. */
  clear(): void {
    this.entries.clear()
  }

  /** Whether some rule at a point asks for the topic, so that the body has to be read before one is chosen. */
  needTopic(point: FaultPoint): boolean {
    for (const { rule } of this.entries) if (pointOf(rule) === point && rule.topic !== undefined) return true
    return false
  }

  /** The rule of an incoming request, if one applies. */
  forAnswer(point: Exclude<FaultPoint, "delivery">, topic?: string): AnswerFaultAction | undefined {
    return this.take(point, topic) as AnswerFaultAction | undefined
  }

  /** The rule of a delivery attempt, if one applies. */
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
      return rule
    }
    return undefined
  }
}
