/**
 * Receives webhooks in plain TypeScript: verified, without duplicates, and answered as Hookrail expects.
 *
 * @example
 * ```ts
 * import { createWebhookHandler, retryLater } from "@hookrail/promise/webhooks"
 *
 * declare const ship: (orderId: string, signal: AbortSignal) => Promise<void>
 * declare const isMaintenance: () => boolean
 *
 * const webhooks = createWebhookHandler<{ "orders.created": { order_id: string } }>({
 *   secrets: () => process.env["HOOKRAIL_WEBHOOK_SECRET"],
 *   on: {
 *     "orders.created": async ({ payload, signal }) => {
 *       if (isMaintenance()) throw retryLater({ after: "5 minutes" })
 *       await ship(payload.order_id, signal)
 *     }
 *   }
 * })
 *
 * export const POST = webhooks // Next.js; also Hono, Bun, Deno, Workers: (Request) => Promise<Response>
 * // createServer(webhooks.node), app.post("/webhooks", webhooks.node), export const handler = webhooks.lambda
 * ```
 *
 * @since 0.1.0
 */
import * as NodeWebhooks from "@hookrail/node/NodeWebhooks"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import { toMillis } from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { Catalogue } from "hookrail/catalogue/model"
import { effectOf } from "hookrail/catalogue/typed"
import * as CoreLog from "hookrail/DeliveryLog"
import { type Abortable, Callback, type Listener, nothing } from "hookrail/fiber/callback"
import { Promised } from "hookrail/fiber/ground"
import { DeliveryLogError, HookrailConfigError } from "hookrail/HookrailError"
import { anything, callable, Fault, readOptions, Reason, topicPattern, withDefault } from "hookrail/options/check"
import { tolerance } from "hookrail/options/duration"
import { topicMatches } from "hookrail/receive/topicPattern"
import * as SignatureVerifier from "hookrail/SignatureVerifier"
import * as Webhooks from "hookrail/Webhooks"
import { located } from "./caller.js"
import { type Checks, checksIn, noCatalogue } from "./catalogue.js"
import { configError } from "./errors.js"
import { fromCore } from "./fromCore.js"
import { contextOf, logOf } from "./log.js"
import type { Duration, Log } from "./types.js"
import type { VerifiedWebhook } from "./verify.js"

export { HookrailConfigError, HookrailError, isHookrailError } from "./errors.js"
export type { Duration, Log, LogEntry } from "./types.js"
export type { VerifiedWebhook } from "./verify.js"

/**
 * What a handler gets. Only a verified request becomes one.
 *
 * @since 0.1.0
 */
export interface WebhookEvent<out A = unknown, out T extends string = string> {
  readonly topic: T
  readonly eventId: string
  /** The same for every attempt at this delivery. */
  readonly deliveryId: string
  /** As parsed from JSON. For a topic of a catalogue: checked, and decoded by its schema. */
  readonly payload: A
  /**
   * The W3C `traceparent` of the sender, if it has sent one, as the parent or a link of your own span. It was taken out of the
   * payload, not out of `rawBody`.
   */
  readonly traceparent?: string | undefined
  readonly receivedAt: Date
  /** The body as received. */
  readonly rawBody: Uint8Array
  /** What was verified. The signature does not cover topic and event id. */
  readonly webhook: VerifiedWebhook
  /** Aborts at the timeout of the handler: the delivery was then answered with 503, and Hookrail delivers it again. */
  readonly signal: AbortSignal
}

/**
 * Handles an event. When its promise resolves, the delivery is done. To end it in another way, throw or return
 * `retryLater(...)` or `reject(...)`. Anything else that it throws is answered with 500, and Hookrail delivers again.
 * Anything else that it returns is ignored.
 *
 * @since 0.1.0
 */
export type Handler<A = unknown> = (event: WebhookEvent<A>) => unknown

/**
 * The answer to a claim.
 *
 * @since 0.1.0
 */
export type Claim =
  | { readonly status: "claimed"; readonly token: string }
  | { readonly status: "running" }
  | { readonly status: "done" }

