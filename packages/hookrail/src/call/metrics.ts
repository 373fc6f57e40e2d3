/** Who watches calls. The facade has nobody, and does not contain the code. */
import type { Clock } from "effect/Clock"
import type * as Effect from "effect/Effect"
import type { UnmatchedEventError } from "../HookrailError.js"
import type { Outcome } from "../wire/model.js"
import type { AttemptError } from "./errors.js"

/** A call, as it is watched. */
export interface Watched {
  readonly kind: "send" | "read" | "look"
  readonly attempts: number
  readonly outcome: Outcome
  readonly isPending: boolean
  /** On the monotonic clock. */
  readonly start: number
  readonly clock: Clock
}

export interface CallMetrics {
  /** An attempt has ended: `accepted`, or what is known about the event. */
  readonly attempted: (call: Watched, outcome: string) => void
  /** A call has ended: `accepted`, `interrupted` or the tag of its error; and what is known about the event. */
  readonly ended: (call: Watched, result: string, outcome: string) => void
  /** Runs the rest of a call, and counts how it ends. */
  readonly measured: <A, E extends { readonly _tag: string }>(
    call: Watched,
    rest: Effect.Effect<A, E>
  ) => Effect.Effect<A, E>
  /** Reports a failed attempt: to the log, at level debug, and to the span of the call. */
  readonly failed: (call: Watched, error: AttemptError | UnmatchedEventError) => Effect.Effect<void>
}
