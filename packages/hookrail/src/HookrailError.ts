/**
 * All failures of the library: one tagged error per failure mode.
 *
 * An error says what happened, to which event, and what to do about it. The error of a send also carries `outcome` and the
 * idempotency key: they tell the caller whether to send again, and how to do so without a duplicate. No error holds an API key,
 * a secret, a header or a payload, so all of them are safe to log.
 *
 * @since 0.1.0
 */
import type { YieldableError } from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import type { Mistake } from "./signature/model.js"
import type { AdminArgument, AdminOperation, ReceiverCheck, Role } from "./wire/admin.js"
import { callOf, verdictOf } from "./wire/describe.js"
import type { Argument, Outcome, Problem } from "./wire/model.js"
import { isWorthRetrying } from "./wire/retryable.js"
import { ended, quote, shorten } from "./wire/shorten.js"

export type { AdminArgument, AdminOperation, Argument, Mistake, Outcome, Problem, Role }

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
 * The fields of every error of a send.
 *
 * @since 0.1.0
 * @category models
 */
export interface SendContext {
  readonly topic: string
  /** The key that the send used; `undefined` only if the event was rejected before a key was made. */
  readonly idempotencyKey: string | undefined
  readonly outcome: Outcome
}

/**
 * The fields of every error of a status read.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadContext {
  readonly eventId: string
}

/**
 * The fields of every error of the admin API.
 *
 * @since 0.1.0
 * @category models
 */
export interface AdminContext {
  readonly operation: AdminOperation
  /** What it is about: an id, or a URL without its query. */
  readonly target?: string | undefined
  /** What is known about a write; `undefined` for a read. */
  readonly outcome?: Outcome | undefined
}

/** Which call failed. A send has a topic, a read has an event id, one of the admin API has an operation. */
interface CallFields {
  readonly topic?: string | undefined
  readonly idempotencyKey?: string | undefined
  readonly outcome?: Outcome | undefined
  readonly eventId?: string | undefined
  readonly operation?: AdminOperation | undefined
  /** What an operation of the admin API is about: an id, or a URL without its query. */
  readonly target?: string | undefined
}

interface ResponseFields extends CallFields {
  readonly status: number
  readonly problem?: Problem | undefined
  /** The start of a body that is no problem document, without anything that looks like a secret. */
  readonly body?: string | undefined
  /** What to do about it: for an answer that is not Hookrail's own, such as one of a proxy, and in the admin API. */
  readonly hint?: string | undefined
}

interface Base<Tag extends string> extends YieldableError {
  readonly _tag: Tag
  readonly [TypeId]: TypeId
  toJSON(): unknown
}

