/**
 * The client itself. The path of one event reads from `sendEvent` down: check and encode once, get a key, attempt
 * through the gate, classify, retry by the policy, decode.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
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
import * as RetryPolicy from "../RetryPolicy.js"
import type { GateTimeoutError, SendGate } from "../SendGate.js"
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
import { acceptedBody, statusBody } from "./decode.js"
import { isTerminal } from "./deliveryState.js"
import { toMillis } from "./duration.js"
import * as Gate from "./gate.js"
import { noOverload, overloadOf } from "./overload.js"
import { defaults } from "./pace.js"
import { encode, payloadOf, type TopicText, topicText } from "./payload.js"
import { ifTraced } from "./tracing.js"
import type { TransportError } from "./transportError.js"

type Retry = HookrailConfig["retry"]

/** One call, over all of its attempts. */
interface Call<A> {
  readonly request: TransportRequest
  readonly retry: Retry
  /** When the call began, by the `Clock`. */
  readonly start: number
  /** When the policy's time is used up: no attempt begins later. */
  readonly deadline: number
  readonly context: CallContext
  readonly decode: (response: TransportResponse) => A | undefined
  /** The statuses that an outage of the server's database hides behind. */
  readonly masks: (status: number) => boolean
  attempts: number
  /** What the attempts so far leave open; only of a send. */
  outcome: Outcome
}

export interface Dependencies {
  readonly config: HookrailConfig
  readonly transport: Transport.Service
  readonly keys: IdempotencyKeys.Service
  /** Default: one of the client's own. */
  readonly gate?: SendGate.Service | undefined
}

/** Topics met before, so that each is checked and encoded once. Bounded: a topic may be made of user input. */
const maxTopics = 1_000

