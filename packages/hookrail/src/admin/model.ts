/** The arguments and results of the admin API, shared by `HookrailAdmin`, this room and the facade. */
import type { Role } from "../wire/admin.js"
import type { Delivery, DeliveryState } from "../wire/model.js"

export type { ReceiverAnswer, ReceiverCheck } from "../wire/admin.js"

// ---------------------------------------------------------------------------------------------------------------
// rows
// ---------------------------------------------------------------------------------------------------------------

/**
 * Where webhooks are delivered to. Its secret is shown once, when it is made or changed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Endpoint {
  readonly id: string
  readonly url: string
  /** Empty if there is none. */
  readonly description: string
  readonly createdAt: Date
  /** Absent while it is live. */
  readonly deletedAt?: Date | undefined
}

/**
 * How long to wait between attempts, instead of the server's own settings (protocol section 4.5).
 *
 * @since 0.1.0
 * @category models
 */
export interface BackoffPolicy {
  /** The ceiling of the first wait, in milliseconds; it doubles with each attempt. 1 to 604,800,000. */
  readonly baseMs: number
  /** The ceiling of any wait, in milliseconds: at least `baseMs`, at most 604,800,000 (a week). */
  readonly capMs: number
}

/**
 * Which topics an endpoint gets, and how they are delivered.
 *
 * @since 0.1.0
 * @category models
 */
export interface Subscription {
  readonly id: string
  /** A topic, a prefix followed by `.*`, or `*`. */
  readonly topic: string
  readonly endpointId: string
  readonly maxAttempts: number
  /** `false`: new events are not delivered; deliveries that exist go on. */
  readonly active: boolean
  /** Whether events with the same ordering key are delivered one after the other. */
  readonly ordered: boolean
  /** Deliveries per second; absent for the server's default. */
  readonly rateLimitRps?: number | undefined
  /** Absent for the server's default. */
  readonly backoffPolicy?: BackoffPolicy | undefined
  /** Absent while it is live. */
  readonly deletedAt?: Date | undefined
}

/**
 * A delivery in a list. `deliveries.get` has its attempts.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliverySummary {
  readonly deliveryId: string
  readonly eventId: string
  readonly endpointId: string
  readonly state: DeliveryState
  /** Only of ordered subscriptions. Servers before P2 do not tell it. */
  readonly orderingKey?: string | undefined
}

/**
 * A delivery with its attempts.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryTimeline extends Delivery {
  /** Only of ordered subscriptions. Servers before P2 do not tell it. */
  readonly orderingKey?: string | undefined
}

/**
 * A delivery that the server has given up. It stays in the list after a replay, with the time of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeadLetter {
  readonly deliveryId: string
  readonly endpointId?: string | undefined
  /** Why, such as `http_404`, `timeout` or `attempts_exhausted`. */
  readonly finalError: string
  readonly deadAt: Date
  /** Absent if it was not replayed since it died. */
  readonly replayedAt?: Date | undefined
  /** Only of ordered subscriptions. Servers before P2 do not tell it. */
  readonly orderingKey?: string | undefined
}

/**
 * An ordering key that a dead delivery blocks: its later events wait until that one is replayed or skipped.
 *
 * @since 0.1.0
 * @category models
 */
export interface OrderedKey {
  readonly subscriptionId: string
  readonly orderingKey: string
  /** The delivery that blocks it. */
  readonly headDeliveryId?: string | undefined
  readonly blockedSince?: Date | undefined
  /** How many deliveries wait, the head included. */
  readonly backlogCount: number
  /** How long the oldest of those behind the head has waited; absent if there is none. */
  readonly oldestSuccessorAgeSeconds?: number | undefined
}

/**
 * An admin token. The token itself is shown once, when it is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface AdminToken {
  readonly id: string
  readonly role: Role | (string & {})
  readonly label: string
  readonly createdAt: Date
  /** Absent while it is active. */
  readonly revokedAt?: Date | undefined
}

/**
 * Who the token of this client is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Identity {
  readonly role: Role | (string & {})
}

/**
 * One page of a list.
 *
 * @since 0.1.0
 * @category models
 */
export interface Page<out A> {
  readonly items: ReadonlyArray<A>
  /** Pass it as `cursor` for the next page, which may be empty. Absent on the last page. */
  readonly nextCursor?: string | undefined
}

