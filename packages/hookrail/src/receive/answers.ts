/** The answers to requests. An answer tells Hookrail what to do, not why: the log has the reasons. */
import type { Outcome, WebhookAnswer } from "./model.js"

const noHeaders: WebhookAnswer["headers"] = {}

/** Does not wait for the rest of the request: the connection closes after the answer. */
export const close = { connection: "close" }

export const answer = (outcome: Outcome, status: number, headers = noHeaders): WebhookAnswer => ({
  status,
  headers,
  outcome
})

export const retry = (outcome: Outcome, afterSeconds?: number): WebhookAnswer =>
  answer(outcome, 503, afterSeconds === undefined ? noHeaders : { "retry-after": String(afterSeconds) })

/** 422 dead-letters at once; an administrator can still replay the delivery. */
export const reject = (outcome: Outcome): WebhookAnswer => answer(outcome, 422)

export const handled = answer("handled", 204)

export const duplicate = answer("duplicate", 200)

/** The same delivery is being handled, and will be done soon. */
export const running = answer("running", 425, { "retry-after": "2" })

/** Something is slow, and more load would not help. */
export const timeout = retry("timeout", 10)

/** Hookrail retries after a 408. */
export const unread = answer("timeout", 408, close)

/** Nobody reads this answer. */
export const aborted = answer("aborted", 408)

export const tooLarge = answer("refused", 413, close)

export const refused = answer("refused", 400)

export const failed = answer("failed", 500)

/** Another process will handle it, or this one after its restart. */
export const draining = answer("draining", 503, { ...close, "retry-after": "1" })