/**
 * Remembers which deliveries have been handled. Implement it for a store shared by several processes.
 *
 * A `delivery` is the delivery id, the event id and the topic in one string, joined by dots:
 * `01JX....01JW....orders.created`. All three together identify what was handled, because the signature covers only the
 * delivery id. Treat the string as opaque.
 *
 * @since 0.1.0
 */
export interface DeliveryLog {
  /**
   * Claims a delivery, atomically: of any number of concurrent claims, one is `"claimed"`. A claim whose lease has expired
   * belongs to a process that has crashed, and can be taken over. `token` identifies a claim.
   */
  readonly claim: (delivery: string, leaseMs: number) => Promise<Claim>
  /**
   * Extends a claim by another lease from now, because its handler is still running. Returns `false` if `token` no longer
   * holds it; another process may have taken it over.
   */
  readonly renew: (delivery: string, token: string, leaseMs: number) => Promise<boolean>
  /** Marks a delivery as handled, if `token` still holds its claim. */
  readonly done: (delivery: string, token: string) => Promise<unknown>
  /** Removes a claim, if `token` still holds it. */
  readonly release: (delivery: string, token: string) => Promise<unknown>
}

/** The patterns that match a topic: for `a.b.c`, `a.*` and `a.b.*`. */
type PatternsOf<Topic extends string> = Topic extends `${infer Head}.${infer Tail}`
  ? `${Head}.*` | `${Head}.${PatternsOf<Tail>}`
  : never

/** The topics that a topic or pattern matches. */
type Matching<Topic extends string, Pattern> = string extends Topic ? string
  : Pattern extends "*" ? Topic
  : Pattern extends `${infer Head}.*` ? Extract<Topic, `${Head}.${string}`>
  : Extract<Topic, Pattern>

/**
 * The events of a catalogue that a topic or pattern matches: `if (event.topic === "orders.created")` narrows the payload.
 *
 * @example
 * ```ts
 * import { defineEvents } from "@hookrail/promise/events"
 * import type { CatalogueEvent } from "@hookrail/promise/webhooks"
 * import { z } from "zod"
 *
 * export const events = defineEvents({ "orders.created": z.object({ order_id: z.string() }) })
 *
 * export const ship = async ({ payload }: CatalogueEvent<typeof events, "orders.created">) => console.log(payload.order_id)
 * ```
 *
 * @since 0.1.0
 */
export type CatalogueEvent<Events, Pattern extends string = "*"> = Events extends Catalogue<object, infer Received>
  ? EventOf<Received, Pattern>
  : never

type EventOf<Received extends object, Pattern> = {
  readonly [T in Matching<keyof Received & string, Pattern>]: WebhookEvent<Received[T], T>
}[Matching<keyof Received & string, Pattern>]

type MaybePromise<A> = A | Promise<A>

/**
 * @since 0.1.0
 */
export interface WebhookHandlerOptions<Topics extends object = { readonly [topic: string]: unknown }>
  extends WebhookSettings
{
  readonly events?: undefined
  /** By topic, or by pattern: `orders.*`. A topic takes precedence over a pattern, a longer pattern over a shorter one. */
  readonly on?: { readonly [T in keyof Topics]?: Handler<Topics[T]> } | undefined
}

/**
 * Options of a handler with a catalogue. `Received`: the payloads that its handlers get, by topic.
 *
 * @since 0.1.0
 */
export interface CatalogueHandlerOptions<Received extends object> extends WebhookSettings {
  /**
   * The events that are handled, from `defineEvents` of `@hookrail/promise/events`. Payloads are checked and decoded by their
   * schemas before a handler gets them: what does not fit is answered as `onInvalidPayload` says. See docs/catalogue.md.
   */
  readonly events: Catalogue<object, Received>
  /**
   * By topic of the catalogue, or by pattern: `orders.*`, or `*` for all of its topics. A topic takes precedence over a pattern, a
   * longer pattern over a shorter one. A topic that is not in the catalogue goes to `otherwise`.
   */
  readonly on?: CatalogueHandlers<Received> | undefined
}

