/**
 * Receiving webhooks, for plain TypeScript: verified, without duplicates, and answered as Hookrail needs it.
 *
 * @example
 * ```ts
 * import { createWebhookHandler, retryLater } from "@hookrail/promise/webhooks"
 *
 * declare const ship: (orderId: string, signal: AbortSignal) => Promise<void>
 * declare const isMaintenance: () => boolean
 *
 * const webhooks = createWebhookHandler<{ "orders.created": { order_id: string } }>({
 *   secrets: "whsec_...",
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
import { toMillis } from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as CoreLog from "hookrail/DeliveryLog"
import { DeliveryLogError, type HookrailConfigError } from "hookrail/HookrailError"
import { anything, callable, Fault, readOptions, Reason, topicPattern, withDefault } from "hookrail/options/check"
import { tolerance } from "hookrail/options/duration"
import * as SignatureVerifier from "hookrail/SignatureVerifier"
import * as Webhooks from "hookrail/Webhooks"
import { configError, fromCore } from "./errors.js"
import type { Duration } from "./types.js"
import type { VerifiedWebhook } from "./verify.js"

/**
 * What a handler gets. Only a verified request becomes one.
 *
 * @since 0.1.0
 */
export interface WebhookEvent<out A = unknown> {
  readonly topic: string
  readonly eventId: string
  /** The same for every attempt at this delivery. */
  readonly deliveryId: string
  /** As parsed from JSON. */
  readonly payload: A
  readonly receivedAt: Date
  /** The body as it came. */
  readonly rawBody: Uint8Array
  /** What was verified. Topic and event id are not covered by the signature. */
  readonly webhook: VerifiedWebhook
  /** Aborts when the handler's time is over: the delivery has been answered with 503 then, and comes again. */
  readonly signal: AbortSignal
}

/**
 * Handles an event. When its promise is fulfilled, the delivery is done. It throws `retryLater` or `reject` to end it
 * otherwise; whatever else it throws is answered with 500, and the delivery comes again.
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
 * Which deliveries have been handled: for a store that several processes share.
 *
 * @since 0.1.0
 */
export interface DeliveryLog {
  /**
   * Claims a delivery, atomically: of any number of claims at the same time, one is `"claimed"`. A claim that is older
   * than its lease belongs to a process that has crashed, and is there to be taken. `token` tells claims apart.
   */
  readonly claim: (deliveryId: string, leaseMs: number) => Promise<Claim>
  /** Marks a delivery as handled, if `token` still holds its claim. */
  readonly done: (deliveryId: string, token: string) => Promise<unknown>
  /** Forgets a claim, if `token` still holds it. */
  readonly release: (deliveryId: string, token: string) => Promise<unknown>
}

/**
 * A line of the log. It has no secret, no signature and no payload; `error` is what a handler threw.
 *
 * @since 0.1.0
 */
export interface LogEntry {
  readonly level: "debug" | "info" | "warning" | "error"
  readonly message: string
  /** `hookrail.topic`, `hookrail.event_id` and `hookrail.delivery_id`, once they are verified. */
  readonly annotations: { readonly [name: string]: unknown }
  readonly error?: unknown
}

type MaybePromise<A> = A | Promise<A>

/**
 * @since 0.1.0
 */
