/**
 * Administers a Hookrail server: endpoints, subscriptions, deliveries, dead letters, ordering keys and admin tokens (protocol
 * section 5).
 *
 * Lists are streams, read page by page. Each call is retried like a send. The admin API has no idempotency keys: after an attempt
 * without an answer, creating something looks first whether it is there, so nothing is made twice without being told; everything
 * else is safe to repeat.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as client from "./admin/client.js"
import { countReplay, noReplays } from "./admin/counts.js"
import type {
  Ensured,
  EnsureInput,
  Identity,
  ReceiverCheck,
  ReplayCounts,
  ReplayFilter,
  ReplayResult
} from "./admin/model.js"
import type {
  CallOptions,
  CheckReceiverOptions,
  CreateOptions,
  DeadLetters,
  Deliveries,
  Endpoints,
  OrderedKeys,
  ReplayFailure,
  ReplayOptions,
  RotateOptions,
  Service,
  Subscriptions,
  Tokens
} from "./admin/service.js"
import { scheduled } from "./call/pauses.js"
import * as HookrailConfig from "./HookrailConfig.js"
import type { AdminError, AdminReadError, HookrailConfigError, ReceiverCheckError } from "./HookrailError.js"
import { Transport } from "./Transport.js"

export type {
  AdminToken,
  BackoffPolicy,
  CreatedEndpoint,
  CreatedSubscription,
  CreatedToken,
  DeadLetter,
  DeadLetterFilter,
  DeliveryFilter,
  DeliverySettings,
  DeliverySummary,
  DeliveryTimeline,
  Endpoint,
  EndpointChanges,
  EndpointFilter,
  EndpointInput,
  Ensured,
  EnsureInput,
  Identity,
  Listed,
  ListedState,
  OrderedKey,
  Page,
  Paged,
  PageRequest,
  ReceiverAnswer,
  ReceiverCheck,
  ReplayCounts,
  Replayed,
  ReplayFilter,
  ReplayResult,
  Skipped,
  Subscription,
  SubscriptionChanges,
  SubscriptionFilter,
  SubscriptionInput,
  TokenInput
} from "./admin/model.js"
export type {
  CallOptions,
  CheckReceiverOptions,
  CreateOptions,
  DeadLetters,
  Deliveries,
  Endpoints,
  GetOptions,
  OrderedKeys,
  ReplayFailure,
  ReplayOptions,
  RotateOptions,
  Service,
  Subscriptions,
  Tokens
} from "./admin/service.js"
export type { Role } from "./wire/admin.js"

/**
 * The same methods, with the service as a requirement.
 *
 * @since 0.1.0
 * @category models
 */
export type Accessors<Methods> = {
  readonly [K in keyof Methods]: Methods[K] extends (...args: infer Args) => Effect.Effect<infer A, infer E>
    ? (...args: Args) => Effect.Effect<A, E, HookrailAdmin>
    : Methods[K] extends (...args: infer Args) => Stream.Stream<infer A, infer E>
      ? (...args: Args) => Stream.Stream<A, E, HookrailAdmin>
    : never
}

const streamed = <A, E>(list: (service: Service) => Stream.Stream<A, E>): Stream.Stream<A, E, HookrailAdmin> =>
  Stream.unwrap(Effect.map(HookrailAdmin, list))

/**
 * Where webhooks are delivered to.
 *
 * @example
 * import { Effect, Redacted } from "effect"
 * import { HookrailAdmin } from "hookrail"
 *
 * const program = Effect.gen(function*() {
 *   const { id, secret } = yield* HookrailAdmin.endpoints.create({ url: "https://shop.example.com/webhooks" })
 *   yield* HookrailAdmin.subscriptions.create({ topic: "orders.*", endpointId: id })
 *   return Redacted.value(secret) // shown once: keep it
 * })
 *
 * @since 0.1.0
 * @category accessors
 */
