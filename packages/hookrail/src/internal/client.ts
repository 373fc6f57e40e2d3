/**
 * The client itself. The path of one event reads from `sendEvent` down: check and encode once, get a key, attempt
 * through the gate, classify, retry by the policy, decode.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Tracer from "effect/Tracer"
import type { EventAccepted, EventStatus } from "../Event.js"
import type { AwaitOptions, HookrailClient, ReadOptions, SendOptions } from "../HookrailClient.js"
import type { HookrailConfig } from "../HookrailConfig.js"
import { resolveRetry } from "../HookrailConfig.js"
import type { HookrailError, Outcome, ReadError, RetryableError, SendError } from "../HookrailError.js"
import {
  AwaitTimeoutError,
  InvalidArgumentError,
  InvalidPayloadError,
  isRetryable,
  RateLimitError,
  RetryError,
  ServerError,
  UnmatchedEventError
} from "../HookrailError.js"
import type * as IdempotencyKeys from "../IdempotencyKeys.js"
import { random as randomKeys } from "../IdempotencyKeys.js"
import * as RetryPolicy from "../RetryPolicy.js"
import type { GateTimeoutError, SendGate, Turn } from "../SendGate.js"
import type * as Topic from "../Topic.js"
import type { Transport, TransportRequest, TransportResponse } from "../Transport.js"
import * as Arguments from "./arguments.js"
import {
  type AttemptError,
  type CallContext,
  errorOfResponse,
  errorOfTransport,
  isConclusive,
  outcomeOf,
  problemOf,
  unexpectedBody
} from "./classify.js"
import { isTerminal } from "./deliveryState.js"
import { toMillis } from "./duration.js"
import * as Gate from "./gate.js"
import { type Operation, ReadOperation, SendOperation } from "./operation.js"
import { noOverload, overloadOf } from "./overload.js"
import { defaults } from "./pace.js"
import { encode, payloadOf, type TopicText, topicText } from "./payload.js"
import { withClock } from "./tracing.js"
import type { TransportError } from "./transportError.js"
import { uuid } from "./uuid.js"

type Retry = HookrailConfig["retry"]

/** Why an attempt failed, as the parts below tell it. */
type AttemptFailure = AttemptError | UnmatchedEventError | TransportError | GateTimeoutError

type CallError = AttemptError | UnmatchedEventError | RetryError | InvalidArgumentError

/** One call, over all of its attempts. A class for the sake of the garbage collector: see `operation.ts`. */
class Call<A> implements Turn {
  attempts = 0
  /** What the attempts so far leave open. */
  outcome: Outcome = "not-sent"
  /** When the policy's time is used up: no attempt begins later. */
  readonly deadline: number

  constructor(
    readonly operation: Operation<A>,
    readonly request: TransportRequest,
    readonly retry: Retry,
    /** When the call began, by the `Clock`. */
    readonly start: number
  ) {
    this.deadline = RetryPolicy.isRetryPolicy(retry) ? start + retry.maxElapsed : Infinity
  }

  context(outcome: Outcome = this.outcome): CallContext {
    return this.operation.context(outcome)
  }

  /** The worst of all attempts counts: one unknown outcome is not made good by a later refusal. */
  raise(outcome: Outcome): void {
    if (severity[outcome] > severity[this.outcome]) this.outcome = outcome
  }
}

const severity: Record<Outcome, number> = { "not-sent": 0, refused: 1, unknown: 2 }

/** Not spread over constant ones: that takes four times as long. */
class SendHeaders {
  readonly accept = json
  readonly "content-type" = json
  readonly "user-agent": string
  readonly "idempotency-key": string;
  [name: string]: string

  constructor(readonly authorization: string, userAgent: string, idempotencyKey: string) {
    this["user-agent"] = userAgent
    this["idempotency-key"] = idempotencyKey
  }
}

