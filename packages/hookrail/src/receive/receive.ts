/**
 * The path of one request, top to bottom: inspect the headers, read the raw body, verify, find the handler, decode, claim
 * the delivery, run, answer. All of it works by callbacks: a fiber starts only for what remains to be done, usually a
 * handler that is an effect. The answer is just a status and headers; the log, the span and the metrics say what happened.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as MetricLabel from "effect/MetricLabel"
import * as Option from "effect/Option"
import type * as Runtime from "effect/Runtime"
import * as Tracer from "effect/Tracer"
import type * as DeliveryLog from "../DeliveryLog.js"
import { type Abortable, nothing } from "../fiber/callback.js"
import { Ground } from "../fiber/ground.js"
import { ifTraced } from "../fiber/services.js"
import type { DeliveryLogError, WebhookVerificationError } from "../HookrailError.js"
import type { Service as VerifierService, VerifiedWebhook } from "../SignatureVerifier.js"
import type { PayloadFault } from "../Topic.js"
import { takeTrace } from "../wire/traceparent.js"
import * as answers from "./answers.js"
import type { Handler, Outcome, Service, UnreadableBody, WebhookAnswer, WebhookEvent, WebhookRequest } from "./model.js"
import { note } from "./note.js"
import { Reports } from "./reports.js"
import { topicMatches } from "./topicPattern.js"
import { idsOf, type Owner, type Shop, Work } from "./work.js"

type AnyHandler = Handler<unknown>

/** What to do with a delivery that cannot be handled. */
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
  /** The services of the handlers. */
  readonly context: Context.Context<never>
  readonly verifier: VerifierService
  readonly log: DeliveryLog.Service
}

/** A claim lasts this much longer than a handler may run: long enough for an interrupted handler to end. */
const leaseMargin = 30_000

const utf8 = new TextDecoder("utf-8", { fatal: true })

const received = Metric.counter("hookrail.webhooks", {
  description: "Webhook requests received, by outcome",
  incremental: true
})

const secretLastUsed = Metric.gauge("hookrail.webhooks.secret_last_used", {
  description: "When a webhook was last signed with each secret (0 is the first of the list), in seconds since 1970"
})

/** Finds the handler of a topic: an exact name takes precedence over a pattern, a longer pattern over a shorter one. */
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

/**
 * The metrics of requests that run on the same ground. The labels of each are created once: looking up a metric by the
 * identity of its label array is cheap, looking it up by the contents is expensive.
 */
class Metrics {
  private readonly outcomes = new Map<Outcome, ReadonlyArray<MetricLabel.MetricLabel>>()
  private readonly secrets: Array<ReadonlyArray<MetricLabel.MetricLabel>> = []

  constructor(private readonly labels: ReadonlyArray<MetricLabel.MetricLabel>) {}

  count(outcome: Outcome): void {
    let labels = this.outcomes.get(outcome)
    if (labels === undefined) {
      labels = [...this.labels, MetricLabel.make("outcome", outcome)]
      this.outcomes.set(outcome, labels)
    }
    received.unsafeUpdate(1, labels)
  }

  used({ secretIndex, signedAtSeconds }: VerifiedWebhook): void {
    const labels = this.secrets[secretIndex] ??= [...this.labels, MetricLabel.make("secret", String(secretIndex))]
    secretLastUsed.unsafeUpdate(signedAtSeconds, labels)
  }
}

/** An event whose payload is not decoded yet. */
class Event implements WebhookEvent {
  payload: unknown = undefined
  traceparent: string | undefined = undefined
  readonly receivedAt: Date

  constructor(
    readonly topic: string,
    readonly eventId: string,
    readonly deliveryId: string,
    readonly rawBody: Uint8Array,
    readonly webhook: VerifiedWebhook,
    receivedAt: number
  ) {
    this.receivedAt = new Date(receivedAt)
  }
}

/** One request, until it is answered. */
class Reception implements Owner {
  private phase: "reading" | "verifying" | "decoding" | "claiming" | "running" | "settling" | "over" = "reading"
  private under: Abortable = nothing
  private timer: Abortable = nothing
  private receivedAt = 0
  private headers: WebhookRequest["headers"]
  private body: Uint8Array | undefined
  private event: Event | undefined
  private work: Work | undefined
  private answer: WebhookAnswer | undefined
  private onSettledOnce: (() => void) | undefined

