/** What a call does: how to read its responses, and what its errors say about it. */
import type * as Effect from "effect/Effect"
import type { Outcome, UnmatchedEventError } from "../HookrailError.js"
import type { TransportResponse } from "../transport/model.js"
import type { CallContext } from "./errors.js"

export interface Operation<A> {
  /** What an error says about the call, after attempts with this outcome. */
  readonly context: (outcome: Outcome) => CallContext
  /** Reads the result from a 2xx response; `undefined` if the body is not the expected one. */
  readonly read: (response: TransportResponse) => Effect.Effect<A, UnmatchedEventError> | undefined
  /** Whether an outage of the server's database may hide behind this status. */
  readonly isMasked: (status: number) => boolean
}