type CatalogueHandlers<Received extends object> = {
  readonly [P in (keyof Received & string) | PatternsOf<keyof Received & string> | "*"]?: (
    event: EventOf<Received, P>
  ) => unknown
}

/**
 * What all webhook handlers may be told.
 *
 * @since 0.1.0
 */
export interface WebhookSettings {
  /**
   * A function that returns the secret of the endpoint, including its `whsec_`; during a rotation, the new and the old one.
   * It is called when the first webhook arrives, so that a build does not need the secret; again when a signature does not
   * match, at most every 5 seconds; and every `refreshSecrets`. Or the secrets themselves.
   */
  readonly secrets:
    | (() => MaybePromise<string | ReadonlyArray<string> | undefined>)
    | string
    | ReadonlyArray<string>
  /**
   * How long secrets returned by a function stay in force before it is called again. A revoked secret may be accepted for
   * this long. Default: 5 minutes.
   */
  readonly refreshSecrets?: Duration | undefined
  /** Handles every topic that has no other handler. Its payloads are as parsed from JSON, with a catalogue too. */
  readonly otherwise?: Handler | undefined
  /**
   * How far the time of the signature may be from the clock of this machine: a text such as `"5 minutes"`, or milliseconds.
   * A number below a second is refused, because it is certainly meant in seconds. Default: 5 minutes.
   */
  readonly tolerance?: Duration | undefined
  /** How long a delivery may take before it is answered with 503. Default: 8 seconds; Hookrail waits 10. */
  readonly timeout?: Duration | undefined
  /** The largest body that is read, in bytes. Default: 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** A signature that does not match, or is too old: `"retry"` (503, the default) or `"reject"` (401: Hookrail gives up). */
  readonly onUnverified?: "retry" | "reject" | undefined
  /** A body that is not JSON, or does not fit its schema: `"reject"` (422, the default) or `"retry"` (503). */
  readonly onInvalidPayload?: "reject" | "retry" | undefined
  /** A topic without a handler: `"reject"` (422, the default), `"retry"` (503) or `"acknowledge"` (200: dropped). */
  readonly onUnhandled?: "reject" | "retry" | "acknowledge" | undefined
  /**
   * Detects duplicates. Default: remembers the last 100,000 deliveries, for 24 hours, in the memory of this process.
   * `false`: duplicates are handled again.
   */
  readonly deliveryLog?: DeliveryLog | false | undefined
  /**
   * Where log lines go, such as `console`. Default: warnings and errors go to `console.warn` and `console.error`, on Node that is
   * the standard error output.
   */
  readonly log?: Log | undefined
}

/**
 * The parts of a Lambda event that are read: API Gateway (payload versions 1.0 and 2.0) and function URLs.
 *
 * @since 0.1.0
 */
export interface LambdaEvent {
  readonly httpMethod?: string | undefined
  readonly requestContext?: object | undefined
  readonly headers?: { readonly [name: string]: string | undefined } | null | undefined
  readonly body?: string | null | undefined
  readonly isBase64Encoded?: boolean | undefined
}

/**
 * @since 0.1.0
 */
export interface LambdaResult {
  readonly statusCode: number
  readonly headers: { readonly [name: string]: string }
  readonly body: string
}

/**
 * A request handler, in the forms that servers expect. None of them throws or rejects, unless it is given something else than a
 * request.
 *
 * @since 0.1.0
 */
export interface WebhookHandler {
  /** For everything based on fetch: Hono (`c.req.raw`), Next.js, SvelteKit, Remix, Bun, Deno, Cloudflare Workers. */
  (request: Request): Promise<Response>
  /** For `node:http`, Express, Fastify, Koa and Nest: `(request, response)`. */
  readonly node: (request: object, response: object) => Promise<void>
  /** For AWS Lambda. */
  readonly lambda: (event: LambdaEvent) => Promise<LambdaResult>
  /**
   * For a shutdown: answers requests with 503 from now on. The promise resolves when all handlers have ended and their
   * claims are settled. Close what they use after that.
   */
  readonly drain: () => Promise<void>
}

