/** From an answer, or the lack of one, to the error of an attempt (protocol sections 1.4, 2 and 3). */
import * as Duration from "effect/Duration"
import type { Outcome, Problem, RetryableError } from "../HookrailError.js"
import * as Errors from "../HookrailError.js"
import type { TransportError } from "../transport/error.js"
import type { TransportResponse } from "../transport/model.js"
import { problemBody } from "../wire/decode.js"
import { excerpt, redact } from "../wire/redact.js"
import { parseRetryAfter } from "../wire/retryAfter.js"

/** What an error says of its call. */
export interface CallContext {
  readonly topic?: string
  readonly idempotencyKey?: string
  readonly eventId?: string
  readonly outcome?: Outcome
}

/** The error of one attempt. */
export type AttemptError =
  | RetryableError
  | Errors.BadRequestError
  | Errors.AuthenticationError
  | Errors.ForbiddenError
  | Errors.NotFoundError
  | Errors.ConflictError
  | Errors.PayloadTooLargeError

/**
 * What an answer other than 2xx says of the event. A 5xx or 408 leaves it open: the commit may have gone through before
 * the answer was lost, or a proxy may have answered in the server's place.
 */
export const outcomeOf = (status: number): Outcome => status >= 500 || status === 408 ? "unknown" : "refused"

/** These are decided by the bytes alone, so they hold for each attempt of a send, whatever became of the earlier ones. */
export const isConclusive = (status: number, problem: Problem | undefined): boolean =>
  problem !== undefined && (status === 400 || status === 409 || status === 413)

export const problemOf = (response: TransportResponse, apiKey: string): Problem | undefined =>
  response.body === "" ? undefined : problemBody(response.body, (text) => redact(text, apiKey))

/** The error of an answer that is not a success. `now` is the wall clock, for a `Retry-After` date. */
export const errorOfResponse = (
  response: TransportResponse,
  problem: Problem | undefined,
  context: CallContext,
  apiKey: string,
  now: number
): AttemptError => {
  const { status } = response
  const fields = { ...context, status, problem }
  switch (status) {
    case 400:
      return new Errors.BadRequestError(fields)
    case 401:
      return new Errors.AuthenticationError(fields)
    case 403:
      return new Errors.ForbiddenError(fields)
    case 404:
      return new Errors.NotFoundError(fields)
    case 409:
      return new Errors.ConflictError(fields)
    case 413:
      return new Errors.PayloadTooLargeError(fields)
  }
  const millis = parseRetryAfter(response.header("retry-after"), now)
  const retryAfter = millis === undefined ? undefined : Duration.millis(millis)
  if (status === 429) return new Errors.RateLimitError({ ...fields, retryAfter })
  if (status >= 500) return new Errors.ServerError({ ...fields, retryAfter })
  const retryable = status === 408 || status === 425
  return new Errors.UnexpectedResponseError({
    ...fields,
    reason: status >= 300 && status < 400
      ? "A redirect is never followed: set the base URL to where it leads"
      : retryable
      ? "Something between here and the server could not take the request"
      : "Hookrail does not give this answer: check the base URL",
    body: excerpt(response.body, apiKey),
    retryable,
    retryAfter
  })
}

/** A success whose body is not what the protocol promises. Safe to retry: a send has its idempotency key. */
export const unexpectedBody = (
  response: TransportResponse,
  context: CallContext,
  apiKey: string
): Errors.UnexpectedResponseError =>
  new Errors.UnexpectedResponseError({
    ...context,
    status: response.status,
    reason: response.truncated ? "The body is too long" : "The body is not the promised JSON: is this Hookrail?",
    body: excerpt(response.body, apiKey),
    retryable: true
  })

/** The error of an exchange that brought no answer. */
export const errorOfTransport = (error: TransportError, context: CallContext, apiKey: string): RetryableError =>
  error.reason === "timeout"
    ? new Errors.HookrailTimeoutError({
      ...context,
      phase: error.phase,
      limit: Duration.millis(error.limit ?? 0)
    })
    : new Errors.HookrailConnectionError({
      ...context,
      phase: error.phase,
      code: error.code,
      reason: redact(error.description, apiKey),
      cause: error.cause
    })
