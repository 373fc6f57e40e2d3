/**
 * The interface to the network: one request in, one response or a `TransportError` out.
 *
 * Retries, idempotency and decoding are the same on every transport. Choose one:
 *
 * - `NodeTransport.layer` of `@hookrail/node`: undici, the fastest on Node;
 * - `layerFetch`: the global `fetch`, for workers, Deno and Bun;
 * - `layerHttpClient`: the `HttpClient` of `@effect/platform` that your program already uses.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Fetch } from "./transport/fetch.js"
import * as fetchTransport from "./transport/fetch.js"
import * as callbackRequest from "./transport/fromCallbacks.js"
import type { Service, Start } from "./transport/service.js"

export type * from "./transport/dispatcher.js"
export * from "./transport/model.js"

export type { Fetch }
export * from "./transport/service.js"

export type { Abortable, Listener } from "./fiber/callback.js"

export {
  /**
   * Decodes the `content-encoding` of a response (`gzip`, `deflate`, `br`, or several of them), for your own transports on Node.
   * The client asks for `identity`, but a proxy may compress anyway. `undefined` if the encoding is unknown or does not match
   * the bytes.
   *
   * @since 0.1.0
   * @category utils
   */
  decompress
} from "./transport/decompress.js"

export type {
  /**
   * @since 0.1.0
   * @category models
   */
  Decompressed
} from "./transport/decompress.js"

export {
  /**
   * @since 0.1.0
   * @category errors
   */
  TransportError
} from "./transport/error.js"

export { connectionError, invalidRequest, timeoutError } from "./transport/failure.js"

/**
 * @since 0.1.0
 * @category tags
 */
export class Transport extends Context.Tag("hookrail/Transport")<Transport, Service>() {}

/**
 * Makes a transport from a callback-based client. Its requests take fewer steps than any other effect.
 *
 * @example
 * import { Effect } from "effect"
 * import { Transport } from "hookrail"
 *
 * // Answers every request itself.
 * const echo = Transport.fromCallbacks((request, listener) => {
 *   const timer = setTimeout(() => {
 *     const body = new TextDecoder().decode(request.body)
 *     listener.resume(Effect.succeed({ status: 200, header: () => undefined, body, truncated: false }))
 *   }, 10)
 *   return { abort: () => clearTimeout(timer) }
 * })
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromCallbacks: (start: Start) => Service = callbackRequest.fromCallbacks

/**
 * A transport over the global `fetch`, for runtimes that have nothing else: workers, Deno, Bun, browsers. It has neither a
 * connection pool nor a connect timeout of its own; `timeout` covers connecting too.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFetch: Layer.Layer<Transport> = Layer.succeed(Transport, fetchTransport.service)

/**
 * A transport over a `fetch` of your own, such as one with certificates or a proxy. It must pass on method, headers, body, signal
 * and `redirect`, and must not retry.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromFetch: (fetch: Fetch) => Service = fetchTransport.make

/**
 * A transport over the `HttpClient` of `@effect/platform`: fetch, platform-node, or your own with middleware.
 *
 * Its implementation is loaded when the layer is built, because loading `@effect/platform` takes longer than loading the whole
 * client. Programs on another transport never pay for it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHttpClient: Layer.Layer<Transport, never, HttpClient.HttpClient> = Layer.suspend(() =>
  Layer.effect(
    Transport,
    Effect.flatMap(Effect.promise(() => import("./transport/httpClient.js")), (module) => module.make)
  )
)
