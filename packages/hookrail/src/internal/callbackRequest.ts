/**
 * A request of a transport that works by callbacks: as good an effect as any, but who knows it can run it in fewer steps
 * within a region of its own.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type { Exchange, Receiver, Start, TransportRequest, TransportResponse } from "../Transport.js"
import type { TransportError } from "./transportError.js"

type Resume = (exit: Effect.Effect<TransportResponse, TransportError>) => void

/** Hands what comes back to the fiber that waits for it. */
class Resuming implements Receiver {
  constructor(private readonly resume: Resume) {}

  onResponse(response: TransportResponse): void {
    this.resume(Effect.succeed(response))
  }

  onFailure(error: TransportError): void {
    this.resume(Effect.fail(error))
  }
}

/** Lets a fiber that cannot be interrupted be so again for an effect, as `Effect.uninterruptibleMask` gives it. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export class CallbackRequest extends Effectable.Class<TransportResponse, TransportError> {
  constructor(private readonly start: Start, private readonly request: TransportRequest) {
    super()
  }

  override commit(): Effect.Effect<TransportResponse, TransportError> {
    return Effect.uninterruptibleMask((restore) => this.match(restore, Effect.failCause, Effect.succeed))
  }

  /**
   * What `Effect.async` with a finalizer does, in half the steps: this runs for every request, and a successful one needs
   * none of the finalizer's machinery. To be called where the fiber cannot be interrupted, `restore` lets it be.
   */
  match<A, E>(
    restore: Restore,
    onFailure: (cause: Cause.Cause<TransportError>) => Effect.Effect<A, E>,
    onSuccess: (response: TransportResponse) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    let exchange: Exchange | undefined
    return Effect.matchCauseEffect(
      restore(Effect.async<TransportResponse, TransportError>((resume) => {
        exchange = this.start(this.request, new Resuming(resume))
      })),
      {
        onFailure: (cause) => {
          exchange?.abort()
          return onFailure(cause)
        },
        onSuccess
      }
    )
  }
}

/** `Effect.matchCauseEffect` of a restored effect, within a region that cannot be interrupted. */
export const matchRestored = <A, E, R, B, E2>(
  effect: Effect.Effect<A, E, R>,
  restore: Restore,
  onFailure: (cause: Cause.Cause<E>) => Effect.Effect<B, E2>,
  onSuccess: (value: A) => Effect.Effect<B, E2>
): Effect.Effect<B, E2, R> =>
  effect instanceof CallbackRequest
    ? (effect as CallbackRequest).match(restore, onFailure as never, onSuccess as never)
    : Effect.matchCauseEffect(restore(effect), { onFailure, onSuccess })