export const endpoints: Accessors<Endpoints> = {
  create: (...args) => Effect.flatMap(HookrailAdmin, ({ endpoints }) => endpoints.create(...args)),
  list: (...args) => streamed(({ endpoints }) => endpoints.list(...args)),
  page: (...args) => Effect.flatMap(HookrailAdmin, ({ endpoints }) => endpoints.page(...args)),
  get: (...args) => Effect.flatMap(HookrailAdmin, ({ endpoints }) => endpoints.get(...args)),
  update: (...args) => Effect.flatMap(HookrailAdmin, ({ endpoints }) => endpoints.update(...args)),
  delete: (...args) => Effect.flatMap(HookrailAdmin, ({ endpoints }) => endpoints.delete(...args)),
  rotateSecret: (...args) => Effect.flatMap(HookrailAdmin, ({ endpoints }) => endpoints.rotateSecret(...args))
}

/**
 * Which topics an endpoint gets.
 *
 * @since 0.1.0
 * @category accessors
 */
export const subscriptions: Accessors<Subscriptions> = {
  create: (...args) => Effect.flatMap(HookrailAdmin, ({ subscriptions }) => subscriptions.create(...args)),
  list: (...args) => streamed(({ subscriptions }) => subscriptions.list(...args)),
  page: (...args) => Effect.flatMap(HookrailAdmin, ({ subscriptions }) => subscriptions.page(...args)),
  get: (...args) => Effect.flatMap(HookrailAdmin, ({ subscriptions }) => subscriptions.get(...args)),
  update: (...args) => Effect.flatMap(HookrailAdmin, ({ subscriptions }) => subscriptions.update(...args)),
  delete: (...args) => Effect.flatMap(HookrailAdmin, ({ subscriptions }) => subscriptions.delete(...args))
}

/**
 * Deliveries: one event to one subscription.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { HookrailAdmin } from "hookrail"
 *
 * const failing = HookrailAdmin.deliveries.list({ state: "retry_scheduled", topic: "orders.created" }).pipe(
 *   Stream.mapEffect(({ deliveryId }) => HookrailAdmin.deliveries.get(deliveryId)),
 *   Stream.runForEach(({ attempts, deliveryId }) => Effect.log(deliveryId, attempts.at(-1)?.errorClass))
 * )
 *
 * @since 0.1.0
 * @category accessors
 */
export const deliveries: Accessors<Deliveries> = {
  list: (...args) => streamed(({ deliveries }) => deliveries.list(...args)),
  page: (...args) => Effect.flatMap(HookrailAdmin, ({ deliveries }) => deliveries.page(...args)),
  get: (...args) => Effect.flatMap(HookrailAdmin, ({ deliveries }) => deliveries.get(...args)),
  skip: (...args) => Effect.flatMap(HookrailAdmin, ({ deliveries }) => deliveries.skip(...args)),
  replay: (...args) => Effect.flatMap(HookrailAdmin, ({ deliveries }) => deliveries.replay(...args))
}

/**
 * Deliveries that the server has given up.
 *
 * @since 0.1.0
 * @category accessors
 */
export const deadLetters: Accessors<DeadLetters> = {
  list: (...args) => streamed(({ deadLetters }) => deadLetters.list(...args)),
  page: (...args) => Effect.flatMap(HookrailAdmin, ({ deadLetters }) => deadLetters.page(...args)),
  replay: (...args) => Effect.flatMap(HookrailAdmin, ({ deadLetters }) => deadLetters.replay(...args))
}

/**
 * Ordering keys that a dead delivery blocks.
 *
 * @since 0.1.0
 * @category accessors
 */
export const orderedKeys: Accessors<OrderedKeys> = {
  list: (...args) => streamed(({ orderedKeys }) => orderedKeys.list(...args)),
  page: (...args) => Effect.flatMap(HookrailAdmin, ({ orderedKeys }) => orderedKeys.page(...args))
}

/**
 * Admin tokens.
 *
 * @since 0.1.0
 * @category accessors
 */
