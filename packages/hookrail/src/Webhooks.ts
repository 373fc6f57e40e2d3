/**
 * Receives webhooks: from the raw request to the answer that makes Hookrail do the right thing.
 *
 * Handlers are effects, one per topic or pattern. Around them, `Webhooks` reads the raw body, verifies it, filters out
 * duplicates, decodes the payload by the topic's Schema, and answers by Hookrail's classification (protocol section 4.4):
 * 2xx only after the work is done, a retryable status if a later attempt may succeed, 422 if none can.
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
 * // Hono, Next.js, Bun, Deno, Cloudflare Workers: anything that takes (Request) => Promise<Response>
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
   * How long a delivery may take, from the request to the end of its handler. After that it is answered with 503, and its
   * handler is interrupted, so that it can run when Hookrail delivers again. Hookrail waits 10 seconds for an answer.
   * Default: 8 seconds.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /** The largest body that is read, in bytes; a larger one is answered with 413. Default: 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /**
   * A signature that does not match, or is too old or from the future: `"retry"` (503, the default) loses no genuine
   * delivery while a secret is being rotated or a clock is wrong; `"reject"` (401) makes Hookrail give up at once.
   */
  readonly onUnverified?: "retry" | "reject" | undefined
  /** A payload that does not match the topic's Schema: `"reject"` (422, the default) or `"retry"` (503). */
  readonly onInvalidPayload?: "reject" | "retry" | undefined
  /**
   * A topic without a handler: `"reject"` (422, the default: dead-lettered, and can be replayed once there is a handler),
   * `"retry"` (503) or `"acknowledge"` (200: dropped). Does not apply if there is an `otherwise`.
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
 * A handler for a topic with a Schema, for a topic by its name, or for a pattern (`orders.*`, matched by the server's
 * rules). A name takes precedence over a pattern, a longer pattern over a shorter one.
 *
 * If the handler succeeds, the delivery is done. `retryLater` and `reject` end it in other ways, even if they are returned
 * without `yield*`. Any other failure, or a defect, is answered with 500, and Hookrail delivers again.
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
  <A, E, R>(
    topic: Topic.Typed<never, A>,
    handle: (event: WebhookEvent<A>) => Effect.Effect<unknown, E, R>
  ): Handler<R>
  <E, R>(pattern: string, handle: (event: WebhookEvent) => Effect.Effect<unknown, E, R>): Handler<R>
} = <R>(
  topic: string | Topic.Any,
  handle: (event: WebhookEvent<never>) => Effect.Effect<unknown, unknown, R>
): Handler<R> => ({
  // Untyped callers may pass anything here: `make` refuses it.
  pattern: typeof topic === "object" ? topic?.name : topic,
  decode: typeof topic === "object" ? topic?.decode : undefined,
  handle: typeof handle === "function" ? (event) => handle(event) : handle
})

/**
 * A handler for every topic that has no other handler.
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

/** What is wrong with the handlers, if anything. */
const handlersFault = (handlers: ReadonlyArray<Handler<unknown>>): string | undefined => {
  if (!Array.isArray(handlers)) return "must be an array, of what on and otherwise give"
  const patterns = new Set<string>()
  for (const handler of handlers as ReadonlyArray<Handler<unknown> | undefined>) {
    const name = JSON.stringify(handler?.pattern)
    // The name of a typed topic is not a pattern, and may contain a star.
    const pattern = handler?.decode === undefined ? topicPattern(handler?.pattern) : handler.pattern
    for (const checked of [pattern, callable(handler?.handle)]) {
      if (checked instanceof Reason) return `the one for ${name} ${checked.text}`
    }
    // Ambiguous.
    if (patterns.has(handler!.pattern)) return `two of them are for ${name}: give one`
    patterns.add(handler!.pattern)
  }
  return undefined
}

/**
 * Makes the service itself. The handlers get their services from the context of this effect.
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
 * The services that handlers need.
 *
 * @since 0.1.0
 * @category models
 */
export type Requirements<Handlers extends ReadonlyArray<Handler<unknown>>> = RequirementOf<Handlers[number]>

type RequirementOf<H> = H extends Handler<infer R> ? R : never

/**
 * `Webhooks` with these handlers. Fails as `make` does.
 *
 * When its scope closes, it drains: new requests are answered with 503, and the services of the handlers stay available
 * until they have ended.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const Handlers extends ReadonlyArray<Handler<unknown>>>(
  handlers: Handlers,
  options?: Options
): Layer.Layer<Webhooks, HookrailConfigError, DeliveryLog | SignatureVerifier | Requirements<Handlers>> =>
  Layer.scoped(Webhooks, Effect.acquireRelease(make(handlers, options), (service) => drained(service, options)))

/** Drains with a time limit: an uninterruptible handler may never end. */
const drained = ({ drain }: Service, options: Options | undefined): Effect.Effect<void> => {
  const timeout = timeoutOf(options?.timeout)
  // Checked when the service was made.
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
// entry points
// ---------------------------------------------------------------------------------------------------------------

/**
 * Runs the handlers outside of Effect: `ManagedRuntime.make(layer)`, or the `Effect.runtime<Webhooks>()` of a program.
 *
 * @since 0.1.0
 * @category models
 */
export type WebhooksRuntime = Runtime.Runtime<Webhooks> | ManagedRuntime.ManagedRuntime<Webhooks, unknown>

/**
 * `Service.handle` outside of Effect, for adapters to servers that this package does not support. Never rejects: if the
 * layer cannot be built, this is logged, and the answer is 500.
 *
 * @since 0.1.0
 * @category ways in
 */
export const toPromise = (runtime: WebhooksRuntime): (request: WebhookRequest) => Promise<WebhookAnswer> =>
  handleWith(toCallback(runtime))

/**
 * The same with a callback, which is called once and must not throw. This has the least overhead.
 *
 * @since 0.1.0
 * @category ways in
 */
export const toCallback = (
  runtime: WebhooksRuntime
): (request: WebhookRequest, onAnswer: (answer: WebhookAnswer) => void) => void => {
  if (typeof runtime !== "object" || runtime === null || Layer.isLayer(runtime)) {
    throw new TypeError("webhooks are received by a runtime, such as ManagedRuntime.make(layer)")
  }
  return receiveWith(runtime, Webhooks)
}

/**
 * Reads a raw body that arrives in chunks, up to `limit` bytes and without a fiber. For adapters to servers that this
 * package does not support. `listen` starts listening and returns a function that stops it, which is called if the rest is
 * not wanted.
 *
 * @since 0.1.0
 * @category ways in
 */
export const streamedBody: (
  limit: number,
  listen: (listener: BodyListener) => () => void
) => Effect.Effect<Uint8Array, UnreadableBody> = internalBody

/**
 * A handler for everything based on fetch: Hono (`c.req.raw`), Next.js route handlers, SvelteKit, Remix, Bun, Deno,
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
  // Loads the platform only on use.
  Effect.promise(() => import("./ways/platformRequest.js")),
  (platform) => Effect.flatMap(Webhooks, platform.handle)
)
