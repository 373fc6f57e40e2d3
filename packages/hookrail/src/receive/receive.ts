/**
 * The way of one request, top to bottom: read the raw body, verify, find the handler, claim the delivery, decode, run,
 * answer. The answer is a status line and nothing more; what happened is in the log, the span and the metrics.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type * as DeliveryLog from "../DeliveryLog.js"
import { ifTraced } from "../fiber/services.js"
import { DeliveryLogError, type WebhookVerificationError } from "../HookrailError.js"
import { toMillis } from "../options/duration.js"
import type { Service as VerifierService, VerifiedWebhook } from "../SignatureVerifier.js"
import type { Handler, Outcome, Service, UnreadableBody, WebhookAnswer, WebhookEvent, WebhookRequest } from "./model.js"
import { topicMatches } from "./topicPattern.js"

type AnyHandler = Handler<unknown>

/** What to do with a delivery that cannot be handled as it should. */
type Fallback = "retry" | "reject" | "acknowledge"

export interface Settings {
  /** In milliseconds. */
  readonly timeout: number
  readonly maxBodyBytes: number
  readonly onUnverified: Exclude<Fallback, "acknowledge">
  readonly onInvalidPayload: Exclude<Fallback, "acknowledge">
  readonly onUnhandled: Fallback
}

export interface Dependencies {
  readonly settings: Settings
  readonly handlers: ReadonlyArray<AnyHandler>
  /** What the handlers need. */
  readonly context: Context.Context<never>
  readonly verifier: VerifierService
  readonly log: DeliveryLog.Service
}

/** Shown to nobody but the server that asks: an answer says what Hookrail is to do, not why. */
const answer = (outcome: Outcome, status: number, headers: WebhookAnswer["headers"] = {}): WebhookAnswer => ({
  outcome,
  status,
  headers
})

const retry = (outcome: Outcome, afterSeconds?: number): WebhookAnswer =>
  answer(outcome, 503, afterSeconds === undefined ? {} : { "retry-after": String(afterSeconds) })

/** 422 dead-letters at once; an administrator can still have it delivered again. */
const reject = (outcome: Outcome): WebhookAnswer => answer(outcome, 422)

/** Seconds until a delivery is tried again whose twin is still being handled: the twin is done soon. */
const runningRetryAfter = "2"

/** Seconds until a delivery is tried again whose handler took too long: something is slow, and more load does not help. */
const timeoutRetryAfter = 10

/** How much longer than the handler may run a claim holds: long enough for an interrupted handler to come to its end. */
const leaseMargin = 30_000

const utf8 = new TextDecoder("utf-8", { fatal: true })

const received = Metric.counter("hookrail.webhooks", {
  description: "Webhook requests received, by outcome",
  incremental: true
})

const secretLastUsed = Metric.gauge("hookrail.webhooks.secret_last_used", {
  description: "When a webhook was last signed with each secret (0 is the first of the list), in seconds since 1970"
})

/** The handler of a topic: an exact name before a pattern, a longer pattern before a shorter one. */
const lookup = (handlers: ReadonlyArray<AnyHandler>): (topic: string) => AnyHandler | undefined => {
  const exact = new Map<string, AnyHandler>()
  const patterns: Array<AnyHandler> = []
  for (const handler of handlers) {
    if (handler.pattern.endsWith("*")) patterns.push(handler)
    exact.set(handler.pattern, handler)
  }
  patterns.sort((a, b) => b.pattern.length - a.pattern.length)
  return (topic) => exact.get(topic) ?? patterns.find(({ pattern }) => topicMatches(pattern, topic))
}

