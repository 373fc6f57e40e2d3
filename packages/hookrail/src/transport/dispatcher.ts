/**
 * The part of undici's dispatchers that is used. Described here by its structure, so that those of any version fit, and no package
 * of undici is needed for the types.
 */

/**
 * How a dispatcher's request is controlled.
 *
 * @since 0.1.0
 * @category models
 */
export interface DispatchController {
  abort(reason: Error): void
}

/**
 * What a dispatcher is given to carry out.
 *
 * @since 0.1.0
 * @category models
 */
export interface DispatchOptions {
  /** Scheme, host and port, without a trailing slash. */
  origin: string
  path: string
  method: "GET" | "POST" | "PATCH" | "DELETE"
  headers: Record<string, string>
  /** Text, unless it is no UTF-8. */
  body: string | Uint8Array | null
  /** Both 0: the time limits are those of the client. */
  headersTimeout: number
  bodyTimeout: number
}

/**
 * What a dispatcher calls. Undici has had two generations of these methods, and each version knows one of them or both.
 *
 * @since 0.1.0
 * @category models
 */
export interface DispatchHandler {
  onRequestStart(controller: DispatchController, context?: unknown): void
  onResponseStart(
    controller: DispatchController,
    status: number,
    headers: Record<string, string | Array<string> | undefined>
  ): void
  onResponseData(controller: DispatchController, chunk: Uint8Array): void
  onResponseEnd(controller: DispatchController, trailers?: unknown): void
  onResponseError(controller: DispatchController, error: Error): void
  onConnect(abort: (error?: Error) => void): void
  onHeaders(status: number, headers: Array<Uint8Array> | Array<string> | null): boolean
  onData(chunk: Uint8Array): boolean
  onComplete(trailers?: unknown): void
  onError(error: Error): void
}

/**
 * A dispatcher of undici, of any version: an `Agent`, `Pool`, `ProxyAgent` or `MockAgent`, or one composed of them.
 *
 * It must call `onRequestStart` or `onConnect` before it sends anything of a request, as all of undici's do.
 *
 * @since 0.1.0
 * @category models
 */
export interface Dispatcher {
  // A method, whose parameters TypeScript compares in both directions: handlers differ between versions of undici.
  dispatch(options: DispatchOptions, handler: DispatchHandler): boolean
}
