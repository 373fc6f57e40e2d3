import { request } from "node:http"
import { type Check, filled, Invalid, object, optional, text } from "../options/check.js"
import type { StoredEvent } from "../store/store.js"
import { input, refuse } from "./input.js"
import type { Call, Parts } from "./model.js"
import { type BytesView, bytesView } from "./views.js"

/** What `POST /api/events` takes. */
interface SendInput {
  readonly topic?: string | undefined
  readonly payload?: unknown
  readonly payloadText?: string | undefined
  readonly body?: string | undefined
  readonly orderingKey?: string | undefined
  readonly idempotencyKey?: string | undefined
}

/** A text that a header can hold; its UTF-8 goes out. */
const headerText: Check = (value, at) => {
  filled(value, at)
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value as string)) throw new Invalid(at, `${at} must be one line of text`)
}

const sendInput = object<SendInput>({
  topic: optional(filled),
  payload: () => {},
  payloadText: optional(filled),
  body: optional(text),
  orderingKey: optional(headerText),
  idempotencyKey: optional(headerText)
}, "an event")

/** What the producer side answered. */
export interface SendView {
  /** Absent if there was no answer: a fault cut it off, or it took too long. */
  readonly answer: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: BytesView
  } | null
  /** What happened instead of an answer. */
  readonly failure: string | null
  /** The event, if it was accepted. */
  readonly eventId: string | null
  /** Whether it had been accepted before, under the same idempotency key. */
  readonly replayed: boolean
}

/** How long the producer side may take, in milliseconds. */
const timeoutMs = 10_000

const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1")

/** Sends over the producer side like any producer, so that faults, limits and the ledger apply. */
const post = (parts: Parts, key: string, body: Buffer, input: SendInput): Promise<SendView> =>
  new Promise((resolve) => {
    const { idempotencyKey, orderingKey } = input
    const fail = (failure: string): void => resolve({ answer: null, failure, eventId: null, replayed: false })
    const outgoing = request(`${parts.controls.url}/v1/events`, {
      method: "POST",
      agent: false,
      timeout: timeoutMs,
      headers: {
        Authorization: `Bearer ${key}`,
        "Content-Type": "application/json",
        "Content-Length": body.length,
        ...(idempotencyKey === undefined ? {} : { "Idempotency-Key": latin1(idempotencyKey) }),
        ...(orderingKey === undefined ? {} : { "X-Hookrail-Ordering-Key": latin1(orderingKey) })
      }
    }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", (error) => fail(error.message))
      response.on("end", () => {
        const bytes = Buffer.concat(chunks)
        const headers: Record<string, string> = {}
        for (const [name, value] of Object.entries(response.headers)) headers[name] = String(value)
        let eventId: string | null = null
        if (response.statusCode === 202) {
          try {
            eventId = String((JSON.parse(bytes.toString("utf8")) as { readonly event_id?: unknown }).event_id)
          } catch {
            // A fault may have spoiled the answer.
          }
        }
        resolve({
          answer: { status: response.statusCode ?? 0, headers, body: bytesView(bytes) },
          failure: null,
          eventId,
          replayed: headers["idempotent-replay"] === "true"
        })
      })
    })
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
    outgoing.on("error", (error) => fail(error.message))
    outgoing.end(body)
  })

/** Its exact text may have any depth. */
const textOf = (payload: unknown): string => {
  try {
    return JSON.stringify(payload)
  } catch {
    return refuse(400, "invalid input", "payload is nested too deeply: give it as payloadText")
  }
}

/** The key to send with: the first producer key while it is good for everything, else one of the page's own. */
export class PageKey {
  private own: string | undefined

  constructor(private readonly parts: Parts) {}

  get(): string {
    const { controls, core } = this.parts
    const first = core.producers.get(controls.apiKey)
    if (first !== undefined && !first.revoked && first.scopes.includes("*")) return first.key
    return this.own ??= controls.addApiKey()
  }
}

const bodyOf = (given: SendInput, fallback: { readonly topic?: string; readonly payload?: string }): Buffer => {
  const { body, payload, payloadText } = given
  if (body !== undefined) {
    if (given.topic !== undefined || payload !== undefined || payloadText !== undefined) {
      return refuse(400, "invalid input", "body is the whole request; it goes without topic, payload and payloadText")
    }
    return Buffer.from(body, "utf8")
  }
  if (payload !== undefined && payloadText !== undefined) {
    return refuse(400, "invalid input", "give either payload, any JSON, or payloadText, its exact text")
  }
  const topic = given.topic ?? fallback.topic ??
    refuse(400, "invalid input", "topic must be a non-empty string, got undefined")
  const text = payloadText ?? (payload === undefined ? undefined : textOf(payload)) ?? fallback.payload ??
    refuse(400, "invalid input", "payload or payloadText is required")
  return Buffer.from(`{"topic":${JSON.stringify(topic)},"payload":${text}}`, "utf8")
}

/** `POST /api/events`: sends an event. */
export const sendEvent = ({ body, parts }: Call, key: PageKey): Promise<SendView> => {
  const given = input<SendInput>(sendInput, body)
  return post(parts, key.get(), bodyOf(given, {}), given)
}

/** `POST /api/events/{id}/resend`: the same bytes as a new event, or changed ones. */
export const resendEvent = ({ body, parts }: Call, event: StoredEvent, key: PageKey): Promise<SendView> => {
  const given = input<SendInput>(sendInput, body)
  const sent = parts.core.store.history?.requestOf(event)
  const changed = given.topic !== undefined || given.payload !== undefined || given.payloadText !== undefined ||
    given.body !== undefined
  const bytes = !changed && sent !== undefined
    ? sent.body
    : bodyOf(given, { topic: event.topic, payload: event.payload })
  const orderingKey = given.orderingKey ??
    (sent?.headers["x-hookrail-ordering-key"] === undefined ? undefined : event.orderingKey)
  return post(parts, key.get(), bytes, { ...given, orderingKey })
}
