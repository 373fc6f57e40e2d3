/** Requests and responses of transports, shared by `Transport` and this room. */

/**
 * One request. It is sent once: a transport neither retries nor follows redirects.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE"
  /** Scheme, host and port, without a trailing slash: `https://hooks.example.com`. */
  readonly origin: string
  /** Begins with a slash. */
  readonly path: string
  /** Names are lower case. Values are visible ASCII and blanks. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  /** How long the server may take to begin its response, in milliseconds. */
  readonly responseTimeout: number
  /** How long the whole exchange may take, including the wait for a free connection, in milliseconds. */
  readonly timeout: number
}

/**
 * A response with its whole body (up to `maxBodyBytes`) as UTF-8.
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
   * The body is incomplete: it was longer than `maxBodyBytes`, or the connection broke in the body of an error response, whose
   * status is enough. If the connection breaks in the body of a success, that is a `TransportError`.
   */
  readonly truncated: boolean
}

/**
 * How much of a response body a transport reads: 4 MiB. The largest genuine response is the status of an event with many
 * deliveries and attempts.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxBodyBytes = 4 * 1024 * 1024
