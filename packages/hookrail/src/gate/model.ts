/** What a gate and its users tell each other, shared by `SendGate` and this room. */

/**
 * The call that a request belongs to, as far as its turn depends on it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Turn {
  /** Requests that the call has made. A call that has made some came before those that have made none, and goes first. */
  readonly attempts: number
  /**
   * The time, in milliseconds of the `Clock`, after which the request is not to begin any more; `Infinity` for none. It
   * holds while the gate keeps a pace.
   */
  readonly deadline: number
}

/**
 * An answer by which the server says that it gets too much.
 *
 * @since 0.1.0
 * @category models
 */
export interface Overload {
  readonly status: number
  /** The header, as it came. */
  readonly retryAfter: string | undefined
}

/**
 * What a gate does at the moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Requests under way. */
  readonly inFlight: number
  /** Requests that wait for their turn. */
  readonly waiting: number
  /** Requests per second; `Infinity` as long as there is no overload. */
  readonly rate: number
}
