/** The interface of transports, shared by `Transport` and this room. */
import type * as Effect from "effect/Effect"
import type { Abortable, Listener } from "../fiber/callback.js"
import type { TransportError } from "./error.js"
import type { TransportRequest, TransportResponse } from "./model.js"

/**
 * A transport. `request` is interruptible: interruption aborts the exchange and frees its socket.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly request: (request: TransportRequest) => Effect.Effect<TransportResponse, TransportError>
}

/**
 * Starts an exchange. Resumes the listener when it ends: with `Effect.succeed` and the response, or `Effect.fail` and the error.
 * Must not throw.
 *
 * @since 0.1.0
 * @category models
 */
export type Start = (
  request: TransportRequest,
  listener: Listener<TransportResponse, TransportError>
) => Abortable