class Request implements TransportRequest {
  constructor(
    readonly method: "GET" | "POST",
    readonly origin: string,
    readonly path: string,
    readonly headers: Readonly<Record<string, string>>,
    readonly body: Uint8Array | undefined,
    readonly responseTimeout: number,
    readonly timeout: number
  ) {}
}

export interface Dependencies {
  readonly config: HookrailConfig
  readonly transport: Transport.Service
  readonly keys: IdempotencyKeys.Service
  /** Default: one of the client's own. */
  readonly gate?: SendGate.Service | undefined
}

const json = "application/json"

/** Topics met before, so that each is checked and encoded once. Bounded: a topic may be made of user input. */
const maxTopics = 1_000

export const make = (dependencies: Dependencies): HookrailClient.Service => {
  const { config, keys, transport } = dependencies
  const gate = dependencies.gate ?? Gate.make({ ...defaults, maxInFlight: config.maxInFlight })
  const apiKey = Redacted.value(config.apiKey)
  const authorization = `Bearer ${apiKey}`
  const eventsPath = `${config.prefix}/v1/events`
  const topics = new Map<string, TopicText>()
  const unmatched = new Set<string>()

  // -------------------------------------------------------------------------------------------------------------
  // send
  // -------------------------------------------------------------------------------------------------------------

  const sendEvent = (
    topic: string | Topic.Any,
    payload: unknown,
    options: SendOptions = {}
  ): Effect.Effect<EventAccepted, SendError> =>
    traced("HookrailClient.sendEvent", "hookrail.topic", typeof topic === "string" ? topic : topic?.name, (clock) => {
      // Callers without types may pass anything here; what is no Topic is refused as a topic name.
      if (typeof topic !== "object" || typeof topic?.encode !== "function") {
        return sendPayload(clock, topic as string, payload, options)
      }
      return Effect.matchEffect(topic.encode(payload as never), {
        onFailure: ({ path, reason }) => Effect.fail(invalidPayload(topic.name, options, path, reason)),
        onSuccess: (encoded) => sendPayload(clock, topic.name, encoded, options)
      })
    })

  const sendPayload = (
    clock: Clock.Clock,
    topic: string,
    payload: unknown,
    options: SendOptions
  ): Effect.Effect<EventAccepted, SendError> => {
    let text = topics.get(topic)
    if (text === undefined) {
      const reason = Arguments.checkTopic(topic)
      if (reason !== undefined) return Effect.fail(invalidArgument(String(topic), options, "topic", reason))
      text = topicText(topic)
      if (topics.size < maxTopics) topics.set(topic, text)
    }
    const encoded = encode(text, payload)
    if (encoded._tag === "Refused") return Effect.fail(invalidPayload(topic, options, encoded.path, encoded.reason))
    const { idempotencyKey, orderingKey } = options
    const reason = Arguments.checkPayloadOrderingKey(payload)
    if (reason !== undefined) return Effect.fail(invalidPayload(topic, options, "$.ordering_key", reason))
    if (orderingKey !== undefined) {
      const reason = Arguments.checkOrderingKey(orderingKey, payload)
      if (reason !== undefined) return Effect.fail(invalidArgument(topic, options, "orderingKey", reason))
    }
    // The default needs neither a step of its own nor a check.
    if (idempotencyKey === undefined && keys === randomKeys) {
      return sendBytes(clock, topic, encoded.body, uuid(), options)
    }
    return Effect.flatMap(
      idempotencyKey === undefined
        ? keys.keyFor({
          topic,
          payload: payloadOf(encoded),
          orderingKey: orderingKey ?? Arguments.orderingKeyIn(payload)
        })
        : Effect.succeed(idempotencyKey),
      (key) => {
        const reason = Arguments.checkIdempotencyKey(key)
        if (reason !== undefined) return Effect.fail(invalidArgument(topic, options, "idempotencyKey", reason))
        return sendBytes(clock, topic, encoded.body, key, options)
      }
    )
  }

  /** From here on the key and the bytes are fixed, whatever happens. */
  const sendBytes = (
    clock: Clock.Clock,
    topic: string,
    body: Uint8Array,
    idempotencyKey: string,
    options: SendOptions
  ) => {
    const headers: Record<string, string> = new SendHeaders(authorization, config.userAgent, idempotencyKey)
    if (options.orderingKey !== undefined) headers["x-hookrail-ordering-key"] = options.orderingKey
    const operation = new SendOperation(topic, idempotencyKey, conclude)
    return call(clock, operation, "POST", eventsPath, headers, body, options) as Effect.Effect<EventAccepted, SendError>
  }

  /** What becomes of an event that is stored: one that nobody gets may be a mistake. */
  const conclude = (topic: string, accepted: EventAccepted): Effect.Effect<EventAccepted, UnmatchedEventError> => {
    if (accepted.deliveryIds.length > 0 || config.onUnmatched === "ignore") return Effect.succeed(accepted)
    // A topic that is known by now costs no error.
    if (config.onUnmatched === "log" && (unmatched.has(topic) || unmatched.size >= maxTopics)) {
      return Effect.succeed(accepted)
    }
    const { eventId, idempotencyKey } = accepted
    const error = new UnmatchedEventError({ topic, eventId, idempotencyKey, outcome: "accepted" })
    if (config.onUnmatched === "fail") return Effect.fail(error)
    unmatched.add(topic)
    return Effect.as(
      Effect.annotateLogs(Effect.logWarning(error.message), {
        "hookrail.topic": topic,
        "hookrail.event_id": accepted.eventId
      }),
      accepted
    )
  }

  const invalidPayload = (topic: string, options: SendOptions, path: string, reason: string) =>
    new InvalidPayloadError({
      topic,
      idempotencyKey: options.idempotencyKey,
      outcome: "not-sent",
      path,
      reason
    }) as SendError

  const invalidArgument = (
    topic: string,
    options: SendOptions,
    argument: InvalidArgumentError["argument"],
    reason: string
  ) => {
    const idempotencyKey = argument === "idempotencyKey" ? undefined : options.idempotencyKey
    return new InvalidArgumentError({ topic, idempotencyKey, outcome: "not-sent", argument, reason }) as SendError
  }

  // -------------------------------------------------------------------------------------------------------------
  // read
  // -------------------------------------------------------------------------------------------------------------

  const getEvent = (eventId: string, options: ReadOptions = {}): Effect.Effect<EventStatus, ReadError> =>
    traced("HookrailClient.getEvent", "hookrail.event_id", eventId, (clock) => {
      const reason = Arguments.checkEventId(eventId)
      if (reason !== undefined) {
        return Effect.fail(
          new InvalidArgumentError({ eventId: String(eventId), argument: "eventId", reason }) as ReadError
        )
      }
      const path = `${eventsPath}/${encodeURIComponent(eventId)}`
      const headers = { authorization, "user-agent": config.userAgent, accept: json }
      const operation = new ReadOperation(eventId)
      return call(clock, operation, "GET", path, headers, undefined, options) as Effect.Effect<EventStatus, ReadError>
    })

  const awaitEvent = (eventId: string, options: AwaitOptions = {}) =>
    Effect.suspend(() => {
      const until = options.until ?? isSettled
      const limit = toMillis(options.timeout ?? 60_000)
      if (limit === undefined) {
        const reason = "must be a finite duration"
        return Effect.fail(
          new InvalidArgumentError({ eventId: String(eventId), argument: "timeout", reason }) as ReadError
        )
      }
      let last: EventStatus | undefined
      const timedOut = () =>
        new AwaitTimeoutError({
          eventId,
          limit: Duration.millis(limit),
          states: (last?.deliveries ?? []).map((delivery) => delivery.state)
        })
      return getEvent(eventId, { retry: options.retry }).pipe(
        Effect.tap((status) => {
          last = status
          return Effect.void
        }),
        Effect.repeat({ until, schedule: options.schedule ?? pollSchedule }),
        Effect.flatMap(() => last !== undefined && until(last) ? Effect.succeed(last) : Effect.fail(timedOut())),
        Effect.timeoutFail({ duration: limit, onTimeout: timedOut })
      )
    })

  // -------------------------------------------------------------------------------------------------------------
  // one call, its attempts and its retries
  // -------------------------------------------------------------------------------------------------------------

  const call = <A>(
    clock: Clock.Clock,
    operation: Operation<A>,
    method: "GET" | "POST",
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
    options: ReadOptions
  ): Effect.Effect<A, CallError> => {
    const timeout = options.timeout === undefined ? config.timeout : toMillis(options.timeout)
    if (timeout === undefined || timeout <= 0) {
      return invalidOption(operation, "timeout", "must be a finite duration above 0")
    }
    const responseTimeout = Math.min(config.responseTimeout, timeout)
    const request = new Request(method, config.origin, path, headers, body, responseTimeout, timeout)
    const start = clock.unsafeCurrentTimeMillis()
    if (options.retry === undefined) return run(new Call(operation, request, config.retry, start))
    return Effect.matchEffect(resolveRetry(options.retry), {
      onFailure: ({ option, reason }) => invalidOption(operation, "retry", `${option} ${reason}`),
      onSuccess: (retry) => run(new Call(operation, request, retry, start))
    })
  }

  const invalidOption = (operation: Operation<unknown>, argument: "timeout" | "retry", reason: string) =>
    Effect.fail(new InvalidArgumentError({ ...operation.context("not-sent"), argument, reason }))

  /** The first attempt, and the others if it fails. The schedule of these exists from the first failure on. */
  const run = <A>(call: Call<A>): Effect.Effect<A, CallError> =>
    Effect.catchAllCause(attempt(call), (cause) =>
      Either.match(Cause.failureOrCause(cause), {
        onLeft: (failure) => {
          const error = errorOf(call, failure)
          return error._tag === "GateTimeoutError"
            ? Effect.flip(gaveUp(call, neverSent(call, error)))
            : retried(call, error)
        },
        onRight: Effect.failCause
      }))

  /** One request and its answer. */
  const attempt = <A>(call: Call<A>): Effect.Effect<A, AttemptFailure> =>
    Effect.flatMap(gate.run(transport.request(call.request), call, overloadOf), (response) => classify(call, response))

  const errorOf = (
    call: Call<unknown>,
    failure: AttemptFailure
  ): AttemptError | UnmatchedEventError | GateTimeoutError =>
    failure._tag === "TransportError" ? withoutAnswer(call, failure) : failure

  const withoutAnswer = (call: Call<unknown>, error: TransportError): RetryableError => {
    call.attempts++
    if (error.phase !== "connect") call.raise("unknown")
    return errorOfTransport(error, call.context(), apiKey)
  }

  /** The answer that keeps this call waiting stands for one of its own. */
  const neverSent = (call: Call<unknown>, { status }: GateTimeoutError): RetryableError =>
    status === 429
      ? new RateLimitError({ ...call.context(), status })
      : new ServerError({ ...call.context(), status })

  const classify = <A>(call: Call<A>, response: TransportResponse): Effect.Effect<A, AttemptFailure> => {
    call.attempts++
    const { operation } = call
    const { status } = response
    if (status >= 200 && status < 300) {
      const result = response.truncated ? undefined : operation.read(response)
      if (result !== undefined) return result
      call.raise("unknown")
      return Effect.fail(unexpectedBody(response, call.context(), apiKey))
    }
    const problem = problemOf(response, apiKey)
    call.raise(outcomeOf(status))
    const context = isConclusive(status, problem) ? call.context("refused") : call.context()
    const answered = Effect.map(
      Clock.currentTimeMillis,
      (now) => errorOfResponse(response, problem, context, apiKey, now)
    )
    if (!config.probeOutages || !operation.isMasked(status)) return Effect.flip(answered)
    return Effect.flatMap(databaseIsDown(call), (down) =>
      down
        ? Effect.fail(new ServerError({ ...context, status: 503, problem, maskedStatus: status }))
        : Effect.flip(answered))
  }

  /** Asks the server once whether its database is down. Whatever else comes back proves nothing. */
  const databaseIsDown = (call: Call<unknown>): Effect.Effect<boolean> =>
    Effect.match(gate.run(probe, call, noOverload), {
      onFailure: () => false,
      onSuccess: (response) => response.status === 503
    })

  const probe = transport.request({
    method: "GET",
    origin: config.origin,
    path: `${config.prefix}/readyz`,
    // No credentials: it needs none.
    headers: { "user-agent": config.userAgent },
    body: undefined,
    responseTimeout: config.responseTimeout,
    timeout: config.timeout
  })

  const retried = <A>(
    call: Call<A>,
    error: AttemptError | UnmatchedEventError
  ): Effect.Effect<A, CallError> => {
    if (!isRetryable(error)) return Effect.fail(error)
    const schedule = RetryPolicy.isRetryPolicy(call.retry)
      ? RetryPolicy.scheduleFrom(call.retry, call.start)
      : call.retry
    return Effect.flatMap(Schedule.driver(schedule), (driver) => {
      const next = (error: RetryableError): Effect.Effect<A, CallError> =>
        Effect.matchEffect(driver.next(error), {
          onFailure: () => Effect.flip(gaveUp(call, error)),
          onSuccess: () =>
            Effect.catchAll(attempt(call), (failure) => {
              const latest = errorOf(call, failure)
              if (latest._tag === "GateTimeoutError") return Effect.flip(gaveUp(call, error))
              return isRetryable(latest) ? next(latest) : Effect.fail(latest)
            })
        })
      return next(error)
    })
  }

  const gaveUp = (call: Call<unknown>, cause: RetryableError): Effect.Effect<RetryError> =>
    Effect.map(Clock.currentTimeMillis, (now) =>
      new RetryError({
        ...call.context(),
        cause,
        attempts: call.attempts,
        elapsed: Duration.millis(Math.max(0, now - call.start))
      }))

  return {
    sendEvent,
    getEvent,
    awaitEvent
  } as HookrailClient.Service
}

