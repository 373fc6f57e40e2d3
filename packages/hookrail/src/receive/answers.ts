/** What requests are answered with. An answer says what Hookrail is to do, not why: reasons are in the log. */
import type { Outcome, WebhookAnswer } from "./model.js"

const noHeaders: WebhookAnswer["headers"] = {}

/** The rest of the request is not waited for: the connection ends with the answer. */
export const close = { connection: "close" }

export const answer = (outcome: Outcome, status: number, headers = noHeaders): WebhookAnswer => ({
  status,
  headers,
  outcome
})

export const retry = (outcome: Outcome, afterSeconds?: number): WebhookAnswer =>
  answer(outcome, 503, afterSeconds === undefined ? noHeaders : { "retry-after": String(afterSeconds) })

/** 422 dead-letters at once; an administrator can still have it delivered again. */
export const reject = (outcome: Outcome): WebhookAnswer => answer(outcome, 422)

export const handled = answer("handled", 204)

export const duplicate = answer("duplicate", 200)

/** Its twin is done soon. */
export const running = answer("running", 425, { "retry-after": "2" })

/** Something is slow, and more load does not help. */
export const timeout = retry("timeout", 10)

/** 408 is what brings the delivery again. */
export const unread = answer("timeout", 408, close)

/** Nobody reads it. */
export const aborted = answer("aborted", 408)

export const tooLarge = answer("refused", 413, close)

export const refused = answer("refused", 400)

export const failed = answer("failed", 500)

/** Another process takes it, or this one when it is back. */
export const draining = answer("draining", 503, { ...close, "retry-after": "1" })