export const make = (dependencies: Dependencies): HookrailClient.Service => {
  const { config, keys, transport } = dependencies
  const gate = dependencies.gate ?? Gate.make({ ...defaults, maxInFlight: config.maxInFlight })
  const apiKey = Redacted.value(config.apiKey)
  const headers = { authorization: `Bearer ${apiKey}`, "user-agent": config.userAgent, accept: "application/json" }
  const sendHeaders = { ...headers, "content-type": "application/json" }
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
    traced("HookrailClient.sendEvent", "hookrail.topic", typeof topic === "string" ? topic : topic?.name, () => {
      // Callers without types may pass anything here; what is no Topic is refused as a topic name.
      if (typeof topic !== "object" || typeof topic?.encode !== "function") {
        return sendPayload(topic as string, payload, options)
      }
      return Effect.matchEffect(topic.encode(payload as never), {
        onFailure: ({ path, reason }) => Effect.fail(invalidPayload(topic.name, options, path, reason)),
        onSuccess: (encoded) => sendPayload(topic.name, encoded, options)
      })
    })

  const sendPayload = (
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
    return Effect.flatMap(
      idempotencyKey === undefined
        ? keys.keyFor({
          topic,
          // Cut out only for keys that look at it.
          get payload() {
            return payloadOf(encoded)
          },
          orderingKey: orderingKey ?? Arguments.orderingKeyIn(payload)
        })
        : Effect.succeed(idempotencyKey),
      (key) => {
        const reason = Arguments.checkIdempotencyKey(key)
        if (reason !== undefined) return Effect.fail(invalidArgument(topic, options, "idempotencyKey", reason))
        return sendBytes(topic, encoded.body, key, options)
      }
    )
  }

  /** From here on the key and the bytes are fixed, whatever happens. */
  const sendBytes = (topic: string, body: Uint8Array, idempotencyKey: string, options: SendOptions) => {
    const context: CallContext = { topic, idempotencyKey, outcome: "not-sent" }
    const requestHeaders: Record<string, string> = { ...sendHeaders, "idempotency-key": idempotencyKey }
    if (options.orderingKey !== undefined) requestHeaders["x-hookrail-ordering-key"] = options.orderingKey
    return Effect.flatMap(
      call<EventAccepted>("POST", eventsPath, requestHeaders, body, options, context, {
        masks: (status) => status === 401,
        decode: (response) => {
          const accepted = acceptedBody(response.body)
          if (accepted === undefined) return undefined
          const { deliveryIds, eventId } = accepted
          return { eventId, deliveryIds, replayed: response.header("idempotent-replay") === "true", idempotencyKey }
        }
      }) as Effect.Effect<EventAccepted, SendError>,
      (accepted) =>
        accepted.deliveryIds.length > 0 || config.onUnmatched === "ignore"
          ? Effect.succeed(accepted)
          : reportUnmatched(topic, accepted)
    )
  }

  const reportUnmatched = (topic: string, accepted: EventAccepted): Effect.Effect<EventAccepted, SendError> => {
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
    traced("HookrailClient.getEvent", "hookrail.event_id", eventId, () => {
      const reason = Arguments.checkEventId(eventId)
      if (reason !== undefined) {
        return Effect.fail(
          new InvalidArgumentError({ eventId: String(eventId), argument: "eventId", reason }) as ReadError
        )
      }
      const path = `${eventsPath}/${encodeURIComponent(eventId)}`
      return call<EventStatus>("GET", path, headers, undefined, options, { eventId }, {
        masks: (status) => status === 401 || status === 404,
        decode: (response) => statusBody(response.body)
      }) as Effect.Effect<EventStatus, ReadError>
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
    method: "GET" | "POST",
    path: string,
    requestHeaders: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
    options: ReadOptions,
    context: CallContext,
    read: Pick<Call<A>, "decode" | "masks">
  ): Effect.Effect<A, AttemptError | RetryError | InvalidArgumentError> => {
    const begin = (retry: Retry, timeout: number) =>
      Effect.clockWith((clock) => {
        const start = clock.unsafeCurrentTimeMillis()
        const call: Call<A> = {
          request: {
            method,
            origin: config.origin,
            path,
            headers: requestHeaders,
            body,
            responseTimeout: Math.min(config.responseTimeout, timeout),
            timeout
          },
          retry,
          start,
          deadline: RetryPolicy.isRetryPolicy(retry) ? start + retry.maxElapsed : Infinity,
          context,
          decode: read.decode,
          masks: read.masks,
          attempts: 0,
          outcome: "not-sent"
        }
        return Effect.catchAll(attempt(call), (error) =>
          error._tag === "GateTimeoutError"
            ? Effect.flip(gaveUp(call, neverSent(call, error)))
            : afterFailure(call, error))
      })

    const timeout = options.timeout === undefined ? config.timeout : toMillis(options.timeout)
    if (timeout === undefined || timeout <= 0) {
      const reason = "must be a finite duration above 0"
      return Effect.fail(new InvalidArgumentError({ ...context, argument: "timeout", reason }))
    }
    if (options.retry === undefined) return begin(config.retry, timeout)
    return Effect.matchEffect(resolveRetry(options.retry), {
      onFailure: ({ option, reason }) =>
        Effect.fail(new InvalidArgumentError({ ...context, argument: "retry", reason: `${option} ${reason}` })),
      onSuccess: (retry) => begin(retry, timeout)
    })
  }

  /** One request and its answer. */
  const attempt = <A>(call: Call<A>): Effect.Effect<A, AttemptError | GateTimeoutError> =>
    Effect.matchEffect(gate.run(transport.request(call.request), call, overloadOf), {
      onFailure: (error) => Effect.fail(error._tag === "TransportError" ? withoutAnswer(call, error) : error),
      onSuccess: (response) => classify(call, response)
    })

  const withoutAnswer = <A>(call: Call<A>, error: TransportError): RetryableError => {
    call.attempts++
    if (error.phase !== "connect") raise(call, "unknown")
    return errorOfTransport(error, contextOf(call), apiKey)
  }

  /** The answer that keeps this call waiting stands for one of its own. */
  const neverSent = <A>(call: Call<A>, { status }: GateTimeoutError): RetryableError =>
    status === 429
      ? new RateLimitError({ ...contextOf(call), status })
      : new ServerError({ ...contextOf(call), status })

  const classify = <A>(call: Call<A>, response: TransportResponse): Effect.Effect<A, AttemptError> => {
    call.attempts++
    const { status } = response
    if (status >= 200 && status < 300) {
      const value = response.truncated ? undefined : call.decode(response)
      if (value !== undefined) return Effect.succeed(value)
      raise(call, "unknown")
      return Effect.fail(unexpectedBody(response, contextOf(call), apiKey))
    }
    const problem = problemOf(response, apiKey)
    raise(call, outcomeOf(status))
    const context = isConclusive(status, problem) ? contextOf(call, "refused") : contextOf(call)
    const answered = Effect.map(
      Clock.currentTimeMillis,
      (now) => errorOfResponse(response, problem, context, apiKey, now)
    )
    if (!config.probeOutages || !call.masks(status)) return Effect.flip(answered)
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

  const afterFailure = <A>(call: Call<A>, error: AttemptError): Effect.Effect<A, AttemptError | RetryError> => {
    if (!isRetryable(error)) return Effect.fail(error)
    // The schedule exists from the first failure on: a send that goes well pays nothing for it.
    const schedule = RetryPolicy.isRetryPolicy(call.retry)
      ? RetryPolicy.scheduleFrom(call.retry, call.start)
      : call.retry
    return Effect.flatMap(Schedule.driver(schedule), (driver) => {
      const next = (error: RetryableError): Effect.Effect<A, AttemptError | RetryError> =>
        Effect.matchEffect(driver.next(error), {
          onFailure: () => Effect.flip(gaveUp(call, error)),
          onSuccess: () =>
            Effect.catchAll(attempt(call), (latest) =>
              latest._tag === "GateTimeoutError"
                ? Effect.flip(gaveUp(call, error))
                : isRetryable(latest)
                ? next(latest)
                : Effect.fail(latest))
        })
      return next(error)
    })
  }

  const gaveUp = <A>(call: Call<A>, cause: RetryableError): Effect.Effect<RetryError> =>
    Effect.map(Clock.currentTimeMillis, (now) =>
      new RetryError({
        ...contextOf(call),
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

const severity: Record<Outcome, number> = { "not-sent": 0, refused: 1, unknown: 2 }

/** The worst of all attempts counts: one unknown outcome is not made good by a later refusal. */
const raise = (call: Call<unknown>, outcome: Outcome): void => {
  if (severity[outcome] > severity[call.outcome]) call.outcome = outcome
}

/** What an error says of its call; a read has no outcome. */
const contextOf = (call: Call<unknown>, outcome: Outcome = call.outcome): CallContext =>
  call.context.outcome === undefined ? call.context : { ...call.context, outcome }

/** A span around a call, where somebody listens: it costs more than all the rest of the client. */
const traced = <A, E extends HookrailError>(
  name: string,
  attribute: string,
  value: string,
  body: () => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  ifTraced(
    () =>
      Effect.useSpan(
        name,
        { kind: "client", captureStackTrace: false, attributes: { [attribute]: String(value) } },
        (span) => Effect.map(Effect.withParentSpan(Effect.suspend(body), span), (result) => annotated(span, result))
      ),
    body
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
