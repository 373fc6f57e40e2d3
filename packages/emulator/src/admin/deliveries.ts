import { problem } from "../http/problem.js"
import { parseInteger } from "../http/query.js"
import { formatTime, microsOf, parseTime } from "../http/time.js"
import { type Answer, json } from "../http/wire.js"
import type { DeliveryState } from "../model.js"
import { keptAttempts } from "../producer/status.js"
import { type Delivery, headOf, isLive, type Lane } from "../store/store.js"
import type { AdminContext } from "./context.js"
import { newestFirst, page, pageRequest } from "./page.js"
import { badCursor, listFailed, notFound, writeFailed } from "./problems.js"

export const deliveryStates: ReadonlyArray<DeliveryState> = [
  "pending",
  "in_flight",
  "retry_scheduled",
  "succeeded",
  "dead_lettered",
  "cancelled",
  "skipped"
]

const states: ReadonlySet<string> = new Set(deliveryStates)

const notReplayable = problem(
  409,
  "not replayable",
  "delivery is live, already replayed, or its target is deleted"
)
const expired = problem(410, "expired", "dead-letter is past the replay window")
const notSkippable = problem(409, "conflict", "delivery is not dead-lettered or not the head")
const blockedRequired = problem(400, "bad request", "?blocked=true is required")

const laneId = ({ key, subscription }: Lane): string => `${subscription.id}:${key}`

const deliveryOf = ({ core, params }: AdminContext): Delivery | undefined =>
  core.store.deliveries.get(params["id"] ?? "")

/** `GET /v1/deliveries` (protocol sections 5.2 and 5.3). */
export const listDeliveries = ({ core, query, readable }: AdminContext): Answer => {
  const request = pageRequest(query)
  if ("status" in request) return request
  const [state, endpointId, topic, eventId] = ["state", "endpoint_id", "topic", "event_id"].map((name) =>
    query.get(name)
  )
  // PostgreSQL refuses to compare its state type with an unknown value.
  if (!readable || (state !== "" && !states.has(state!)) || !query.isText("endpoint_id", "topic", "event_id")) {
    return listFailed()
  }
  const rows = newestFirst(
    core.store.deliveries.values(),
    request.after,
    (delivery) =>
      (state === "" || delivery.state === state) &&
      (endpointId === "" || delivery.subscription.endpoint.id === endpointId) &&
      (topic === "" || delivery.event.topic === topic) &&
      (eventId === "" || delivery.event.id === eventId)
  )
  return page(request, rows, ({ id }) => id, (delivery) => ({
    id: delivery.id,
    event_id: delivery.event.id,
    endpoint_id: delivery.subscription.endpoint.id,
    state: delivery.state,
    ordering_key: delivery.lane?.key
  }))
}

/** `GET /v1/deliveries/{id}` (protocol sections 5.2 and 5.3). */
export const getDelivery = (context: AdminContext): Answer => {
  const delivery = deliveryOf(context)
  if (!context.readable || delivery === undefined) return notFound("delivery")
  const { clock, settings } = context.core
  return json(200, {
    delivery_id: delivery.id,
    state: delivery.state,
    ordering_key: delivery.lane?.key,
    ...keptAttempts(delivery, clock.now() - settings.retentionMs)
  })
}

/** `POST /v1/deliveries/{id}/skip`: gives up the dead head of an ordering key (protocol section 5.2). */
export const skipDelivery = (context: AdminContext): Answer => {
  if (!context.writable) return writeFailed("skip", "could not skip delivery")
  const delivery = deliveryOf(context)
  if (delivery === undefined) return notFound("delivery")
  const { lane } = delivery
  let next: Delivery | undefined
  if (delivery.state === "skipped") {
    // An empty lane is dropped; the next event creates a new one.
    const current = lane === undefined ? undefined : context.core.store.lanes.get(laneId(lane))
    next = current === undefined ? undefined : headOf(current)
  } else {
    if (delivery.state !== "dead_lettered" || lane === undefined || headOf(lane) !== delivery) return notSkippable
    next = context.core.dispatcher.skip(delivery)
  }
  return json(200, { delivery_id: delivery.id, state: "skipped", next_head_delivery_id: next?.id ?? null })
}