// ---------------------------------------------------------------------------------------------------------------
// results of writes
// ---------------------------------------------------------------------------------------------------------------

/**
 * An endpoint that was just made, with its secret: it is never shown again.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreatedEndpoint<out Secret> {
  readonly id: string
  readonly url: string
  /** What its deliveries are signed with. */
  readonly secret: Secret
  /**
   * Usually empty. After an attempt whose answer was lost: endpoints just like it that came into being meanwhile, which that
   * attempt may have made after all. Nobody has their secrets; delete them if nobody else made them.
   */
  readonly duplicateIds: ReadonlyArray<string>
}

/**
 * A subscription that was just made.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreatedSubscription {
  readonly id: string
  /** Usually empty. After an attempt whose answer was lost: subscriptions just like it that came into being meanwhile. */
  readonly duplicateIds: ReadonlyArray<string>
}

/**
 * An admin token that was just made: it is never shown again.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreatedToken<out Secret> {
  readonly id: string
  readonly label: string
  readonly role: Role | (string & {})
  readonly token: Secret
  /** Usually empty. After an attempt whose answer was lost: tokens just like it that came into being meanwhile. */
  readonly duplicateIds: ReadonlyArray<string>
}

/**
 * A delivery that is delivered again, from its first attempt.
 *
 * @since 0.1.0
 * @category models
 */
export interface Replayed {
  readonly deliveryId: string
  readonly state: DeliveryState
}

/**
 * A delivery that was given up, so that its ordering key moves on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Skipped {
  readonly deliveryId: string
  readonly state: DeliveryState
  /** The delivery that is next; absent if there is none. */
  readonly nextHeadDeliveryId?: string | undefined
}

// ---------------------------------------------------------------------------------------------------------------
// arguments
// ---------------------------------------------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export interface EndpointInput {
  /** A public `https` URL, without a user name. */
  readonly url: string
  readonly description?: string | undefined
}

/**
 * What to change of an endpoint. It concerns deliveries that exist, too.
 *
 * @since 0.1.0
 * @category models
 */
export interface EndpointChanges {
  readonly url?: string | undefined
  readonly description?: string | undefined
}

/**
 * How a subscription delivers.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliverySettings {
  /** Attempts before a delivery is dead-lettered, 1 to 100. Default 8. */
  readonly maxAttempts?: number | undefined
  /** Deliveries per second to the endpoint, 0.01 to 1,000,000. Once given it can be changed, but not taken away. */
  readonly rateLimitRps?: number | undefined
  /** How long to wait between attempts. Once given it can be changed, but not taken away. */
  readonly backoffPolicy?: BackoffPolicy | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SubscriptionInput extends DeliverySettings {
  /** A topic, a prefix followed by `.*` (`orders.*`), or `*` for everything. */
  readonly topic: string
  readonly endpointId: string
  /** Whether events with the same ordering key are delivered one after the other. It can never be changed. Default false. */
  readonly ordered?: boolean | undefined
}

/**
 * What to change of a subscription. It concerns deliveries that exist, too, except `active`.
 *
 * @since 0.1.0
 * @category models
 */