  constructor(
    private readonly receiver: Receiver,
    private readonly ground: Ground,
    private readonly metrics: Metrics,
    private readonly span: Tracer.Span | undefined,
    private readonly request: WebhookRequest,
    private readonly onAnswer: (answer: WebhookAnswer) => void
  ) {
    this.headers = request.headers
  }

  begin(): void {
    const { receiver, request } = this
    receiver.receptions++
    if (receiver.isDraining) return this.end(answers.draining)
    if (request.method !== "POST") return this.end(answers.answer("refused", 405, { allow: "POST" }))
    this.receivedAt = this.ground.clock.unsafeCurrentTimeMillis()
    try {
      const { verifier } = receiver
      if (verifier.inspect !== undefined) {
        const refusal = verifier.inspect(request.headers)
        this.ground.begin(refusal, (exit) => {
          if (Exit.isFailure(exit)) this.onUnverified(exit.cause)
          else this.headers = exit.value
        })
        if (this.phase === "over") return
      }
      this.timer = this.ground.after(receiver.settings.timeout, expire, this as Reception)
      this.read()
    } catch (thrown) {
      this.onDefect(thrown)
    }
  }

  private read(): void {
    this.under = this.ground.begin(this.request.body(this.receiver.settings.maxBodyBytes), (exit) => {
      if (this.phase !== "reading") return
      try {
        if (Exit.isSuccess(exit)) this.verify(exit.value)
        else this.onUnreadable(exit.cause)
      } catch (thrown) {
        this.onDefect(thrown)
      }
    })
  }

  private onUnreadable(cause: Cause.Cause<UnreadableBody>): void {
    const { ground, receiver: { reports, settings }, request: { advice } } = this
    const unreadable = Option.getOrUndefined(Cause.failureOption(cause))
    switch (unreadable?.reason) {
      case "aborted":
        note(ground, LogLevel.Debug, "webhook not read: the sender hung up")
        return this.end(answers.aborted)
      case "too-large":
        reports.refused(
          ground,
          "too-large",
          `webhook not read: its body is over ${settings.maxBodyBytes} bytes (maxBodyBytes)`
        )
        return this.end(answers.tooLarge)
      case "consumed":
        note(
          ground,
          LogLevel.Error,
          `webhook not verified: its raw body is gone, something has read it before: ${advice}`
        )
        return this.end(answers.failed)
      default:
        return this.onDefect(Cause.squash(cause))
    }
  }

  private verify(body: Uint8Array): void {
    this.phase = "verifying"
    this.body = body
    const { ground, receiver: { verifier } } = this
    this.under = ground.begin(verifier.verifyRequest(this.headers, body, withoutExplanation), (exit) => {
      if (this.phase !== "verifying") return
      try {
        if (Exit.isSuccess(exit)) this.onVerified(exit.value)
        else this.onUnverified(exit.cause)
      } catch (thrown) {
        this.onDefect(thrown)
      }
    })
  }

  private onUnverified(cause: Cause.Cause<WebhookVerificationError>): void {
    const { body, ground, receiver: { reports, settings, verifier }, request } = this
    const error = Option.getOrUndefined(Cause.failureOption(cause))
    switch (error?._tag) {
      case "MalformedSignatureError":
        reports.refused(ground, error._tag, error.message)
        return this.end(answers.refused)
      case "SignatureTimestampError":
        reports.refused(ground, error._tag, error.message)
        break
      case "SignatureError":
        reports.mismatch(ground, error, request, body!, verifier.explain)
        break
      case "WebhookSecretsError":
        reports.refused(ground, error._tag, `webhook not verified: ${error.message}`)
        return this.end(answers.retry("failed"))
      default:
        return this.onDefect(Cause.squash(cause))
    }
    this.end(settings.onUnverified === "retry" ? answers.retry("unverified") : answers.answer("unverified", 401))
  }

