/** The types of receiving, shared by `Webhooks` and this room. */
import type * as Effect from "effect/Effect"
import type { VerifiedWebhook, WebhookHeaders } from "../SignatureVerifier.js"
import type * as Topic from "../Topic.js"

/**
 * What a handler gets. Only a verified request becomes one: nothing but verification makes a `webhook`.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookEvent<out A = unknown> {
  readonly topic: string
  readonly eventId: string
  /** The same for every attempt at this delivery. Each subscriber of the event has its own. */
  readonly deliveryId: string
  /** Decoded by the topic's Schema. For a handler of a name or a pattern: as parsed from JSON. */
  readonly payload: A
  readonly receivedAt: Date
  /**
   * The `traceparent` of the sender, if it has sent one. It was taken out of the payload (not out of `rawBody`), and is a link of
   * the span `hookrail.webhook`.
   */
  readonly traceparent?: string | undefined
  /** The body as received. */
  readonly rawBody: Uint8Array
  /** What was verified: when it was signed, and with which secret. The signature does not cover topic and event id. */
  readonly webhook: VerifiedWebhook
}

/**
 * A handler and its topics. Made by `on` and `otherwise`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handler<out R = never> {
  /** A topic, a prefix followed by `.*`, or `*`. */
  readonly pattern: string
  readonly decode: Topic.Any["decode"] | undefined
  /**
   * Handles an event. `done` marks the delivery as handled before the handler ends. It is for adapters to code that cannot
   * be interrupted and may succeed after its timeout.
   */
  readonly handle: (event: WebhookEvent<never>, done: Effect.Effect<void>) => Effect.Effect<unknown, unknown, R>
}

/**
 * A request, independent of the server that received it. For adapters to servers that this package does not support.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebhookRequest {
  readonly method: string
  readonly headers: WebhookHeaders
  /** Reads the raw body, up to `limit` bytes. */
  readonly body: (limit: number) => Effect.Effect<Uint8Array, UnreadableBody>
  /** For the log, if the body is gone or not raw: the line of code that passes on the raw body in this framework. */
  readonly advice: string
}

/**
 * Why the raw body is not available: too large, already consumed, or cut off.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnreadableBody {
  readonly reason: "too-large" | "consumed" | "aborted"
}

/**
 * Listens to a body that arrives in chunks.
 *
 * @since 0.1.0
 * @category models
 */
export interface BodyListener {
  onChunk(chunk: Uint8Array): void
  onEnd(): void
  /** The sender closed the connection, or the stream broke. */
  onAbort(): void
}

/**
 * The outcome of a request: a label of the metric `hookrail.webhooks`.
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
  /** Handles one request. Never fails: every failure becomes an answer. */
  readonly handle: (request: WebhookRequest) => Effect.Effect<WebhookAnswer>
  /**
   * For a shutdown: answers requests with 503 from now on, and waits until all handlers have ended and their claims are
   * settled. `layer` does this when its scope closes, so the services of the handlers stay available until then.
   */
  readonly drain: Effect.Effect<void>
}

/**
 * The parts of a Lambda event that are read, in both payload versions.
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
