/** What a transport does, shared by `Transport` and this room. */
import type * as Effect from "effect/Effect"
import type { TransportError } from "./error.js"
import type { TransportRequest, TransportResponse } from "./model.js"

/**
 * What a transport does. `request` is interruptible: interruption aborts the exchange and frees its socket.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly request: (request: TransportRequest) => Effect.Effect<TransportResponse, TransportError>
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
