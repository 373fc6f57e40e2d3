/** The service of `HookrailAdmin`, shared by it and this room. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import type { CallObserver } from "../call/calls.js"
import type { Retry } from "../HookrailConfig.js"
import type {
  AdminContext,
  AdminError,
  AdminReadError,
  ConflictError,
  NotFoundError,
  ReceiverCheckError,
  ReplayExpiredError
} from "../HookrailError.js"
import type * as Plain from "../options/model.js"
import type * as Model from "./model.js"

/** Is told of the call, by the facade. */
export const observing: unique symbol = Symbol("hookrail/admin/observing")

/**
 * Options of each call.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallOptions extends Plain.ReadOptions<Duration.DurationInput, Retry> {
  /** @internal */
  readonly [observing]?: CallObserver | undefined
}

/**
 * Options of reading a thing that may be deleted.
 *
 * @since 0.1.0
 * @category models
 */
export interface GetOptions extends CallOptions, Model.GetOptions {}

/**
 * Options of making something with a secret.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateOptions extends CallOptions, Model.OnLostSecret {}

/**
 * Options of replaying many.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReplayOptions extends CallOptions, Model.ReplaySettings {}

/**
 * Options of asking a receiver.
 *
 * @since 0.1.0
 * @category models
 */
export interface CheckReceiverOptions extends Model.ReceiverRequest {
  readonly url: string | URL
  /** One or more: each should be taken. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

/**
 * Options of changing a secret together with the receiver.
 *
 * @since 0.1.0
 * @category models
 */
export interface RotateOptions<out E, out R> extends Omit<CallOptions, "timeout">, Model.ReceiverRequest {
  /** The secret that the receiver has now. */
  readonly current: Redacted.Redacted<string>
  /** Gives the receiver the new secret besides the one that it has. It is the only copy: store it first. */
  readonly deploy: (secret: Redacted.Redacted<string>) => Effect.Effect<unknown, E, R>
  /** Where the receiver is reached from here. Default: the URL of the endpoint. */
  readonly receiverUrl?: string | URL | undefined
  /** How long the receiver may take to accept both after `deploy`. Default 1 minute. */
  readonly timeout?: Duration.DurationInput | undefined
  /** The time between two looks. Default 1 second. */
  readonly pause?: Duration.DurationInput | undefined
}

/** A text that nothing shows. */
type Secret = Redacted.Redacted<string>

/**
 * Why a dead letter cannot be replayed.
 *
 * @since 0.1.0
 * @category models
 */
export type ReplayFailure = (ConflictError | NotFoundError | ReplayExpiredError) & AdminContext

type Read<A> = Effect.Effect<A, AdminReadError>

type Write<A> = Effect.Effect<A, AdminError>

/** How a kind of thing is listed. */
interface Lists<Filter, A> {
  /** All of them, read page by page as the stream is consumed. */
  readonly list: (filter?: Model.Listed<Filter>, options?: CallOptions) => Stream.Stream<A, AdminReadError>
  /** One page. */
  readonly page: (filter?: Model.Paged<Filter>, options?: CallOptions) => Read<Model.Page<A>>
}

/**
 * Where webhooks are delivered to.
 *
 * @since 0.1.0
 * @category models
 */
export interface Endpoints extends Lists<Model.EndpointFilter, Model.Endpoint> {
  /** Makes an endpoint. Needs the role admin. The result has its secret, which is never shown again. */
  readonly create: (input: Model.EndpointInput, options?: CreateOptions) => Write<Model.CreatedEndpoint<Secret>>
  readonly get: (id: string, options?: GetOptions) => Read<Model.Endpoint>
  /** Changes URL or description, for deliveries that exist too. Needs the role admin. */
  readonly update: (id: string, changes: Model.EndpointChanges, options?: CallOptions) => Write<void>
  /** Deletes an endpoint. Its deliveries that wait are cancelled. Needs the role admin. */
  readonly delete: (id: string, options?: CallOptions) => Write<void>
  /**
   * Gives an endpoint a new secret, which signs everything from now on: there is no time in which both are valid (protocol
   * section 4.6). Needs the role admin. `rotateWithReceiver` loses nothing.
   */
  readonly rotateSecret: (id: string, options?: CallOptions) => Write<Secret>
}

/**
 * Which topics an endpoint gets.
 *
 * @since 0.1.0
 * @category models
 */
export interface Subscriptions extends Lists<Model.SubscriptionFilter, Model.Subscription> {
  /** Makes a subscription. It gets the events that are sent from now on. Needs the role admin. */
  readonly create: (input: Model.SubscriptionInput, options?: CallOptions) => Write<Model.CreatedSubscription>
  readonly get: (id: string, options?: GetOptions) => Read<Model.Subscription>
  /** Changes settings, for deliveries that exist too. Needs the role admin. */
  readonly update: (id: string, changes: Model.SubscriptionChanges, options?: CallOptions) => Write<void>
  /** Deletes a subscription. Its deliveries that wait are cancelled. Needs the role admin. */
  readonly delete: (id: string, options?: CallOptions) => Write<void>
}

/**
 * Deliveries: one event to one subscription.
 *
 * @since 0.1.0
 * @category models
 */
export interface Deliveries extends Lists<Model.DeliveryFilter, Model.DeliverySummary> {
  /** A delivery with its attempts. */
  readonly get: (deliveryId: string, options?: CallOptions) => Read<Model.DeliveryTimeline>
  /** Gives up the dead delivery at the head of an ordering key, so that the next one is delivered. Needs the role operator. */
  readonly skip: (deliveryId: string, options?: CallOptions) => Write<Model.Skipped>
  /** Delivers a dead delivery again, from its first attempt. Needs the role operator. */
  readonly replay: (deliveryId: string, options?: CallOptions) => Write<Model.Replayed>
}

/**
 * Deliveries that the server has given up.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeadLetters extends Lists<Model.DeadLetterFilter, Model.DeadLetter> {
  /** The same as `deliveries.replay`. */
  readonly replay: (deliveryId: string, options?: CallOptions) => Write<Model.Replayed>
}

