import { problem } from "../http/problem.js"
import { formatTime } from "../http/time.js"
import { type Answer, empty, json } from "../http/wire.js"
import type { BackoffPolicy } from "../model.js"
import type { Subscription } from "../store/store.js"
import type { AdminContext } from "./context.js"
import { newestFirst, page, pageRequest } from "./page.js"
import { invalidBody, listFailed, notFound, writeFailed } from "./problems.js"

const range = "max_attempts must be 1..100 and rate_limit_rps must be 0.01..1000000"
const invalidRate = problem(422, "invalid rate_limit_rps", "rate_limit_rps must be 0.01..1000000")
const invalidBackoff = problem(422, "invalid backoff_policy", "backoff_policy must be {\"base_ms\", \"cap_ms\"}")
const invalidSubscription = problem(422, "invalid subscription", range)
const endpointGone = problem(409, "endpoint not available", "endpoint is missing or soft-deleted")
const orderedImmutable = problem(409, "ordered immutable", "ordered flag cannot be changed after creation")
const subscriptionDeleted = problem(409, "subscription deleted", "cannot modify a soft-deleted subscription")

const maxPolicyMs = 604_800_000

const validRate = (rate: number | undefined): boolean => rate === undefined || (rate >= 0.01 && rate <= 1_000_000)

const validAttempts = (count: number): boolean => count >= 1 && count <= 100

/** A policy: exactly `base_ms` and `cap_ms`, whole milliseconds (protocol section 4.5). */
const parsePolicy = (raw: string | undefined): BackoffPolicy | "invalid" | undefined => {
  if (raw === undefined) return undefined
  const value = JSON.parse(raw) as unknown
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "invalid"
  const { base_ms: baseMs, cap_ms: capMs, ...rest } = value as Record<string, unknown>
  const whole = (ms: unknown): ms is number =>
    typeof ms === "number" && Number.isInteger(ms) && ms >= 1 && ms <= maxPolicyMs
  if (Object.keys(rest).length > 0 || !whole(baseMs) || !whole(capMs) || capMs < baseMs) return "invalid"
  return { baseMs, capMs }
}

const row = (subscription: Subscription): unknown => ({
  id: subscription.id,
  topic_pattern: subscription.topic,
  endpoint_id: subscription.endpoint.id,
  max_attempts: subscription.maxAttempts,
  rate_limit_rps: subscription.rateLimitRps,
  // JSONB keeps the shorter key first.
  backoff_policy: subscription.backoff === undefined
    ? undefined
    : { cap_ms: subscription.backoff.capMs, base_ms: subscription.backoff.baseMs },
  active: subscription.active,
  ordered: subscription.ordered,
  deleted_at: subscription.deletedAt === undefined ? undefined : formatTime(subscription.deletedAt)
})

/** `POST /v1/subscriptions` (protocol section 5.2). */
export const createSubscription = ({ core, fields, writable }: AdminContext): Answer => {
  const topic = fields.string("topic_pattern") ?? ""
  const endpointId = fields.string("endpoint_id") ?? ""
  const maxAttempts = fields.integer("max_attempts") || 8
  const rateLimitRps = fields.number("rate_limit_rps")
  const ordered = fields.boolean("ordered") ?? false
  const backoff = parsePolicy(fields.raw("backoff_policy"))
  if (topic === "" || endpointId === "") return invalidBody("topic_pattern and endpoint_id are required")
  if (!validRate(rateLimitRps)) return invalidRate
  if (backoff === "invalid") return invalidBackoff
  if (!writable || topic.includes("\0")) return writeFailed("create", "could not persist subscription")
  const endpoint = core.store.endpoints.get(endpointId)
  if (endpoint === undefined || endpoint.deletedAt !== undefined) return endpointGone
  if (!validAttempts(maxAttempts)) return invalidSubscription
  const settings = { maxAttempts, rateLimitRps, ordered, backoff }
  return json(201, { id: core.directory.addSubscription(topic, endpoint, settings).id })
}

/** `GET /v1/subscriptions` (protocol section 5.2). */
export const listSubscriptions = ({ core, query, readable }: AdminContext): Answer => {
  const request = pageRequest(query)
  if ("status" in request) return request
  if (!readable || !query.isText("endpoint_id")) return listFailed()
  const endpointId = query.get("endpoint_id")
  const rows = newestFirst(
    core.store.subscriptions.values(),
    request.after,
    (subscription) =>
      subscription.deletedAt === undefined && (endpointId === "" || subscription.endpoint.id === endpointId)
  )
  return page(request, rows, ({ id }) => id, row)
}

/** `GET /v1/subscriptions/{id}` (protocol section 5.2). */
export const getSubscription = ({ core, params, query, readable }: AdminContext): Answer => {
  const subscription = core.store.subscriptions.get(params["id"] ?? "")
  const visible = subscription?.deletedAt === undefined || query.get("include_deleted") === "true"
  return readable && subscription !== undefined && visible ? json(200, row(subscription)) : notFound("subscription")
}

/** `PATCH /v1/subscriptions/{id}`; it also concerns deliveries that exist already (protocol sections 4.6 and 5.2). */
export const patchSubscription = ({ core, fields, params, writable }: AdminContext): Answer => {
  const active = fields.boolean("active")
  const maxAttempts = fields.integer("max_attempts")
  const rateLimitRps = fields.number("rate_limit_rps")
  const ordered = fields.boolean("ordered")
  const backoff = parsePolicy(fields.raw("backoff_policy"))
  if (!validRate(rateLimitRps)) return invalidRate
  if (backoff === "invalid") return invalidBackoff
  const failed = writeFailed("update", "could not update subscription")
  if (!writable) return failed
  const subscription = core.store.subscriptions.get(params["id"] ?? "")
  if (subscription === undefined) return ordered === undefined ? notFound("subscription") : failed
  if (subscription.deletedAt !== undefined) return ordered === undefined ? subscriptionDeleted : failed
  if (ordered !== undefined && ordered !== subscription.ordered) return orderedImmutable
  if (maxAttempts !== undefined && !validAttempts(maxAttempts)) return invalidSubscription
  subscription.active = active ?? subscription.active
  subscription.maxAttempts = maxAttempts ?? subscription.maxAttempts
  subscription.rateLimitRps = rateLimitRps ?? subscription.rateLimitRps
  subscription.backoff = backoff ?? subscription.backoff
  return empty(204)
}

/** `DELETE /v1/subscriptions/{id}` (protocol section 5.2). */
export const deleteSubscription = ({ core, params, writable }: AdminContext): Answer => {
  if (!writable) return writeFailed("delete", "could not delete subscription")
  const subscription = core.store.subscriptions.get(params["id"] ?? "")
  if (subscription === undefined || subscription.deletedAt !== undefined) return notFound("live subscription")
  core.directory.remove(subscription)
  return empty(204)
}
