import { strictUtf8 } from "../json/text.js"
import type { DeliveryState } from "../model.js"
import { readEnvelope } from "../producer/envelope.js"
import type { KeptAttempt } from "../store/history.js"
import { type Delivery, headOf, isLive, isTerminal, type StoredEvent } from "../store/store.js"
import { diagnose, type Diagnosis } from "./diagnosis.js"
import type { Parts } from "./model.js"

/** Bytes as JSON: `text` if they are UTF-8, which it restores exactly, else `base64`. */
export type BytesView =
  | { readonly bytes: number; readonly text: string }
  | { readonly bytes: number; readonly base64: string }

/** Shows bytes. */
export const bytesView = (bytes: Buffer): BytesView => {
  const text = strictUtf8(bytes)
  return text === undefined
    ? { bytes: bytes.length, base64: bytes.toString("base64") }
    : { bytes: bytes.length, text }
}

/** A delivery in a list. Times are milliseconds since 1970 by the emulator's clock. */
export interface DeliverySummary {
  readonly id: string
  readonly state: DeliveryState
  readonly subscriptionId: string
  readonly endpointId: string
  /** Attempts since creation or the last replay. */
  readonly attemptNo: number
  readonly maxAttempts: number
  /** When the next attempt is planned. */
  readonly nextAttemptAt: number | null
  /** Why nothing happens although it is not finished. */
  readonly waitsFor: "database" | "ordering" | "resume" | null
  /** The last recorded attempt. */
  readonly httpStatus: number | null
  readonly errorClass: string | null
}

/** An event in a list. */
export interface EventSummary {
  readonly id: string
  /** Its place among all events, from 1. */
  readonly ordinal: number
  /** When it last changed, as a revision of the emulator: of two views of an event, the greater one is newer. */
  readonly revision: number
  readonly topic: string
  readonly at: number
  readonly orderingKey: string | null
  readonly payloadBytes: number
  /** The beginning of the payload. */
  readonly preview: string
  readonly deliveries: ReadonlyArray<DeliverySummary>
}

const previewLength = 160

const waitsFor = (parts: Parts, delivery: Delivery): DeliverySummary["waitsFor"] => {
  if (isTerminal(delivery.state) || delivery.state === "in_flight") return null
  const { dispatcher, surroundings } = parts.core
  if (delivery.lane !== undefined && headOf(delivery.lane) !== delivery) return "ordering"
  if (delivery.dueAt !== undefined) return null
  if (dispatcher.paused) return "resume"
  return surroundings.database === "up" ? null : "database"
}

/** A delivery in a list. */
export const deliverySummary = (parts: Parts, delivery: Delivery): DeliverySummary => {
  const last = delivery.attempts[delivery.attempts.length - 1]
  return {
    id: delivery.id,
    state: delivery.state,
    subscriptionId: delivery.subscription.id,
    endpointId: delivery.subscription.endpoint.id,
    attemptNo: delivery.attemptCount,
    maxAttempts: delivery.subscription.maxAttempts,
    nextAttemptAt: isTerminal(delivery.state) ? null : delivery.dueAt ?? null,
    waitsFor: waitsFor(parts, delivery),
    httpStatus: last?.httpStatus ?? null,
    errorClass: last?.errorClass ?? null
  }
}

/** An event in a list. */
export const eventSummary = (parts: Parts, event: StoredEvent): EventSummary => ({
  id: event.id,
  ordinal: event.ordinal,
  revision: event.revision,
  topic: event.topic,
  at: event.createdAt,
  orderingKey: event.orderingKey === "" ? null : event.orderingKey,
  payloadBytes: Buffer.byteLength(event.payload),
  preview: event.payload.slice(0, previewLength),
  deliveries: event.deliveries.map((delivery) => deliverySummary(parts, delivery))
})

/** An event's request as it came. */
export interface SentView {
  readonly at: number
  readonly headers: Readonly<Record<string, string>>
  readonly idempotencyKey: string | null
  readonly body: BytesView
  /** The payload within the body, as sent. */
  readonly payload: BytesView
}

/** The signature of an attempt, checked again. */
export interface SignatureView extends Diagnosis {
  /** The header as sent. */
  readonly sent: string
  /** Whether the endpoint's secret has been rotated since. */
  readonly rotatedSince: boolean
}

/** One attempt. */
export interface AttemptView {
  readonly attemptNo: number
  readonly claimVersion: number
  readonly at: number
  readonly status: KeptAttempt["status"]
  readonly httpStatus: number | null
  readonly errorClass: string | null
  readonly latencyMs: number
  readonly url: string | null
  /** The kind of the fault that was applied. */
  readonly fault: string | null
  /** The headers sent; absent if nothing was sent, or if they are no longer kept. */
  readonly requestHeaders: Readonly<Record<string, string>> | null
  readonly response: {
    readonly headers: ReadonlyArray<readonly [name: string, value: string]>
    readonly body: BytesView
    readonly bodyBytes: number
  } | null
  readonly signature: SignatureView | null
}

/** A delivery with its attempts. */
export interface DeliveryView extends DeliverySummary {
  readonly eventId: string
  readonly topic: string
  readonly url: string
  readonly topicPattern: string
  readonly ordered: boolean
  /** The delivery that it waits for, by its ordering key. */
  readonly blockedBy: string | null
  readonly deadLetter: {
    readonly finalError: string
    readonly deadAt: number
    readonly replayedAt: number | null
  } | null
  /** Which calls it takes now. */
  readonly can: { readonly replay: boolean; readonly skip: boolean; readonly retryNow: boolean }
  readonly attempts: ReadonlyArray<AttemptView>
}