export const make = ({ context, handlers, log, settings, verifier }: Dependencies): Service => {
  const handlerOf = lookup(handlers)
  const lease = Duration.millis(settings.timeout + leaseMargin)

  const receive = (request: WebhookRequest): Effect.Effect<WebhookAnswer> => {
    if (request.method !== "POST") return Effect.succeed(answer("refused", 405, { allow: "POST" }))
    return Effect.flatMap(
      Clock.currentTimeMillis,
      (receivedAt) =>
        Effect.matchEffect(request.body(settings.maxBodyBytes), {
          onFailure: (body) => unreadable(body, request),
          onSuccess: (body) =>
            Effect.matchEffect(verifier.verifyRequest(request.headers, body), {
              onFailure: (error) => unverified(error, request),
              onSuccess: (webhook) => verified(webhook, body, receivedAt)
            })
        })
    )
  }

  const unreadable = ({ reason }: UnreadableBody, { advice }: WebhookRequest): Effect.Effect<WebhookAnswer> => {
    switch (reason) {
      case "aborted":
        // Nobody reads it; 408 is what brings the delivery again.
        return Effect.as(Effect.logDebug("webhook not read: the sender hung up"), answer("aborted", 408))
      case "too-large":
        return Effect.as(
          Effect.logWarning(`webhook not read: its body is over ${settings.maxBodyBytes} bytes (maxBodyBytes)`),
          // The rest of it is not waited for: the connection ends with the answer.
          answer("refused", 413, { connection: "close" })
        )
      case "consumed":
        return Effect.as(
          Effect.logError(`webhook not verified: its raw body is gone, something has read it before: ${advice}`),
          answer("failed", 500)
        )
    }
  }

  const unverified = (error: WebhookVerificationError, request: WebhookRequest): Effect.Effect<WebhookAnswer> => {
    const body = error._tag === "SignatureError" && error.mistake?.startsWith("body-") === true
    const text = body ? `${error.message}: ${request.advice}` : error.message
    // A mismatch without an explanation may be one of a flood; those with one come seldom.
    const level = error._tag === "SignatureError" && error.mistake === undefined ? LogLevel.Debug : LogLevel.Warning
    return Effect.as(
      Effect.logWithLevel(level, text),
      error._tag === "MalformedSignatureError"
        ? answer("refused", 400)
        : settings.onUnverified === "retry"
        ? retry("unverified")
        : answer("unverified", 401)
    )
  }

  const verified = (
    webhook: VerifiedWebhook,
    rawBody: Uint8Array,
    receivedAt: number
  ): Effect.Effect<WebhookAnswer> => {
    const { deliveryId, eventId, topic } = webhook
    if (topic === undefined || eventId === undefined) {
      const header = topic === undefined ? "hookrail-topic" : "hookrail-event-id"
      return Effect.as(
        Effect.logWarning(`webhook not handled: its header ${header} is missing`),
        answer("refused", 400)
      )
    }
    const ids = { "hookrail.topic": topic, "hookrail.event_id": eventId, "hookrail.delivery_id": deliveryId }
    const handler = handlerOf(topic)
    const handled = handler === undefined
      ? unhandled(topic)
      : claimed(handler, { topic, eventId, deliveryId, receivedAt: new Date(receivedAt), rawBody, webhook })
    return Effect.zipRight(
      Metric.set(Metric.tagged(secretLastUsed, "secret", String(webhook.secretIndex)), webhook.signedAtSeconds),
      ifTraced(
        () => Effect.zipRight(Effect.annotateCurrentSpan(ids), Effect.annotateLogs(handled, ids)),
        () => Effect.annotateLogs(handled, ids)
      )
    )
  }

  const unhandled = (topic: string): Effect.Effect<WebhookAnswer> => {
    const reason = `no handler for topic ${JSON.stringify(topic)}`
    switch (settings.onUnhandled) {
      case "acknowledge":
        return Effect.as(Effect.logDebug(`webhook acknowledged: ${reason}`), answer("unhandled", 200))
      case "retry":
        return Effect.as(Effect.logWarning(`webhook to be retried: ${reason}`), retry("unhandled"))
      case "reject":
        return Effect.as(Effect.logError(`webhook rejected: ${reason}`), reject("unhandled"))
    }
  }

  type Undecoded = Omit<WebhookEvent, "payload">

  const claimed = (handler: AnyHandler, event: Undecoded): Effect.Effect<WebhookAnswer> =>
    // From the claim on, nothing but the end of the handler gives it back.
    Effect.uninterruptibleMask((restore) =>
      Effect.matchEffect(restore(claim(event.deliveryId)), {
        onFailure: (error) => Effect.as(Effect.logError(error.message, error), retry("failed")),
        onSuccess: (claim) => {
          switch (claim._tag) {
            case "Done":
              return Effect.as(Effect.logDebug("webhook is a duplicate"), answer("duplicate", 200))
            case "Running":
              return Effect.as(
                Effect.logDebug("webhook is being handled already"),
                answer("running", 425, { "retry-after": runningRetryAfter })
              )
            case "Claimed":
              return Effect.flatMap(
                Effect.forkDaemon(settle(handler, event, claim.token)),
                (fiber) => restore(answerInTime(fiber, event.receivedAt.getTime()))
              )
          }
        }
      })
    )

  /** A store that hangs must not keep the answer. What it claims after all is free again when the lease is over. */
  const claim = (deliveryId: string): Effect.Effect<DeliveryLog.Claim, DeliveryLogError> =>
    Effect.timeoutFail(Effect.disconnect(log.claim(deliveryId, lease)), {
      duration: settings.timeout,
      onTimeout: () => new DeliveryLogError({ operation: "claim", deliveryId, cause: "it did not answer in time" })
    })

  /**
   * The handler runs in a fiber of its own: the answer is due in time even if the handler cannot be interrupted at once,
   * and the claim is kept until it has really ended.
   */
  const answerInTime = (fiber: Fiber.Fiber<WebhookAnswer>, receivedAt: number): Effect.Effect<WebhookAnswer> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Fiber.join(fiber).pipe(
        Effect.timeoutOption(Math.max(0, receivedAt + settings.timeout - now)),
        Effect.flatMap(Option.match({
          onSome: Effect.succeed,
          onNone: () =>
            Effect.logWarning(`webhook handler interrupted: no end within ${settings.timeout} ms of the request`).pipe(
              Effect.zipRight(Fiber.interruptFork(fiber)),
              Effect.as(retry("timeout", timeoutRetryAfter))
            )
        })),
        Effect.onInterrupt(() => Fiber.interrupt(fiber))
      ))

  /** Runs the handler, and marks the delivery as done or releases it, whatever happens. */
  const settle = (handler: AnyHandler, event: Undecoded, token: string): Effect.Effect<WebhookAnswer> =>
    Effect.suspend(() => {
      const done = noted(log.done(event.deliveryId, token))
      const release = noted(log.release(event.deliveryId, token))
      return Effect.uninterruptible(
        Effect.flatMap(Effect.exit(Effect.interruptible(run(handler, event, done))), (exit) =>
          Exit.isSuccess(exit)
            ? Effect.as(done, answer("handled", 204))
            : Effect.zipRight(release, failed(exit.cause)))
      )
    })

  /** The work is done, or not: the answer stays, whatever the log can note. A claim that is not released runs out. */
  const noted = (write: Effect.Effect<void, unknown>): Effect.Effect<void> =>
    Effect.catchAllCause(write, (cause) => Effect.logError("the delivery log could not be written", cause))

  const run = (handler: AnyHandler, event: Undecoded, done: Effect.Effect<void>): Effect.Effect<unknown, unknown> =>
    Effect.flatMap(decode(handler, event), (payload) =>
      // What is in force at the request, its span for one, counts before what was in force when the layer was built.
      Effect.mapInputContext(
        handler.handle({ ...event, payload } as WebhookEvent<never>, done),
        (input: Context.Context<never>) => Context.merge(context, input) as Context.Context<unknown>
      ))

  const decode = (handler: AnyHandler, event: Undecoded): Effect.Effect<unknown, InvalidPayload> =>
    Effect.flatMap(
      Effect.try({
        try: (): unknown => JSON.parse(utf8.decode(event.rawBody)),
        catch: () => new InvalidPayload("$", "it is not JSON")
      }),
      (payload) =>
        handler.decode === undefined
          ? Effect.succeed(payload)
          : Effect.mapError(handler.decode(payload), ({ path, reason }) => new InvalidPayload(path, reason))
    )

  const failed = (cause: Cause.Cause<unknown>): Effect.Effect<WebhookAnswer> => {
    const error = Option.getOrUndefined(Cause.failureOption(cause))
    if (error instanceof InvalidPayload) {
      const text = `its payload does not fit: at ${error.path}, ${error.reason}`
      return settings.onInvalidPayload === "reject"
        ? Effect.as(Effect.logError(`webhook rejected: ${text}`), reject("invalid"))
        : Effect.as(Effect.logError(`webhook to be retried: ${text}`), retry("invalid"))
    }
    if (isTagged(error, "RetryLater")) {
      const after = error.after === undefined ? undefined : toMillis(error.after as Duration.DurationInput)
      const text = error.reason === undefined ? "" : `: ${error.reason}`
      return Effect.as(
        Effect.logInfo(`webhook to be retried${text}`),
        retry("retry", after === undefined ? undefined : Math.ceil(after / 1000))
      )
    }
    if (isTagged(error, "Rejected")) {
      return Effect.as(Effect.logWarning(`webhook rejected: ${error.reason}`), reject("rejected"))
    }
    if (Cause.isInterruptedOnly(cause)) return Effect.succeed(retry("interrupted"))
    return Effect.as(Effect.logError("webhook handler failed", cause), answer("failed", 500))
  }

  const counted = (request: WebhookRequest): Effect.Effect<WebhookAnswer> =>
    Effect.tap(
      // A defect of ours, or of a store or verifier that was passed in, is answered as any other failure.
      Effect.catchAllDefect(
        receive(request),
        (defect) => Effect.as(Effect.logError("webhook not handled", Cause.die(defect)), answer("failed", 500))
      ),
      ({ outcome }) => Metric.increment(Metric.tagged(received, "outcome", outcome))
    )

  return {
    handle: (request) =>
      ifTraced(
        () =>
          Effect.withSpan(
            Effect.tap(
              counted(request),
              ({ outcome, status }) =>
                Effect.annotateCurrentSpan({ "hookrail.outcome": outcome, "http.response.status_code": status })
            ),
            "hookrail.webhook",
            { kind: "consumer", captureStackTrace: false }
          ),
        () => counted(request)
      )
  }
}

/** A payload that is not what its topic promises. Never leaves this module. */
class InvalidPayload {
  constructor(readonly path: string, readonly reason: string) {}
}

const isTagged = (error: unknown, tag: string): error is { readonly [field: string]: unknown } =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === tag
