/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The arguments and results of the admin client.
 *
 * @since 0.1.0
 */
import type * as Model from "hookrail/admin/model"
import type * as Plain from "hookrail/options/model"
import type { ReplayExpiredError } from "./adminErrors.js"
import type { ConflictError, NotFoundError } from "./errors.js"
import type { Secret } from "./secret.js"
import type { CloseOptions, Duration, HookrailOptions, RetryOptions } from "./types.js"

/**
 * The options of an admin client.
 *
 * @since 0.1.0
 */
export interface HookrailAdminOptions
  extends
    Plain.AdminClientOptions<string, Duration, RetryOptions | false>,
    Pick<HookrailOptions, "log" | "onRetry" | "transport" | "fetch">
{}

/**
 * Options of a call.
 *
 * @since 0.1.0
 */
export interface AdminCallOptions extends Plain.ReadOptions<Duration, RetryOptions | false> {
  /** Gives the call up; it then rejects with `HookrailAbortedError`, whose `cause` is the reason of the signal. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Options of reading a thing that may be deleted.
 *
 * @since 0.1.0
 */
export interface AdminGetOptions extends AdminCallOptions, Model.GetOptions {}

/**
 * Options of making something with a secret.
 *
 * @since 0.1.0
 */
export interface AdminCreateOptions extends AdminCallOptions, Model.OnLostSecret {}

/** How a kind of thing is listed. */
interface Lists<Filter, A> {
  /** All of them, read page by page in a `for await` loop. */
  list(filter?: Model.Listed<Filter>, options?: AdminCallOptions): AsyncIterableIterator<A>
  /** One page. */
  page(filter?: Model.Paged<Filter>, options?: AdminCallOptions): Promise<Model.Page<A>>
}

/**
 * Where webhooks are delivered to.
 *
 * @since 0.1.0
 */
export interface Endpoints extends Lists<Model.EndpointFilter, Model.Endpoint> {
  /** Makes an endpoint. Needs the role admin. The result has its secret, which is never shown again. */
  create(input: Model.EndpointInput, options?: AdminCreateOptions): Promise<Model.CreatedEndpoint<Secret>>
  get(id: string, options?: AdminGetOptions): Promise<Model.Endpoint>
  /** Changes URL or description, for deliveries that exist too. Needs the role admin. */
  update(id: string, changes: Model.EndpointChanges, options?: AdminCallOptions): Promise<void>
  /** Deletes an endpoint. Its deliveries that wait are cancelled. Needs the role admin. */
  delete(id: string, options?: AdminCallOptions): Promise<void>
  /**
   * Gives an endpoint a new secret, which signs everything from now on: there is no time in which both are valid. Needs the role
   * admin. `rotateWithReceiver` loses nothing.
   */
  rotateSecret(id: string, options?: AdminCallOptions): Promise<Secret>
}

/**
 * Which topics an endpoint gets.
 *
 * @since 0.1.0
 */
export interface Subscriptions extends Lists<Model.SubscriptionFilter, Model.Subscription> {
  /** Makes a subscription. It gets the events that are sent from now on. Needs the role admin. */
  create(input: Model.SubscriptionInput, options?: AdminCallOptions): Promise<Model.CreatedSubscription>
  get(id: string, options?: AdminGetOptions): Promise<Model.Subscription>
  /** Changes settings, for deliveries that exist too. Needs the role admin. */
  update(id: string, changes: Model.SubscriptionChanges, options?: AdminCallOptions): Promise<void>
  /** Deletes a subscription. Its deliveries that wait are cancelled. Needs the role admin. */
  delete(id: string, options?: AdminCallOptions): Promise<void>
}

/**
 * Deliveries: one event to one subscription.
 *
 * @since 0.1.0
 */
export interface Deliveries extends Lists<Model.DeliveryFilter, Model.DeliverySummary> {
  /** A delivery with its attempts. */
  get(deliveryId: string, options?: AdminCallOptions): Promise<Model.DeliveryTimeline>
  /** Gives up the dead delivery at the head of an ordering key, so that the next one is delivered. Needs the role operator. */
  skip(deliveryId: string, options?: AdminCallOptions): Promise<Model.Skipped>
  /** Delivers a dead delivery again, from its first attempt. Needs the role operator. */
  replay(deliveryId: string, options?: AdminCallOptions): Promise<Model.Replayed>
}

/**
 * Deliveries that the server has given up.
 *
 * @since 0.1.0
 */
export interface DeadLetters extends Lists<Model.DeadLetterFilter, Model.DeadLetter> {
  /** The same as `deliveries.replay`. */
  replay(deliveryId: string, options?: AdminCallOptions): Promise<Model.Replayed>
}

/**
 * Ordering keys that a dead delivery blocks.
 *
 * @since 0.1.0
 */
export interface OrderedKeys extends Lists<{}, Model.OrderedKey> {}

/**
 * Admin tokens. All of it needs the role admin.
 *
 * @since 0.1.0
 */
export interface Tokens extends Lists<{}, Model.AdminToken> {
  /** Makes a token. The result has it, and it is never shown again. */
  create(input: Model.TokenInput, options?: AdminCreateOptions): Promise<Model.CreatedToken<Secret>>
  /** Revokes a token at once. Revoking it again is no error. */
  revoke(id: string, options?: AdminCallOptions): Promise<void>
}

/**
 * Options of replaying many.
 *
 * @since 0.1.0
 */
export interface AdminReplayOptions extends AdminCallOptions, Model.ReplaySettings {}

/**
 * What became of a dead letter. One that cannot be replayed is `NotReplayed`, and the others go on.
 *
 * @since 0.1.0
 */
export type ReplayResult = Model.ReplayResult<ReplayFailure>

/**
 * Why a dead letter cannot be replayed.
 *
 * @since 0.1.0
 */
export type ReplayFailure = ConflictError | NotFoundError | ReplayExpiredError

/**
 * The replaying of many: iterate it, for a result per dead letter, or await it, for their counts. It does nothing until then.
 *
 * @since 0.1.0
 */
export interface Replaying extends AsyncIterableIterator<ReplayResult>, PromiseLike<Model.ReplayCounts> {}

/**
 * How a receiver is asked.
 *
 * @since 0.1.0
 */
export interface CheckReceiverOptions extends Model.ReceiverRequest {
  readonly url: string | URL
  /** One or more: each should be taken. */
  readonly secrets: ReadonlyArray<string | Secret>
  readonly signal?: AbortSignal | undefined
}

/**
 * Options of changing a secret together with the receiver.
 *
 * @since 0.1.0
 */
export interface RotateOptions extends Omit<AdminCallOptions, "timeout">, Model.ReceiverRequest {
  /** The secret that the receiver has now. */
  readonly current: string | Secret
  /** Gives the receiver the new secret besides the one that it has. It is the only copy: store it first. */
  readonly deploy: (secret: Secret) => unknown
  /** Where the receiver is reached from here. Default: the URL of the endpoint. */
  readonly receiverUrl?: string | URL | undefined
  /** How long the receiver may take to accept both after `deploy`. Default 1 minute. */
  readonly timeout?: Duration | undefined
  /** The time between two looks. Default 1 second. */
  readonly pause?: Duration | undefined
}

/**
 * An admin client of a Hookrail server.
 *
 * @since 0.1.0
 */
export interface HookrailAdmin {
  readonly endpoints: Endpoints
  readonly subscriptions: Subscriptions
  readonly deliveries: Deliveries
  readonly deadLetters: DeadLetters
  readonly orderedKeys: OrderedKeys
  readonly tokens: Tokens
  /** The role of the token of this client. */
  whoami(options?: AdminCallOptions): Promise<Model.Identity>
  /**
   * Sees to it that a topic is delivered to a URL, however often it runs: finds or makes the endpoint, and its subscription, and
   * gives the settings that are named. The secret is in the result only if the endpoint was made. Calls of one client for the same
   * URL wait for each other. Programs that do this at the same moment settle on one endpoint: see `duplicateIds`. Needs the role
   * admin.
   */
  ensureSubscription(input: Model.EnsureInput, options?: AdminCreateOptions): Promise<Model.Ensured<Secret>>
  /**
   * Replays all dead letters that pass the filter, the newest first: `for await` yields what became of each, `await` resolves to
   * their counts. **Without one of the two nothing is replayed.** Needs the role operator; with `dryRun` viewer.
   */
  replayAll(filter?: Model.ReplayFilter, options?: AdminReplayOptions): Replaying
  /**
   * Sends a receiver a request signed with each of the secrets, and a forged one: does it take the former, and refuse the latter
   * in a way that loses nothing? It asks the receiver directly, not by way of the server.
   */
  checkReceiver(options: CheckReceiverOptions): Promise<Model.ReceiverCheck>
  /**
   * Gives an endpoint a new secret so that nothing is lost: checks that the receiver answers what it cannot verify with a status
   * after which Hookrail tries again, rotates, calls `deploy`, and waits until the receiver takes both secrets. Rejects with
   * `ReceiverCheckError`, or with what `deploy` throws.
   */
  rotateWithReceiver(endpointId: string, options: RotateOptions): Promise<Secret>
  /** Closes the client and its connections. Calls under way reject at once with `HookrailClosedError`, or end first with `drain`. */
  close(options?: CloseOptions): Promise<void>
  /** `close({ drain: true })`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Makes an admin client. Throws a `HookrailConfigError` if an option is missing or wrong.
 *
 * @since 0.1.0
 */
export interface HookrailAdminConstructor {
  new(options?: HookrailAdminOptions): HookrailAdmin
}
