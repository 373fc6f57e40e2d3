/** The types between a gate and its users, shared by `SendGate` and this room. */

/**
 * What the gate needs to know about the call of a request to determine its turn.
 *
 * @since 0.1.0
 * @category models
 */
export interface Turn {
  /**
   * Sends and reads each have their own places, queues and pace: the server limits sends, and reads need not wait for them.
   * A check of `/readyz` takes a place, but its answer says nothing about load.
   */
  readonly kind: "send" | "read" | "look"
  /** How many requests the call has made. A call that has made some arrived earlier than those without any, and goes first. */
  readonly attempts: number
  /**
   * The latest start of the request: milliseconds, from the nanoseconds of the `Clock`; `Infinity` for no limit. It applies
   * while the gate slows down.
   */
  readonly deadline: number
}

/**
 * An answer that says that the server is overloaded.
 *
 * @since 0.1.0
 * @category models
 */
export interface Overload {
  readonly status: number
  /** The header as received. */
  readonly retryAfter: string | undefined
}

/**
 * What a gate does with requests of one kind: `open` lets them all start, `paced` limits how many start per second,
 * `probing` tries one after each pause, since nothing gets through.
 *
 * @since 0.1.0
 * @category models
 */
export type State = "open" | "paced" | "probing"

/**
 * The current state of a gate for requests of one kind.
 *
 * @since 0.1.0
 * @category models
 */
export interface LaneStats {
  readonly state: State
  /** Requests in flight. */
  readonly inFlight: number
  /** Requests waiting for their turn. */
  readonly waiting: number
  /** Requests per second: `Infinity` while open, 0 while probing. */
  readonly rate: number
}

/**
 * The current state of a gate for sends, and for reads.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends LaneStats {
  readonly reads: LaneStats
}
