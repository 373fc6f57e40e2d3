/**
 * The client itself. The path of one event reads from `sendEvent` down: check and encode once, get a key, attempt
 * through the gate, classify, retry by the policy, decode.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Tracer from "effect/Tracer"
import { type CallError, Calls, type Prepared, type Resume } from "../call/calls.js"
import type { EventAccepted, EventStatus, ReadOptions, SendOptions } from "../Event.js"
import { type Abortable } from "../fiber/abortable.js"
import { waitInSpan, withClock } from "../fiber/tracing.js"
import * as Gate from "../gate/gate.js"
import { defaults } from "../gate/pace.js"
import type { HookrailConfig } from "../HookrailConfig.js"
import type { ReadError, SendError } from "../HookrailError.js"
import { AwaitTimeoutError, InvalidArgumentError, InvalidPayloadError, UnmatchedEventError } from "../HookrailError.js"
import type * as IdempotencyKeys from "../IdempotencyKeys.js"
import { random as randomKeys } from "../IdempotencyKeys.js"
import { toMillis } from "../options/duration.js"
import type * as SendGate from "../SendGate.js"
import type * as Topic from "../Topic.js"
import type * as Transport from "../Transport.js"
import * as Arguments from "../wire/arguments.js"
import { uuid } from "../wire/bytes.js"
import { isTerminal } from "../wire/deliveryState.js"
import { encode, payloadOf, type TopicText, topicText } from "../wire/payload.js"
import type { AwaitOptions, Service } from "./model.js"
import { ReadOperation, SendOperation } from "./operations.js"

/** Not spread over constant ones: that takes four times as long. */
class SendHeaders {
  readonly accept = json
  /** Answers are small, and to inflate them costs more than to read them. */
  readonly "accept-encoding" = "identity"
  readonly "content-type" = json
  readonly "user-agent": string
  readonly "idempotency-key": string;
  [name: string]: string