/** An event with everything that is known about it. */
export interface EventView extends EventSummary {
  /** The payload as receivers get it. */
  readonly delivered: BytesView
  /** The request as it came; absent if it is no longer kept. */
  readonly sent: SentView | null
  readonly deliveryViews: ReadonlyArray<DeliveryView>
}

const pairs = (raw: ReadonlyArray<string>): Array<readonly [string, string]> => {
  const found: Array<readonly [string, string]> = []
  for (let index = 0; index + 1 < raw.length; index += 2) found.push([raw[index]!, raw[index + 1]!])
  return found
}

/** The default tolerance of the client's verifier. */
const toleranceMs = 300_000

const signatureView = async (delivery: Delivery, attempt: KeptAttempt): Promise<SignatureView | null> => {
  const sent = attempt.headers?.["Hookrail-Signature"]
  if (sent === undefined) return null
  const current = delivery.subscription.endpoint.secret
  const diagnosis = await diagnose({
    secrets: [current],
    signature: sent,
    deliveryId: delivery.id,
    body: delivery.event.payload,
    nowMs: attempt.at,
    toleranceMs
  })
  return { sent, rotatedSince: current !== attempt.secret, ...diagnosis }
}

const attemptView = async (delivery: Delivery, attempt: KeptAttempt): Promise<AttemptView> => ({
  attemptNo: attempt.attemptNo,
  claimVersion: attempt.claimVersion,
  at: attempt.at,
  status: attempt.status,
  httpStatus: attempt.httpStatus ?? null,
  errorClass: attempt.errorClass ?? null,
  latencyMs: attempt.latencyMs,
  url: attempt.url,
  fault: attempt.fault ?? null,
  requestHeaders: attempt.headers === undefined
    ? null
    : { Host: new URL(attempt.url).host, ...attempt.headers },
  response: attempt.response === undefined
    ? null
    : {
      headers: pairs(attempt.response.rawHeaders),
      body: bytesView(attempt.response.body),
      bodyBytes: attempt.response.bodyBytes
    },
  signature: await signatureView(delivery, attempt)
})

/** Most attempts of a delivery that are shown; a delivery that is replayed again and again has more. */
const maxAttemptsShown = 200

const attemptViews = async (parts: Parts, delivery: Delivery): Promise<Array<AttemptView>> => {
  const views = new Map<number, AttemptView>()
  for (const attempt of delivery.attempts.slice(-maxAttemptsShown)) {
    views.set(attempt.claimVersion, {
      attemptNo: attempt.attemptNo,
      claimVersion: attempt.claimVersion,
      at: attempt.at,
      status: attempt.status,
      httpStatus: attempt.httpStatus ?? null,
      errorClass: attempt.errorClass ?? null,
      latencyMs: attempt.latencyMs,
      url: null,
      fault: null,
      requestHeaders: null,
      response: null,
      signature: null
    })
  }
  const kept = [...parts.core.store.history?.attemptsOf(delivery) ?? []].slice(-maxAttemptsShown)
  for (const attempt of kept) views.set(attempt.claimVersion, await attemptView(delivery, attempt))
  return [...views.values()].sort((a, b) => a.claimVersion - b.claimVersion)
}

/** A delivery with its attempts. */
export const deliveryView = async (parts: Parts, delivery: Delivery): Promise<DeliveryView> => {
  const { deadLetter, lane, subscription } = delivery
  const head = lane === undefined ? undefined : headOf(lane)
  const dead = delivery.state === "dead_lettered"
  return {
    ...deliverySummary(parts, delivery),
    eventId: delivery.event.id,
    topic: delivery.event.topic,
    url: subscription.endpoint.url,
    topicPattern: subscription.topic,
    ordered: subscription.ordered,
    blockedBy: head === undefined || head === delivery || isTerminal(delivery.state) ? null : head.id,
    deadLetter: deadLetter === undefined
      ? null
      : { finalError: deadLetter.finalError, deadAt: deadLetter.deadAt, replayedAt: deadLetter.replayedAt ?? null },
    can: {
      replay: dead && deadLetter?.replayedAt === undefined && isLive(subscription),
      skip: dead && head === delivery,
      retryNow: delivery.state === "retry_scheduled" && delivery.dueAt !== undefined
    },
    attempts: await attemptViews(parts, delivery)
  }
}

const sentView = (parts: Parts, event: StoredEvent): SentView | null => {
  const request = parts.core.store.history?.requestOf(event)
  if (request === undefined) return null
  const envelope = readEnvelope(request.body, false)
  return {
    at: request.at,
    headers: request.headers,
    idempotencyKey: request.idempotencyKey ?? null,
    body: bytesView(request.body),
    payload: "status" in envelope ? bytesView(request.body) : bytesView(envelope.payload)
  }
}

/** An event with everything that is known about it. */
export const eventView = async (parts: Parts, event: StoredEvent): Promise<EventView> => {
  const deliveryViews: Array<DeliveryView> = []
  for (const delivery of event.deliveries) deliveryViews.push(await deliveryView(parts, delivery))
  return {
    ...eventSummary(parts, event),
    delivered: bytesView(Buffer.from(event.payload, "utf8")),
    sent: sentView(parts, event),
    deliveryViews
  }
}
