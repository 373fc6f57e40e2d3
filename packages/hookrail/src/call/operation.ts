/** What a call does: how to read its responses, and what its errors say about it. */
import type * as Effect from "effect/Effect"
import type { Outcome, Problem, UnmatchedEventError } from "../HookrailError.js"
import type { TransportResponse } from "../transport/model.js"
import type { AttemptError, CallContext } from "./errors.js"

export interface Operation<A> {
  /** What an error says about the call, after attempts with this outcome. */
  readonly context: (outcome: Outcome) => CallContext
  /** Reads the result from a 2xx response; `undefined` if the body is not the expected one. */
  readonly read: (response: TransportResponse) => Effect.Effect<A, UnmatchedEventError> | undefined
  /** Whether an outage of the server's database may hide behind this status. */
  readonly isMasked: (status: number) => boolean
  /** What a 2xx response means whose body is beyond the limit; by default an error. */
  readonly readCut?: () => Effect.Effect<A> | undefined
  /** Whether the body of a success holds a secret. No error quotes it then. */
  readonly isSecret?: boolean
  /**
   * What an error answer with a problem document means, where it is not the usual error. `before` is the outcome of the earlier
   * attempts: one of them may be the reason for the answer, and then it is a success.
   */
  readonly answered?: (
    status: number,
    problem: Problem,
    before: Outcome,
    context: CallContext
  ) => Effect.Effect<A, AttemptError> | undefined
  /**
   * Looks whether an earlier attempt has done what the call is for. It is asked before another attempt, if the outcome is
   * unknown so far. `undefined`: it has not. `"hidden"`: it cannot be seen now, so there must be no other attempt yet.
   */
  readonly look?: (() => Effect.Effect<Effect.Effect<A, AttemptError> | "hidden" | undefined>) | undefined
}
