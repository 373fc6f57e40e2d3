/** Turns a response, or a transport error, into the error of an attempt. `classify.ts` decides what it means. */
import * as Duration from "effect/Duration"
import type {
  InsufficientRoleError,
  ReplayExpiredError,
  RetryableError,
  SecretLostError,
  UnprocessableError,
  UrlRejectedError
} from "../HookrailError.js"
import {
  AuthenticationError,
  BadRequestError,
  ConflictError,
  ForbiddenError,
  HookrailConnectionError,
  HookrailTimeoutError,
  NotFoundError,
  PayloadTooLargeError,
  RateLimitError,
  ServerError,
  UnexpectedResponseError
} from "../HookrailError.js"
import type { TransportError } from "../transport/error.js"
import type { TransportResponse } from "../transport/model.js"
import type { AdminOperation } from "../wire/admin.js"
import type { Outcome, Problem } from "../wire/model.js"
import { excerpt, redact, type Secrets } from "../wire/redact.js"
import { parseRetryAfter } from "../wire/retryAfter.js"
import { type Address, foreignAnswer, redirected, whichBaseUrl } from "./advice.js"
import { isPassing, isRedirect, tagOfStatus } from "./classify.js"

/** What an error says about its call. */
export interface CallContext {
  readonly topic?: string
  readonly idempotencyKey?: string
  readonly eventId?: string
  readonly outcome?: Outcome
  readonly operation?: AdminOperation
  readonly target?: string | undefined
  /** Where its requests go. */
  readonly address: Address
}

/**
 * Adds the address to a context, but not as one of its own enumerable members: those become fields of the errors, which tell
 * the address in words.
 */
export const withAddress = (context: Omit<CallContext, "address">, address: Address): CallContext =>
  Object.defineProperty(context as CallContext, "address", { value: address })

/** The error of one attempt. */
export type AttemptError =
  | RetryableError
  | BadRequestError
  | AuthenticationError
  | ForbiddenError
  | NotFoundError
  | ConflictError
  | PayloadTooLargeError
  | AdminAttemptError

/** Those of the admin API alone. */
export type AdminAttemptError =
  | InsufficientRoleError
  | UrlRejectedError
  | UnprocessableError
  | ReplayExpiredError
  | SecretLostError

/** Errors without fields of their own. An explicit table, so that bundles can drop the other errors. */
const plain = {
  BadRequestError,
  AuthenticationError,
  ForbiddenError,
  NotFoundError,
  ConflictError,
  PayloadTooLargeError
}

/** The error for a response that is not a success. `now` is the wall clock, for a `Retry-After` date. */
export const errorOfResponse = (
  response: TransportResponse,
  problem: Problem | undefined,
  context: CallContext,
  secrets: Secrets,
  now: number
): AttemptError => {
  const { status } = response
  const tag = tagOfStatus(status)
  const fields = {
    ...context,
    status,
    problem,
    ...(problem === undefined ? foreignFields(response, context, secrets) : {})
  }
  switch (tag) {
    case "RateLimitError":
      return new RateLimitError({ ...fields, retryAfter: retryAfterOf(response, now) })
    case "ServerError":
      return new ServerError({ ...fields, retryAfter: retryAfterOf(response, now) })
    case "UnexpectedResponseError":
      return new UnexpectedResponseError({
        ...fields,
        reason: isRedirect(status)
          ? redirected(response.header("location"), secrets)
          : "Hookrail does not give this answer",
        body: excerpt(response.body, secrets),
        retryable: isPassing(status),
        retryAfter: retryAfterOf(response, now)
      })
    default:
      return new plain[tag](fields)
  }
}

/**
 * What an answer that is not Hookrail's says, and what that means. One that is not whole may have been Hookrail's, and a
 * redirect speaks for itself.
 */
const foreignFields = ({ body, status, truncated }: TransportResponse, { address }: CallContext, secrets: Secrets) => ({
  body: excerpt(body, secrets),
  hint: truncated || isRedirect(status) ? undefined : foreignAnswer(status, body, address)
})

const retryAfterOf = (response: TransportResponse, now: number): Duration.Duration | undefined => {
  const millis = parseRetryAfter(response.header("retry-after"), now)
  return millis === undefined ? undefined : Duration.millis(millis)
}

/** The error for a success whose body breaks the protocol. Retrying is safe: a send has its idempotency key. */
export const unexpectedBody = (
  response: TransportResponse,
  context: CallContext,
  secrets: Secrets,
  isSecret: boolean = false
): UnexpectedResponseError =>
  new UnexpectedResponseError({
    ...context,
    status: response.status,
    reason: response.truncated ? "The body is too long" : "The body is not the promised JSON",
    ...foreignFields(response, context, secrets),
    ...(isSecret ? { body: "" } : {}),
    retryable: true
  })

/** The error for an exchange without a response. */
export const errorOfTransport = (error: TransportError, context: CallContext, secrets: Secrets): RetryableError => {
  const fields = { ...context, phase: error.phase, hint: whichBaseUrl(context.address) }
  return error.reason === "timeout"
    ? new HookrailTimeoutError({ ...fields, limit: Duration.millis(error.limit ?? 0) })
    : new HookrailConnectionError({
      ...fields,
      code: error.code,
      reason: redact(error.description, secrets),
      cause: error.cause
    })
}
