/**
 * A request of a transport that works by callbacks: as good an effect as any, but who knows it can begin it without a
 * fiber.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import { abortable } from "../fiber/abortable.js"
import type { TransportError } from "./error.js"
import type { TransportRequest, TransportResponse } from "./model.js"
import type { Exchange, Receiver, Service, Start } from "./service.js"

/** Hands what comes back to the fiber that waits for it. */
class Resuming implements Receiver {
  constructor(private readonly resume: (exit: Effect.Effect<TransportResponse, TransportError>) => void) {}

  onResponse(response: TransportResponse): void {
    this.resume(Effect.succeed(response))
  }

  onFailure(error: TransportError): void {
    this.resume(Effect.fail(error))
  }
}

export class CallbackRequest extends Effectable.Class<TransportResponse, TransportError> {
  constructor(private readonly start: Start, private readonly request: TransportRequest) {
    super()
  }

  begin(receiver: Receiver): Exchange {
    return this.start(this.request, receiver)
  }

  override commit(): Effect.Effect<TransportResponse, TransportError> {
    return abortable((resume) => this.begin(new Resuming(resume)))
  }
}

/** See `Transport.fromCallbacks`. */
export const fromCallbacks = (start: Start): Service => ({
  request: (request) => new CallbackRequest(start, request)
})
