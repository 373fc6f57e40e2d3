/** What a call is about: how its answers are read, and what its errors say of it. */
import type * as Effect from "effect/Effect"
import type { Outcome, UnmatchedEventError } from "../HookrailError.js"
import type { TransportResponse } from "../transport/model.js"
import type { CallContext } from "./errors.js"

export interface Operation<A> {
  /** What an error says of the call, after attempts that leave this open. */
  readonly context: (outcome: Outcome) => CallContext
  /** The result in a 2xx answer, and what becomes of it; `undefined` if it is not in there. */
  readonly read: (response: TransportResponse) => Effect.Effect<A, UnmatchedEventError> | undefined
  /** The statuses that an outage of the server's database hides behind. */
  readonly isMasked: (status: number) => boolean
}
