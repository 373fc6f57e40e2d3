/**
 * Accounts for every send: compares what the client reported with what the server has stored.
 *
 * A send is open until its outcome is known for certain. Only open sends are remembered, so that memory does not grow with the
 * run; an event that is stored for any other send is a duplicate.
 */
import type { SendError } from "hookrail/HookrailError"
import { isDeepStrictEqual } from "node:util"

/** What a client reported about a send. */
export type Result =
  | { readonly _tag: "Succeeded"; readonly eventId: string; readonly idempotencyKey: string }
  | { readonly _tag: "Failed"; readonly error: Failure }
  /** By its caller, with what the client told about it. A send that had not begun tells nothing. */
  | { readonly _tag: "Interrupted"; readonly told: Failure | undefined }

/** The fields of an error that are checked. All optional, since anything may have been thrown. */
export interface Failure {
  readonly _tag?: unknown
  readonly outcome?: unknown
  readonly idempotencyKey?: unknown
  readonly attempts?: unknown
  readonly cause?: unknown
}

export interface Send {
  readonly payload: unknown
  /** The key that the caller chose, if any. */
  readonly key: string | undefined
  /** How many requests the client may make for this send. */
  readonly maxAttempts: number
}

export interface StoredEvent {
  readonly eventId: string
  readonly idempotencyKey: string | undefined
  readonly payload: string
}

interface OpenSend extends Send {
  attempts: number
  /** The key that was seen on the wire. */
  seenKey: string | undefined
  readonly eventIds: Array<string>
}

export interface Summary {
  readonly sends: number
  /** The number of sends by result: `succeeded`, `interrupted`, or an error with its outcome. */
  readonly results: ReadonlyMap<string, number>
  readonly attempts: number
  readonly retries: number
  readonly sentAgain: number
  readonly stored: number
  readonly violations: ReadonlyArray<string>
}

/** The errors of a send that its client ended, or held back. Its caller sends it again, whatever the outcome. */
const unfinished = ["HookrailClosedError", "OrderingKeyHeldError"] as const

/** The errors that sends declare. An abort is no failure here: it is a result of its own. */
const declared: Record<SendError["_tag"] | typeof unfinished[number], true> = {
  InvalidPayloadError: true,
  InvalidArgumentError: true,
  BadRequestError: true,
  AuthenticationError: true,
  ForbiddenError: true,
  NotFoundError: true,
  ConflictError: true,
  PayloadTooLargeError: true,
  UnexpectedResponseError: true,
  RetryError: true,
  UnmatchedEventError: true,
  HookrailClosedError: true,
  OrderingKeyHeldError: true
}

const describe = (error: Failure): string => {
  const cause = error._tag === "RetryError" ? ` of ${(error.cause as Failure | undefined)?._tag}` : ""
  return `${error._tag}${cause}, ${error.outcome}`
}

export class Account {
  private readonly open = new Map<number, OpenSend>()
  private readonly results = new Map<string, number>()
  private readonly violations: Array<string> = []
  /** The sends that were settled as not sent: no request of theirs may come later. Few, so they are remembered. */
  private readonly notSent = new Set<number>()
  private sends = 0
  private attempts = 0
  private retries = 0
  private sentAgainSoFar = 0
  private storedEvents = 0

  begin(seq: number, send: Send): void {
    this.sends++
    this.open.set(seq, { ...send, attempts: 0, seenKey: send.key, eventIds: [] })
  }

  /** The proxy saw a request of a send. */
  attempted(seq: number, key: string | undefined): void {
    const send = this.open.get(seq)
    if (send === undefined) {
      // The request of any other interrupted send may arrive after the send was settled.
      if (this.notSent.has(seq)) this.violation(seq, "a request came after the send was reported as not sent")
      return
    }
    send.attempts++
    send.seenKey ??= key
    if (key !== send.seenKey) this.violation(seq, `an attempt has key ${key} instead of ${send.seenKey}`)
    if (send.attempts === send.maxAttempts + 1) this.violation(seq, `more than ${send.maxAttempts} attempts`)
  }

  /** The server has stored an event of a send. */
  stored(seq: number, event: StoredEvent): void {
    this.storedEvents++
    const send = this.open.get(seq)
    if (send === undefined) return this.violation(seq, `event ${event.eventId} was stored after the send was settled`)
    send.eventIds.push(event.eventId)
    if (send.eventIds.length === 2) this.violation(seq, `stored twice, as ${send.eventIds.join(" and ")}`)
    if (!isDeepStrictEqual(JSON.parse(event.payload), send.payload)) this.violation(seq, "stored with another payload")
    if (event.idempotencyKey !== send.seenKey) this.violation(seq, `stored under key ${event.idempotencyKey}`)
  }

