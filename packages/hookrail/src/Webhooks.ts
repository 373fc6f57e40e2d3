/**
 * Receiving: from the raw request to the answer that makes Hookrail do the right thing.
 *
 * Handlers are effects, one for each topic or pattern. Around them, `Webhooks` reads the raw body, verifies it, keeps
 * duplicates out, decodes the payload by the topic's Schema, and answers as Hookrail classifies answers (protocol section
 * 4.4): 2xx only after the work is done, a retryable status for what may go well later, 422 for what never will.
 *
 * @example
 * import { DeliveryLog, SignatureVerifier, Topic, Webhooks } from "hookrail"
 * import { Effect, Layer, ManagedRuntime, Redacted, Schema } from "effect"
 *
 * const OrderCreated = Topic.make("orders.created", Schema.Struct({ order_id: Schema.String }))
 *
 * const WebhooksLive = Webhooks.layer([
 *   Webhooks.on(OrderCreated, ({ payload }) => Effect.log(`order ${payload.order_id}`)),
 *   Webhooks.on("invoices.*", ({ topic }) => Webhooks.reject(`no invoices here, least of all ${topic}`))
 * ]).pipe(Layer.provide([
 *   SignatureVerifier.layer({ secrets: Redacted.make("whsec_...") }),
 *   DeliveryLog.layerMemory()
 * ]))
 *
 * // Hono, Next.js, Bun, Deno, Cloudflare Workers: whatever takes (Request) => Promise<Response>
 * export const POST = Webhooks.toWebHandler(ManagedRuntime.make(WebhooksLive))
 *
 * @since 0.1.0
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import type * as Runtime from "effect/Runtime"
import { DeliveryLog } from "./DeliveryLog.js"
import { HookrailConfigError } from "./HookrailError.js"
import { callable, oneOf, positiveNumber, Reason, topicPattern, withDefault } from "./options/check.js"
import { positiveDuration } from "./options/duration.js"
import { checkOptions } from "./options/settings.js"
import type {
  BodyListener,
  Handler,
  LambdaEvent,
  LambdaResult,
  Service,
  UnreadableBody,
  WebhookAnswer,
  WebhookEvent,
  WebhookRequest
} from "./receive/model.js"
import * as internal from "./receive/receive.js"
import { SignatureVerifier } from "./SignatureVerifier.js"
import type * as Topic from "./Topic.js"
import * as lambda from "./ways/lambdaRequest.js"
import { handleWith, receiveWith } from "./ways/runtime.js"
import { streamedBody as internalBody } from "./ways/streamedBody.js"
import * as web from "./ways/webRequest.js"

export * from "./receive/model.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * How long a delivery may take, from the request to the end of its handler. After that it is answered with 503, and the
   * handler interrupted, so that it can run when the delivery comes again. Hookrail waits 10 seconds for an answer. Default
   * 8 seconds.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /** The largest body that is read, in bytes; a larger one is answered with 413. Default 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /**
   * A signature that does not match, or is too old or from the future: `"retry"` (503, the default) loses no genuine
   * delivery while a secret is changed or a clock is wrong; `"reject"` (401) has Hookrail give the delivery up at once.
   */
  readonly onUnverified?: "retry" | "reject" | undefined
  /** A payload that does not fit the topic's Schema: `"reject"` (422, the default) or `"retry"` (503). */
  readonly onInvalidPayload?: "reject" | "retry" | undefined
  /**
   * A topic without a handler: `"reject"` (422, the default: it is dead-lettered, from where it can be replayed once there
   * is a handler), `"retry"` (503) or `"acknowledge"` (200, and it is gone). `otherwise` handles such topics itself.
   */
  readonly onUnhandled?: "reject" | "retry" | "acknowledge" | undefined
}

/**
 * Receives webhooks.
 *
 * @since 0.1.0
 * @category tags
 */
export class Webhooks extends Context.Tag("hookrail/Webhooks")<Webhooks, Service>() {}

// ---------------------------------------------------------------------------------------------------------------
// handlers
// ---------------------------------------------------------------------------------------------------------------

