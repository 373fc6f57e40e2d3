/**
 * The errors of calls, one class per failure mode. None holds an API key, a secret, a header or a payload.
 *
 * A file of its own in the build, which all entries share, and that a program loads even if it only receives: without Effect.
 *
 * @since 0.1.0
 */
import type * as Core from "hookrail/HookrailError"
import type { AdminArgument, AdminOperation, Role } from "hookrail/wire/admin"
import { callOf, type Described, verdictOf } from "hookrail/wire/describe"
import type { Argument, Outcome, Problem } from "hookrail/wire/model"
import { isWorthRetrying } from "hookrail/wire/retryable"

import type {
  InsufficientRoleError,
  ReceiverCheckError,
  ReplayExpiredError,
  SecretLostError,
  UnprocessableError,
  UrlRejectedError
} from "./adminErrors.js"

export type { AdminArgument, AdminOperation, Argument, Outcome, Problem, Role }

/**
 * On the prototype of every error, for `isHookrailError`. Not the brand of the core, whose errors have durations where these
 * have numbers.
 */
const brand = "~hookrail/promise/HookrailError"

/** What all errors of the client have. */
export abstract class ClientError extends Error {
  /** The name of the class. */
  abstract readonly _tag: string
  /** @internal */
  constructor(tag: string, message: string, fields: object = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    Object.assign(this, { _tag: tag }, fields)
  }
  /** The JSON form, without foreign causes. */
  toJSON(): unknown {
    const { cause } = this
    return { ...this, message: this.message, ...(isHookrailError(cause) ? { cause: cause.toJSON() } : {}) }
  }
}

/**
 * The error of a call. Errors of sends have a topic, an idempotency key and an outcome; errors of reads have an event id.
 *
 * @since 0.1.0
 */
export abstract class CallError extends ClientError {
  declare readonly topic?: string
  declare readonly idempotencyKey?: string
  declare readonly outcome?: Outcome
  declare readonly eventId?: string
  /** Of the admin API. */
  declare readonly operation?: AdminOperation
  /** What an operation of the admin API is about: an id, or a URL without its query. */
  declare readonly target?: string
}

/**
 * The error of a call that the server answered.
 *
 * @since 0.1.0
 */
export abstract class ResponseError extends CallError {
  declare readonly status: number
  declare readonly problem?: Problem
  /** The start of a body that is no problem document, without anything that looks like a secret. */
  declare readonly body?: string
  /** What to do about it: for an answer that is not Hookrail's own, such as one of a proxy, and in the admin API. */
  declare readonly hint?: string
}

/**
 * The client cannot be built: an option or environment variable is missing or invalid.
 *
 * @since 0.1.0
 */
export class HookrailConfigError extends ClientError {
  declare readonly _tag: "HookrailConfigError"
  declare readonly option: string
  declare readonly reason: string
}

/**
 * The payload cannot be sent. Nothing was sent.
 *
 * @since 0.1.0
 */
export class InvalidPayloadError extends CallError {
  declare readonly _tag: "InvalidPayloadError"
  declare readonly path: string
  declare readonly reason: string
}

/**
 * An argument other than the payload is invalid. Nothing was sent.
 *
 * @since 0.1.0
 */
export class InvalidArgumentError extends CallError {
  declare readonly _tag: "InvalidArgumentError"
  /** `events` and `pollInterval` exist only in this package. */
  declare readonly argument: Argument | AdminArgument | "events" | "pollInterval"
  declare readonly reason: string
}

/**
 * There was no connection to the server, or it broke before the response was complete. Retried.
 *
 * @since 0.1.0
 */
export class HookrailConnectionError extends CallError {
  declare readonly _tag: "HookrailConnectionError"
  declare readonly phase: "connect" | "response" | "body"
  declare readonly code?: string
  declare readonly reason: string
  /** Which base URL is in use, and where it is from. */
  declare readonly hint?: string
}

/**
 * The connection, the start of the response, or the whole response took longer than the limit. Retried.
 *
 * @since 0.1.0
 */
export class HookrailTimeoutError extends CallError {
  declare readonly _tag: "HookrailTimeoutError"
  declare readonly phase: "connect" | "response" | "body"
  declare readonly limitMs: number
  /** Which base URL is in use, and where it is from. */
  declare readonly hint?: string
}

/**
 * A response outside the protocol, often from a proxy.
 *
 * @since 0.1.0
 */
export class UnexpectedResponseError extends ResponseError {
  declare readonly _tag: "UnexpectedResponseError"
  declare readonly reason: string
  declare readonly body: string
  declare readonly retryable: boolean
  declare readonly retryAfterMs?: number
}

/**
 * 400: the server cannot read the request.
 *
 * @since 0.1.0
 */
