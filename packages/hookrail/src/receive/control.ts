/** The two ways in which a handler ends a delivery otherwise than by success or failure. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"

/** Tells ours, of whatever copy of this package, from a user's errors of the same `_tag`. */
const TypeId = Symbol.for("hookrail/Webhooks/Outcome")

/**
 * The failure that `retryLater` gives.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class RetryLater extends Data.TaggedError("RetryLater")<{
  readonly after?: Duration.DurationInput | undefined
  readonly reason?: string | undefined
}> {
  /** @internal */
  readonly [TypeId] = TypeId
}

/**
 * The failure that `reject` gives.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class Rejected extends Data.TaggedError("Rejected")<{ readonly reason: string }> {
  /** @internal */
  readonly [TypeId] = TypeId
}

/**
 * Ends a handler: the delivery cannot be handled now. Answered with 503, and `Retry-After` if `after` is given: Hookrail
 * waits at least that long (rounded up to seconds), and its own back-off if that is longer (protocol section 4.5).
 *
 * @since 0.1.0
 * @category outcomes
 */
export const retryLater = (options?: {
  readonly after?: Duration.DurationInput | undefined
  /** For the log. */
  readonly reason?: string | undefined
}): Effect.Effect<never, RetryLater> => new RetryLater(options ?? {})

/**
 * Ends a handler: the delivery can never be handled. Answered with 422: Hookrail puts it to the dead letters at once.
 *
 * @param reason For the log.
 * @since 0.1.0
 * @category outcomes
 */
export const reject = (reason: string): Effect.Effect<never, Rejected> => new Rejected({ reason })

const isControl = (u: unknown): u is RetryLater | Rejected =>
  typeof u === "object" && u !== null && TypeId in u && "_tag" in u

/**
 * The control value that a handler has failed with or returned: the errors are the effects that fail with them. To return
 * one without a `yield*` is a slip that would lose the delivery, so it counts as a failure.
 */
export const controlOf = (exit: Exit.Exit<unknown, unknown>): RetryLater | Rejected | undefined => {
  if (Exit.isSuccess(exit)) return isControl(exit.value) ? exit.value : undefined
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  return isControl(error) ? error : undefined
}