  private onVerified(webhook: VerifiedWebhook): void {
    const { ground, receiver } = this
    const { deliveryId, eventId, topic } = webhook
    if (topic === undefined || eventId === undefined || eventId.includes(".")) {
      const text = topic === undefined ? "hookrail-topic is missing" : "hookrail-event-id is missing or has dots"
      receiver.reports.refused(ground, "headers", `webhook not handled: its header ${text}`)
      return this.end(answers.refused)
    }
    this.metrics.used(webhook)
    const event = new Event(topic, eventId, deliveryId, this.body!, webhook, this.receivedAt)
    this.event = event
    if (this.span !== undefined) {
      for (const [name, id] of Object.entries(idsOf(event))) {
        this.span.attribute(name, id)
      }
    }
    const handler = receiver.handlerOf(topic)
    if (handler === undefined) return this.onUnhandled(topic)
    this.decode(handler, event)
  }

  private onUnhandled(topic: string): void {
    const reason = `no handler for topic ${JSON.stringify(topic)}`
    switch (this.receiver.settings.onUnhandled) {
      case "acknowledge":
        this.note(LogLevel.Debug, `webhook acknowledged: ${reason}`)
        return this.end(answers.answer("unhandled", 200))
      case "retry":
        this.note(LogLevel.Warning, `webhook to be retried: ${reason}`)
        return this.end(answers.retry("unhandled"))
      case "reject":
        this.note(LogLevel.Error, `webhook rejected: ${reason}`)
        return this.end(answers.reject("unhandled"))
    }
  }

  /** Before the claim: a payload that does not match its topic cannot be handled. */
  private decode(handler: AnyHandler, event: Event): void {
    let payload: unknown
    try {
      payload = JSON.parse(utf8.decode(event.rawBody))
    } catch {
      return this.onInvalid({ path: "$", reason: "it is not JSON" })
    }
    event.traceparent = takeTrace(payload)
    if (event.traceparent !== undefined) this.span?.addLinks([linkTo(event.traceparent)])
    if (handler.decode === undefined) {
      event.payload = payload
      return this.claim(handler, event)
    }
    this.phase = "decoding"
    this.under = this.ground.begin(handler.decode(payload), (exit) => {
      if (this.phase !== "decoding") return
      try {
        if (Exit.isSuccess(exit)) {
          event.payload = exit.value
          return this.claim(handler, event)
        }
        const fault = Option.getOrUndefined(Cause.failureOption(exit.cause))
        if (fault === undefined) this.onDefect(Cause.squash(exit.cause))
        else this.onInvalid(fault)
      } catch (thrown) {
        this.onDefect(thrown)
      }
    })
  }

  private onInvalid({ path, reason }: PayloadFault): void {
    const text = `its payload does not fit: at ${path}, ${reason}`
    if (this.receiver.settings.onInvalidPayload === "reject") {
      this.note(LogLevel.Error, `webhook rejected: ${text}`)
      return this.end(answers.reject("invalid"))
    }
    this.note(LogLevel.Error, `webhook to be retried: ${text}`)
    this.end(answers.retry("invalid"))
  }

  private claim(handler: AnyHandler, event: Event): void {
    this.phase = "claiming"
    const { ground, receiver: { shop } } = this
    // The ids contain no dots, so keys are unambiguous.
    const key = `${event.deliveryId}.${event.eventId}.${event.topic}`
    this.under = ground.begin(shop.log.claim(key, shop.lease), (exit) => {
      if (this.phase !== "claiming") {
        // Too late: it was answered with 503, and Hookrail delivers it again.
        if (Exit.isSuccess(exit) && exit.value._tag === "Claimed") ground.run(shop.log.release(key, exit.value.token))
        return
      }
      try {
        if (Exit.isSuccess(exit)) this.onClaim(exit.value, handler, event, key)
        else this.onUnclaimed(exit.cause)
      } catch (thrown) {
        this.onDefect(thrown)
      }
    })
  }

  private onUnclaimed(cause: Cause.Cause<DeliveryLogError>): void {
    const error = Option.getOrUndefined(Cause.failureOption(cause))
    if (error === undefined) return this.onDefect(Cause.squash(cause))
    this.note(LogLevel.Error, error.message, Cause.fail(error))
    this.end(answers.retry("failed"))
  }

