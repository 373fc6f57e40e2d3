/** Makes the calls that send events: encoded once, with one key for all attempts. */
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Address } from "../call/advice.js"
import type { CallError, CallObserver, Calls } from "../call/calls.js"
import { isSuccess } from "../fiber/callback.js"
import type { Log } from "../fiber/log.js"
import type { HookrailConfig } from "../HookrailConfig.js"
import { UnmatchedEventError } from "../HookrailError.js"
import type * as IdempotencyKeys from "../IdempotencyKeys.js"
import { random as randomKeys } from "../IdempotencyKeys.js"
import { uuid } from "../wire/bytes.js"
import { addHeaders } from "../wire/headers.js"
import type { EventAccepted } from "../wire/model.js"
import { tracedKey } from "../wire/traceparent.js"
import { encodedFault, encodePayload, invalidArgument, keyOf, Topics, traceOf } from "./encode.js"
import type { EncodedEvent, SendEncodedOptions, SendOptions } from "./model.js"
import { SendOperation } from "./operations.js"

const json = "application/json"

/** A class: spreading constants takes four times as long. */
class SendHeaders {
  readonly accept = json
  /** Responses are small: decompressing them costs more than reading them. */
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

/** How many unmatched topics are reported. Bounded, because topics may be made from user input. */
const maxUnmatched = 1_000

export class Sender {
  private readonly topics = new Topics()
  private readonly unmatched = new Set<string>()

  constructor(
    private readonly config: HookrailConfig,
    private readonly calls: Calls,
    private readonly keys: IdempotencyKeys.Service,
    private readonly authorization: string,
    private readonly path: string,
    readonly address: Address,
    private readonly log: Log
  ) {}

  /** The call that sends an event, or an effect that leads to it, or an error. */
  prepare(
    clock: Clock,
    topic: string,
    payload: unknown,
    options: SendOptions,
    observer?: CallObserver,
    /** The trace of the span around the call. */
    ambient?: string
  ): Effect.Effect<EventAccepted, CallError> {
    // The default source needs no extra step and no check.
    if (options.idempotencyKey === undefined && this.keys === randomKeys) {
      const traceparent = options.traceparent ?? ambient
      const encoded = encodePayload(this.topics, topic, payload, options, traceparent)
      if (encoded._tag !== "Encoded") return Effect.fail(encoded)
      const key = traceparent === undefined ? uuid() : tracedKey(traceparent, uuid())
      return this.call(clock, topic, encoded.body, key, options, observer)
    }
    const encoded = encodePayload(this.topics, topic, payload, options, traceOf(options))
    if (encoded._tag !== "Encoded") return Effect.fail(encoded)
    const key = keyOf(this.keys, topic, encoded, options)
    return isSuccess(key)
      ? this.call(clock, topic, encoded.body, key.value, options, observer)
      : Effect.flatMap(key, (key) => this.call(clock, topic, encoded.body, key, options, observer))
  }

  /** The call that sends an event whose bytes and key are fixed. */
  prepareEncoded(
    clock: Clock,
    event: EncodedEvent,
    options: SendEncodedOptions,
    observer?: CallObserver
  ): Effect.Effect<EventAccepted, CallError> {
    const fault = encodedFault(event)
    if (fault !== undefined) return Effect.fail(fault)
    const { body, idempotencyKey, orderingKey, topic } = event
    return this.call(clock, topic, body, idempotencyKey, { ...options, orderingKey }, observer)
  }

  /** From here on the key and the bytes are fixed. */
  private call(
    clock: Clock,
    topic: string,
    body: Uint8Array,
    idempotencyKey: string,
    options: SendOptions,
    observer: CallObserver | undefined
  ): Effect.Effect<EventAccepted, CallError> {
    const headers: Record<string, string> = new SendHeaders(this.authorization, this.config.userAgent, idempotencyKey)
    if (options.orderingKey !== undefined) headers["x-hookrail-ordering-key"] = options.orderingKey
    if (options.headers !== undefined) {
      const reason = addHeaders(headers, options.headers)
      if (reason !== undefined) {
        return Effect.fail(invalidArgument(topic, { ...options, idempotencyKey }, "headers", reason))
      }
    }
    const operation = new SendOperation(topic, idempotencyKey, this)
    return this.calls.prepare(clock, operation, "POST", this.path, headers, body, options, observer)
  }

  /** Handles a stored event. One without subscribers may be a mistake, and is handled as `onUnmatched` says. */
  accepted(topic: string, accepted: EventAccepted): Effect.Effect<EventAccepted, UnmatchedEventError> {
    const { config: { onUnmatched }, unmatched } = this
    if (accepted.deliveryIds.length > 0 || onUnmatched === "ignore") return Effect.succeed(accepted)
    // No error is made for a topic that was reported before.
    if (onUnmatched === "log" && (unmatched.has(topic) || unmatched.size >= maxUnmatched)) {
      return Effect.succeed(accepted)
    }
    const { eventId, idempotencyKey } = accepted
    const error = new UnmatchedEventError({ topic, eventId, idempotencyKey, outcome: "accepted" })
    if (onUnmatched === "fail") return Effect.fail(error)
    unmatched.add(topic)
    return Effect.as(
      this.log({
        level: "warning",
        message: error.message,
        annotations: { "hookrail.topic": topic, "hookrail.event_id": accepted.eventId }
      }),
      accepted
    )
  }
}
