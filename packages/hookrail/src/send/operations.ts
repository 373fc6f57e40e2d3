/**
 * The operations of a client: sending an event, and reading its status.
 *
 * These are classes on purpose, like every object that lives from the start of a request to its answer. V8 learns early that the
 * objects of a literal survive, and from then on allocates them in the old generation. There, each dead object keeps everything
 * it refers to until the next full collection: that doubled the work of the garbage collector.
 */
import * as Effect from "effect/Effect"
import type { Address } from "../call/advice.js"
import { type CallContext, withAddress } from "../call/errors.js"
import type { Operation } from "../call/operation.js"
import type { Outcome, UnmatchedEventError } from "../HookrailError.js"
import type { TransportResponse } from "../transport/model.js"
import { acceptedBody, statusBody } from "../wire/decode.js"
import type { EventAccepted, EventStatus } from "../wire/model.js"

/** Decides how to report an event that the server has stored. */
interface Acceptance {
  readonly address: Address
  readonly accepted: (topic: string, accepted: EventAccepted) => Effect.Effect<EventAccepted, UnmatchedEventError>
}

export class SendOperation implements Operation<EventAccepted> {
  constructor(
    private readonly topic: string,
    private readonly idempotencyKey: string,
    private readonly acceptance: Acceptance
  ) {}

  context(outcome: Outcome): CallContext {
    return withAddress({ topic: this.topic, idempotencyKey: this.idempotencyKey, outcome }, this.acceptance.address)
  }

  read(response: TransportResponse): Effect.Effect<EventAccepted, UnmatchedEventError> | undefined {
    const accepted = acceptedBody(response.body)
    if (accepted === undefined) return undefined
    // The same object, with two more members. Not a class, since callers compare it with literals.
    const result = accepted as { -readonly [K in keyof EventAccepted]: EventAccepted[K] }
    result.replayed = response.header("idempotent-replay") === "true"
    result.idempotencyKey = this.idempotencyKey
    return this.acceptance.accepted(this.topic, result)
  }

  isMasked(status: number): boolean {
    return status === 401
  }
}

export class ReadOperation implements Operation<EventStatus> {
  constructor(private readonly eventId: string, private readonly address: Address) {}

  /** Without an outcome: a read changes nothing. */
  context(): CallContext {
    return withAddress({ eventId: this.eventId }, this.address)
  }

  read(response: TransportResponse): Effect.Effect<EventStatus> | undefined {
    const status = statusBody(response.body)
    return status === undefined ? undefined : Effect.succeed(status)
  }

  isMasked(status: number): boolean {
    return status === 401 || status === 404
  }
}