export interface SubscriptionChanges extends DeliverySettings {
  /** Whether new events are delivered. */
  readonly active?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface TokenInput {
  readonly role: Role
  /** For people: 1 to 200 bytes. */
  readonly label: string
}

/** How a list is read. */
interface Listing {
  /** How many rows each request asks for, 1 to 200. Default 100. */
  readonly pageSize?: number | undefined
}

/**
 * Where one page of a list begins, and how long it is.
 *
 * @since 0.1.0
 * @category models
 */
export interface PageRequest {
  /** The `nextCursor` of the page before. Default: the first page. */
  readonly cursor?: string | undefined
  /** At most how many rows, 1 to 200. Default 100. */
  readonly limit?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface EndpointFilter {
  /** Whether deleted ones are listed too. Default false. */
  readonly includeDeleted?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SubscriptionFilter {
  readonly endpointId?: string | undefined
}

/**
 * The states of a delivery that can be asked for.
 *
 * @since 0.1.0
 * @category models
 */
export type ListedState =
  | "pending"
  | "in_flight"
  | "retry_scheduled"
  | "succeeded"
  | "dead_lettered"
  | "cancelled"
  | "skipped"

/**
 * @since 0.1.0
 * @category models
 */
export interface DeliveryFilter {
  readonly state?: ListedState | undefined
  readonly endpointId?: string | undefined
  /** Exactly this topic: a pattern matches only itself. */
  readonly topic?: string | undefined
  readonly eventId?: string | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface DeadLetterFilter {
  readonly endpointId?: string | undefined
  /** Died at this time or later. */
  readonly since?: Date | undefined
  /** Died before this time. */
  readonly until?: Date | undefined
  /** `true`: those that were replayed since they died; `false`: those that were not. Default: both. */
  readonly replayed?: boolean | undefined
}

/** A filter of a list that is read page by page. */
export type Listed<Filter> = Filter & Listing

/** A filter of one page. */
export type Paged<Filter> = Filter & PageRequest

/** Whether a row is read that is deleted. */
export interface GetOptions {
  /** Whether it is found although it is deleted. Default false. */
  readonly includeDeleted?: boolean | undefined
}

/** What to do if a secret was made whose only copy was lost. */
export interface OnLostSecret {
  /**
   * What to do if an attempt has made it, but the answer was lost: fail with `SecretLostError` (`"fail"`, the default), or give
   * it another secret (`"replace"`: an endpoint gets a new secret, a token is revoked and made again). Replacing is right if
   * nobody else makes the same thing at the same time.
   */
  readonly onLostSecret?: "fail" | "replace" | undefined
}

// ---------------------------------------------------------------------------------------------------------------
// compound operations
// ---------------------------------------------------------------------------------------------------------------

/**
 * What should be delivered where.
 *
 * @since 0.1.0
 * @category models
 */
export interface EnsureInput extends DeliverySettings {
  /** A topic, a prefix followed by `.*` (`orders.*`), or `*` for everything. */
  readonly topic: string
  readonly url: string
  /** For an endpoint that is made. */
  readonly description?: string | undefined
  /** Whether events with the same ordering key are delivered one after the other. Default: as it is, else false. */
  readonly ordered?: boolean | undefined
}

/**
 * What `ensureSubscription` found or made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ensured<out Secret> {
  readonly endpoint: { readonly id: string; readonly url: string }
  readonly subscription: { readonly id: string; readonly topic: string }
  /** Only if the endpoint was made by this call: it is never shown again. */
  readonly secret?: Secret | undefined
  readonly endpointWas: "found" | "created"
  readonly subscriptionWas: "found" | "updated" | "created"
  /**
   * Usually empty. The endpoint that this call made, if another program made one for the same URL at the same time and this
   * call settled on that one. It has no subscription, so it gets no events. Delete it once all of these programs are done.
   */
  readonly duplicateIds: ReadonlyArray<string>
}

/**
 * Which dead letters to replay. Those that were replayed since they died are left out.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReplayFilter extends Omit<DeadLetterFilter, "replayed"> {
  /** Decides for each, such as by its `finalError`. Default: all. */
  readonly where?: ((deadLetter: DeadLetter) => boolean) | undefined
}

/** How to replay them. */
export interface ReplaySettings {
  /** How many per second at most. Default 10: their receiver has to handle them besides everything else. */
  readonly rate?: number | undefined
  /** How many requests may be under way at a time. Default 4. */
  readonly concurrency?: number | undefined
  /** Whether nothing is replayed: the results say what would be. Default false. */
  readonly dryRun?: boolean | undefined
}

/**
 * What became of a dead letter. One that cannot be replayed (it is expired, live again or gone, or its endpoint is) is
 * `NotReplayed`, and the others go on.
 *
 * @since 0.1.0
 * @category models
 */
export type ReplayResult<Failure> =
  | { readonly _tag: "Replayed"; readonly deadLetter: DeadLetter; readonly state: DeliveryState }
  | { readonly _tag: "WouldReplay"; readonly deadLetter: DeadLetter }
  | { readonly _tag: "NotReplayed"; readonly deadLetter: DeadLetter; readonly error: Failure }

/**
 * The number of results of each kind.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReplayCounts {
  readonly total: number
  readonly replayed: number
  readonly wouldReplay: number
  readonly notReplayed: number
}

/** How a receiver is asked. */
export interface ReceiverRequest {
  /** The topic of the requests. Default `hookrail.check`. */
  readonly topic?: string | undefined
  /** Their payload, as JSON. Default `{"hookrail_check": true}`. */
  readonly payload?: string | undefined
}
