/**
 * Every failure of the library, one tagged error per failure mode.
 *
 * An error says what happened, to which event, and what to do about it. On a send it also carries a verdict,
 * `outcome`, and the idempotency key, so that the caller knows whether sending again is needed, and how to do it
 * without a duplicate. No error holds a key, a secret, a header or a payload: all of them are safe to log.
 *
 * @since 0.1.0
 */
import type { YieldableError } from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import type { Mistake } from "./signature/model.js"
import type { Argument, Outcome, Problem } from "./wire/model.js"
import { quote, shorten } from "./wire/shorten.js"

export type { Argument, Mistake, Outcome, Problem }

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~hookrail/HookrailError"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~hookrail/HookrailError"

/**
 * What each error of a send carries.
 *
 * @since 0.1.0
 * @category models
 */
export interface SendContext {
  readonly topic: string
  /** The key the send used; `undefined` only where the event was refused before a key was made. */
  readonly idempotencyKey: string | undefined
  readonly outcome: Outcome
}

/**
 * What each error of a status read carries.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadContext {
  readonly eventId: string
}

/** Which call failed, and for what. A send has a topic, a read has an event id. */
interface CallFields {
  readonly topic?: string | undefined
  readonly idempotencyKey?: string | undefined
  readonly outcome?: Outcome | undefined
  readonly eventId?: string | undefined
}

interface ResponseFields extends CallFields {
  readonly status: number
  readonly problem?: Problem | undefined
  /** The start of a body that is no problem document, without anything that looks like a secret. */
  readonly body?: string | undefined
  /** What to do about an answer that is not Hookrail's own, such as one of a proxy or firewall. */
  readonly hint?: string | undefined
}

interface Base<Tag extends string> extends YieldableError {
  readonly _tag: Tag
  readonly [TypeId]: TypeId
  toJSON(): unknown
}

/** `Data.TaggedError` with our brand, and a JSON form that leaves out raw causes. */
const TaggedError = <const Tag extends string>(
  tag: Tag
): new<A extends object>(fields: A) => Base<Tag> & Readonly<A> => {
  class Tagged extends Data.TaggedError(tag)<Record<string, unknown>> {
    // On the prototype, so that the brand shows neither in JSON nor in deep comparisons.
    get [TypeId](): TypeId {
      return TypeId
    }
    override toJSON(): unknown {
      const { cause, ...fields } = this as { readonly cause?: unknown }
      return {
        _tag: tag,
        message: this.message,
        ...fields,
        ...(isHookrailError(cause) ? { cause: cause.toJSON() } : {})
      }
    }
  }
  return Tagged as never
}

const callOf = (error: CallFields): string => {
  if (error.topic !== undefined) {
    const key = error.idempotencyKey === undefined ? "" : ` (Idempotency-Key ${quote(error.idempotencyKey)})`
    return `event on topic ${quote(error.topic)}${key}`
  }
  return error.eventId === undefined ? "request" : `status of event ${quote(error.eventId)}`
}

const verdictOf = (error: CallFields): string => {
  switch (error.outcome) {
    case "not-sent":
      return " Nothing was sent."
    case "refused":
      return " The server did not store the event."
    case "unknown":
      return " The event may be stored: to be sure, send it again with the same idempotency key and payload."
    default:
      return ""
  }
}

const answerOf = (error: ResponseFields): string => {
  const parts = [error.problem?.title, error.problem?.detail].filter((part) => part !== undefined && part !== "")
  return parts.length === 0 ? `${error.status}` : `${error.status} (${shorten(parts.join(": "), maxText)})`
}

/** How much a message quotes of a text by others: problem documents, the operating system, paths in payloads. */
const maxText = 300

/** An answer, what to do about it, and how it begins. The advice is for answers of Hookrail itself, which need no hint. */
const answer = (error: ResponseFields, advice: string): string => {
  const start = error.body === undefined || error.body === ""
    ? ""
    : ` The answer begins with ${JSON.stringify(error.body)}.`
  return `the server answered ${answerOf(error)}. ${error.hint ?? advice}${start}`
}

const sentence = (error: CallFields, what: string): string => `${callOf(error)}: ${what}${verdictOf(error)}`

const answered = (error: ResponseFields, advice: string): string => sentence(error, answer(error, advice))

