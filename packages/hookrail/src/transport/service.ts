/** What a transport does, shared by `Transport` and this room. */
import type * as Effect from "effect/Effect"
import type { Abortable, Listener } from "../fiber/callback.js"
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
 * Begins an exchange. Its end goes to the listener: `Effect.succeed` with the answer, or `Effect.fail` with the error. It must
 * not throw.
 *
 * @since 0.1.0
 * @category models
 */
export type Start = (
  request: TransportRequest,
  listener: Listener<TransportResponse, TransportError>
) => Abortable