/** `Data.TaggedError` with our brand and a JSON form without foreign causes. */
const TaggedError = <const Tag extends string>(
  tag: Tag
): new<A extends object>(fields: A) => Base<Tag> & Readonly<A> => {
  class Tagged extends Data.TaggedError(tag)<Record<string, unknown>> {
    // On the prototype, so that neither JSON nor deep comparisons see the brand.
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
// before sending
// ---------------------------------------------------------------------------------------------------------------

/**
 * The client cannot be built: an option or environment variable is missing or invalid.
 *
 * @since 0.1.0
 * @category errors
 */
export class HookrailConfigError extends TaggedError("HookrailConfigError")<{
  /** The name of the invalid option. */
  readonly option: string
  readonly reason: string
}> {
  override get message(): string {
    return `hookrail is not configured: ${this.option}: ${this.reason}`
  }
}

/**
 * The payload cannot be sent: it is not a JSON value, would become something else as JSON, does not fit its schema, or the server's
 * database would always refuse it (protocol section 1.8). Nothing was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidPayloadError extends TaggedError("InvalidPayloadError")<
  CallFields & {
    /** Where in the payload, such as `$.items[3].price`; `$` is the payload itself. */
    readonly path: string
    readonly reason: string
  }
> {
  override get message(): string {
    return sentence(this, ended(`invalid payload at ${shorten(`${this.path}: ${this.reason}`, maxText)}`))
  }
}

/**
 * An argument other than the payload is invalid: a topic, an idempotency key, an ordering key, an event id, a duration, a retry
 * policy, or an option that does not exist. Nothing was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidArgumentError extends TaggedError("InvalidArgumentError")<
  CallFields & {
    readonly argument: Argument | AdminArgument
    readonly reason: string
  }
> {
  override get message(): string {
    return sentence(this, ended(`invalid ${shorten(`${this.argument}: ${this.reason}`, maxText)}`))
  }
}

// ---------------------------------------------------------------------------------------------------------------
// no usable response
// ---------------------------------------------------------------------------------------------------------------

/**
 * There was no connection to the server, or it broke before the response was complete. Retried.
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
 * The connection, the start of the response, or the whole response took longer than the limit. Retried.
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
 * A response outside the protocol: a status that Hookrail does not use (such as a redirect), or a success whose body is not the
 * expected JSON. Often a proxy, or a base URL that is not Hookrail's.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedResponseError extends TaggedError("UnexpectedResponseError")<
  ResponseFields & {
    readonly reason: string
    /** The start of the body, with everything that looks like a secret redacted. */
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
// error responses
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
 * 401: the server does not know the key. Hookrail also answers 401 while its database is down: the client asks `/readyz` first
 * and then reports a `ServerError` instead (protocol section 3). Never retried.
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
 * 403: the producer key may not publish to this topic (protocol section 1.5). Never retried.
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
 * The event is larger than the server accepts: detected before sending (`outcome: "not-sent"`, with `bytes` and `maxBytes`), or
 * refused by the server with 413 (`outcome: "refused"`, with `status`). Never retried (protocol section 1.3).
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
    /** The size of the event as JSON in UTF-8. */
    readonly bytes?: number | undefined
    /** The largest size that the server accepts. */
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
 * 429: the key exceeded its rate limit, or an ordering key its backlog (protocol section 1.4). Retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class RateLimitError extends TaggedError("RateLimitError")<
  ResponseFields & {
    /** How long the server asked to wait, if it said. */
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
    /** The status that hid an outage: a 401 or 404 while `/readyz` answered 503. */
    readonly maskedStatus?: number | undefined
  }
> {
  override get message(): string {
    return sentence(this, whatHappened(this))
  }
}

// ---------------------------------------------------------------------------------------------------------------
// after the attempts
// ---------------------------------------------------------------------------------------------------------------

/**
 * The error of one attempt that is worth a retry.
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
 * Retrying did not help: the attempts or the time of the policy are used up, or the server asks for a wait longer than the time
 * left. `cause` is the error of the last attempt.
 *
 * @since 0.1.0
 * @category errors
 */
export class RetryError extends TaggedError("RetryError")<
  CallFields & {
    readonly cause: RetryableError
    /** The number of requests, including the first. 0 if its turn never came: `cause` is then what slowed the client down. */
    readonly attempts: number
    /** Time since the call began. */
    readonly elapsed: Duration.Duration
  }
> {
  override get message(): string {
    const { attempts, cause } = this
    // Without the nanoseconds of the clock.
    const elapsed = Duration.format(Duration.millis(Math.round(Duration.toMillis(this.elapsed))))
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
 * The event was not sent because an earlier one with the same ordering key may have to be sent again. Only in the results of
 * `sendEvents` with `onError: "collect"` (see `holdKeys`). Send the earlier one again, with its idempotency key, and then this
 * one.
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
 * The event did not reach the awaited state in time.
 *
 * @since 0.1.0
 * @category errors
 */
export class AwaitTimeoutError extends TaggedError("AwaitTimeoutError")<{
  readonly eventId: string
  readonly limit: Duration.Duration
  /** The last known states of the deliveries. */
  readonly states: ReadonlyArray<string>
}> {
  override get message(): string {
    return `event ${quote(this.eventId)} has not reached the awaited state within ${
      Duration.format(this.limit)
    }. Its deliveries: ${this.states.length === 0 ? "none" : shorten(this.states.join(", "), maxText)}.`
  }
}

// ---------------------------------------------------------------------------------------------------------------
// administration
// ---------------------------------------------------------------------------------------------------------------

/**
 * 403 of the admin API: the role of the token is too low for the operation (protocol section 3). Never retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class InsufficientRoleError extends TaggedError("InsufficientRoleError")<
  ResponseFields & {
    /** The least role that the operation needs. */
    readonly required: Role
    /** The role of the token, if the server told it. */
    readonly actual?: Role | (string & {}) | undefined
  }
> {
  override get message(): string {
    const has = this.actual === undefined ? "a lower one" : this.actual
    return sentence(
      this,
      `it needs the role ${this.required}, and the token has ${has}. Use a token of that role (an admin makes one with tokens.create).`
    )
  }
}

/**
 * 422 of the admin API: the URL of the endpoint fails the server's policy. The server never says why (protocol section 5.4).
 * Never retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class UrlRejectedError extends TaggedError("UrlRejectedError")<ResponseFields> {
  override get message(): string {
    return answered(this, "Use a public https URL without a user name.")
  }
}

/**
 * 422 of the admin API: the server does not accept a setting. Never retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnprocessableError extends TaggedError("UnprocessableError")<ResponseFields> {
  override get message(): string {
    return answered(this, "Change the setting that the server names.")
  }
}

/**
 * 410 of the admin API: the delivery has been dead for longer than the server keeps its payload, 30 days by default. It cannot
 * be replayed any more: send the event again. Never retried.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReplayExpiredError extends TaggedError("ReplayExpiredError")<ResponseFields> {
  override get message(): string {
    return answered(this, "Its payload is deleted: send the event again, as a new one.")
  }
}

/**
 * A write was done, but its answer was lost, and with it the only copy of a secret: an endpoint, or an admin token, has been
 * made that nobody has the secret of. It is not made a second time. Replace the secret: for an endpoint with `rotateSecret`;
 * a token must be revoked. `onLostSecret: "replace"` does so.
 *
 * @since 0.1.0
 * @category errors
 */
export class SecretLostError extends TaggedError("SecretLostError")<
  AdminContext & {
    /** What has been made. More than one, if others were made like it at the same time. */
    readonly ids: ReadonlyArray<string>
  }
> {
  override get message(): string {
    const what = this.operation === "tokens.create" ? "token" : "endpoint"
    const [id = ""] = this.ids
    const made = this.ids.length === 1
      ? `the ${what} ${quote(id)} has been made`
      : `these ${what}s have been made, by this call or others like it: ${shorten(this.ids.join(", "), maxText)}`
    const advice = what === "token"
      ? "Revoke it, and make another."
      : "Give it a new secret with endpoints.rotateSecret, or delete it."
    return `${callOf(this)}: ${made}, but the answer with the secret was lost. ${advice}`
  }
}

/**
 * The receiver of an endpoint is not ready for another secret, or does not take both after it was deployed (protocol section
 * 4.6). `isRotated` says whether the endpoint has its new secret by now.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReceiverCheckError extends TaggedError("ReceiverCheckError")<
  AdminContext & {
    readonly isRotated: boolean
    /** What is wrong with the receiver. */
    readonly reason: string
    /** Its answers. */
    readonly check: ReceiverCheck
  }
> {
  override get message(): string {
    const what = this.isRotated
      ? "the endpoint has its new secret, but the receiver is not right"
      : "the receiver is not ready, and nothing was changed"
    return `${callOf(this)}: ${what}: ${shorten(this.reason, maxText)}.`
  }
}

// ---------------------------------------------------------------------------------------------------------------
// webhook verification
// ---------------------------------------------------------------------------------------------------------------

/**
 * The signature matches none of the secrets, or the body or delivery id is not what was signed.
 *
 * @since 0.1.0
 * @category errors
 */
export class SignatureError extends TaggedError("SignatureError")<{
  /** The probable cause, and what to do about it. */
  readonly reason: string
  /** The diagnosed mistake, if any. */
  readonly mistake?: Mistake | undefined
}> {
  override get message(): string {
    return `webhook signature does not match: ${this.reason}`
  }
}

/**
 * The timestamp of the signature is too old, or in the future.
 *
 * @since 0.1.0
 * @category errors
 */
export class SignatureTimestampError extends TaggedError("SignatureTimestampError")<{
  /** The age of the signature in seconds; negative if its timestamp is in the future. */
  readonly ageSeconds: number
  readonly toleranceSeconds: number
  /**
   * Whether the signature matches apart from its age. `true`: the clock of this machine is off, or the request was delayed or
   * replayed. `false`: none of the secrets made it.
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
 * The request has no usable Hookrail signature: a header is missing or not of the form `t=...,v1=...`.
 *
 * @since 0.1.0
 * @category errors
 */
export class MalformedSignatureError extends TaggedError("MalformedSignatureError")<{ readonly reason: string }> {
  override get message(): string {
    return `not a signed Hookrail webhook: ${this.reason}`
  }
}

/**
 * The secrets to verify with could not be read, and there are none in force. What comes meanwhile is to be answered with
 * 503: it comes again.
 *
 * @since 0.1.0
 * @category errors
 */
export class WebhookSecretsError extends TaggedError("WebhookSecretsError")<{
  /** Why, as the reading told. Kept out of the JSON form. */
  readonly cause: unknown
}> {
  override get message(): string {
    return "the webhook secrets could not be read: check where they come from (the log has the reason)"
  }
}

// ---------------------------------------------------------------------------------------------------------------
// receiving
// ---------------------------------------------------------------------------------------------------------------

/**
 * An operation on the store of a `DeliveryLog` failed. The delivery is answered with 503, and Hookrail delivers it again.
 *
 * @since 0.1.0
 * @category errors
 */
export class DeliveryLogError extends TaggedError("DeliveryLogError")<{
  readonly operation: "claim" | "renew" | "done" | "release"
  readonly deliveryId: string
  /** The error of the store. Omitted from the JSON form. */
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
 * The errors of verifying a webhook.
 *
 * @since 0.1.0
 * @category models
 */
export type WebhookVerificationError =
  | SignatureError
  | SignatureTimestampError
  | MalformedSignatureError
  | WebhookSecretsError

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
 * The errors of `HookrailClient.sendEvent`. Each has `topic`, `idempotencyKey` and `outcome`.
 *
 * @since 0.1.0
 * @category models
 */
export type SendError =
  | With<InvalidPayloadError | InvalidArgumentError | ResponseError | RetryError, SendContext>
  | UnmatchedEventError

/**
 * The errors of `HookrailClient.getEvent`.
 *
 * @since 0.1.0
 * @category models
 */
export type ReadError = With<InvalidArgumentError | ResponseError | RetryError, ReadContext>

/**
 * The errors of `HookrailClient.awaitEvent`.
 *
 * @since 0.1.0
 * @category models
 */
export type AwaitError = ReadError | AwaitTimeoutError

/**
 * The errors of reading from the admin API. Each has `operation`, and `target` if it is about one thing.
 *
 * @since 0.1.0
 * @category models
 */
export type AdminReadError = With<
  InvalidArgumentError | ResponseError | RetryError | InsufficientRoleError,
  AdminContext
>

/**
 * The errors of the admin API. Each has `operation`, `target` if it is about one thing, and `outcome` if it may have changed
 * something.
 *
 * @since 0.1.0
 * @category models
 */
export type AdminError =
  | AdminReadError
  | With<UrlRejectedError | UnprocessableError | ReplayExpiredError, AdminContext>
  | SecretLostError

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
  | InsufficientRoleError
  | UrlRejectedError
  | UnprocessableError
  | ReplayExpiredError
  | SecretLostError
  | ReceiverCheckError
  | WebhookVerificationError
  | DeliveryLogError

/**
 * Whether a value is an error of this library. It works across the ESM and CJS copies, where `instanceof` fails.
 *
 * @since 0.1.0
 * @category guards
 */
export const isHookrailError = (u: unknown): u is HookrailError => Predicate.hasProperty(u, TypeId)

/**
 * Whether the same call may succeed later: connection and timeout errors, 408, 425, 429, 5xx, a success that cannot be read, and
 * the `RetryError` that remains of them after retrying.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRetryable = (error: HookrailError): error is RetryableError | RetryError => isWorthRetrying(error)

/**
 * How long the server asked to wait before the next attempt, if it did.
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
