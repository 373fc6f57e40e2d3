/** Decodes the rows of the admin API (protocol section 5.3). Unknown members are ignored; what newer servers added may be absent. */
import { delivery, isObject, type Json, list, parse } from "../../wire/decode.js"
import type {
  AdminToken,
  BackoffPolicy,
  DeadLetter,
  DeliverySummary,
  DeliveryTimeline,
  Endpoint,
  Identity,
  OrderedKey,
  Page,
  Replayed,
  Skipped,
  Subscription
} from "../model.js"

/** Reads a value; `undefined` if it is invalid. */
export type Decode<A> = (u: unknown) => A | undefined

const object = <A>(read: (json: Json) => A | undefined): Decode<A> => (u) => isObject(u) ? read(u) : undefined

/** A text that is not empty. */
const filled = (u: unknown): u is string => typeof u === "string" && u !== ""

const time = (u: unknown): Date | undefined => {
  if (typeof u !== "string") return undefined
  const date = new Date(u)
  return Number.isNaN(date.getTime()) ? undefined : date
}

/** A member that may be absent or `null`. `invalid` if it is there and cannot be read. */
const invalid = Symbol()

const optional = <A>(u: unknown, read: Decode<A>): A | undefined | typeof invalid => {
  if (u === undefined || u === null) return undefined
  const value = read(u)
  return value === undefined ? invalid : value
}

const text: Decode<string> = (u) => typeof u === "string" ? u : undefined

const number: Decode<number> = (u) => typeof u === "number" ? u : undefined

/** The members that are there. */
const members = <A extends object>(
  all: { readonly [K in keyof A]: A[K] | undefined | typeof invalid }
): A | undefined => {
  const out: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(all)) {
    if (value === invalid) return undefined
    if (value !== undefined) out[name] = value
  }
  return out as A
}

export const endpoint: Decode<Endpoint> = object((json) => {
  const { created_at: created, description, id, url } = json
  const createdAt = time(created)
  if (!filled(id) || !filled(url) || createdAt === undefined) return undefined
  return members<Endpoint>({
    id,
    url,
    description: optional(description, text) ?? "",
    createdAt,
    deletedAt: optional(json["deleted_at"], time)
  })
})

const backoffPolicy: Decode<BackoffPolicy> = object(({ base_ms: baseMs, cap_ms: capMs }) =>
  typeof baseMs === "number" && typeof capMs === "number" ? { baseMs, capMs } : undefined
)

export const subscription: Decode<Subscription> = object((json) => {
  const { active, endpoint_id: endpointId, id, max_attempts: maxAttempts, ordered, topic_pattern: topic } = json
  if (!filled(id) || typeof topic !== "string" || !filled(endpointId)) return undefined
  if (typeof maxAttempts !== "number" || typeof active !== "boolean") return undefined
  // Servers before P2 have no order.
  if (ordered !== undefined && typeof ordered !== "boolean") return undefined
  return members<Subscription>({
    id,
    topic,
    endpointId,
    maxAttempts,
    active,
    ordered: ordered ?? false,
    rateLimitRps: optional(json["rate_limit_rps"], number),
    backoffPolicy: optional(json["backoff_policy"], backoffPolicy),
    deletedAt: optional(json["deleted_at"], time)
  })
})

export const deliverySummary: Decode<DeliverySummary> = object((json) => {
  const { endpoint_id: endpointId, event_id: eventId, id: deliveryId, state } = json
  if (!filled(deliveryId) || !filled(eventId) || typeof endpointId !== "string" || !filled(state)) return undefined
  return members<DeliverySummary>({
    deliveryId,
    eventId,
    endpointId,
    state,
    orderingKey: optional(json["ordering_key"], text)
  })
})

export const deliveryTimeline: Decode<DeliveryTimeline> = object((json) => {
  const read = delivery(json)
  const orderingKey = optional(json["ordering_key"], text)
  return read === undefined || orderingKey === invalid
    ? undefined
    : { ...read, ...(orderingKey === undefined ? {} : { orderingKey }) }
})

export const deadLetter: Decode<DeadLetter> = object((json) => {
  const deadAt = time(json["dead_at"])
  const { delivery_id: deliveryId, final_error: finalError } = json
  if (!filled(deliveryId) || deadAt === undefined) return undefined
  return members<DeadLetter>({
    deliveryId,
    endpointId: optional(json["endpoint_id"], text),
    finalError: optional(finalError, text) ?? "",
    deadAt,
    replayedAt: optional(json["replayed_at"], time),
    orderingKey: optional(json["ordering_key"], text)
  })
})

export const orderedKey: Decode<OrderedKey> = object((json) => {
  const { backlog_count: backlogCount, ordering_key: orderingKey, subscription_id: subscriptionId } = json
  if (!filled(subscriptionId) || typeof orderingKey !== "string" || typeof backlogCount !== "number") return undefined
  return members<OrderedKey>({
    subscriptionId,
    orderingKey,
    headDeliveryId: optional(json["head_delivery_id"], text),
    blockedSince: optional(json["blocked_since"], time),
    backlogCount,
    oldestSuccessorAgeSeconds: optional(json["oldest_successor_age_sec"], number)
  })
})

/** Servers before df4393a write the names as Go has them. */
export const adminToken: Decode<AdminToken> = object((json) => {
  const member = (name: string, old: string) => name in json ? json[name] : json[old]
  const [id, role] = [member("id", "ID"), member("role", "Role")]
  const createdAt = time(member("created_at", "CreatedAt"))
  if (!filled(id) || !filled(role) || createdAt === undefined) return undefined
  return members<AdminToken>({
    id,
    role,
    label: optional(member("label", "Label"), text) ?? "",
    createdAt,
    revokedAt: optional(member("revoked_at", "RevokedAt"), time)
  })
})

export const identity: Decode<Identity> = object(({ role }) => filled(role) ? { role } : undefined)

/** A page of a list: `null` for no items, an empty text for no next page (protocol section 5.1). */
export const page = <A>(item: Decode<A>): Decode<Page<A>> =>
  object((json) => {
    const items = list(json["items"], item)
    const next = json["next_cursor"]
    if (items === undefined || (next !== undefined && next !== null && typeof next !== "string")) return undefined
    return next ? { items, nextCursor: next } : { items }
  })

export const createdEndpoint: Decode<{ readonly id: string; readonly url: string; readonly secret: string }> = object(
  ({ id, secret, url }) => filled(id) && filled(secret) && typeof url === "string" ? { id, url, secret } : undefined
)

export const rotatedSecret: Decode<string> = object(({ secret }) => filled(secret) ? secret : undefined)

export const createdSubscription: Decode<{ readonly id: string }> = object(({ id }) => filled(id) ? { id } : undefined)

export const createdToken: Decode<
  { readonly id: string; readonly label: string; readonly role: string; readonly token: string }
> = object(({ id, label, role, token }) =>
  filled(id) && filled(token) && filled(role) && typeof label === "string" ? { id, label, role, token } : undefined
)

export const replayed: Decode<Replayed> = object(({ delivery_id: deliveryId, state }) =>
  filled(deliveryId) && filled(state) ? { deliveryId, state } : undefined
)

export const skipped: Decode<Skipped> = object((json) => {
  const { delivery_id: deliveryId, state } = json
  if (!filled(deliveryId) || !filled(state)) return undefined
  return members<Skipped>({
    deliveryId,
    state,
    nextHeadDeliveryId: optional(json["next_head_delivery_id"], text)
  })
})

/** A whole body. */
export const body = <A>(text: string, decode: Decode<A>): A | undefined => decode(parse(text))