const hintOf = (error: { readonly hint?: string | undefined }): string =>
  error.hint === undefined ? "" : ` ${error.hint}`

// ---------------------------------------------------------------------------------------------------------------
// found before anything is sent
// ---------------------------------------------------------------------------------------------------------------

/**
 * The client cannot be built: an option or an environment variable is missing or wrong.
 *
 * @since 0.1.0
 * @category errors
 */
export class HookrailConfigError extends TaggedError("HookrailConfigError")<{
  /** The option at fault, by its name. */
  readonly option: string
  readonly reason: string
}> {
  override get message(): string {
    return `hookrail is not configured: ${this.option}: ${this.reason}`
  }
}

/**
 * The payload cannot be sent: it is not a JSON value, it would be changed on the way, or the server's database would
 * refuse it for ever (protocol section 1.8). Found before anything is sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidPayloadError extends TaggedError("InvalidPayloadError")<
  CallFields & {
    /** Where in the payload, as in `$.items[3].price`; `$` is the payload itself. */
    readonly path: string
    readonly reason: string
  }
> {
  override get message(): string {
    return sentence(this, `invalid payload at ${shorten(`${this.path}: ${this.reason}`, maxText)}.`)
  }
}

/**
 * An argument other than the payload cannot be used: a topic, an idempotency key, an ordering key, an event id, a
 * duration, a retry policy, or an option that does not exist. Found before anything is sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidArgumentError extends TaggedError("InvalidArgumentError")<
  CallFields & {
    readonly argument: Argument
    readonly reason: string
  }
> {
  override get message(): string {
    return sentence(this, `invalid ${shorten(`${this.argument}: ${this.reason}`, maxText)}.`)
  }
}

// ---------------------------------------------------------------------------------------------------------------
// no usable answer
// ---------------------------------------------------------------------------------------------------------------

/**
 * No connection to the server, or it broke before the answer was complete. Retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class HookrailConnectionError extends TaggedError("HookrailConnectionError")<
  CallFields & {
    readonly phase: "connect" | "response" | "body"
    /** The code of the operating system or of the HTTP library, such as `ECONNREFUSED`. */
    readonly code?: string | undefined
    readonly reason: string
    /** Which base URL is in use, and where it is from. */
    readonly hint?: string | undefined
    readonly cause?: unknown
  }
> {
  override get message(): string {
    return sentence(this, whatHappened(this))
  }
}

/**
 * The server did not connect, answer, or finish its answer within the limit. Retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class HookrailTimeoutError extends TaggedError("HookrailTimeoutError")<
  CallFields & {
    readonly phase: "connect" | "response" | "body"
    /** The limit that was exceeded. */
    readonly limit: Duration.Duration
    /** Which base URL is in use, and where it is from. */
    readonly hint?: string | undefined
  }
> {
  override get message(): string {
    return sentence(this, whatHappened(this))
  }
}

/**
 * An answer outside the protocol: a status that Hookrail does not give (a redirect, say), or a success whose body is
 * not the promised JSON. Often a proxy, or a base URL that is not Hookrail's.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedResponseError extends TaggedError("UnexpectedResponseError")<
  ResponseFields & {
    readonly reason: string
    /** The start of the body, without anything that looks like a secret. */
    readonly body: string
    readonly retryable: boolean
    readonly retryAfter?: Duration.Duration | undefined
  }
> {
  override get message(): string {
    return sentence(this, whatHappened(this))
  }
}

// ---------------------------------------------------------------------------------------------------------------
// the server said no
// ---------------------------------------------------------------------------------------------------------------

