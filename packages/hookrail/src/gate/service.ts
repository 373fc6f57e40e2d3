/** The service of a gate, shared by `SendGate` and this room. */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { Overload, Stats, Turn } from "./model.js"

/**
 * A request got no turn before the budget of its call ended.
 *
 * @since 0.1.0
 * @category errors
 */
export class GateTimeoutError extends Data.TaggedError("GateTimeoutError")<{
  /** The overload that slowed the gate down: 429 or 503. */
  readonly status: number
}> {
  override get message(): string {
    return `the request has missed its turn: the client slows down because of answers with ${this.status}`
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Runs a request when its turn has come. `overloadOf` identifies the answers that slow the gate down. */
  readonly run: <A, E, R>(
    request: Effect.Effect<A, E, R>,
    turn: Turn,
    overloadOf: (answer: A) => Overload | undefined
  ) => Effect.Effect<A, E | GateTimeoutError, R>
  readonly stats: Effect.Effect<Stats>
}