/**
 * A handler for a topic with a Schema, for a topic by its name, or for a pattern (`orders.*`, matched as the server does).
 * A name counts before a pattern, a longer pattern before a shorter one.
 *
 * If the handler succeeds, the delivery is done. `retryLater` and `reject` end it otherwise, and count even if they were
 * returned without a `yield*`; any other failure, and a defect, is answered with 500 and comes again.
 *
 * @example
 * import { Webhooks } from "hookrail"
 * import { Effect } from "effect"
 *
 * declare const isBusy: Effect.Effect<boolean>
 *
 * const handler = Webhooks.on("orders.*", ({ deliveryId, payload }) =>
 *   Effect.gen(function*() {
 *     if (yield* isBusy) return yield* Webhooks.retryLater({ after: "1 minute" })
 *     yield* Effect.log(`delivery ${deliveryId}`, payload)
 *   }))
 *
 * @since 0.1.0
 * @category handlers
 */
export const on: {
  <A, I, E, R>(
    topic: Topic.Topic<A, I>,
    handle: (event: WebhookEvent<A>) => Effect.Effect<unknown, E, R>
  ): Handler<R>
  <E, R>(pattern: string, handle: (event: WebhookEvent) => Effect.Effect<unknown, E, R>): Handler<R>
} = <R>(
  topic: string | Topic.Any,
  handle: (event: WebhookEvent<never>) => Effect.Effect<unknown, unknown, R>
): Handler<R> => ({
  // Callers without types may pass anything here: `make` refuses it.
  pattern: typeof topic === "object" ? topic?.name : topic,
  decode: typeof topic === "object" ? topic?.decode : undefined,
  handle: typeof handle === "function" ? (event) => handle(event) : handle
})

/**
 * A handler for every topic that has no other.
 *
 * @since 0.1.0
 * @category handlers
 */
export const otherwise = <E, R>(
  handle: (event: WebhookEvent) => Effect.Effect<unknown, E, R>
): Handler<R> => on("*", handle)

export { reject, Rejected, RetryLater, retryLater } from "./receive/control.js"

// ---------------------------------------------------------------------------------------------------------------
// constructors and layers
// ---------------------------------------------------------------------------------------------------------------

const timeoutOf = withDefault(positiveDuration, 8_000)

const checks = {
  timeout: timeoutOf,
  maxBodyBytes: withDefault(positiveNumber, 1024 * 1024),
  onUnverified: withDefault(oneOf("retry", "reject"), "retry"),
  onInvalidPayload: withDefault(oneOf("reject", "retry"), "reject"),
  onUnhandled: withDefault(oneOf("reject", "retry", "acknowledge"), "reject")
}

/** Why these handlers cannot be used. */
const handlersFault = (handlers: ReadonlyArray<Handler<unknown>>): string | undefined => {
  if (!Array.isArray(handlers)) return "must be an array, of what on and otherwise give"
  const patterns = new Set<string>()
  for (const handler of handlers as ReadonlyArray<Handler<unknown> | undefined>) {
    const name = JSON.stringify(handler?.pattern)
    // The name of a typed topic is no pattern, and may have a star in it.
    const pattern = handler?.decode === undefined ? topicPattern(handler?.pattern) : handler.pattern
    for (const checked of [pattern, callable(handler?.handle)]) {
      if (checked instanceof Reason) return `the one for ${name} ${checked.text}`
    }
    // Which one is meant cannot be told.
    if (patterns.has(handler!.pattern)) return `two of them are for ${name}: give one`
    patterns.add(handler!.pattern)
  }
  return undefined
}

/**
 * Makes the bare service. What the handlers need is taken from where this runs.
 *
 * Fails with `HookrailConfigError` for options that cannot work, for two handlers of one topic, and for a pattern that no
 * topic matches.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <const Handlers extends ReadonlyArray<Handler<unknown>>>(
  handlers: Handlers,
  options: Options = {}
): Effect.Effect<Service, HookrailConfigError, DeliveryLog | SignatureVerifier | Requirements<Handlers>> =>
  Effect.gen(function*() {
    const reason = handlersFault(handlers)
    if (reason !== undefined) return yield* new HookrailConfigError({ option: "handlers", reason })
    return internal.make({
      settings: yield* checkOptions(options, checks),
      handlers,
      context: yield* Effect.context<Requirements<Handlers>>(),
      verifier: yield* SignatureVerifier,
      log: yield* DeliveryLog
    })
  })

/**
 * What handlers need.
 *
 * @since 0.1.0
 * @category models
 */
export type Requirements<Handlers extends ReadonlyArray<Handler<unknown>>> = RequirementOf<Handlers[number]>

type RequirementOf<H> = H extends Handler<infer R> ? R : never