/**
 * 400: the server cannot read the request, or an ordering key conflicts or is too long. Never retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadRequestError extends TaggedError("BadRequestError")<ResponseFields> {
  override get message(): string {
    return answered(this, "Change the request: as it is, it will be refused again.")
  }
}

/**
 * 401: the server does not know the key. Hookrail says the same while its database is down; the client asks `/readyz`
 * first and reports a `ServerError` then (protocol section 3). Never retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class AuthenticationError extends TaggedError("AuthenticationError")<ResponseFields> {
  override get message(): string {
    return answered(this, "Check the API key (HOOKRAIL_API_KEY): it is unknown or revoked.")
  }
}

/**
 * 403: this producer key may not publish to this topic (protocol section 1.5). Never retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class ForbiddenError extends TaggedError("ForbiddenError")<ResponseFields> {
  override get message(): string {
    return answered(this, "Use a producer key whose scopes cover this topic.")
  }
}

/**
 * 404: no event with that id, or, on a send, a base URL that is not Hookrail's. Never retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotFoundError extends TaggedError("NotFoundError")<ResponseFields> {
  override get message(): string {
    return answered(this, this.problem === undefined ? "Check the base URL." : "Check the event id.")
  }
}

/**
 * 409: the idempotency key was used before with another topic, payload or ordering key (protocol section 1.6). Never
 * retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConflictError extends TaggedError("ConflictError")<ResponseFields> {
  override get message(): string {
    return answered(
      this,
      "This idempotency key belongs to another event: give each event its own, and re-send an event unchanged."
    )
  }
}

/**
 * The event is larger than the server takes: found before anything is sent (`outcome: "not-sent"`, with `bytes` and
 * `maxBytes`), or answered by the server with 413 (`outcome: "refused"`, with `status`). Never retried (protocol section
 * 1.3).
 *
 * @since 0.1.0
 * @category errors
 */
export class PayloadTooLargeError extends TaggedError("PayloadTooLargeError")<
  CallFields & {
    readonly status?: number | undefined
    readonly problem?: Problem | undefined
    readonly body?: string | undefined
    readonly hint?: string | undefined
    /** The size that was found, as JSON in UTF-8. */
    readonly bytes?: number | undefined
    /** The largest size that the server takes. */
    readonly maxBytes?: number | undefined
  }
> {
  override get message(): string {
    const advice = "Make the payload smaller, or send a reference to the data."
    return this.status === undefined
      ? sentence(this, `it has ${this.bytes} bytes as JSON, at most ${this.maxBytes} are allowed. ${advice}`)
      : answered({ ...this, status: this.status }, advice)
  }
}

/**
 * 429: the rate limit of the key, or the backlog of an ordering key (protocol section 1.4). Retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class RateLimitError extends TaggedError("RateLimitError")<
  ResponseFields & {
    /** What the server asked to wait, if it said. */
    readonly retryAfter?: Duration.Duration | undefined
  }
> {
  override get message(): string {
    return sentence(this, whatHappened(this))
  }
}

/**
 * 5xx: the server or its database is in trouble. Retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServerError extends TaggedError("ServerError")<
  ResponseFields & {
    readonly retryAfter?: Duration.Duration | undefined
    /** The status that hid an outage: a 401 or 404 given while `/readyz` answered 503. */
    readonly maskedStatus?: number | undefined
  }
> {
  override get message(): string {
    return sentence(this, whatHappened(this))
  }
}

// ---------------------------------------------------------------------------------------------------------------
// what comes after
// ---------------------------------------------------------------------------------------------------------------

/**
 * The error of one attempt that was worth a retry.
 *
 * @since 0.1.0
 * @category models
 */
export type RetryableError =
  | HookrailConnectionError
  | HookrailTimeoutError
  | RateLimitError
  | ServerError
  | UnexpectedResponseError

/** What the message of such an error says besides the call and the outcome: a `RetryError` says those itself. */
const whatHappened = (error: RetryableError): string => {
  switch (error._tag) {
    case "HookrailConnectionError": {
      const { code, phase, reason } = error
      const what = phase === "connect"
        ? "no connection to the server"
        : `the connection broke ${phase === "response" ? "before an" : "within the"} answer`
      return `${what} (${code === undefined ? "" : `${code}: `}${shorten(reason, maxText)}).${hintOf(error)}`
    }
    case "HookrailTimeoutError": {
      const { limit, phase } = error
      const what = phase === "connect" ? "connection" : phase === "response" ? "answer" : "complete answer"
      return `no ${what} within ${Duration.format(limit)}.${hintOf(error)}`
    }
    case "RateLimitError":
      return answer(
        error,
        error.retryAfter === undefined ? "Send slower." : `Try again in ${Duration.format(error.retryAfter)}.`
      )
    case "ServerError":
      return error.maskedStatus === undefined
        ? answer(error, "The server is in trouble; this is not the request's fault.")
        : `the server answered ${error.maskedStatus}, but its database is down (/readyz answers ${error.status}): that answer means nothing. Try again later.`
    case "UnexpectedResponseError":
      return answer(error, `${error.reason}.`)
  }
}