  private onClaim(claim: DeliveryLog.Claim, handler: AnyHandler, event: Event, key: string): void {
    switch (claim._tag) {
      case "Done":
        this.note(LogLevel.Debug, "webhook is a duplicate")
        return this.end(answers.duplicate)
      case "Running":
        this.note(LogLevel.Debug, "webhook is being handled already")
        return this.end(answers.running)
      case "Claimed": {
        this.phase = "running"
        this.under = nothing
        const work = new Work(this.receiver.shop, this.ground, event, key, claim.token, this)
        this.work = work
        work.begin(handler)
      }
    }
  }

  onHandled(answer: WebhookAnswer): void {
    if (this.phase !== "running") return
    this.phase = "settling"
    this.answer = answer
  }

  onSettled(answer: WebhookAnswer): void {
    this.work = undefined
    if (this.phase === "settling") this.end(answer)
    this.onSettledOnce?.()
  }

  /** The timeout of the request. @internal */
  expire(): void {
    const { ground, receiver: { reports, settings }, under } = this
    switch (this.phase) {
      case "reading":
        reports.refused(ground, "slow", `webhook not read: its body was not there within ${settings.timeout} ms`)
        this.end(answers.unread)
        return under.abort()
      case "decoding":
        this.note(LogLevel.Error, `webhook not decoded within ${settings.timeout} ms: the schema takes too long`)
        this.end(answers.timeout)
        return under.abort()
      case "verifying":
        note(ground, LogLevel.Error, `webhook not verified within ${settings.timeout} ms: the secrets take too long`)
        this.end(answers.timeout)
        return under.abort()
      case "claiming":
        this.note(LogLevel.Error, `delivery log: no answer to a claim within ${settings.timeout} ms: check the store`)
        this.end(answers.retry("failed"))
        return under.abort()
      case "running": {
        this.note(
          LogLevel.Warning,
          `webhook handler interrupted: no end within ${settings.timeout} ms of the request`
        )
        const { work } = this
        this.end(answers.timeout)
        work?.interrupt()
        return work?.outlive()
      }
      case "settling":
        this.note(LogLevel.Error, "the delivery log did not answer in time: the webhook is answered all the same")
        return this.end(this.answer!)
      case "over":
    }
  }

  /** Nobody waits for the answer any longer. Calls back when the handler has ended and its claim is settled. */
  abandon(onSettled: () => void): void {
    const { under, work } = this
    if (this.phase !== "over") this.end(answers.retry("interrupted"))
    under.abort()
    if (work === undefined) return onSettled()
    this.onSettledOnce = onSettled
    work.interrupt()
    work.outlive()
  }

  /** A defect here, or in a store or verifier that was passed in, is answered like any other failure. */
  private onDefect(thrown: unknown): void {
    note(
      this.ground,
      LogLevel.Error,
      "webhook not handled",
      this.event === undefined ? undefined : idsOf(this.event),
      Cause.die(thrown)
    )
    if (this.phase !== "over") this.end(answers.failed)
  }

  private note(level: LogLevel.LogLevel, message: string, cause?: Cause.Cause<unknown>): void {
    note(this.ground, level, message, idsOf(this.event!), cause)
  }

  private end(answer: WebhookAnswer): void {
    if (this.phase === "over") return
    this.phase = "over"
    this.timer.abort()
    this.timer = nothing
    this.body = undefined
    this.metrics.count(answer.outcome)
    if (this.span !== undefined) {
      this.span.attribute("hookrail.outcome", answer.outcome)
      this.span.attribute("http.response.status_code", answer.status)
    }
    try {
      this.onAnswer(answer)
    } finally {
      this.receiver.onReceptionEnded()
    }
  }
}

/**
 * A link, not the parent: the span begins before the payload is there, and OpenTelemetry's conventions for messaging connect
 * the processing of a message to its creation by a link.
 */
const linkTo = (traceparent: string): Tracer.SpanLink => {
  const [, traceId, spanId, flags] = traceparent.split("-") as [string, string, string, string]
  const sampled = (Number.parseInt(flags, 16) & 1) === 1
  return { _tag: "SpanLink", span: Tracer.externalSpan({ traceId, spanId, sampled }), attributes: {} }
}

const expire = (reception: Reception): void => reception.expire()

const withoutExplanation = { explain: false }

