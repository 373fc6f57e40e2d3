/**
 * Keeps account of every send: what the client said of it, against what the server has stored.
 *
 * A send is open from its beginning until all is known of it. Only open sends are remembered, so the books do not grow
 * with the run; an event that is stored for any other send is one too many.
 */
import type { SendError } from "hookrail/HookrailError"
import { isDeepStrictEqual } from "node:util"

/** What a client said of a send. */
export type Result =
  | { readonly _tag: "Succeeded"; readonly eventId: string; readonly idempotencyKey: string }
  | { readonly _tag: "Failed"; readonly error: Failure }
  | { readonly _tag: "Interrupted" }

/** What the account looks at in an error; anything may have been thrown, so nothing is certain. */
export interface Failure {
  readonly _tag?: unknown
  readonly outcome?: unknown
  readonly idempotencyKey?: unknown
  readonly cause?: unknown
}

export interface Send {
  readonly payload: unknown
  /** The key that the caller chose; else the client makes one. */
  readonly key: string | undefined
  /** How many requests the client may make for it. */
  readonly maxAttempts: number
}

export interface StoredEvent {
  readonly eventId: string
  readonly idempotencyKey: string | undefined
  readonly payload: string
}

interface OpenSend extends Send {
  attempts: number
  /** The key as it was seen on the wire. */
  seenKey: string | undefined
  readonly eventIds: Array<string>
}

export interface Summary {
  readonly sends: number
  /** How many sends ended in which way: `succeeded`, `interrupted`, or an error with its outcome. */
  readonly results: ReadonlyMap<string, number>
  readonly attempts: number
  readonly retries: number
  readonly sentAgain: number
  readonly stored: number
  readonly violations: ReadonlyArray<string>
}

/** The errors that `sendEvent` declares. */
const declared: Record<SendError["_tag"], true> = {
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
  UnmatchedEventError: true
}

const describe = (error: Failure): string => {
  const cause = error._tag === "RetryError" ? ` of ${(error.cause as Failure | undefined)?._tag}` : ""
  return `${error._tag}${cause}, ${error.outcome}`
}

export class Account {
  private readonly open = new Map<number, OpenSend>()
  private readonly results = new Map<string, number>()
  private readonly violations: Array<string> = []
  private sends = 0
  private attempts = 0
  private retries = 0
  private again = 0
  private storedEvents = 0

  /** A send begins. */
  begin(seq: number, send: Send): void {
    this.sends++
    this.open.set(seq, { ...send, attempts: 0, seenKey: send.key, eventIds: [] })
  }

  /** A request of a send was seen on its way to the server. */
  attempted(seq: number, key: string | undefined): void {
    const send = this.open.get(seq)
    // The request of a send that was interrupted may arrive when all is over.
    if (send === undefined) return
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
   * A send has ended. Gives the key with which it has to be sent once more, where what became of it is open: the send is
   * then settled by `sentAgain`.
   */
  ended(seq: number, result: Result): string | undefined {
    const send = this.open.get(seq)!
    switch (result._tag) {
      case "Succeeded":
        this.tally("succeeded")
        this.checkEvent(seq, send, result.eventId)
        this.checkKey(seq, send, result.idempotencyKey)
        return this.settle(seq)
      case "Interrupted":
        this.tally("interrupted")
        return send.key
      case "Failed":
        this.tally(describe(result.error))
        return this.failed(seq, send, result.error)
    }
  }

  /** A send was sent once more, without faults in between. */
  sentAgain(seq: number, result: Result): void {
    const send = this.open.get(seq)!
    this.again++
    if (result._tag === "Succeeded") this.checkEvent(seq, send, result.eventId)
    else this.violation(seq, `sending again: ${result._tag === "Failed" ? describe(result.error) : "interrupted"}`)
    this.settle(seq)
  }

  /** The books at the end, when no send may be open any more. */
  close(): Summary {
    for (const seq of this.open.keys()) this.violation(seq, "hangs")
    return {
      sends: this.sends,
      results: this.results,
      attempts: this.attempts,
      retries: this.retries,
      sentAgain: this.again,
      stored: this.storedEvents,
      violations: this.violations
    }
  }

  private failed(seq: number, send: OpenSend, error: Failure): string | undefined {
    if (typeof error._tag !== "string" || !Object.hasOwn(declared, error._tag)) {
      this.violation(seq, `an error that is not declared: ${describe(error)}`)
    }
    this.checkKey(seq, send, error.idempotencyKey)
    switch (error.outcome) {
      case "unknown":
        if (typeof error.idempotencyKey !== "string") break
        return send.seenKey ??= error.idempotencyKey
      case "refused":
      case "not-sent":
        if (send.eventIds.length > 0) this.violation(seq, `${describe(error)}, but stored as ${send.eventIds[0]}`)
        break
      default:
        this.violation(seq, `an outcome that is not expected: ${describe(error)}`)
    }
    return this.settle(seq)
  }

  private checkEvent(seq: number, send: OpenSend, eventId: string): void {
    if (send.eventIds.length === 0) this.violation(seq, `lost: ${eventId} was promised, nothing is stored`)
    else if (!send.eventIds.includes(eventId)) {
      this.violation(seq, `${eventId} was promised, ${send.eventIds[0]} stored`)
    }
  }

  private checkKey(seq: number, send: OpenSend, key: unknown): void {
    // Without a chosen key, and without any request that was seen, it is whatever the client says.
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
