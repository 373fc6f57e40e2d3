/** What a response means, as plain data (protocol sections 1.4, 2 and 3). */
import type { TransportResponse } from "../transport/model.js"
import { problemBody } from "../wire/decode.js"
import type { Outcome, Problem } from "../wire/model.js"
import { redact, type Secrets } from "../wire/redact.js"

/** The tags of errors that stand for a response. */
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
 * What a response other than 2xx says about the event. After a 5xx or 408 its outcome is unknown: the server may have committed
 * before it failed, or a proxy may have answered instead of it.
 */
export const outcomeOf = (status: number): Outcome => status >= 500 || status === 408 ? "unknown" : "refused"

const severity: Record<Outcome, number> = { "not-sent": 0, refused: 1, unknown: 2 }

/** The worse of two outcomes: a later refusal does not settle an unknown outcome. */
export const worse = (a: Outcome, b: Outcome): Outcome => severity[b] > severity[a] ? b : a

/** Whether the bytes of the request alone decided the answer: then it holds for every attempt of the send, earlier ones too. */
export const isConclusive = (status: number, problem: Problem | undefined): boolean =>
  problem !== undefined && (status === 400 || status === 409 || status === 413)

/** Whether a status outside the protocol is worth a retry: an intermediary could not handle the request. */
export const isPassing = (status: number): boolean => status === 408 || status === 425

export const isRedirect = (status: number): boolean => status >= 300 && status < 400

/** The problem document of a response, without secrets. */
export const problemOf = (response: TransportResponse, secrets: Secrets): Problem | undefined =>
  response.body === "" ? undefined : problemBody(response.body, (text) => redact(text, secrets))
