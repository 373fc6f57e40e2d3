import { createHash } from "node:crypto"
import { ulid } from "../base/ids.js"
import { topicMatches } from "../base/matching.js"
import type { Core } from "../core.js"
import {
  backlogFull,
  expectedBody,
  idempotencyConflict,
  notAuthorizable,
  notRecorded,
  orderingConflict,
  orderingTooLong,
  payloadTooLarge,
  topicNotPermitted
} from "../http/problem.js"
import type { Body, Exchange } from "../http/server.js"
import { type Answer, json } from "../http/wire.js"
import { renderJsonb } from "../json/jsonb.js"
import { headerBytes, strictUtf8 } from "../json/text.js"
import type { DatabaseState } from "../model.js"
import { type Delivery, isLive, type StoredEvent } from "../store/store.js"
import { maxPayloadBytes, readEnvelope } from "./envelope.js"
import { fitsIndex } from "./indexRow.js"
import { mayPublish, type Producer } from "./producers.js"

/** A request that passed the checks before the transaction. */
interface Request {
  readonly topic: string
  readonly payload: Buffer
  /** UTF-8, unless a header had other bytes. */
  readonly orderingKey: Buffer
  readonly idempotencyKey: Buffer
}

const accepted = (event: StoredEvent, deliveryIds: ReadonlyArray<string> | null, replayed: boolean): Answer =>
  json(
    202,
    { event_id: event.id, delivery_ids: deliveryIds },
    replayed ? { "Idempotent-Replay": "true" } : {}
  )

const fingerprintOf = (request: Request): string =>
  createHash("sha256").update(request.topic).update("\0").update(request.payload).update("\0")
    .update(request.orderingKey).digest("hex")

/** Checks a body and its headers in the server's order (protocol section 1.2, steps 3 to 8). */
const check = (
  core: Core,
  producer: Producer,
  exchange: Exchange,
  body: Body,
  database: DatabaseState
): Request | Answer => {
  // The rest of such a body could be taken for the next request.
  if (body.end === "broken") return { ...expectedBody, headers: { ...expectedBody.headers, Connection: "close" } }
  const envelope = readEnvelope(body.bytes, body.end === "over")
  if ("status" in envelope) return envelope
  const { payload, topic } = envelope
  if (payload.length > maxPayloadBytes) return payloadTooLarge
  const fromHeader = headerBytes(exchange.header("x-hookrail-ordering-key") ?? "")
  const fromPayload = Buffer.from(envelope.orderingKey, "utf8")
  if (fromHeader.length > 0 && fromPayload.length > 0 && !fromHeader.equals(fromPayload)) return orderingConflict
  const orderingKey = fromHeader.length > 0 ? fromHeader : fromPayload
  const max = core.settings.orderingKeyMaxBytes
  if (orderingKey.length > max) return orderingTooLong(max)
  if (database === "failing") return notAuthorizable
  if (!mayPublish(producer, topic)) return topicNotPermitted
  return { topic, payload, orderingKey, idempotencyKey: headerBytes(exchange.header("idempotency-key") ?? "") }
}

/** The transaction: replay or conflict, event, fan-out, backlog cap (protocol section 1.2, step 9). */
const record = (core: Core, producer: Producer, request: Request, exchange: Exchange, body: Body): Answer => {
  const { clock, random, settings, store } = core
  const { idempotencyKey, topic } = request
  const now = clock.now()
  const keyed = idempotencyKey.length > 0
  const recordId = `${producer.id}:${idempotencyKey.toString("latin1")}`
  if (keyed) {
    if (strictUtf8(idempotencyKey) === undefined || !fitsIndex(idempotencyKey)) return notRecorded
    const earlier = store.remembered(recordId, now, settings.idempotencyTtlMs)
    if (earlier !== undefined) {
      return earlier.fingerprint === fingerprintOf(request)
        ? accepted(earlier.event, earlier.deliveryIds, true)
        : idempotencyConflict
    }
  }
  const payload = strictUtf8(request.payload)
  const rendered = payload === undefined ? undefined : renderJsonb(payload)
  if (rendered?.ok !== true || topic.includes("\0") || !fitsIndex(Buffer.from(topic, "utf8"))) return notRecorded

  const orderingKey = strictUtf8(request.orderingKey)
  const subscriptions = [...store.subscriptions.values()].filter((subscription) =>
    subscription.active && isLive(subscription) && topicMatches(subscription.topic, topic)
  )
  const ordered = subscriptions.filter((subscription) => subscription.ordered && request.orderingKey.length > 0)
  if (ordered.length > 0 && orderingKey === undefined) return notRecorded
  const key = orderingKey ?? ""
  if (ordered.some((subscription) => store.backlog(subscription, key) >= settings.orderedKeyBacklogMax)) {
    return backlogFull
  }

  const event: StoredEvent = {
    id: ulid(now, random),
    topic,
    payload: rendered.text,
    orderingKey: key,
    createdAt: now,
    deliveries: [],
    ordinal: 0,
    revision: 0
  }
  for (const subscription of subscriptions) {
    const delivery: Delivery = {
      id: ulid(now, random),
      event,
      subscription,
      lane: subscription.ordered && key !== "" ? store.lane(subscription, key) : undefined,
      state: "pending",
      attemptCount: 0,
      claimVersion: 0,
      dueAt: undefined,
      attempts: [],
      deadLetter: undefined
    }
    event.deliveries.push(delivery)
  }
  store.history?.sent(event, {
    at: exchange.entry.at,
    headers: exchange.entry.headers,
    body: body.bytes,
    idempotencyKey: keyed ? idempotencyKey.toString("utf8") : undefined
  })
  store.addEvent(event)
  const ids = event.deliveries.map((delivery) => delivery.id)
  const deliveryIds = ids.length > 0 ? ids : null
  if (keyed) {
    const fingerprint = fingerprintOf(request)
    store.remember(recordId, { fingerprint, event, deliveryIds, createdAt: now }, settings.idempotencyTtlMs)
  }
  core.ledger.event({
    at: now,
    eventId: event.id,
    topic,
    payload: event.payload,
    idempotencyKey: keyed ? idempotencyKey.toString("utf8") : undefined,
    orderingKey: key === "" ? undefined : key,
    deliveryIds: ids
  })
  for (const delivery of event.deliveries) core.dispatcher.publish(delivery)
  return accepted(event, deliveryIds, false)
}

/** Handles an authenticated and admitted `POST /v1/events`, from its body on (protocol section 1.2, steps 3 to 10). */
export const ingest = (
  core: Core,
  producer: Producer,
  exchange: Exchange,
  body: Body,
  database: DatabaseState
): Answer => {
  const request = check(core, producer, exchange, body, database)
  if ("status" in request) return request
  return database === "up" ? record(core, producer, request, exchange, body) : notRecorded
}
