import { IncomingMessage } from "node:http"
import { Socket } from "node:net"
import { ulid } from "./base/ids.js"
import { systemRandom } from "./base/random.js"
import { signature } from "./delivery/signing.js"
import { renderJsonb } from "./json/jsonb.js"
import { checked, filled, Invalid, object, optional, secret, show } from "./options/check.js"

/** As much of a catalogue as `signWebhook` needs: what `defineEvents` of `@hookrail/promise/events` returns. */
export interface WebhookCatalogue<out Sent extends object> {
  readonly "~hookrail/EventCatalogue": {
    /** The JSON value that a sender's payload is sent as, or where and why it does not fit. */
    readonly encode: (topic: string, payload: unknown) => Checked | Promise<Checked> | undefined
    readonly unknown: (topic: string) => string
    readonly types?: { readonly sent: Sent } | undefined
  }
}

type Checked = { readonly value: unknown } | { readonly path: string; readonly reason: string }

/** Payloads by topic; without a catalogue: any topic, any payload. */
export interface AnyPayloads {
  readonly [topic: string]: unknown
}

/** Options of `signWebhook`. With a catalogue, `Sent` are the payloads of its senders. */
export interface SignWebhookOptions<
  Sent extends AnyPayloads = AnyPayloads,
  Topic extends keyof Sent & string = keyof Sent & string
> {
  /** The endpoint's secret, its `whsec_` included. */
  readonly secret: string
  /**
   * The catalogue of the sender, from `defineEvents` of `@hookrail/promise/events`. The payload is then checked and encoded as the
   * sender's client does it.
   */
  readonly events?: WebhookCatalogue<Sent> | undefined
  readonly topic: Topic
  /**
   * Anything that `JSON.stringify` accepts; with a catalogue, what senders give. It is rendered as Hookrail's database does
   * (protocol section 4.2).
   */
  readonly payload: NoInfer<Sent[Topic]>
  /** Default: a new one. */
  readonly eventId?: string | undefined
  /** Reuse one to simulate a retry or duplicate. Default: a new one. */
  readonly deliveryId?: string | undefined
  /** When it is signed. Default: now. */
  readonly signedAt?: Date | undefined
}

/** A request as Hookrail sends it, in the shapes that receivers take. */
export interface SignedWebhook {
  readonly eventId: string
  readonly deliveryId: string
  /** Names in lower case. */
  readonly headers: { readonly [name: string]: string }
  readonly body: string
  /** For handlers that take a `Request`. Default URL: `http://localhost/webhooks`. */
  readonly toRequest: (url?: string | URL) => Request
  /** For listeners of `node:http`. */
  readonly toIncomingMessage: (path?: string) => IncomingMessage
}

const webhookOptions = object<SignWebhookOptions>({
  secret,
  events: optional((value, at) => {
    if (typeof value === "object" && value !== null && "~hookrail/EventCatalogue" in value) return
    throw new Invalid(at, `${at} must be made by defineEvents of @hookrail/promise/events`)
  }),
  topic: filled,
  // Checked when it is rendered.
  payload: () => {},
  eventId: optional(filled),
  deliveryId: optional(filled),
  signedAt: optional((value, at) => {
    if (value instanceof Date && !Number.isNaN(value.getTime())) return
    throw new Invalid(at, `${at} must be a Date that is valid`)
  })
})

/** What is sent for a payload. */
const sentOf = ({ events, payload, topic }: SignWebhookOptions): unknown => {
  if (events === undefined) return payload
  const catalogue = events["~hookrail/EventCatalogue"]
  const checked = catalogue.encode(topic, payload)
  if (checked === undefined) throw new TypeError(`topic ${JSON.stringify(topic)}: ${catalogue.unknown(topic)}`)
  if ("then" in checked) {
    throw new TypeError(`topic ${JSON.stringify(topic)}: its schema is asynchronous, so sign await events.encode(...)`)
  }
  if ("value" in checked) return checked.value
  throw new TypeError(`payload does not fit topic ${JSON.stringify(topic)}: at ${checked.path}, ${checked.reason}`)
}

const jsonOf = (payload: unknown): string | undefined => {
  // It would be signed as {}.
  if (typeof (Object(payload) as { readonly then?: unknown }).then === "function") {
    throw new TypeError("payload is a Promise: await it first")
  }
  try {
    return JSON.stringify(payload) as string | undefined
  } catch (error) {
    throw new TypeError(`payload has no JSON form: ${(error as Error).message}`)
  }
}

const requestOf = (url: string | URL, headers: Record<string, string>, body: Buffer<ArrayBuffer>): Request => {
  if (!URL.canParse(String(url))) {
    throw new TypeError(`toRequest takes a whole URL, such as "http://localhost/webhooks", got ${show(url)}`)
  }
  return new Request(url, { method: "POST", headers, body })
}

/**
 * A genuine webhook, as Hookrail would send it, to test receivers without a server. Throws a `TypeError` for wrong options
 * and for a payload that is not JSON, that Hookrail refuses, or that does not fit the catalogue, if there is one.
 *
 * @example
 * import { signWebhook } from "@hookrail/emulator"
 *
 * declare const handler: (request: Request) => Promise<Response>
 *
 * const webhook = signWebhook({
 *   secret: "whsec_test_secret",
 *   topic: "orders.created",
 *   payload: { order_id: "o_1" }
 * })
 * const response = await handler(webhook.toRequest())
 *
 * @since 0.1.0
 */
export const signWebhook = <
  Sent extends AnyPayloads = AnyPayloads,
  const Topic extends keyof Sent & string = keyof Sent & string
>(options: SignWebhookOptions<Sent, Topic>): SignedWebhook => {
  checked(webhookOptions, options, "", (message) => new TypeError(message))
  const text = jsonOf(sentOf(options))
  if (text === undefined) throw new TypeError("payload has no JSON form: give an object, say")
  const rendered = renderJsonb(text)
  if (!rendered.ok) throw new TypeError(`Hookrail refuses this payload: ${rendered.reason}`)
  const body = rendered.text
  const signedAt = options.signedAt?.getTime() ?? Date.now()
  const deliveryId = options.deliveryId ?? ulid(signedAt, systemRandom)
  const eventId = options.eventId ?? ulid(signedAt, systemRandom)
  const bytes = Buffer.from(body, "utf8")
  const headers = {
    "user-agent": "hookrail/0.1",
    "content-length": String(bytes.length),
    "content-type": "application/json",
    "hookrail-delivery-id": deliveryId,
    "hookrail-event-id": eventId,
    "hookrail-signature": signature(options.secret, Math.floor(signedAt / 1000), deliveryId, body),
    // Headers are bytes: one character per byte of the topic's UTF-8.
    "hookrail-topic": Buffer.from(options.topic, "utf8").toString("latin1"),
    "accept-encoding": "gzip"
  }
  return {
    eventId,
    deliveryId,
    headers,
    body,
    toRequest: (url = "http://localhost/webhooks") => requestOf(url, headers, bytes),
    toIncomingMessage: (path = "/webhooks") => {
      const message = new IncomingMessage(new Socket())
      Object.assign(message, { method: "POST", url: path, headers: { host: "localhost", ...headers }, complete: true })
      message.push(bytes)
      message.push(null)
      return message
    }
  }
}