/** Receives requests on one ground, by callbacks. */
export interface Direct {
  readonly isDraining: boolean
  readonly receive: (request: WebhookRequest, onAnswer: (answer: WebhookAnswer) => void) => void
}

export class Receiver implements Service {
  readonly settings: Settings
  readonly verifier: VerifierService
  readonly handlerOf: (topic: string) => AnyHandler | undefined
  readonly reports = new Reports()
  readonly shop: Shop
  /** Requests that are not answered yet. */
  receptions = 0
  isDraining = false
  private works = 0
  private onIdle: Array<() => void> = []
  private readonly context: Context.Context<never>
  private metrics: readonly [ReadonlyArray<MetricLabel.MetricLabel>, Metrics] | undefined

  constructor({ context, handlers, log, settings, verifier }: Dependencies) {
    this.settings = settings
    this.verifier = verifier
    this.context = context
    this.handlerOf = lookup(handlers)
    const leaseMillis = settings.timeout + leaseMargin
    this.shop = {
      log,
      lease: Duration.millis(leaseMillis),
      leaseMillis,
      onWorkBegun: () => {
        this.works++
      },
      onWorkEnded: () => {
        this.works--
        this.checkIdle()
      }
    }
  }

  readonly handle = (request: WebhookRequest): Effect.Effect<WebhookAnswer> =>
    ifTraced(
      () => Effect.withSpan(this.received(request), "hookrail.webhook", { kind: "consumer", captureStackTrace: false }),
      () => this.received(request)
    )

  /** Handles the request in the current fiber: the handler inherits its context and fiber refs. */
  private received(request: WebhookRequest): Effect.Effect<WebhookAnswer> {
    return Effect.flatMap(Effect.runtime<never>(), (runtime) =>
      Effect.uninterruptibleMask((restore) => {
        const ground = this.groundOn(runtime)
        let reception: Reception | undefined
        return Effect.onInterrupt(
          restore(Effect.async<WebhookAnswer>((resume) => {
            reception = this.reception(ground, request, (answer) => resume(Effect.succeed(answer)))
            reception.begin()
          })),
          () => Effect.async<void>((resume) => reception?.abandon(() => resume(Effect.void)))
        )
      }))
  }

  readonly drain: Effect.Effect<void> = Effect.async<void>((resume) => {
    this.isDraining = true
    this.onIdle.push(() => resume(Effect.void))
    this.checkIdle()
  })

  /** Receives without a fiber, on a runtime. Not available where spans are traced. */
  on(runtime: Runtime.Runtime<never>): Direct | undefined {
    const ground = this.groundOn(runtime)
    if (ground.isTraced) return undefined
    return new Grounded(this, ground)
  }

  /** What the request brings, such as its span, takes precedence over what was captured when the service was made. */
  private groundOn({ context, fiberRefs, runtimeFlags }: Runtime.Runtime<never>): Ground {
    return Ground.make(Context.merge(this.context, context), { fiberRefs, runtimeFlags })
  }

  /** @internal */
  reception(ground: Ground, request: WebhookRequest, onAnswer: (answer: WebhookAnswer) => void): Reception {
    return new Reception(this, ground, this.metricsOf(ground.labels), ground.span, request, onAnswer)
  }

  private metricsOf(labels: ReadonlyArray<MetricLabel.MetricLabel>): Metrics {
    if (this.metrics?.[0] !== labels) this.metrics = [labels, new Metrics(labels)]
    return this.metrics[1]
  }

  onReceptionEnded(): void {
    this.receptions--
    this.checkIdle()
  }

  private checkIdle(): void {
    if (!this.isDraining || this.receptions > 0 || this.works > 0) return
    for (const onIdle of this.onIdle.splice(0)) onIdle()
  }
}

class Grounded implements Direct {
  constructor(private readonly receiver: Receiver, private readonly ground: Ground) {}

  get isDraining(): boolean {
    return this.receiver.isDraining
  }

  receive(request: WebhookRequest, onAnswer: (answer: WebhookAnswer) => void): void {
    this.receiver.reception(this.ground, request, onAnswer).begin()
  }
}

export const make = (dependencies: Dependencies): Receiver => new Receiver(dependencies)
