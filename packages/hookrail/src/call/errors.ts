/** Turns a response, or a transport error, into the error of an attempt. `classify.ts` decides what it means. */
import * as Duration from "effect/Duration"
import type { RetryableError } from "../HookrailError.js"
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
import type { Outcome, Problem } from "../wire/model.js"
import { excerpt, redact } from "../wire/redact.js"
import { parseRetryAfter } from "../wire/retryAfter.js"
import { isPassing, tagOfStatus, unexpectedReason } from "./classify.js"

/** What an error says about its call. */
export interface CallContext {
  readonly topic?: string
  readonly idempotencyKey?: string
  readonly eventId?: string
  readonly outcome?: Outcome
}

/** The error of one attempt. */
export type AttemptError =
  | RetryableError
  | BadRequestError
  | AuthenticationError
  | ForbiddenError
  | NotFoundError
  | ConflictError
  | PayloadTooLargeError

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
  apiKey: string,
  now: number
): AttemptError => {
  const { status } = response
  const tag = tagOfStatus(status)
  const fields = { ...context, status, problem }
  switch (tag) {
    case "RateLimitError":
      return new RateLimitError({ ...fields, retryAfter: retryAfterOf(response, now) })
    case "ServerError":
      return new ServerError({ ...fields, retryAfter: retryAfterOf(response, now) })
    case "UnexpectedResponseError":
      return new UnexpectedResponseError({
        ...fields,
        reason: unexpectedReason(status),
        body: excerpt(response.body, apiKey),
        retryable: isPassing(status),
        retryAfter: retryAfterOf(response, now)
      })
    default:
      return new plain[tag](fields)
  }
}

const retryAfterOf = (response: TransportResponse, now: number): Duration.Duration | undefined => {
  const millis = parseRetryAfter(response.header("retry-after"), now)
  return millis === undefined ? undefined : Duration.millis(millis)
}

/** The error for a success whose body breaks the protocol. Retrying is safe: a send has its idempotency key. */
export const unexpectedBody = (
  response: TransportResponse,
  context: CallContext,
  apiKey: string
): UnexpectedResponseError =>
  new UnexpectedResponseError({
    ...context,
    status: response.status,
    reason: response.truncated ? "The body is too long" : "The body is not the promised JSON: is this Hookrail?",
    body: excerpt(response.body, apiKey),
    retryable: true
  })

/** The error for an exchange without a response. */
export const errorOfTransport = (error: TransportError, context: CallContext, apiKey: string): RetryableError =>
  error.reason === "timeout"
    ? new HookrailTimeoutError({
      ...context,
      phase: error.phase,
      limit: Duration.millis(error.limit ?? 0)
    })
    : new HookrailConnectionError({
      ...context,
      phase: error.phase,
      code: error.code,
      reason: redact(error.description, apiKey),
      cause: error.cause
    })
