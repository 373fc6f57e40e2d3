/**
 * The one narrow door to the network: one request in, one response or a `TransportError` out.
 *
 * Everything above it (retries, idempotency, decoding) is the same on each transport. Choose one:
 *
 * - `NodeTransport.layer` of `@hookrail/node`: undici, the fast one on Node;
 * - `layerFetch`: the global `fetch`, for workers, Deno and Bun;
 * - `layerHttpClient`: whichever `HttpClient` of `@effect/platform` your program already uses.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as callbackRequest from "./internal/callbackRequest.js"
import * as fetchTransport from "./internal/fetchTransport.js"
import type { TransportError } from "./internal/transportError.js"

/**
 * One request. It is sent once: a transport neither retries nor follows redirects.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportRequest {
  readonly method: "GET" | "POST"
  /** Scheme, host and port, without a slash at the end: `https://hooks.example.com`. */
  readonly origin: string
  /** Begins with a slash. */
  readonly path: string
  /** Lower-case names. Values are visible ASCII and blanks. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  /** How long the start of the answer may take, in milliseconds. */
  readonly responseTimeout: number
  /** How long the whole exchange may take, the wait for a free connection included, in milliseconds. */
  readonly timeout: number
}

/**
 * The answer, with its body read to the end (at most `maxBodyBytes` of it) as UTF-8.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportResponse {
  readonly status: number
  /** The first value of a header, by its lower-case name. */
  readonly header: (name: string) => string | undefined
  readonly body: string
  /**
   * The body is not whole: it was longer than `maxBodyBytes`, or the connection broke within the body of an error, whose
   * status says enough. A success whose connection breaks within the body is a `TransportError`.
   */
  readonly truncated: boolean
}

/**
 * How much of an answer a transport reads: 4 MiB. The largest genuine answer is the status of an event with many
 * deliveries of many attempts.
 *
 * @since 0.1.0
 * @category constants
 */
export { maxBodyBytes } from "./internal/limits.js"

export {
  /**
   * @since 0.1.0
   * @category errors
   */
  TransportError
} from "./internal/transportError.js"

/**
 * @since 0.1.0
 * @category models
 */
export declare namespace Transport {
  /**
   * What a transport does. `request` is interruptible: interruption aborts the exchange and frees its socket.
   *
   * @since 0.1.0
   * @category models
   */
  export interface Service {
    readonly request: (request: TransportRequest) => Effect.Effect<TransportResponse, TransportError>
  }
}

/**
 * What an exchange by callbacks reports to: one of the two, once.
 *
 * @since 0.1.0
 * @category models
 */
export interface Receiver {
  readonly onResponse: (response: TransportResponse) => void
  readonly onFailure: (error: TransportError) => void
}

/**
 * An exchange by callbacks that has begun.
 *
 * @since 0.1.0
 * @category models
 */
export interface Exchange {
  /** Ends it, if it has not ended, and frees its socket. Its receiver hears nothing any more. */
  readonly abort: () => void
}

/**
 * Begins an exchange. It must not throw.
 *
 * @since 0.1.0
 * @category models
 */
export type Start = (request: TransportRequest, receiver: Receiver) => Exchange

/**
 * @since 0.1.0
 * @category tags
 */
export class Transport extends Context.Tag("hookrail/Transport")<Transport, Transport.Service>() {}

/**
 * A transport of something that works by callbacks. The client runs its requests in fewer steps than those of any other
 * effect.
 *
 * @example
 * import { Transport } from "hookrail"
 *
 * // Answers everything itself.
 * const echo = Transport.fromCallbacks((request, receiver) => {
 *   const timer = setTimeout(() => {
 *     const body = new TextDecoder().decode(request.body)
 *     receiver.onResponse({ status: 200, header: () => undefined, body, truncated: false })
 *   }, 10)
 *   return { abort: () => clearTimeout(timer) }
 * })
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromCallbacks: (start: Start) => Transport.Service = callbackRequest.fromCallbacks

/**
 * A transport over the global `fetch`, for runtimes that have no other: workers, Deno, Bun, browsers. Without a
 * connection pool or connect timeout of its own: `timeout` covers that.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFetch: Layer.Layer<Transport> = Layer.succeed(Transport, fetchTransport.service)

/**
 * A transport over the `HttpClient` of `@effect/platform`: fetch, platform-node, or one of your own with middleware.
 *
 * It loads its implementation when the layer is built, because `@effect/platform` takes longer to load than all of the
 * client: programs on another transport never pay for it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHttpClient: Layer.Layer<Transport, never, HttpClient.HttpClient> = Layer.suspend(() =>
  Layer.effect(
    Transport,
    Effect.flatMap(Effect.promise(() => import("./internal/httpClientTransport.js")), (module) => module.make)
  )
)
