/** What a gate and its users tell each other, shared by `SendGate` and this room. */

/**
 * The call that a request belongs to, as far as its turn depends on it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Turn {
  /**
   * Sends and reads have places, queues and a pace of their own: the server limits sends, and reads need not wait for
   * them. A look at `/readyz` has a place, and its answer says nothing about load.
   */
  readonly kind: "send" | "read" | "look"
  /** Requests that the call has made. A call that has made some came before those that have made none, and goes first. */
  readonly attempts: number
  /**
   * The time, in milliseconds by the nanoseconds of the `Clock`, after which the request is not to begin any more;
   * `Infinity` for none. It holds while the gate keeps a pace.
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
 * What a gate does with requests of one kind: `open` lets them go, `paced` lets so many go per second, `probing` tries
 * one after each pause, since nothing gets through.
 *
 * @since 0.1.0
 * @category models
 */
export type State = "open" | "paced" | "probing"

/**
 * What a gate does at the moment with requests of one kind.
 *
 * @since 0.1.0
 * @category models
 */
export interface LaneStats {
  readonly state: State
  /** Requests under way. */
  readonly inFlight: number
  /** Requests that wait for their turn. */
  readonly waiting: number
  /** Requests per second: `Infinity` while open, 0 while probing. */
  readonly rate: number
}

/**
 * What a gate does at the moment with sends, and with reads.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends LaneStats {
  readonly reads: LaneStats
}