/**
 * Retrying did not help: the attempts or the time of the policy are used up, or the server asks to wait longer than
 * that. `cause` is the error of the last attempt.
 *
 * @since 0.1.0
 * @category errors
 */
export class RetryError extends TaggedError("RetryError")<
  CallFields & {
    readonly cause: RetryableError
    /** Requests made, the first one included. 0 if its turn never came: `cause` is then what slowed the client down. */
    readonly attempts: number
    /** Time since the call began. */
    readonly elapsed: Duration.Duration
  }
> {
  override get message(): string {
    const { attempts, cause } = this
    const elapsed = Duration.format(this.elapsed)
    if (attempts === 0) {
      const status = "status" in cause ? ` with ${cause.status}` : ""
      return sentence(
        this,
        `its turn did not come in ${elapsed}, since the server answers other requests${status} and the client slows down.`
      )
    }
    const times = attempts === 1 ? "1 attempt" : `${attempts} attempts`
    return sentence(this, `gave up after ${times} in ${elapsed}. The last one: ${whatHappened(cause)}`)
  }
}

/**
 * The event was not sent, since an earlier one with the same ordering key may have to be sent again. Only in the results of
 * `sendEvents` with `onError: "collect"` (see `holdKeys`). Send the earlier one again, with its idempotency key, and then
 * this one.
 *
 * @since 0.1.0
 * @category errors
 */
export class OrderingKeyHeldError extends TaggedError("OrderingKeyHeldError")<
  SendContext & {
    readonly orderingKey: string
  }
> {
  override get message(): string {
    return sentence(
      this,
      `held back, since an earlier event with the ordering key ${
        quote(this.orderingKey)
      } may have to be sent again. Send that one first, with its idempotency key.`
    )
  }
}

/**
 * The event is stored, but no subscription matched its topic, so nobody will receive it. Only with
 * `onUnmatched: "fail"`.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnmatchedEventError extends TaggedError("UnmatchedEventError")<{
  readonly topic: string
  readonly eventId: string
  readonly idempotencyKey: string
  readonly outcome: "accepted"
}> {
  override get message(): string {
    return `event ${quote(this.eventId)} on topic ${
      quote(this.topic)
    } is stored, but no subscription matches the topic: nobody will receive it. Check the topic for a typing error, or create the subscription first.`
  }
}

/**
 * The event has not reached the awaited state in time.
 *
 * @since 0.1.0
 * @category errors
 */
export class AwaitTimeoutError extends TaggedError("AwaitTimeoutError")<{
  readonly eventId: string
  readonly limit: Duration.Duration
  /** The states of the deliveries as last seen. */
  readonly states: ReadonlyArray<string>
}> {
  override get message(): string {
    return `event ${quote(this.eventId)} has not reached the awaited state within ${
      Duration.format(this.limit)
    }. Its deliveries: ${this.states.length === 0 ? "none" : shorten(this.states.join(", "), maxText)}.`
  }
}

// ---------------------------------------------------------------------------------------------------------------
// webhook verification
// ---------------------------------------------------------------------------------------------------------------

/**
 * The signature belongs to none of the secrets, or the body or delivery id is not what was signed.
 *
 * @since 0.1.0
 * @category errors
 */
export class SignatureError extends TaggedError("SignatureError")<{
  /** What probably went wrong, and what to do about it. */
  readonly reason: string
  /** The mistake that was found, if one was looked for and found. */
  readonly mistake?: Mistake | undefined
}> {
  override get message(): string {
    return `webhook signature does not match: ${this.reason}`
  }
}

/**
 * The signature was made too long ago, or in the future.
 *
 * @since 0.1.0
 * @category errors
 */
export class SignatureTimestampError extends TaggedError("SignatureTimestampError")<{
  /** Age of the signature; negative if it lies in the future. In seconds. */
  readonly ageSeconds: number
  readonly toleranceSeconds: number
  /**
   * Whether it matches apart from its age. `true`: this machine's clock is off by that much, or the request was held up or
   * repeated. `false`: it was not made with any of the secrets either.
   */
  readonly genuine?: boolean | undefined
}> {
  override get message(): string {
    const where = this.ageSeconds < 0 ? `${-this.ageSeconds} s in the future` : `${this.ageSeconds} s old`
    const but = this.genuine === undefined ? "" : this.genuine ? " (it matches, though)" : " (nor does it match)"
    return `webhook signature is ${where}${but}, tolerated are ${this.toleranceSeconds} s: check this machine's clock`
  }
}

