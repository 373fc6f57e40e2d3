/** What goes through a transport, shared by `Transport` and this room. */

/**
 * One request. It is sent once: a transport neither retries nor follows redirects.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE"
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
export const maxBodyBytes = 4 * 1024 * 1024