/**
 * Throw or return it in a handler: the delivery cannot be handled now. Hookrail waits at least `after`, or for its own
 * back-off if that is longer.
 *
 * @since 0.1.0
 */
export const retryLater = (options?: {
  readonly after?: Duration | undefined
  /** For the log. */
  readonly reason?: string | undefined
}): Error => Webhooks.retryLater(options) as unknown as Error

/**
 * Throw or return it in a handler: the delivery can never be handled. Hookrail dead-letters it at once.
 *
 * @param reason For the log.
 * @since 0.1.0
 */
export const reject = (reason: string): Error => new Webhooks.Rejected({ reason })

/**
 * Makes a webhook handler. Throws a `HookrailConfigError` for invalid options.
 *
 * @since 0.1.0
 */
export const createWebhookHandler: {
  <Received extends object>(options: CatalogueHandlerOptions<Received>): WebhookHandler
  <Topics extends object = { readonly [topic: string]: unknown }>(
    options: WebhookHandlerOptions<Topics>
  ): WebhookHandler
} = (options: object): WebhookHandler => {
  const [service, runtime] = started(options as Given)
  const web = Webhooks.toWebHandler(runtime)
  const node = NodeWebhooks.listener(runtime) as (request: object, response: object) => Promise<void>
  // Not `web` itself: frameworks pass more arguments. Express gives its request and response to whatever it is given.
  const handler = (request: Request, ...more: ReadonlyArray<unknown>): Promise<Response> =>
    isServerResponse(more[0]) ? node(request, more[0]) as Promise<never> : web(request)
  return Object.assign(handler as (request: Request) => Promise<Response>, {
    node,
    lambda: Webhooks.toLambdaHandler(runtime),
    drain: () => Effect.runPromise(service.drain)
  })
}

const isServerResponse = (value: unknown): value is object =>
  typeof (value as { readonly writeHead?: unknown } | null | undefined)?.writeHead === "function"

const handlersOf = (on: unknown): ReadonlyArray<Webhooks.Handler> | Reason => {
  if (typeof on !== "object" || on === null) return new Reason("must be an object: a handler for each topic")
  const handlers: Array<Webhooks.Handler> = []
  for (const [topic, handler] of Object.entries(on)) {
    for (const checked of [topicPattern(topic), callable(handler)]) {
      if (checked instanceof Reason) return new Reason(`${JSON.stringify(topic)} ${checked.text}`)
    }
    handlers.push(handlerOf(topic, handler as Handler))
  }
  return handlers
}

/**
 * With a catalogue, patterns stand for its topics: each topic has a handler that decodes its payload. The most specific pattern
 * decides, as it would at a delivery.
 */
const cataloguedHandlers = (checks: Checks, on: ReadonlyArray<Webhooks.Handler>): ReadonlyArray<Webhooks.Handler> => {
  const topics = Array.from(checks.definitions.keys())
  const found = new Map<string, Webhooks.Handler>()
  // Longer patterns first, and a topic before its patterns.
  for (const { handle, pattern } of [...on].sort((a, b) => b.pattern.length - a.pattern.length)) {
    const matching = checks.definitions.has(pattern)
      ? [pattern]
      : topics.filter((topic) => topicMatches(pattern, topic))
    if (matching.length === 0) {
      throw configError(
        "on",
        pattern.endsWith("*")
          ? `${JSON.stringify(pattern)} matches no topic of the catalogue`
          : `${JSON.stringify(pattern)}: ${checks.unknown(pattern)}`
      )
    }
    for (const topic of matching) {
      if (topic === pattern || !found.has(topic)) {
        found.set(topic, { pattern: topic, decode: (json) => effectOf(() => checks.decode(topic, json)!), handle })
      }
    }
  }
  return Array.from(found.values())
}

const deliveryLogOf = (log: unknown): DeliveryLog | false | Reason => {
  if (log === false) return false
  const methods = (log ?? {}) as { readonly [K in keyof DeliveryLog]?: unknown }
  return [methods.claim, methods.renew, methods.done, methods.release].every((method) => typeof method === "function")
    ? log as DeliveryLog
    : new Reason("must have the methods claim, renew, done and release, or be false")
}

