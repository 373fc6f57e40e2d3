/** Turns an event into the bytes and the key that are sent: checked and encoded once, then fixed. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { InvalidArgumentError, InvalidPayloadError, PayloadTooLargeError } from "../HookrailError.js"
import type * as IdempotencyKeys from "../IdempotencyKeys.js"
import type * as Topic from "../Topic.js"
import * as Arguments from "../wire/arguments.js"
import { encode, type Encoded, payloadOf, type TopicText, topicText } from "../wire/payload.js"
import { isTraceparent, traceparentIn } from "../wire/traceparent.js"
import type { EncodedEvent, EventInput, SendOptions } from "./model.js"

export type EncodeError = InvalidPayloadError | InvalidArgumentError | PayloadTooLargeError

/** How many topics are cached. Bounded, because topics may be made from user input. */
const maxTopics = 1_000

/** Caches topics, so that each is checked and encoded once. */
export class Topics {
  private readonly texts = new Map<string, TopicText>()

  /** The topic as it appears in a body, or why it is invalid. */
  textOf(topic: string): TopicText | string {
    const known = this.texts.get(topic)
    if (known !== undefined) return known
    const reason = Arguments.checkTopic(topic)
    if (reason !== undefined) return reason
    const text = topicText(topic)
    if (this.texts.size < maxTopics) this.texts.set(topic, text)
    return text
  }
}

/** Whether a topic has a Schema. Untyped callers may pass anything; the check of topic names refuses the rest. */
export const isTyped = (topic: string | Topic.Any): topic is Topic.Any =>
  typeof topic === "object" && typeof topic?.encode === "function"

/** The payload of a typed topic as JSON. */
export const encodeTyped = (
  topic: Topic.Any,
  payload: unknown,
  options: SendOptions
): Effect.Effect<unknown, InvalidPayloadError> =>
  Effect.mapError(
    topic.encode(payload as never),
    ({ path, reason }) => invalidPayload(topic.name, options, path, reason)
  )

/** Checks the arguments of an event and encodes its body. */
export const encodePayload = (
  topics: Topics,
  topic: string,
  payload: unknown,
  options: SendOptions,
  traceparent?: string
): Encoded | EncodeError => {
  if (options.traceparent !== undefined && !isTraceparent(options.traceparent)) {
    return invalidArgument(String(topic), options, "traceparent", noTraceparent)
  }
  const text = topics.textOf(topic)
  if (typeof text === "string") return invalidArgument(String(topic), options, "topic", text)
  const encoded = encode(text, payload, traceparent)
  if (encoded._tag === "Refused") return invalidPayload(topic, options, encoded.path, encoded.reason)
  if (encoded._tag === "TooLarge") {
    const { bytes, maxBytes } = encoded
    return new PayloadTooLargeError({ ...notSent(topic, options), bytes, maxBytes })
  }
  if (encoded.orderingKey !== undefined) {
    const reason = Arguments.checkPayloadOrderingKey(encoded.orderingKey)
    if (reason !== undefined) return invalidPayload(topic, options, "$.ordering_key", reason)
  }
  if (options.orderingKey !== undefined) {
    const reason = Arguments.checkOrderingKey(options.orderingKey, encoded.orderingKey)
    if (reason !== undefined) return invalidArgument(topic, options, "orderingKey", reason)
  }
  return encoded
}

const noTraceparent = "it must be a traceparent of W3C Trace Context, version 00"

/** The trace that an event carries: that of its key takes precedence, because the bytes must not change. */
export const traceOf = (options: SendOptions): string | undefined =>
  traceparentIn(options.idempotencyKey) ?? options.traceparent

/** The idempotency key of an event: its own, or a generated one. */
export const keyOf = (
  keys: IdempotencyKeys.Service,
  topic: string,
  encoded: Encoded,
  options: SendOptions
): Effect.Effect<string, InvalidArgumentError> => {
  const { idempotencyKey, orderingKey = encoded.orderingKey } = options
  return idempotencyKey === undefined
    ? Effect.flatMap(
      keys.keyFor({ topic, payload: payloadOf(encoded), orderingKey }),
      (key) => checkedKey(topic, key, options)
    )
    : checkedKey(topic, idempotencyKey, options)
}

const checkedKey = (topic: string, key: string, options: SendOptions): Exit.Exit<string, InvalidArgumentError> => {
  const reason = Arguments.checkIdempotencyKey(key)
  return reason === undefined ? Exit.succeed(key) : Exit.fail(invalidArgument(topic, options, "idempotencyKey", reason))
}

/** Checks an event whose bytes are fixed. What is in its body was checked when it was encoded. */
export const encodedFault = (
  { body, idempotencyKey, orderingKey, topic }: EncodedEvent
): InvalidArgumentError | InvalidPayloadError | undefined => {
  const options: SendOptions = { idempotencyKey, orderingKey }
  const wrongTopic = Arguments.checkTopic(topic)
  if (wrongTopic !== undefined) return invalidArgument(String(topic), options, "topic", wrongTopic)
  const wrongKey = Arguments.checkIdempotencyKey(idempotencyKey)
  if (wrongKey !== undefined) return invalidArgument(topic, options, "idempotencyKey", wrongKey)
  if (orderingKey !== undefined) {
    const wrong = Arguments.checkOrderingKey(orderingKey, undefined)
    if (wrong !== undefined) return invalidArgument(topic, options, "orderingKey", wrong)
  }
  return body instanceof Uint8Array
    ? undefined
    : invalidPayload(topic, options, "$", "the body of an encoded event must be a Uint8Array")
}

/** See `Event.encode`. */
export const encodeEvent = (
  keys: IdempotencyKeys.Service,
  { payload, topic, ...options }: EventInput
): Effect.Effect<EncodedEvent, EncodeError> => {
  const encodeNamed = (name: string, payload: unknown): Effect.Effect<EncodedEvent, EncodeError> => {
    const encoded = encodePayload(new Topics(), name, payload, options, traceOf(options))
    if (encoded._tag !== "Encoded") return Effect.fail(encoded)
    return Effect.map(keyOf(keys, name, encoded, options), (idempotencyKey) => ({
      topic: name,
      body: encoded.body,
      idempotencyKey,
      orderingKey: options.orderingKey
    }))
  }
  return Effect.suspend(() =>
    isTyped(topic)
      ? Effect.flatMap(encodeTyped(topic, payload, options), (json) => encodeNamed(topic.name, json))
      : encodeNamed(topic, payload)
  )
}

const notSent = (topic: string, options: SendOptions) => ({
  topic,
  idempotencyKey: options.idempotencyKey,
  outcome: "not-sent" as const
})

const invalidPayload = (topic: string, options: SendOptions, path: string, reason: string): InvalidPayloadError =>
  new InvalidPayloadError({ ...notSent(topic, options), path, reason })

export const invalidArgument = (
  topic: string,
  options: SendOptions,
  argument: InvalidArgumentError["argument"],
  reason: string
): InvalidArgumentError => {
  const idempotencyKey = argument === "idempotencyKey" ? undefined : options.idempotencyKey
  return new InvalidArgumentError({ ...notSent(topic, options), idempotencyKey, argument, reason })
}
