/** What receiving takes and gives, shared by `Webhooks` and this room. */
import type * as Effect from "effect/Effect"
import type { VerifiedWebhook, WebhookHeaders } from "../SignatureVerifier.js"
import type * as Topic from "../Topic.js"

/**
 * What a handler gets. Only a verified request becomes one: `webhook` is made by verification and by nothing else.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookEvent<out A = unknown> {
  readonly topic: string
  readonly eventId: string
  /** The same for every attempt at this delivery, and other ones for the event's other subscribers. */
  readonly deliveryId: string
  /** Decoded by the topic's Schema; as parsed from JSON, if the handler is for a name or a pattern. */
  readonly payload: A
  readonly receivedAt: Date
  /** The body as it came. */
  readonly rawBody: Uint8Array
  /** What was verified: when it was signed, and with which secret. Topic and event id are not covered by the signature. */
  readonly webhook: VerifiedWebhook
}

/**
 * A handler and what it is for. Made by `on` and `otherwise`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handler<out R = never> {
  /** A topic, a prefix followed by `.*`, or `*`. */
  readonly pattern: string
  readonly decode: Topic.Any["decode"] | undefined
  /**
   * Handles an event. `done` marks the delivery as handled before the end: for adapters to code that cannot be interrupted,
   * and may succeed after its time is over.
   */
  readonly handle: (event: WebhookEvent<never>, done: Effect.Effect<void>) => Effect.Effect<unknown, unknown, R>
}

/**
 * A request, in whatever form it came. For adapters to servers that have none here.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookRequest {
  readonly method: string
  readonly headers: WebhookHeaders
  /** Reads the raw body, at most `limit` bytes of it. */
  readonly body: (limit: number) => Effect.Effect<Uint8Array, UnreadableBody>
  /** For the log, if the body is gone or not the raw one: the line that hands it over in this framework. */
  readonly advice: string
}

/**
 * A raw body that cannot be had: too large, gone because something has read it before, or cut off.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnreadableBody {
  readonly reason: "too-large" | "consumed" | "aborted"
}

/**
 * Listens to a body that comes in pieces.
 *
 * @since 0.1.0
 * @category models
 */
export interface BodyListener {
  onChunk(chunk: Uint8Array): void
  onEnd(): void
  /** The sender hung up, or the stream broke. */
  onAbort(): void
}

/**
 * What became of a request: a label of the metric `hookrail.webhooks`.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | "handled"
  | "duplicate"
  | "running"
  | "retry"
  | "rejected"
  | "failed"
  | "timeout"
  | "draining"
  | "interrupted"
  | "invalid"
  | "unhandled"
  | "unverified"
  | "refused"
  | "aborted"

/**
 * The answer to a request: a status and headers. It has no body.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookAnswer {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly outcome: Outcome
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Handles one request. Never fails: every failure is an answer. */
  readonly handle: (request: WebhookRequest) => Effect.Effect<WebhookAnswer>
  /**
   * For a shutdown: from now on requests are answered with 503, and it waits until all handlers have ended and their
   * claims are settled. `layer` does this when its scope closes, so that what the handlers need is there until then.
   */
  readonly drain: Effect.Effect<void>
}

/**
 * The parts of a Lambda event that are read, of either payload version.
 *
 * @since 0.1.0
 * @category models
 */
export interface LambdaEvent {
  /** Version 1.0. */
  readonly httpMethod?: string | undefined
  /** Version 2.0 and function URLs. */
  readonly requestContext?: object | undefined
  readonly headers?: { readonly [name: string]: string | undefined } | null | undefined
  readonly body?: string | null | undefined
  readonly isBase64Encoded?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface LambdaResult {
  readonly statusCode: number
  readonly headers: { readonly [name: string]: string }
  readonly body: string
}
