/** Fixes the bytes and the idempotency key of an event: exactly those that a client would send. */
import { eventFault } from "hookrail/options/calls"
import { checkIdempotencyKey, checkOrderingKey, checkPayloadOrderingKey, checkTopic } from "hookrail/wire/arguments"
import { uuid } from "hookrail/wire/bytes"
import { encode, type TopicText, topicText } from "hookrail/wire/payload"
import { isTraceparent } from "hookrail/wire/traceparent"
import { InvalidEventError } from "../errors.js"

/**
 * The payloads where there is no catalogue: any topic, any payload.
 *
 * @since 0.1.0
 * @category catalogues
 */
export interface AnyEvents {
  readonly [topic: string]: {} | null
}

interface OneOf<Sent extends object, T extends keyof Sent> {
  readonly topic: T
  readonly payload: Sent[T]
  /**
   * Identifies the event: the server stores one per key. At most 2,048 visible ASCII characters. Default: a new UUID (version 7).
   * With a key of your own, such as `order-4711-created`, an event that is enqueued again while it waits is stored once.
   */
  readonly idempotencyKey?: string | undefined
  /**
   * Events with the same key are sent one after the other, in the order of their commits, and reach an ordered subscription in
   * this order. Visible ASCII, at most 256 bytes; for other text put a member `ordering_key` into the payload.
   */
  readonly orderingKey?: string | undefined
  /**
   * The W3C `traceparent` of the trace that enqueues, to which the span of the send is linked. It reaches the handler with the
   * option `propagateTrace` only.
   */
  readonly traceparent?: string | undefined
}

/**
 * An event to enqueue. Of a catalogue: one of its events.
 *
 * @since 0.1.0
 * @category models
 */
export type OutboxEvent<Sent extends object = AnyEvents> = {
  readonly [T in keyof Sent & string]: OneOf<Sent, T>
}[keyof Sent & string]

/** An event, whichever catalogue it is of. */
export type Event = OneOf<AnyEvents, string>

/**
 * An event whose bytes and key are fixed, such as `Event.encode` of `hookrail` makes.
 *
 * @since 0.1.0
 * @category models
 */
export interface EncodedEvent {
  readonly topic: string
  /** The body of the request, `{"topic":...,"payload":...}` as JSON in UTF-8. */
  readonly body: Uint8Array
  readonly idempotencyKey: string
  /** The value of the header `X-Hookrail-Ordering-Key`, if it is sent with one. */
  readonly orderingKey: string | undefined
  readonly traceparent?: string | undefined
}

/** An event as it is stored. */
export interface FrozenEvent {
  readonly topic: string
  readonly body: Uint8Array
  readonly idempotencyKey: string
  /** The key was given: an event may wait under it. */
  readonly isOwnKey: boolean
  readonly orderingKey: string | undefined
  /** The ordering key is in the payload: it is not sent as a header too. */
  readonly keyInBody: boolean
  readonly traceparent: string | undefined
}

/** The time of the last key that was made, and how keys of that time begin. */
let lastTime = -1
let beginning = ""

/** A UUID, version 7: the time, then random bits of the platform's cryptographic source. Such keys are neighbours in an index. */
export const uuidv7 = (now: number = Date.now()): string => {
  if (now !== lastTime) {
    const time = now.toString(16).padStart(12, "0")
    beginning = `${time.slice(0, 8)}-${time.slice(8, 12)}-7`
    lastTime = now
  }
  return beginning + uuid().slice(15)
}

const refuse = (event: Event | EncodedEvent, where: string, reason: string): never => {
  const { idempotencyKey, topic } = event
  throw new InvalidEventError({
    topic: typeof topic === "string" ? topic : "",
    idempotencyKey: typeof idempotencyKey === "string" ? idempotencyKey : undefined,
    where,
    reason
  })
}

/** Topics that were checked, as they appear in a body. Bounded, because topics may be made from user input. */
const topics = new Map<string, TopicText>()
const maxTopics = 1_000

/** Throws an `InvalidEventError` for an event that no server would accept. */
export const freeze = (event: Event | EncodedEvent, propagateTrace = false): FrozenEvent => {
  if (typeof event !== "object" || event === null) {
    throw new InvalidEventError({
      topic: "",
      idempotencyKey: undefined,
      where: "event",
      reason: "it must be an object"
    })
  }
  const fault = eventFault(event)
  if (fault !== undefined) refuse(event, "event", fault)
  const { idempotencyKey = uuidv7(), orderingKey, topic, traceparent } = event
  let text = topics.get(topic)
  if (text === undefined) {
    const wrongTopic = checkTopic(topic)
    if (wrongTopic !== undefined) refuse(event, "topic", wrongTopic)
    text = topicText(topic)
    if (topics.size < maxTopics) topics.set(topic, text)
  }
  if (event.idempotencyKey !== undefined) {
    const wrongKey = checkIdempotencyKey(idempotencyKey)
    if (wrongKey !== undefined) refuse(event, "idempotencyKey", wrongKey)
  }
  if (traceparent !== undefined && !isTraceparent(traceparent)) {
    refuse(event, "traceparent", "it is not a W3C traceparent")
  }
  const { body, inBody } = "body" in event ? ofEncoded(event) : ofPayload(event, text, propagateTrace)
  if (inBody !== undefined) {
    const wrong = checkPayloadOrderingKey(inBody)
    if (wrong !== undefined) refuse(event, "$.ordering_key", wrong)
  }
  if (orderingKey !== undefined) {
    const wrong = checkOrderingKey(orderingKey, inBody)
    if (wrong !== undefined) refuse(event, "orderingKey", wrong)
  }
  return {
    topic,
    body,
    idempotencyKey,
    isOwnKey: event.idempotencyKey !== undefined,
    orderingKey: orderingKey ?? inBody,
    keyInBody: orderingKey === undefined && inBody !== undefined,
    traceparent
  }
}

interface Body {
  readonly body: Uint8Array
  /** The ordering key in the payload. */
  readonly inBody: string | undefined
}

const ofPayload = (event: Event, topic: TopicText, propagateTrace: boolean): Body => {
  // Under a key of its own, an event that is enqueued again must have the same bytes, in whichever trace.
  const trace = propagateTrace && event.idempotencyKey === undefined ? event.traceparent : undefined
  const encoded = encode(topic, event.payload, trace)
  if (encoded._tag === "Encoded") return { body: encoded.body, inBody: encoded.orderingKey }
  return encoded._tag === "Refused"
    ? refuse(event, encoded.path, encoded.reason)
    : refuse(event, "payload", `it has ${encoded.bytes} bytes, at most ${encoded.maxBytes} are accepted`)
}

const ofEncoded = (event: EncodedEvent): Body => {
  const { body } = event
  if (!(body instanceof Uint8Array)) return refuse(event, "body", "it must be a Uint8Array")
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body))
  } catch {
    return refuse(event, "body", "it is not JSON in UTF-8")
  }
  const { payload, topic } = Object(parsed) as { readonly topic?: unknown; readonly payload?: unknown }
  if (topic !== event.topic) return refuse(event, "body", "its topic is another one, or missing")
  if (payload === undefined) return refuse(event, "body", "it has no payload")
  const key: unknown = Array.isArray(payload) ? undefined : Object(payload).ordering_key
  return { body, inBody: typeof key === "string" && key !== "" ? key : undefined }
}
