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
import * as fetchTransport from "./transport/fetch.js"
import * as callbackRequest from "./transport/fromCallbacks.js"
import type { Service, Start } from "./transport/service.js"

export * from "./transport/model.js"
export * from "./transport/service.js"

export type { Abortable, Listener } from "./fiber/callback.js"

export {
  /**
   * Undoes the `content-encoding` of an answer (`gzip`, `deflate`, `br`, or several of them), for transports of your own on
   * Node. The client asks for `identity`, but a proxy may compress all the same. `undefined` if the encoding is not known
   * here, or if the bytes are not what it says.
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
 * A transport of something that works by callbacks. The client runs its requests in fewer steps than those of any other
 * effect.
 *
 * @example
 * import { Effect } from "effect"
 * import { Transport } from "hookrail"
 *
 * // Answers everything itself.
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
    Effect.flatMap(Effect.promise(() => import("./transport/httpClient.js")), (module) => module.make)
  )
)
