/** Judgements about replays and receivers that need no Effect. */
import type * as Model from "./model.js"

const none: Model.ReplayCounts = { total: 0, replayed: 0, wouldReplay: 0, notReplayed: 0 }

const counters = { Replayed: "replayed", WouldReplay: "wouldReplay", NotReplayed: "notReplayed" } as const

/** Counts one more result. */
export const countReplay = (
  { _tag }: Model.ReplayResult<unknown>,
  counts: Model.ReplayCounts = none
): Model.ReplayCounts => ({ ...counts, total: counts.total + 1, [counters[_tag]]: counts[counters[_tag]] + 1 })

/** Before the first result. */
export const noReplays = none

/** Whether two URLs are the same one, however they are written. */
export const isSameUrl = (a: string, b: string): boolean => {
  if (a === b) return true
  try {
    return new URL(a).href === new URL(b).href
  } catch {
    return false
  }
}

/** The settings of a subscription that differ from what is asked for; `undefined` if none do. */
export const changesOf = (
  row: Model.Subscription,
  { backoffPolicy, maxAttempts, rateLimitRps }: Model.DeliverySettings
): Model.SubscriptionChanges | undefined => {
  const changes = {
    ...(row.active ? {} : { active: true }),
    ...(maxAttempts === undefined || maxAttempts === row.maxAttempts ? {} : { maxAttempts }),
    ...(rateLimitRps === undefined || rateLimitRps === row.rateLimitRps ? {} : { rateLimitRps }),
    ...(backoffPolicy === undefined ||
        (backoffPolicy.baseMs === row.backoffPolicy?.baseMs && backoffPolicy.capMs === row.backoffPolicy.capMs)
      ? {}
      : { backoffPolicy })
  }
  return Object.keys(changes).length === 0 ? undefined : changes
}

/** Whether Hookrail tries again after this status (protocol section 4.4). */
const isRetried = (status: number): boolean => status >= 500 || status === 408 || status === 425 || status === 429

const isSuccess = (status: number): boolean => status >= 200 && status < 300

/**
 * Whether an answer means that the signature was good: a success; or a refusal that is final, other than that of a forged
 * request and not about permission, as that of a topic without a handler.
 */
const isTaken = ({ status }: Model.ReceiverAnswer, forged: Model.ReceiverAnswer): boolean => {
  if (status === undefined) return false
  if (isSuccess(status)) return true
  return status >= 400 && !isRetried(status) && status !== 401 && status !== 403 && status !== forged.status
}

const shown = ({ failure, status }: Model.ReceiverAnswer): string =>
  status === undefined ? `not at all (${failure})` : `with ${status}`

/** What the answers of a receiver mean. */
export const judged = (
  given: ReadonlyArray<Model.ReceiverAnswer>,
  forged: Model.ReceiverAnswer
): Model.ReceiverCheck => {
  const answers = given.map((answer) => ({ ...answer, isTaken: isTaken(answer, forged) }))
  const takesAll = answers.every((answer) => answer.isTaken)
  const isPatient = forged.status !== undefined && isRetried(forged.status)
  const missed = answers.findIndex((answer) => !answer.isTaken)
  const problem = forged.status !== undefined && isSuccess(forged.status)
    ? "it takes a request that nobody signed: it does not verify signatures"
    : missed >= 0
    ? `it answers a request signed with secret ${missed + 1} of ${answers.length} ${shown(answers[missed]!)}`
    : !isPatient
    ? `it answers a signature that does not match ${
      shown(forged)
    }: Hookrail gives such a delivery up at once, so what comes while it does not have the new secret would be lost. It must answer with 503`
    : undefined
  return { answers, forged, takesAll, isPatient, ...(problem === undefined ? {} : { problem }) }
}