/**
 * `Webhooks` with these handlers. Fails as `make` does.
 *
 * When its scope closes, it drains: new requests are answered with 503, and what the handlers need is there until they have
 * ended.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const Handlers extends ReadonlyArray<Handler<unknown>>>(
  handlers: Handlers,
  options?: Options
): Layer.Layer<Webhooks, HookrailConfigError, DeliveryLog | SignatureVerifier | Requirements<Handlers>> =>
  Layer.scoped(Webhooks, Effect.acquireRelease(make(handlers, options), (service) => drained(service, options)))

/** What cannot be interrupted and does not end is not waited for for ever. */
const drained = ({ drain }: Service, options: Options | undefined): Effect.Effect<void> => {
  const timeout = timeoutOf(options?.timeout)
  // It has been checked when the service was made.
  const seconds = Math.ceil((typeof timeout === "number" ? timeout : 0) / 1000) + 2
  return Effect.interruptible(drain).pipe(
    Effect.timeoutTo({
      duration: `${seconds} seconds`,
      onSuccess: () => Effect.void,
      onTimeout: () => Effect.logWarning(`webhook handlers still running ${seconds} seconds after the shutdown began`)
    }),
    Effect.flatten
  )
}

// ---------------------------------------------------------------------------------------------------------------
// ways in
// ---------------------------------------------------------------------------------------------------------------

/**
 * What runs the handlers outside of Effect: `ManagedRuntime.make(layer)`, or the `Effect.runtime<Webhooks>()` of a program.
 *
 * @since 0.1.0
 * @category models
 */
export type WebhooksRuntime = Runtime.Runtime<Webhooks> | ManagedRuntime.ManagedRuntime<Webhooks, unknown>

/**
 * `Service.handle` outside of Effect, for adapters to servers that have none here. Never rejects: if the layer cannot be
 * built, that is logged, and the answer is 500.
 *
 * @since 0.1.0
 * @category ways in
 */
export const toPromise = (runtime: WebhooksRuntime): (request: WebhookRequest) => Promise<WebhookAnswer> =>
  handleWith(toCallback(runtime))

/**
 * The same by a callback, which is called once: the way that costs least. It must not throw.
 *
 * @since 0.1.0
 * @category ways in
 */
export const toCallback = (
  runtime: WebhooksRuntime
): (request: WebhookRequest, onAnswer: (answer: WebhookAnswer) => void) => void => receiveWith(runtime, Webhooks)

/**
 * A raw body that comes in pieces, for adapters to servers that have none here: joined as it comes, at most `limit` bytes of
 * it, without a fiber. `listen` begins to listen and gives what stops it, which is called if nobody wants the rest.
 *
 * @since 0.1.0
 * @category ways in
 */
export const streamedBody: (
  limit: number,
  listen: (listener: BodyListener) => () => void
) => Effect.Effect<Uint8Array, UnreadableBody> = internalBody

/**
 * A handler for everything that speaks fetch: Hono (`c.req.raw`), Next.js route handlers, SvelteKit, Remix, Bun, Deno,
 * Cloudflare Workers. Never rejects.
 *
 * @example
 * import { Webhooks } from "hookrail"
 * import type { ManagedRuntime } from "effect"
 *
 * declare const runtime: ManagedRuntime.ManagedRuntime<Webhooks.Webhooks, never>
 *
 * // app/api/webhooks/route.ts of Next.js
 * export const POST = Webhooks.toWebHandler(runtime)
 *
 * @since 0.1.0
 * @category ways in
 */
export const toWebHandler: (runtime: WebhooksRuntime) => (request: Request) => Promise<Response> = (runtime) =>
  web.toWebHandler(toPromise(runtime))

/**
 * A handler for AWS Lambda behind API Gateway (payload versions 1.0 and 2.0) or a function URL.
 *
 * @since 0.1.0
 * @category ways in
 */
export const toLambdaHandler: (runtime: WebhooksRuntime) => (event: LambdaEvent) => Promise<LambdaResult> = (runtime) =>
  lambda.toLambdaHandler(toPromise(runtime))

/**
 * An `HttpApp` of `@effect/platform`, to mount in an `HttpRouter` or to serve alone.
 *
 * @example
 * import { HttpRouter } from "@effect/platform"
 * import { Webhooks } from "hookrail"
 *
 * const router = HttpRouter.empty.pipe(HttpRouter.post("/webhooks", Webhooks.toHttpApp))
 *
 * @since 0.1.0
 * @category ways in
 */
export const toHttpApp: Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  never,
  Webhooks | HttpServerRequest.HttpServerRequest
> = Effect.flatMap(
  // Only who uses it loads the platform.
  Effect.promise(() => import("./ways/platformRequest.js")),
  (platform) => Effect.flatMap(Webhooks, platform.handle)
)