/**
 * Ordering keys that a dead delivery blocks.
 *
 * @since 0.1.0
 * @category models
 */
export interface OrderedKeys extends Lists<{}, Model.OrderedKey> {}

/**
 * Admin tokens. All of it needs the role admin.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tokens extends Lists<{}, Model.AdminToken> {
  /** Makes a token. The result has it, and it is never shown again. */
  readonly create: (input: Model.TokenInput, options?: CreateOptions) => Write<Model.CreatedToken<Secret>>
  /** Revokes a token at once. Revoking it again is no error. */
  readonly revoke: (id: string, options?: CallOptions) => Write<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly endpoints: Endpoints
  readonly subscriptions: Subscriptions
  readonly deliveries: Deliveries
  readonly deadLetters: DeadLetters
  readonly orderedKeys: OrderedKeys
  readonly tokens: Tokens
  /** The role of the token of this client. */
  readonly whoami: (options?: CallOptions) => Read<Model.Identity>
  /** See the accessor `ensureSubscription`. */
  readonly ensureSubscription: (
    input: Model.EnsureInput,
    options?: CreateOptions
  ) => Write<Model.Ensured<Secret>>
  /** See the accessor `replayAll`. */
  readonly replayAll: (
    filter?: Model.ReplayFilter,
    options?: ReplayOptions
  ) => Stream.Stream<Model.ReplayResult<ReplayFailure>, AdminError>
  /** See the accessor `checkReceiver`. */
  readonly checkReceiver: (options: CheckReceiverOptions) => Write<Model.ReceiverCheck>
  /** See the accessor `rotateWithReceiver`. */
  readonly rotateWithReceiver: <E, R>(
    endpointId: string,
    options: RotateOptions<E, R>
  ) => Effect.Effect<Secret, AdminError | ReceiverCheckError | E, R>
}