const pollSchedule = Schedule.exponential("250 millis").pipe(
  Schedule.modifyDelay((_, delay) => Duration.min(delay, "5 seconds"))
)

const isSettled = (status: EventStatus): boolean => status.deliveries.every((delivery) => isTerminal(delivery.state))

/** A span around a call, where somebody listens: it costs more than all the rest of the client. */
const traced = <A, E extends HookrailError>(
  name: string,
  attribute: string,
  value: string,
  body: (clock: Clock.Clock) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  withClock((clock, isTraced) =>
    isTraced
      ? Effect.useSpan(
        name,
        { kind: "client", captureStackTrace: false, attributes: { [attribute]: String(value) } },
        (span) =>
          Effect.map(
            Effect.withParentSpan(Effect.suspend(() => body(clock)), span),
            (result) => annotated(span, result)
          )
      )
      : body(clock)
  )

/** What an accepted event says of itself; set on the span at hand, since to look it up takes several steps. */
const annotated = <A>(span: Tracer.Span, result: A): A => {
  const accepted = result as Partial<EventAccepted>
  if (accepted.idempotencyKey !== undefined) {
    span.attribute("hookrail.event_id", accepted.eventId)
    span.attribute("hookrail.deliveries", accepted.deliveryIds?.length)
    span.attribute("hookrail.replayed", accepted.replayed)
  }
  return result
}
