import { deliveryStates } from "../admin/deliveries.js"
import { topicMatches } from "../base/matching.js"
import type { DeliveryState } from "../model.js"
import { nearest, show } from "../options/check.js"
import type { Delivery, StoredEvent } from "../store/store.js"
import { invalid, queryValues, wholeNumber } from "./input.js"
import type { Parts } from "./model.js"

/** The states of deliveries, and `unrouted` for events without one. */
const states: ReadonlyArray<DeliveryState | "unrouted"> = [...deliveryStates, "unrouted"]

/** Parameters that select events and deliveries. */
export const filterNames = ["q", "state", "topic", "endpointId", "orderingKey"] as const

/** Parameters of a list. */
const pageNames = [...filterNames, "limit", "cursor"] as const

/** Which events and deliveries a call asks for. */
export interface Filter {
  readonly event: (event: StoredEvent) => boolean
  readonly delivery: (delivery: Delivery) => boolean
}

/** Whether an event contains a word, in whatever case, in an id, its topic, keys or payload. */
const contains = (parts: Parts, event: StoredEvent, word: string): boolean =>
  event.topic.toLowerCase().includes(word) || event.id.toLowerCase().includes(word) ||
  event.orderingKey.toLowerCase().includes(word) || event.payload.toLowerCase().includes(word) ||
  (parts.core.store.history?.requestOf(event)?.idempotencyKey ?? "").toLowerCase().includes(word) ||
  event.deliveries.some(({ id }) => id.toLowerCase().includes(word))

/** Reads the filter of a query. An event passes if it and one of its deliveries do. */
export const filterOf = (parts: Parts, values: Partial<Record<(typeof filterNames)[number], string>>): Filter => {
  const words = (values.q ?? "").toLowerCase().split(/\s+/).filter((word) => word !== "")
  if (words.length > 16) return invalid("q must have at most 16 words")
  const wanted = new Set<string>()
  for (const state of values.state === undefined ? [] : values.state.split(",")) {
    if (!states.some((known) => known === state)) {
      const meant = nearest(state, states)
      return invalid(
        `state must be of ${states.join(", ")}, got ${show(state)}` +
          (meant === undefined ? "" : `; did you mean "${meant}"?`)
      )
    }
    wanted.add(state)
  }
  const { endpointId, orderingKey, topic } = values
  const delivery = (delivery: Delivery): boolean =>
    (wanted.size === 0 || wanted.has(delivery.state)) &&
    (endpointId === undefined || delivery.subscription.endpoint.id === endpointId)
  const anyDelivery = wanted.size === 0 && endpointId === undefined
  return {
    delivery,
    event: (event) =>
      (topic === undefined || topicMatches(topic, event.topic)) &&
      (orderingKey === undefined || event.orderingKey === orderingKey) &&
      (anyDelivery || event.deliveries.some(delivery) ||
        (wanted.has("unrouted") && event.deliveries.length === 0 && endpointId === undefined)) &&
      words.every((word) => contains(parts, event, word))
  }
}

/** One page of a list. */
export interface Listing<A> {
  readonly items: ReadonlyArray<A>
  /** For `cursor` of the next call; `null` at the end. */
  readonly nextCursor: string | null
  /** How many match in all. */
  readonly total: number
  /** The feed since this revision continues the list without a gap. */
  readonly revision: number
}

/** Reads a list's query. */
export const listQuery = (
  parts: Parts,
  query: URLSearchParams
): { readonly filter: Filter; readonly limit: number; readonly cursor: string | undefined } => {
  const { cursor, limit, ...values } = queryValues(query, pageNames)
  return { filter: filterOf(parts, values), limit: wholeNumber("limit", limit, 1, 1000) ?? 50, cursor }
}

/** The events that pass, newest first. */
export const listEvents = <A>(
  parts: Parts,
  query: URLSearchParams,
  view: (event: StoredEvent) => A
): Listing<A> => {
  const { cursor, filter, limit } = listQuery(parts, query)
  const before = wholeNumber("cursor", cursor, 1, Number.MAX_SAFE_INTEGER) ?? Infinity
  const passing = [...parts.core.store.events.values()].filter(filter.event).reverse()
  const from = passing.findIndex((event) => event.ordinal < before)
  const shown = from < 0 ? [] : passing.slice(from, from + limit)
  const more = from >= 0 && from + limit < passing.length
  return {
    items: shown.map(view),
    nextCursor: more ? String(shown[shown.length - 1]!.ordinal) : null,
    total: passing.length,
    revision: parts.core.store.revision
  }
}

/** The deliveries that pass, those of the newest event first. */
export const listDeliveries = <A>(
  parts: Parts,
  query: URLSearchParams,
  view: (delivery: Delivery) => A
): Listing<A> => {
  const { cursor, filter, limit } = listQuery(parts, query)
  const [ordinal = "", index = "", ...rest] = cursor?.split(".") ?? ["", ""]
  if (cursor !== undefined && (rest.length > 0 || !/^\d{1,16}$/.test(ordinal) || !/^\d{1,9}$/.test(index))) {
    return invalid(`cursor must be the nextCursor of an earlier page, got ${show(cursor)}`)
  }
  const passing: Array<{ readonly delivery: Delivery; readonly ordinal: number; readonly index: number }> = []
  for (const event of [...parts.core.store.events.values()].filter(filter.event).reverse()) {
    for (const [index, delivery] of event.deliveries.entries()) {
      if (filter.delivery(delivery)) passing.push({ delivery, ordinal: event.ordinal, index })
    }
  }
  const from = cursor === undefined ?
    0 :
    passing.findIndex((one) =>
      one.ordinal < Number(ordinal) || (one.ordinal === Number(ordinal) && one.index > Number(index))
    )
  const shown = from < 0 ? [] : passing.slice(from, from + limit)
  const last = from >= 0 && from + limit < passing.length ? shown[shown.length - 1] : undefined
  return {
    items: shown.map(({ delivery }) => view(delivery)),
    nextCursor: last === undefined ? null : `${last.ordinal}.${last.index}`,
    total: passing.length,
    revision: parts.core.store.revision
  }
}
