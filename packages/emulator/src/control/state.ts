import type { ActiveFault } from "../faults.js"
import type { DatabaseState, DeliveryState } from "../model.js"
import type { Parts } from "./model.js"

/** An endpoint; its secret is shown by `reveal-secret` only. */
export interface EndpointState {
  readonly id: string
  readonly url: string
  readonly description: string
  readonly deleted: boolean
}

/** A subscription. */
export interface SubscriptionState {
  readonly id: string
  readonly topic: string
  readonly endpointId: string
  readonly active: boolean
  readonly ordered: boolean
  readonly maxAttempts: number
  readonly deleted: boolean
}

/** The emulator as a whole. Times are milliseconds since 1970 by its own clock. */
export interface State {
  /** Another one after each start of the emulator. */
  readonly run: string
  readonly revision: number
  readonly url: string
  readonly adminUrl: string
  readonly clock: "real" | "manual"
  readonly now: number
  /** When the next attempt is planned. */
  readonly nextAttemptAt: number | null
  readonly paused: boolean
  readonly database: DatabaseState
  readonly redis: "up" | "down"
  readonly events: number
  /** The place of the oldest event that is still kept. */
  readonly firstOrdinal: number
  /** Deliveries by state. */
  readonly deliveries: Readonly<Record<DeliveryState, number>>
  /** Events with a delivery in each state, and those that no subscription took. */
  readonly eventsBy: Readonly<Record<DeliveryState | "unrouted", number>>
  readonly endpoints: ReadonlyArray<EndpointState>
  readonly subscriptions: ReadonlyArray<SubscriptionState>
  readonly faults: ReadonlyArray<ActiveFault>
}

/** Most endpoints and subscriptions that are listed, the newest. */
const maxListed = 1000

const none: Readonly<Record<DeliveryState, number>> = {
  pending: 0,
  in_flight: 0,
  retry_scheduled: 0,
  succeeded: 0,
  dead_lettered: 0,
  cancelled: 0,
  skipped: 0
}

/** Takes stock. */
export const stateOf = (parts: Parts, run: string): State => {
  const { core, controls, manual } = parts
  const { dispatcher, faults, store, surroundings } = core
  const deliveries: Record<DeliveryState, number> = { ...none }
  let next = Infinity
  for (const delivery of store.deliveries.values()) {
    deliveries[delivery.state]++
    if (delivery.dueAt !== undefined && delivery.dueAt < next) next = delivery.dueAt
  }
  const eventsBy = { ...none, unrouted: 0 }
  for (const { deliveries } of store.events.values()) {
    if (deliveries.length === 0) eventsBy.unrouted++
    for (const [index, { state }] of deliveries.entries()) {
      // Once for each state.
      if (deliveries.findIndex((one) => one.state === state) === index) eventsBy[state]++
    }
  }
  const first = store.events.values().next()
  return {
    run,
    revision: store.revision,
    url: controls.url,
    adminUrl: controls.adminUrl,
    clock: manual ? "manual" : "real",
    now: controls.now(),
    nextAttemptAt: next === Infinity ? null : next,
    paused: dispatcher.paused,
    database: surroundings.database,
    redis: surroundings.redis,
    events: store.events.size,
    firstOrdinal: first.done === true ? 0 : first.value.ordinal,
    deliveries,
    eventsBy,
    endpoints: [...store.endpoints.values()].slice(-maxListed).map(({ deletedAt, description, id, url }) => ({
      id,
      url,
      description,
      deleted: deletedAt !== undefined
    })),
    subscriptions: [...store.subscriptions.values()].slice(-maxListed).map((subscription) => ({
      id: subscription.id,
      topic: subscription.topic,
      endpointId: subscription.endpoint.id,
      active: subscription.active,
      ordered: subscription.ordered,
      maxAttempts: subscription.maxAttempts,
      deleted: subscription.deletedAt !== undefined || subscription.endpoint.deletedAt !== undefined
    })),
    faults: faults.list()
  }
}