/**
 * The request carries no usable Hookrail signature: a header is missing or not in the form `t=...,v1=...`.
 *
 * @since 0.1.0
 * @category errors
 */
export class MalformedSignatureError extends TaggedError("MalformedSignatureError")<{ readonly reason: string }> {
  override get message(): string {
    return `not a signed Hookrail webhook: ${this.reason}`
  }
}

// ---------------------------------------------------------------------------------------------------------------
// receiving
// ---------------------------------------------------------------------------------------------------------------

/**
 * The store of a `DeliveryLog` could not do what it was asked. Nothing is handled without it: the delivery is answered
 * with 503, and comes again.
 *
 * @since 0.1.0
 * @category errors
 */
export class DeliveryLogError extends TaggedError("DeliveryLogError")<{
  readonly operation: "claim" | "done" | "release"
  readonly deliveryId: string
  /** What the store said. Kept out of the JSON form. */
  readonly cause: unknown
}> {
  override get message(): string {
    return `delivery log: ${this.operation} of delivery ${shorten(this.deliveryId)} failed: check the store`
  }
}

// ---------------------------------------------------------------------------------------------------------------
// unions and guards
// ---------------------------------------------------------------------------------------------------------------

/**
 * What verifying a webhook can fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type WebhookVerificationError = SignatureError | SignatureTimestampError | MalformedSignatureError

type ResponseError =
  | BadRequestError
  | AuthenticationError
  | ForbiddenError
  | NotFoundError
  | ConflictError
  | PayloadTooLargeError
  | UnexpectedResponseError

type With<E, Context> = E extends unknown ? E & Context : never

/**
 * What `HookrailClient.sendEvent` can fail with. Each but `UnmatchedEventError` has `topic`, `idempotencyKey` and
 * `outcome`.
 *
 * @since 0.1.0
 * @category models
 */
export type SendError =
  | With<InvalidPayloadError | InvalidArgumentError | ResponseError | RetryError, SendContext>
  | UnmatchedEventError

/**
 * What `HookrailClient.getEvent` can fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type ReadError = With<InvalidArgumentError | ResponseError | RetryError, ReadContext>

/**
 * What `HookrailClient.awaitEvent` can fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type AwaitError = ReadError | AwaitTimeoutError

/**
 * Any error of the library.
 *
 * @since 0.1.0
 * @category models
 */
export type HookrailError =
  | HookrailConfigError
  | InvalidPayloadError
  | InvalidArgumentError
  | ResponseError
  | RetryableError
  | RetryError
  | OrderingKeyHeldError
  | UnmatchedEventError
  | AwaitTimeoutError
  | WebhookVerificationError
  | DeliveryLogError

/**
 * Whether a value is an error of this library. Works across the ESM and CJS copies, where `instanceof` does not.
 *
 * @since 0.1.0
 * @category guards
 */
export const isHookrailError = (u: unknown): u is HookrailError => Predicate.hasProperty(u, TypeId)

/**
 * Whether the same call may succeed later: connection and timeout errors, 408, 425, 429, 5xx, and what is left of them
 * after retrying (`RetryError`).
 *
 * @since 0.1.0
 * @category guards
 */
export const isRetryable = (error: HookrailError): error is RetryableError | RetryError => {
  switch (error._tag) {
    case "HookrailConnectionError":
    case "HookrailTimeoutError":
    case "RateLimitError":
    case "ServerError":
    case "RetryError":
      return true
    case "UnexpectedResponseError":
      return error.retryable
    default:
      return false
  }
}

/**
 * What the server asked to wait before the next attempt, if it did.
 *
 * @since 0.1.0
 * @category getters
 */
export const retryAfterOf = (error: HookrailError): Duration.Duration | undefined => {
  switch (error._tag) {
    case "RateLimitError":
    case "ServerError":
    case "UnexpectedResponseError":
      return error.retryAfter
    case "RetryError":
      return retryAfterOf(error.cause)
    default:
      return undefined
  }
}
