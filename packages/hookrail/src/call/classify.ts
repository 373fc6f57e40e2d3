/** What an answer means, as plain data (protocol sections 1.4, 2 and 3). */
import type { TransportResponse } from "../transport/model.js"
import { problemBody } from "../wire/decode.js"
import type { Outcome, Problem } from "../wire/model.js"
import { redact } from "../wire/redact.js"

/** The names of the errors that an answer can be. */
export type AnswerTag =
  | "BadRequestError"
  | "AuthenticationError"
  | "ForbiddenError"
  | "NotFoundError"
  | "ConflictError"
  | "PayloadTooLargeError"
  | "RateLimitError"
  | "ServerError"
  | "UnexpectedResponseError"

const tags: Readonly<Record<number, AnswerTag>> = {
  400: "BadRequestError",
  401: "AuthenticationError",
  403: "ForbiddenError",
  404: "NotFoundError",
  409: "ConflictError",
  413: "PayloadTooLargeError",
  429: "RateLimitError"
}

/** Which error a status other than 2xx is. */
export const tagOfStatus = (status: number): AnswerTag =>
  tags[status] ?? (status >= 500 ? "ServerError" : "UnexpectedResponseError")

/**
 * What an answer other than 2xx says of the event. A 5xx or 408 leaves it open: the commit may have gone through before
 * the answer was lost, or a proxy may have answered in the server's place.
 */
export const outcomeOf = (status: number): Outcome => status >= 500 || status === 408 ? "unknown" : "refused"

const severity: Record<Outcome, number> = { "not-sent": 0, refused: 1, unknown: 2 }

/** The worse of two outcomes: one unknown outcome is not made good by a later refusal. */
export const worse = (a: Outcome, b: Outcome): Outcome => severity[b] > severity[a] ? b : a

/** Whether the bytes alone decide the answer: then it holds for each attempt of a send, whatever came of the earlier ones. */
export const isConclusive = (status: number, problem: Problem | undefined): boolean =>
  problem !== undefined && (status === 400 || status === 409 || status === 413)

/** Whether a status outside the protocol is worth another attempt: something on the way could not take the request. */
export const isPassing = (status: number): boolean => status === 408 || status === 425

export const isRedirect = (status: number): boolean => status >= 300 && status < 400

/** The problem document of an answer, without secrets. */
export const problemOf = (response: TransportResponse, apiKey: string): Problem | undefined =>
  response.body === "" ? undefined : problemBody(response.body, (text) => redact(text, apiKey))