  /**
   * A send has ended. If it has to be sent again, returns the key to do so; `sentAgain` then settles it. That is so where the
   * outcome is unknown, and where the client was closed.
   */
  ended(seq: number, result: Result): string | undefined {
    const send = this.open.get(seq)!
    switch (result._tag) {
      case "Succeeded":
        this.tally("succeeded")
        this.checkEvent(seq, send, result.eventId)
        this.checkKey(seq, send, result.idempotencyKey)
        return this.settle(seq)
      case "Interrupted": {
        const told = result.told ?? { outcome: "not-sent", idempotencyKey: send.key }
        this.tally(`interrupted, ${told.outcome}`)
        // A send that had not begun has no key yet, unless its caller chose one.
        if (result.told !== undefined || send.key !== undefined) this.checkKey(seq, send, told.idempotencyKey)
        return this.judged(seq, send, told, false)
      }
      case "Failed":
        this.tally(describe(result.error))
        return this.failed(seq, send, result.error)
    }
  }

  /** An event was sent again, directly to the server. */
  sentAgain(seq: number, result: Result): void {
    const send = this.open.get(seq)!
    this.sentAgainSoFar++
    if (result._tag === "Succeeded") {
      this.checkEvent(seq, send, result.eventId)
      this.checkKey(seq, send, result.idempotencyKey)
    } else {
      this.violation(seq, `sending again: ${result._tag === "Failed" ? describe(result.error) : "interrupted"}`)
    }
    this.settle(seq)
  }

  /** The summary at the end. A send that is still open hangs. */
  close(): Summary {
    for (const seq of this.open.keys()) this.violation(seq, "hangs")
    return {
      sends: this.sends,
      results: this.results,
      attempts: this.attempts,
      retries: this.retries,
      sentAgain: this.sentAgainSoFar,
      stored: this.storedEvents,
      violations: this.violations
    }
  }

  private failed(seq: number, send: OpenSend, error: Failure): string | undefined {
    if (typeof error._tag !== "string" || !Object.hasOwn(declared, error._tag)) {
      this.violation(seq, `an error that is not declared: ${describe(error)}`)
    }
    // What was held back has no key yet, unless its caller chose one.
    if (error._tag !== "OrderingKeyHeldError" || send.key !== undefined) this.checkKey(seq, send, error.idempotencyKey)
    return this.judged(seq, send, error, unfinished.some((tag) => tag === error._tag))
  }

  /** Checks an outcome, and settles the send unless it has to be sent again. */
  private judged(seq: number, send: OpenSend, told: Failure, sendAgain: boolean): string | undefined {
    const { idempotencyKey, outcome } = told
    switch (outcome) {
      case "unknown":
        return this.again(seq, send, idempotencyKey)
      case "refused":
      case "not-sent":
        if (send.eventIds.length > 0) this.violation(seq, `reported as ${outcome}, but stored as ${send.eventIds[0]}`)
        if (outcome === "not-sent" && send.attempts > 0) {
          this.violation(seq, `reported as not-sent after ${send.attempts} requests`)
        }
        if (sendAgain) return this.again(seq, send, idempotencyKey)
        if (outcome === "not-sent") this.notSent.add(seq)
        break
      default:
        this.violation(seq, `an outcome that is not expected: ${describe(told)}`)
    }
    return this.settle(seq)
  }

  private again(seq: number, send: OpenSend, key: unknown): string | undefined {
    // Without a key it cannot be sent again; a missing one is reported by `checkKey`.
    return typeof key === "string" ? send.seenKey ??= key : this.settle(seq)
  }

  private checkEvent(seq: number, send: OpenSend, eventId: string): void {
    if (send.eventIds.length === 0) this.violation(seq, `lost: ${eventId} was promised, nothing is stored`)
    else if (!send.eventIds.includes(eventId)) {
      this.violation(seq, `${eventId} was promised, ${send.eventIds[0]} stored`)
    }
  }

  private checkKey(seq: number, send: OpenSend, key: unknown): void {
    // If no key was chosen and no request was seen, any key is right.
    if (typeof key !== "string" || key !== (send.seenKey ?? key)) {
      this.violation(seq, `reports key ${String(key)} instead of ${send.seenKey}`)
    }
  }

  private settle(seq: number): undefined {
    const { attempts } = this.open.get(seq)!
    this.attempts += attempts
    this.retries += Math.max(0, attempts - 1)
    this.open.delete(seq)
  }

  private tally(what: string): void {
    this.results.set(what, (this.results.get(what) ?? 0) + 1)
  }

  private violation(seq: number, what: string): void {
    this.violations.push(`send ${seq}: ${what}`)
  }
}