export interface WebhookHandlerOptions<Topics extends object = { readonly [topic: string]: unknown }> {
  /**
   * The secret of the endpoint, its `whsec_` included; during a rotation, the new and the old one. Or a function that
   * reads them: it is called again when a signature does not match, at most every 5 seconds.
   */
  readonly secrets: string | ReadonlyArray<string> | (() => MaybePromise<string | ReadonlyArray<string>>)
  /** By topic, or by pattern: `orders.*`. A topic counts before a pattern, a longer pattern before a shorter one. */
  readonly on?: { readonly [T in keyof Topics]?: Handler<Topics[T]> | undefined } | undefined
  /** Handles every topic that has no other handler. */
  readonly otherwise?: Handler | undefined
  /**
   * How far the time of the signature may be from this machine's: a text such as `"5 minutes"`, or milliseconds. Below a
   * second is refused, since only seconds can be meant. Default 5 minutes.
   */
  readonly tolerance?: Duration | undefined
  /** How long a delivery may take before it is answered with 503. Default 8 seconds; Hookrail waits 10. */
  readonly timeout?: Duration | undefined
  /** The largest body that is read, in bytes. Default 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** A signature that does not match, or is too old: `"retry"` (503, the default) or `"reject"` (401: given up at once). */
  readonly onUnverified?: "retry" | "reject" | undefined
  /** A body that is no JSON: `"reject"` (422, the default) or `"retry"` (503). */
  readonly onInvalidPayload?: "reject" | "retry" | undefined
  /** A topic without a handler: `"reject"` (422, the default), `"retry"` (503) or `"acknowledge"` (200, and it is gone). */
  readonly onUnhandled?: "reject" | "retry" | "acknowledge" | undefined
  /**
   * What keeps duplicates out. Default: the last 100,000 deliveries of 24 hours, in the memory of this process. `false`:
   * nothing does.
   */
  readonly deliveryLog?: DeliveryLog | false | undefined
  /** Where the log goes. Default: warnings and errors to the console. */
  readonly log?: ((entry: LogEntry) => void) | undefined
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
 * A handler of requests, in the shapes that servers take. None of them ever throws or rejects.
 *
 * @since 0.1.0
 */
export interface WebhookHandler {
  /** For all that speaks fetch: Hono (`c.req.raw`), Next.js, SvelteKit, Remix, Bun, Deno, Cloudflare Workers. */
  (request: Request): Promise<Response>
  /** For `node:http`, Express, Fastify, Koa and Nest: `(request, response)`. */
  readonly node: (request: object, response: object) => Promise<void>
  /** For AWS Lambda. */
  readonly lambda: (event: LambdaEvent) => Promise<LambdaResult>
}

/**
 * To be thrown by a handler: the delivery cannot be handled now. Hookrail waits at least `after`, and its own back-off if
 * that is longer.
 *
 * @since 0.1.0
 */
export const retryLater = (options?: {
  readonly after?: Duration | undefined
  /** For the log. */
  readonly reason?: string | undefined
}): Error => new Webhooks.RetryLater(options ?? {})

/**
 * To be thrown by a handler: the delivery can never be handled. Hookrail puts it to the dead letters at once.
 *
 * @param reason For the log.
 * @since 0.1.0
 */
export const reject = (reason: string): Error => new Webhooks.Rejected({ reason })

/**
 * Makes a handler of webhooks. Throws a `HookrailConfigError` for options that cannot work.
 *
 * @since 0.1.0
 */
export const createWebhookHandler = <Topics extends object = { readonly [topic: string]: unknown }>(
  options: WebhookHandlerOptions<Topics>
): WebhookHandler => {
  const runtime = runtimeOf(options as WebhookHandlerOptions)
  const web = Webhooks.toWebHandler(runtime)
  // Not `web` itself: frameworks pass further arguments.
  return Object.assign((request: Request) => web(request), {
    node: NodeWebhooks.listener(runtime) as (request: object, response: object) => Promise<void>,
    lambda: Webhooks.toLambdaHandler(runtime)
  })
}

const handlersOf = (on: unknown): ReadonlyArray<Webhooks.Handler> | Reason => {
  if (typeof on !== "object" || on === null) return new Reason("must be an object: a handler for each topic")
  const handlers: Array<Webhooks.Handler> = []
  for (const [topic, handler] of Object.entries(on)) {
    if (handler === undefined) continue
    for (const checked of [topicPattern(topic), callable(handler)]) {
      if (checked instanceof Reason) return new Reason(`${JSON.stringify(topic)} ${checked.text}`)
    }
    handlers.push(handlerOf(topic, handler as Handler))
  }
  return handlers
}

const deliveryLogOf = (log: unknown): DeliveryLog | false | Reason => {
  if (log === false) return false
  const methods = (log ?? {}) as { readonly [K in keyof DeliveryLog]?: unknown }
  return [methods.claim, methods.done, methods.release].every((method) => typeof method === "function")
    ? log as DeliveryLog
    : new Reason("must have the methods claim, done and release, or be false")
}

const checks = {
  secrets: anything<WebhookHandlerOptions["secrets"]>,
  on: withDefault(handlersOf, []),
  otherwise: withDefault<Handler | undefined>(callable, undefined),
  // Here too, since secrets that a function gives are checked with the first request.
  tolerance: withDefault<number | undefined>(tolerance, undefined),
  timeout: anything<WebhookHandlerOptions["timeout"]>,
  maxBodyBytes: anything<WebhookHandlerOptions["maxBodyBytes"]>,
  onUnverified: anything<WebhookHandlerOptions["onUnverified"]>,
  onInvalidPayload: anything<WebhookHandlerOptions["onInvalidPayload"]>,
  onUnhandled: anything<WebhookHandlerOptions["onUnhandled"]>,
  deliveryLog: withDefault<DeliveryLog | false | undefined>(deliveryLogOf, undefined),
  log: withDefault<(entry: LogEntry) => void>(callable, (entry) => toConsole(entry))
}

const runtimeOf = (given: WebhookHandlerOptions): Runtime.Runtime<Webhooks.Webhooks> => {
  const options = readOptions(given, checks)
  if (options instanceof Fault) throw configError(options.option, options.reason)
  const { deliveryLog, log, on, otherwise, secrets, tolerance, ...settings } = options
  if (otherwise !== undefined && on.some(({ pattern }) => pattern === "*")) {
    throw configError("otherwise", "is a second handler for \"*\": give one")
  }
  const handlers = otherwise === undefined ? on : [...on, handlerOf("*", otherwise)]
  const parts = Layer.merge(
    Layer.effect(SignatureVerifier.SignatureVerifier, verifierOf(secrets, tolerance)),
    Layer.effect(CoreLog.DeliveryLog, logOf(deliveryLog))
  )
  const webhooks = Effect.provide(Webhooks.make(handlers, settings), parts)
  const logger = Logger.replace(Logger.defaultLogger, loggerOf(log))
  const exit = Effect.runSyncExit(Effect.zip(webhooks, Effect.provide(Effect.runtime<never>(), logger)))
  if (Exit.isFailure(exit)) throw fromCore(Cause.squash(exit.cause))
  const [service, runtime] = exit.value
  return Runtime.provideService(runtime, Webhooks.Webhooks, service)
}

const handlerOf = (pattern: string, handler: Handler): Webhooks.Handler => ({
  pattern,
  decode: undefined,
  handle: (event, done) =>
    Effect.async<void, unknown>((resume) => {
      const controller = new AbortController()
      const settled = new Promise((resolve) => resolve(handler({ ...event, signal: controller.signal }))).then(
        () => Exit.void,
        (error: unknown) => Exit.fail(error)
      )
      void settled.then(resume)
      return Effect.suspend(() => {
        controller.abort(new Error("the webhook was not handled in time"))
        // A promise goes on: the delivery is its own until then, and done if it is fulfilled after all.
        return Effect.flatMap(Effect.promise(() => settled), (exit) => Exit.isSuccess(exit) ? done : Effect.void)
      })
    })
})

const redacted = (secrets: string | ReadonlyArray<string>) =>
  // Callers without types may pass anything: the verifier refuses what is no text.
  [secrets].flat().map((secret) => Redacted.make(secret)) as unknown as SignatureVerifier.Secrets

const verifierOf = (
  secrets: WebhookHandlerOptions["secrets"],
  tolerance: number | undefined
): Effect.Effect<SignatureVerifier.Service, HookrailConfigError> =>
  typeof secrets === "function"
    ? Effect.succeed(lazily(SignatureVerifier.make({
      secrets: Effect.promise(async () => redacted(await secrets())),
      tolerance
    })))
    : SignatureVerifier.make({ secrets: redacted(secrets), tolerance })

/** A verifier whose secrets are first read when they are needed. If that fails, the next request tries again. */
const lazily = (
  make: Effect.Effect<SignatureVerifier.Service, HookrailConfigError>
): SignatureVerifier.Service => {
  let making: Promise<SignatureVerifier.Service> | undefined
  const made = Effect.promise(() =>
    making ??= Effect.runPromiseExit(make).then((exit) => {
      if (Exit.isSuccess(exit)) return exit.value
      making = undefined
      throw fromCore(Cause.squash(exit.cause))
    })
  )
  return {
    verify: (signed) => Effect.flatMap(made, (verifier) => verifier.verify(signed)),
    verifyRequest: (headers, body) => Effect.flatMap(made, (verifier) => verifier.verifyRequest(headers, body))
  }
}

const logOf = (
  log: DeliveryLog | false | undefined
): Effect.Effect<CoreLog.Service, HookrailConfigError> => {
  if (log === undefined) return CoreLog.makeMemory()
  if (log === false) return Effect.succeed(CoreLog.none)
  const attempt = <A>(operation: DeliveryLogError["operation"], deliveryId: string, run: () => Promise<A>) =>
    Effect.tryPromise({ try: run, catch: (cause) => new DeliveryLogError({ operation, deliveryId, cause }) })
  return Effect.succeed({
    claim: (deliveryId, lease) =>
      Effect.map(
        attempt("claim", deliveryId, () => log.claim(deliveryId, toMillis(lease))),
        (claim): CoreLog.Claim => {
          switch (claim.status) {
            case "claimed":
              return { _tag: "Claimed", token: claim.token }
            case "running":
              return { _tag: "Running" }
            case "done":
              return { _tag: "Done" }
          }
        }
      ),
    done: (deliveryId, token) => attempt("done", deliveryId, () => log.done(deliveryId, token)),
    release: (deliveryId, token) => attempt("release", deliveryId, () => log.release(deliveryId, token))
  })
}

const levels: { readonly [tag: string]: LogEntry["level"] } = {
  Info: "info",
  Warning: "warning",
  Error: "error",
  Fatal: "error"
}

const loggerOf = (log: (entry: LogEntry) => void): Logger.Logger<unknown, void> =>
  Logger.make(({ annotations, cause, logLevel, message }) =>
    log({
      level: levels[logLevel._tag] ?? "debug",
      message: [message].flat().map(String).join(" "),
      annotations: Object.fromEntries(annotations),
      ...(Cause.isEmpty(cause) ? {} : { error: fromCore(Cause.squash(cause)) })
    })
  )

const toConsole = ({ annotations, error, level, message }: LogEntry): void => {
  if (level !== "warning" && level !== "error") return
  const ids = Object.entries(annotations).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`).join("")
  const parts = [`hookrail: ${message}${ids}`, ...(error === undefined ? [] : [error])]
  // eslint-disable-next-line no-console -- the default place of this log
  console[level === "error" ? "error" : "warn"](...parts)
}
