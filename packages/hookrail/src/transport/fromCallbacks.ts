import { type Abortable, Callback, type Listener } from "../fiber/callback.js"
import type { TransportError } from "./error.js"
import type { TransportRequest, TransportResponse } from "./model.js"
import type { Service, Start } from "./service.js"

class CallbackRequest extends Callback<TransportResponse, TransportError> {
  constructor(private readonly start: Start, private readonly request: TransportRequest) {
    super()
  }

  begin(listener: Listener<TransportResponse, TransportError>): Abortable {
    return this.start(this.request, listener)
  }
}

/** See `Transport.fromCallbacks`. */
export const fromCallbacks = (start: Start): Service => ({
  request: (request) => new CallbackRequest(start, request)
})