/** The options, whatever their types. */
interface Given extends WebhookSettings {
  readonly events?: unknown
  readonly on?: unknown
}

const checks = {
  secrets: anything<WebhookHandlerOptions["secrets"]>,
  events: withDefault<Checks | undefined>((events) => checksIn(events) ?? new Reason(noCatalogue), undefined),
  on: withDefault(handlersOf, []),
  otherwise: withDefault<Handler | undefined>(callable, undefined),
  refreshSecrets: anything<WebhookHandlerOptions["refreshSecrets"]>,
  // Checked here too: if the secrets come from a function, the verifier is only checked at the first request.
  tolerance: withDefault<number | undefined>(tolerance, undefined),
  timeout: anything<WebhookHandlerOptions["timeout"]>,
  maxBodyBytes: anything<WebhookHandlerOptions["maxBodyBytes"]>,
  onUnverified: anything<WebhookHandlerOptions["onUnverified"]>,
  onInvalidPayload: anything<WebhookHandlerOptions["onInvalidPayload"]>,
  onUnhandled: anything<WebhookHandlerOptions["onUnhandled"]>,
  deliveryLog: withDefault<DeliveryLog | false | undefined>(deliveryLogOf, undefined),
  log: logOf
}

const started = (options: Given): ReturnType<typeof start> => {
  try {
    return start(options)
  } catch (error) {
    throw located(error)
  }
}

const start = (
  given: Given
): readonly [Webhooks.Service, Context.Context<Webhooks.Webhooks>] => {
  const options = readOptions(given, checks)
  if (options instanceof Fault) throw configError(options.option, options.reason)
  const { deliveryLog, events, log, on, otherwise, refreshSecrets, secrets, tolerance, ...settings } = options
  // With a catalogue, "*" stands for its topics, and `otherwise` is for all others.
  if (events === undefined && otherwise !== undefined && on.some(({ pattern }) => pattern === "*")) {
    throw configError("otherwise", "is a second handler for \"*\": give one")
  }
  const own = events === undefined ? on : cataloguedHandlers(events, on)
  const handlers = otherwise === undefined ? own : [...own, handlerOf("*", otherwise)]
  const parts = Layer.merge(
    Layer.effect(
      SignatureVerifier.SignatureVerifier,
      Effect.suspend(() => verifierOf(secrets, refreshSecrets, tolerance))
    ),
    Layer.effect(CoreLog.DeliveryLog, storeOf(deliveryLog))
  )
  const webhooks = Effect.provide(Webhooks.make(handlers, settings), parts)
  const context = contextOf(log)
  const exit = Effect.runSyncExitWith(context)(webhooks)
  if (Exit.isFailure(exit)) throw fromCore(Cause.squash(exit.cause))
  return [exit.value, Context.add(context, Webhooks.Webhooks, exit.value)]
}

const invalid = (option: string, reason: string): HookrailConfigError => new HookrailConfigError({ option, reason })

/** What a handler gets. Its signal is created on demand: few handlers use it. */
class Event implements WebhookEvent {
  readonly topic: string
  readonly eventId: string
  readonly deliveryId: string
  readonly payload: unknown
  readonly receivedAt: Date
  readonly traceparent: string | undefined
  readonly rawBody: Uint8Array
  readonly webhook: VerifiedWebhook
  #controller: AbortController | undefined
  #isAborted = false

  constructor(event: Webhooks.WebhookEvent) {
    this.topic = event.topic
    this.eventId = event.eventId
    this.deliveryId = event.deliveryId
    this.payload = event.payload
    this.receivedAt = event.receivedAt
    this.traceparent = event.traceparent
    this.rawBody = event.rawBody
    // The same object, under the type of `verify`.
    this.webhook = event.webhook as unknown as VerifiedWebhook
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isAborted) this.#controller.abort(late())
    return this.#controller.signal
  }

  static abort(event: Event): void {
    event.#isAborted = true
    event.#controller?.abort(late())
  }
}

/** A running handler. */
class Handling extends Callback<unknown, unknown> {
  private readonly event: Event