export class BadRequestError extends ResponseError {
  declare readonly _tag: "BadRequestError"
}

/**
 * 401: the server does not know the key.
 *
 * @since 0.1.0
 */
export class AuthenticationError extends ResponseError {
  declare readonly _tag: "AuthenticationError"
}

/**
 * 403: the producer key may not publish to this topic.
 *
 * @since 0.1.0
 */
export class ForbiddenError extends ResponseError {
  declare readonly _tag: "ForbiddenError"
}

/**
 * 404: no event with that id, or a wrong base URL.
 *
 * @since 0.1.0
 */
export class NotFoundError extends ResponseError {
  declare readonly _tag: "NotFoundError"
}

/**
 * 409: the idempotency key was used before with another event.
 *
 * @since 0.1.0
 */
export class ConflictError extends ResponseError {
  declare readonly _tag: "ConflictError"
}

/**
 * The event is larger than the server accepts: detected before sending (`bytes`, `maxBytes`), or refused by the server with 413
 * (`status`).
 *
 * @since 0.1.0
 */
export class PayloadTooLargeError extends CallError {
  declare readonly _tag: "PayloadTooLargeError"
  declare readonly status?: number
  declare readonly problem?: Problem
  declare readonly body?: string
  declare readonly hint?: string
  declare readonly bytes?: number
  declare readonly maxBytes?: number
}

/**
 * 429: the key exceeded its rate limit, or an ordering key its backlog. Retried.
 *
 * @since 0.1.0
 */
export class RateLimitError extends ResponseError {
  declare readonly _tag: "RateLimitError"
  declare readonly retryAfterMs?: number
}

/**
 * 5xx: the server or its database is in trouble. Retried.
 *
 * @since 0.1.0
 */
export class ServerError extends ResponseError {
  declare readonly _tag: "ServerError"
  declare readonly retryAfterMs?: number
  /** The 401 or 404 that hid an outage. */
  declare readonly maskedStatus?: number
}

/**
 * Retrying did not help. `cause` is the error of the last attempt.
 *
 * @since 0.1.0
 */
export class RetryError extends CallError {
  declare readonly _tag: "RetryError"
  declare readonly cause: RetryableError
  declare readonly attempts: number
  declare readonly elapsedMs: number
}

/**
 * The event was not sent because an earlier one with the same ordering key may have to be sent again. Only in the results of
 * `sendEvents` with `onError: "collect"`. Send the earlier one again, with its idempotency key, and then this one.
 *
 * @since 0.1.0
 */
export class OrderingKeyHeldError extends ClientError {
  declare readonly _tag: "OrderingKeyHeldError"
  declare readonly topic: string
  /** The key of the event, if the caller gave one. */
  declare readonly idempotencyKey: string | undefined
  declare readonly outcome: Outcome
  declare readonly orderingKey: string
}

/**
 * The event is stored, but no subscription matches its topic. Only with `onUnmatched: "fail"`.
 *
 * @since 0.1.0
 */
export class UnmatchedEventError extends ClientError {
  declare readonly _tag: "UnmatchedEventError"
  declare readonly topic: string
  declare readonly eventId: string
  declare readonly idempotencyKey: string
  declare readonly outcome: "accepted"
}

/**
 * The event did not reach the awaited state in time.
 *
 * @since 0.1.0
 */
export class AwaitTimeoutError extends ClientError {
  declare readonly _tag: "AwaitTimeoutError"
  declare readonly eventId: string
  declare readonly limitMs: number
  declare readonly states: ReadonlyArray<string>
}

/**
 * The client is closed, or was closed during the call. An event whose `outcome` is `"unknown"` may be stored: send it again
 * with its idempotency key, through another client.
 *
 * @since 0.1.0
 */
export class HookrailClosedError extends CallError {
  declare readonly _tag: "HookrailClosedError"
}

/**
 * The signal of the call was aborted. `cause` is the reason of the signal, and `name` is the name of that reason, so checks
 * for `"AbortError"` and `"TimeoutError"` work. An event whose `outcome` is `"unknown"` may be stored: send it again with its
 * idempotency key.
 *
 * @since 0.1.0
 */
export class HookrailAbortedError extends CallError {
  declare readonly _tag: "HookrailAbortedError"
}

/**
 * The error of one attempt that was worth a retry.
 *
 * @since 0.1.0
 */
export type RetryableError =
  | HookrailConnectionError
  | HookrailTimeoutError
  | RateLimitError
  | ServerError
  | UnexpectedResponseError

/**
 * Any error of the client. It is a union: `switch (error._tag)` narrows it.
 *
 * @since 0.1.0
 */