  constructor(readonly authorization: string, userAgent: string, idempotencyKey: string) {
    this["user-agent"] = userAgent
    this["idempotency-key"] = idempotencyKey
  }
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

/** A client, and a way into it for those who have no fiber. */
export interface Client extends Service {
  /** Begins a send. What remains to be done may be handed over at once, or when the first answer is here. */
  readonly beginSend: (
    clock: Clock.Clock,
    topic: string | Topic.Any,
    payload: unknown,
    options: SendOptions,
    resume: Resume<EventAccepted>
  ) => Abortable
}

export const make = (dependencies: Dependencies): Client => {
  const { config, keys, transport } = dependencies
  const gate = dependencies.gate ?? Gate.make({ ...defaults, maxInFlight: config.maxInFlight })
  const apiKey = Redacted.value(config.apiKey)
  const authorization = `Bearer ${apiKey}`
  const calls = new Calls(config, transport, gate, apiKey)
  const eventsPath = `${config.prefix}/v1/events`
  const topics = new Map<string, TopicText>()
  const unmatched = new Set<string>()

  // -------------------------------------------------------------------------------------------------------------
  // send
  // -------------------------------------------------------------------------------------------------------------

  const prepareSend = (
    clock: Clock.Clock,
    topic: string | Topic.Any,
    payload: unknown,
    options: SendOptions
  ): Prepared<EventAccepted> => {
    // Callers without types may pass anything here; what is no Topic is refused as a topic name.
    if (typeof topic !== "object" || typeof topic?.encode !== "function") {
      return preparePayload(clock, topic as string, payload, options)
    }
    return Effect.matchEffect(topic.encode(payload as never), {
      onFailure: ({ path, reason }) => Effect.fail(invalidPayload(topic.name, options, path, reason)),
      onSuccess: (encoded) => calls.run(clock, preparePayload(clock, topic.name, encoded, options))
    })
  }

  const preparePayload = (
    clock: Clock.Clock,
    topic: string,
    payload: unknown,
    options: SendOptions
  ): Prepared<EventAccepted> => {
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
      return prepareBytes(clock, topic, encoded.body, uuid(), options)
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
        return calls.run(clock, prepareBytes(clock, topic, encoded.body, key, options))
      }
    )
  }

  /** From here on the key and the bytes are fixed, whatever happens. */
  const prepareBytes = (
    clock: Clock.Clock,
    topic: string,
    body: Uint8Array,
    idempotencyKey: string,
    options: SendOptions
  ): Prepared<EventAccepted> => {
    const headers: Record<string, string> = new SendHeaders(authorization, config.userAgent, idempotencyKey)
    if (options.orderingKey !== undefined) headers["x-hookrail-ordering-key"] = options.orderingKey
    const operation = new SendOperation(topic, idempotencyKey, conclude)
    return calls.prepare(clock, operation, "POST", eventsPath, headers, body, options)
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
    new InvalidPayloadError({ topic, idempotencyKey: options.idempotencyKey, outcome: "not-sent", path, reason })

  const invalidArgument = (
    topic: string,
    options: SendOptions,
    argument: InvalidArgumentError["argument"],
    reason: string
  ) => {
    const idempotencyKey = argument === "idempotencyKey" ? undefined : options.idempotencyKey
    return new InvalidArgumentError({ topic, idempotencyKey, outcome: "not-sent", argument, reason })
  }

  // -------------------------------------------------------------------------------------------------------------
  // read
  // -------------------------------------------------------------------------------------------------------------

  const getEvent = (eventId: string, options: ReadOptions = {}): Effect.Effect<EventStatus, ReadError> =>
    carryOut("HookrailClient.getEvent", "hookrail.event_id", eventId, (clock) => {
      const reason = Arguments.checkEventId(eventId)
      if (reason !== undefined) {
        return Effect.fail(
          new InvalidArgumentError({ eventId: String(eventId), argument: "eventId", reason })
        )
      }
      const path = `${eventsPath}/${encodeURIComponent(eventId)}`
      const headers = { authorization, "user-agent": config.userAgent, accept: json, "accept-encoding": "identity" }
      const operation = new ReadOperation(eventId)
      return calls.prepare(clock, operation, "GET", path, headers, undefined, options)
    }) as Effect.Effect<EventStatus, ReadError>

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

  const sendEvent = (
    topic: string | Topic.Any,
    payload: unknown,
    options: SendOptions = {}
  ): Effect.Effect<EventAccepted, SendError> =>
    carryOut(
      "HookrailClient.sendEvent",
      "hookrail.topic",
      typeof topic === "string" ? topic : topic?.name,
      (clock) => prepareSend(clock, topic, payload, options)
    ) as Effect.Effect<EventAccepted, SendError>

  /** A call, and a span around it where somebody listens. */
  const carryOut = <A extends EventAccepted | EventStatus>(
    name: string,
    attribute: string,
    value: string,
    prepare: (clock: Clock.Clock) => Prepared<A>
  ): Effect.Effect<A, CallError> =>
    withClock((clock, isTraced) =>
      isTraced
        ? waitInSpan<A, CallError>(
          name,
          { kind: "client", captureStackTrace: false, attributes: { [attribute]: String(value) } },
          clock,
          (resume) => calls.begin(clock, prepare(clock), resume),
          annotate
        )
        : calls.run(clock, prepare(clock))
    )

  return {
    beginSend: (clock, topic, payload, options, resume) => {
      let prepared: Prepared<EventAccepted>
      try {
        prepared = prepareSend(clock, topic, payload, options)
      } catch (defect) {
        // Options with getters of their own, perhaps. Within an effect it would be a defect too.
        prepared = Effect.die(defect)
      }
      return calls.begin(clock, prepared, resume)
    },
    sendEvent,
    getEvent,
    awaitEvent
  } as Client
}

const pollSchedule = Schedule.exponential("250 millis").pipe(
  Schedule.modifyDelay((_, delay) => Duration.min(delay, "5 seconds"))
)

const isSettled = (status: EventStatus): boolean => status.deliveries.every((delivery) => isTerminal(delivery.state))

/** What an accepted event says of itself. */
const annotate = (span: Tracer.Span, result: EventAccepted | EventStatus): void => {
  if (!("idempotencyKey" in result)) return
  span.attribute("hookrail.event_id", result.eventId)
  span.attribute("hookrail.deliveries", result.deliveryIds.length)
  span.attribute("hookrail.replayed", result.replayed)
}