  constructor(private readonly handler: Handler, event: Webhooks.WebhookEvent) {
    super()
    this.event = new Event(event)
  }

  begin(listener: Listener<unknown, unknown>): Abortable {
    const { handler } = this
    let result: unknown
    try {
      result = handler(this.event)
    } catch (thrown) {
      listener.resume(Exit.fail(thrown))
      return nothing
    }
    if (typeof result === "object" && result !== null || typeof result === "function") {
      void Promise.resolve(result).then(
        (value) => listener.resume(Exit.succeed(value)),
        (reason: unknown) => listener.resume(Exit.fail(reason))
      )
    } else listener.resume(Exit.succeed(result))
    return this
  }

  /** A promise cannot be stopped: the delivery stays claimed until it settles, and is done if it resolves after all. */
  abort(): void {
    Event.abort(this.event)
  }
}

const late = (): Error => new Error("the webhook was not handled in time")

const handlerOf = (pattern: string, handler: Handler): Webhooks.Handler => ({
  pattern,
  decode: undefined,
  handle: (event) => new Handling(handler, event)
})

const redacted = (secrets: string | ReadonlyArray<string> | undefined): SignatureVerifier.Secrets => {
  const list = [secrets].flat()
  const missing = list.findIndex((secret) => typeof secret !== "string")
  if (missing >= 0) {
    const which = list.length === 1 ? "the secret" : `secret ${missing + 1} of ${list.length}`
    throw invalid("secrets", `${which} is ${String(list[missing])}, not a text: is an environment variable missing?`)
  }
  return list.map((secret) => Redacted.make(secret!)) as unknown as SignatureVerifier.Secrets
}

const verifierOf = (
  secrets: WebhookHandlerOptions["secrets"],
  refresh: Duration | undefined,
  tolerance: number | undefined
): Effect.Effect<SignatureVerifier.Service, HookrailConfigError> => {
  if (typeof secrets === "function") {
    return SignatureVerifier.makeLazy({
      secrets: Effect.tryPromise({
        try: async () => redacted(await secrets()),
        catch: (reason) => reason as HookrailConfigError
      }),
      refresh,
      tolerance
    })
  }
  return Effect.flatMap(
    Effect.try({ try: () => redacted(secrets), catch: (reason) => reason as HookrailConfigError }),
    (secrets) => SignatureVerifier.make({ secrets, tolerance })
  )
}

const operations = ["claim", "renew", "done", "release"] as const

const storeOf = (
  log: DeliveryLog | false | undefined
): Effect.Effect<CoreLog.Service, HookrailConfigError> => {
  if (log === undefined) return CoreLog.makeMemory()
  if (log === false) return Effect.succeed(CoreLog.none)
  const missing = operations.find((operation) => typeof log?.[operation] !== "function")
  if (missing !== undefined) return Effect.fail(invalid("deliveryLog", `it has no function ${missing}`))
  const attempt = <A>(operation: DeliveryLogError["operation"], deliveryId: string, run: () => PromiseLike<A>) =>
    new Promised(run, (cause) => Exit.fail(new DeliveryLogError({ operation, deliveryId, cause })))
  return Effect.succeed({
    claim: (delivery, lease) =>
      attempt("claim", delivery, async () => claimOf(await log.claim(delivery, toMillis(lease)))),
    renew: (delivery, token, lease) =>
      attempt("renew", delivery, async () => await log.renew(delivery, token, toMillis(lease)) !== false),
    done: (delivery, token) => attempt("done", delivery, async () => void await log.done(delivery, token)),
    release: (delivery, token) => attempt("release", delivery, async () => void await log.release(delivery, token))
  })
}

const claimOf = (claim: Claim): CoreLog.Claim => {
  switch (claim.status) {
    case "claimed":
      return { _tag: "Claimed", token: claim.token }
    case "running":
      return { _tag: "Running" }
    case "done":
      return { _tag: "Done" }
    default:
      throw new TypeError("claim gives { status: \"claimed\", token }, { status: \"running\" } or { status: \"done\" }")
  }
}