export const tokens: Accessors<Tokens> = {
  create: (...args) => Effect.flatMap(HookrailAdmin, ({ tokens }) => tokens.create(...args)),
  list: (...args) => streamed(({ tokens }) => tokens.list(...args)),
  page: (...args) => Effect.flatMap(HookrailAdmin, ({ tokens }) => tokens.page(...args)),
  revoke: (...args) => Effect.flatMap(HookrailAdmin, ({ tokens }) => tokens.revoke(...args))
}

/**
 * The role of the token of this client.
 *
 * @since 0.1.0
 * @category accessors
 */
export const whoami = (options?: CallOptions): Effect.Effect<Identity, AdminReadError, HookrailAdmin> =>
  Effect.flatMap(HookrailAdmin, (admin) => admin.whoami(options))

/**
 * Sees to it that a topic is delivered to a URL, however often it runs: finds or makes the endpoint, and its subscription, and
 * gives the settings that are named. The secret is in the result only if the endpoint was made. An endpoint is taken if its URL is
 * the same; of several the one that has the subscription, else the oldest. Calls of one client for the same URL wait for each
 * other. Programs that do this at the same moment settle on one endpoint: see `duplicateIds`. Needs the role admin.
 *
 * @example
 * import { Effect, Redacted } from "effect"
 * import { HookrailAdmin } from "hookrail"
 *
 * declare const store: (secret: string) => Effect.Effect<void>
 *
 * const setUp = Effect.gen(function*() {
 *   const { endpoint, secret } = yield* HookrailAdmin.ensureSubscription({
 *     topic: "orders.*",
 *     url: "https://shop.example.com/webhooks"
 *   })
 *   if (secret !== undefined) yield* store(Redacted.value(secret))
 *   return endpoint.id
 * })
 *
 * @since 0.1.0
 * @category accessors
 */
export const ensureSubscription = (
  input: EnsureInput,
  options?: CreateOptions
): Effect.Effect<Ensured<Redacted.Redacted<string>>, AdminError, HookrailAdmin> =>
  Effect.flatMap(HookrailAdmin, (admin) => admin.ensureSubscription(input, options))

/**
 * Replays all dead letters that pass the filter, the newest first, and emits what became of each. Those that cannot be replayed are
 * `NotReplayed` results; any other error ends the stream. It is safe to run again: what was replayed is left out. Needs the role
 * operator; with `dryRun` viewer.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { HookrailAdmin } from "hookrail"
 *
 * const program = Effect.gen(function*() {
 *   const results = HookrailAdmin.replayAll({ since: new Date("2026-11-25T08:00:00Z") }, { rate: 5, dryRun: true })
 *   const { wouldReplay } = yield* HookrailAdmin.countReplays(results)
 *   yield* Effect.log(`${wouldReplay} deliveries`)
 * })
 *
 * @since 0.1.0
 * @category accessors
 */
export const replayAll = (
  filter?: ReplayFilter,
  options?: ReplayOptions
): Stream.Stream<ReplayResult<ReplayFailure>, AdminError, HookrailAdmin> =>
  streamed((admin) => admin.replayAll(filter, options))

/**
 * Runs a `replayAll` to its end, and counts its results.
 *
 * @since 0.1.0
 * @category utils
 */
export const countReplays = <E, R>(
  results: Stream.Stream<ReplayResult<unknown>, E, R>
): Effect.Effect<ReplayCounts, E, R> =>
  Stream.runFold(results, noReplays, (counts, result) => countReplay(result, counts))

/**
 * Sends a receiver a request signed with each of the secrets, and a forged one: does it take the former, and refuse the latter
 * in a way that loses nothing? A success means that it takes a secret, and so does a final refusal other than that of the forged
 * request, such as 422 for a topic without a handler. It asks the receiver directly, not by way of the server.
 *
 * @since 0.1.0
 * @category accessors
 */
export const checkReceiver = (options: CheckReceiverOptions): Effect.Effect<ReceiverCheck, AdminError, HookrailAdmin> =>
  Effect.flatMap(HookrailAdmin, (admin) => admin.checkReceiver(options))