export type HookrailError =
  | HookrailConfigError
  | InvalidPayloadError
  | InvalidArgumentError
  | HookrailConnectionError
  | HookrailTimeoutError
  | UnexpectedResponseError
  | BadRequestError
  | AuthenticationError
  | ForbiddenError
  | NotFoundError
  | ConflictError
  | PayloadTooLargeError
  | RateLimitError
  | ServerError
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
  | HookrailAbortedError
  | HookrailClosedError

/**
 * The base class of all errors of the client, for `instanceof`.
 *
 * @since 0.1.0
 */
// Under the type of the union: TypeScript would narrow to the class otherwise, whose `_tag` is any text.
export const HookrailError = ClientError as unknown as abstract new(...args: Array<never>) => HookrailError

/**
 * Whether a value is an error of this package. Works across the ESM and CJS copies and across bundles, where `instanceof`
 * does not.
 *
 * @since 0.1.0
 */
export const isHookrailError = (value: unknown): value is HookrailError =>
  typeof value === "object" && value !== null && brand in value

/**
 * Whether the same call may succeed later. Works across copies, as `isHookrailError` does.
 *
 * @since 0.1.0
 */
export const isRetryable = (error: unknown): error is RetryableError | RetryError =>
  isHookrailError(error) && isWorthRetrying(error)

/**
 * Errors of receiving belong to `verify`, or only appear in the log.
 *
 * @internal
 */
export type Tag = Exclude<Core.HookrailError, Core.WebhookVerificationError | Core.DeliveryLogError>["_tag"]

/**
 * Those of administration belong to `admin`.
 *
 * @internal
 */
export type AdminTag = (
  | InsufficientRoleError
  | ReceiverCheckError
  | ReplayExpiredError
  | SecretLostError
  | UnprocessableError
  | UrlRejectedError
)["_tag"]

/** @internal */
export type ErrorClass = new(tag: string, message: string, fields?: object, cause?: unknown) => ClientError

/**
 * Each error of the core and its class here.
 *
 * @internal
 */
export const classes: Record<Exclude<Tag, AdminTag> | "HookrailAbortedError" | "HookrailClosedError", ErrorClass> = {
  HookrailConfigError,
  InvalidPayloadError,
  InvalidArgumentError,
  HookrailConnectionError,
  HookrailTimeoutError,
  UnexpectedResponseError,
  BadRequestError,
  AuthenticationError,
  ForbiddenError,
  NotFoundError,
  ConflictError,
  PayloadTooLargeError,
  RateLimitError,
  ServerError,
  RetryError,
  OrderingKeyHeldError,
  UnmatchedEventError,
  AwaitTimeoutError,
  HookrailAbortedError,
  HookrailClosedError
}

Object.defineProperty(ClientError.prototype, brand, { value: true })

/**
 * Restores the names of classes, which a bundler may shorten.
 *
 * @internal
 */
export const named = (types: Readonly<Record<string, { readonly prototype: object }>>): void => {
  for (const [name, type] of Object.entries(types)) {
    Object.defineProperty(type, "name", { value: name, configurable: true })
    Object.defineProperty(type.prototype, "name", { value: name, configurable: true, writable: true })
  }
}

named({ ...classes, HookrailError: ClientError })

/** @internal */
export const configError = (option: string, reason: string): HookrailConfigError =>
  new HookrailConfigError("HookrailConfigError", `hookrail is not configured: ${option}: ${reason}`, { option, reason })

/** @internal */
export const argumentError = (argument: InvalidArgumentError["argument"], reason: string): InvalidArgumentError =>
  new InvalidArgumentError("InvalidArgumentError", `invalid ${argument}: ${reason}`, { argument, reason })

/** @internal */
export const usedError = (how: string): InvalidArgumentError =>
  argumentError(
    "events",
    `${how}: the result of sendEvents is awaited or iterated, not both, and iterated once. Call it again`
  )

/** @internal */
export const closedError = (call?: Described): HookrailClosedError =>
  new HookrailClosedError(
    "HookrailClosedError",
    call === undefined
      ? "the Hookrail client is closed: make a new one"
      : `${callOf(call)}: the client is closed; make a new one.${verdictOf(call)}`,
    call
  )

/** @internal */
export const abortedError = (call: Described, reason: unknown): HookrailAbortedError => {
  const name = reason instanceof Error || reason instanceof DOMException ? reason.name : "AbortError"
  const what = name === "TimeoutError" ? "the time of its signal is over" : "its signal was aborted"
  const message = `${callOf(call)}: ${what}.${verdictOf(call)}`
  const error = new HookrailAbortedError("HookrailAbortedError", message, call, reason)
  Object.defineProperty(error, "name", { value: name, configurable: true, writable: true })
  return error
}