/** `GET /v1/dlq` (protocol sections 5.2 to 5.4). */
export const listDeadLetters = ({ core, query, readable }: AdminContext): Answer => {
  const request = pageRequest(query, "dlq list failed")
  if ("status" in request) return request
  const after = request.after === "" ? Infinity : parseInteger(request.after)
  if (after === undefined) return badCursor("cursor is not a valid id")
  if (!readable || !query.isText("endpoint_id")) return listFailed("dlq list failed")
  const [since, until] = [parseTime(query.get("since")) ?? -Infinity, parseTime(query.get("until")) ?? Infinity]
  const endpointId = query.get("endpoint_id")
  const replayed = query.get("replayed")
  const rows = [...core.store.deadLetters.values()].filter((letter) =>
    letter.id < after && microsOf(letter.deadAt) >= since && microsOf(letter.deadAt) < until &&
    (endpointId === "" || letter.delivery.subscription.endpoint.id === endpointId) &&
    (replayed !== "true" || letter.replayedAt !== undefined) &&
    (replayed !== "false" || letter.replayedAt === undefined)
  ).sort((a, b) => b.id - a.id)
  return page(request, rows, ({ id }) => String(id), (letter) => ({
    delivery_id: letter.delivery.id,
    endpoint_id: letter.delivery.subscription.endpoint.id,
    final_error: letter.finalError,
    dead_at: formatTime(letter.deadAt),
    replayed_at: letter.replayedAt === undefined ? undefined : formatTime(letter.replayedAt),
    ordering_key: letter.delivery.lane?.key
  }))
}

/** `POST /v1/dlq/{delivery_id}/replay`: from attempt 1 again, claim versions go on (protocol section 5.4). */
export const replayDelivery = (context: AdminContext): Answer => {
  const { clock, dispatcher, settings, store } = context.core
  if (!context.writable) return writeFailed("replay", "could not replay delivery")
  const delivery = store.deliveries.get(context.params["id"] ?? "")
  if (delivery === undefined) return notFound("delivery")
  const { deadLetter } = delivery
  if (delivery.state !== "dead_lettered" || deadLetter === undefined || deadLetter.replayedAt !== undefined) {
    return notReplayable
  }
  if (!isLive(delivery.subscription)) return notReplayable
  const now = clock.now()
  if (now - Math.min(deadLetter.deadAt, delivery.event.createdAt) > settings.retentionMs) return expired
  deadLetter.replayedAt = now
  delivery.attemptCount = 0
  delivery.state = "pending"
  dispatcher.publish(delivery)
  return json(200, { delivery_id: delivery.id, state: "pending" })
}

/** `GET /v1/ordered-keys`: the keys that a dead head blocks (protocol sections 5.2 and 5.3). */
export const listOrderedKeys = ({ core, query, readable }: AdminContext): Answer => {
  if (query.get("blocked") !== "true") return blockedRequired
  const request = pageRequest(query)
  if ("status" in request) return request
  if (!readable) return listFailed()
  const rows = [...core.store.lanes.values()].filter((lane) =>
    headOf(lane)?.state === "dead_lettered" && (request.after === "" || laneId(lane) > request.after)
  ).sort((a, b) => laneId(a) < laneId(b) ? -1 : 1)
  return page(request, rows, laneId, (lane) => {
    const [head, successor] = lane.queue
    const blockedSince = head?.deadLetter?.deadAt
    return {
      subscription_id: lane.subscription.id,
      ordering_key: lane.key,
      head_delivery_id: head?.id ?? null,
      blocked_since: blockedSince === undefined ? null : formatTime(blockedSince),
      backlog_count: lane.queue.size,
      oldest_successor_age_sec: successor === undefined
        ? undefined
        : Math.floor((core.clock.now() - successor.event.createdAt) / 1000)
    }
  })
}