/**
 * Gives an endpoint a new secret so that nothing is lost. The server signs with the new one from that moment on, so what matters
 * is the receiver: it must answer what it cannot verify with a status after which Hookrail tries again, such as 503.
 *
 * It checks that first, and changes nothing otherwise; rotates; calls `deploy`, which gives the receiver the new secret besides
 * the old one; and waits until the receiver takes both. Attempts that the server began before may come signed with the old one
 * for 15 seconds: take that away later.
 *
 * @example
 * import { Effect, Redacted } from "effect"
 * import { HookrailAdmin } from "hookrail"
 *
 * declare const current: Redacted.Redacted<string>
 * declare const storeSecrets: (secrets: ReadonlyArray<string>) => Effect.Effect<void>
 *
 * const rotated = HookrailAdmin.rotateWithReceiver("01JXENDPOINT00000000000000", {
 *   current,
 *   deploy: (secret) => storeSecrets([Redacted.value(secret), Redacted.value(current)])
 * })
 *
 * @since 0.1.0
 * @category accessors
 */
export const rotateWithReceiver = <E, R>(
  endpointId: string,
  options: RotateOptions<E, R>
): Effect.Effect<Redacted.Redacted<string>, AdminError | ReceiverCheckError | E, R | HookrailAdmin> =>
  Effect.flatMap(HookrailAdmin, (admin) => admin.rotateWithReceiver(endpointId, options))

/**
 * @since 0.1.0
 * @category tags
 */
export class HookrailAdmin extends Context.Tag("hookrail/HookrailAdmin")<HookrailAdmin, Service>() {
  /** @since 0.1.0 */
  static readonly endpoints = endpoints
  /** @since 0.1.0 */
  static readonly subscriptions = subscriptions
  /** @since 0.1.0 */
  static readonly deliveries = deliveries
  /** @since 0.1.0 */
  static readonly deadLetters = deadLetters
  /** @since 0.1.0 */
  static readonly orderedKeys = orderedKeys
  /** @since 0.1.0 */
  static readonly tokens = tokens
  /** @since 0.1.0 */
  static readonly whoami = whoami
  /** @since 0.1.0 */
  static readonly ensureSubscription = ensureSubscription
  /** @since 0.1.0 */
  static readonly replayAll = replayAll
  /** @since 0.1.0 */
  static readonly checkReceiver = checkReceiver
  /** @since 0.1.0 */
  static readonly rotateWithReceiver = rotateWithReceiver
}

/**
 * Makes an admin client.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: HookrailConfig.AdminOptions = {}
): Effect.Effect<Service, HookrailConfigError, Transport> =>
  Effect.gen(function*() {
    const config = yield* HookrailConfig.makeAdminFrom(options, HookrailConfig.configured)
    const transport = yield* Transport
    const runtime = yield* Effect.runtime<never>()
    return client.make({ config, transport, runtime, scheduled })
  })

/**
 * An admin client with these options. Token and base URL default to `HOOKRAIL_ADMIN_TOKEN` and `HOOKRAIL_ADMIN_URL`.
 *
 * @example
 * import { HookrailAdmin, Transport } from "hookrail"
 * import { Layer } from "effect"
 *
 * const layer = HookrailAdmin.layer({ baseUrl: "https://hooks-admin.example.com" }).pipe(
 *   Layer.provide(Transport.layerFetch)
 * )
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options?: HookrailConfig.AdminOptions
): Layer.Layer<HookrailAdmin, HookrailConfigError, Transport> => Layer.effect(HookrailAdmin, make(options))

/**
 * An admin client whose options are `Config`s.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: HookrailConfig.AdminConfigOptions
): Layer.Layer<HookrailAdmin, ConfigError.ConfigError | HookrailConfigError, Transport> =>
  Layer.effect(
    HookrailAdmin,
    Effect.flatMap(HookrailConfig.fromConfig<HookrailConfig.AdminOptions>(options), make)
  )
