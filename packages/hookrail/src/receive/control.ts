/** The two ways for a handler to end a delivery besides success and failure. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { toMillis } from "../options/duration.js"

/** Distinguishes these errors, from any copy of this package, from a user's errors with the same `_tag`. */
const TypeId = Symbol.for("hookrail/Webhooks/Outcome")

/**
 * The failure of `retryLater`.
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
 * The failure of `reject`.
 *
 * @since 0.1.0
 * @category outcomes
 */
export class Rejected extends Data.TaggedError("Rejected")<{ readonly reason: string }> {
  /** @internal */
  readonly [TypeId] = TypeId
}

/**
 * Ends a handler: the delivery cannot be handled now. Answered with 503, and with `Retry-After` if `after` is given:
 * Hookrail waits at least that long (rounded up to seconds), or for its own back-off if that is longer (protocol section
 * 4.5).
 *
 * @since 0.1.0
 * @category outcomes
 */
export const retryLater = (options?: {
  readonly after?: Duration.DurationInput | undefined
  /** For the log. */
  readonly reason?: string | undefined
}): Effect.Effect<never, RetryLater> => {
  const isObject = options === undefined || (typeof options === "object" && options !== null)
  if (!isObject || (options?.after !== undefined && toMillis(options.after) === undefined)) {
    // Without it, Hookrail would try again much sooner than was meant.
    throw new TypeError("retryLater takes a duration, such as { after: \"1 minute\" } (a number alone is milliseconds)")
  }
  return new RetryLater(options ?? {})
}

/**
 * Ends a handler: the delivery can never be handled. Answered with 422: Hookrail dead-letters it at once.
 *
 * @param reason For the log.
 * @since 0.1.0
 * @category outcomes
 */
export const reject = (reason: string): Effect.Effect<never, Rejected> => new Rejected({ reason })

const isControl = (u: unknown): u is RetryLater | Rejected =>
  typeof u === "object" && u !== null && TypeId in u && "_tag" in u

/**
 * The control value that a handler failed with or returned: these errors are effects that fail with themselves. Returning
 * one without `yield*` is an easy mistake that would lose the delivery, so it counts as a failure.
 */
export const controlOf = (exit: Exit.Exit<unknown, unknown>): RetryLater | Rejected | undefined => {
  if (Exit.isSuccess(exit)) return isControl(exit.value) ? exit.value : undefined
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  return isControl(error) ? error : undefined
}

/**
 * What a handler returned that shows that it did not succeed: an error, a `Response` with the status of an error, or an effect
 * that nobody has run. Hookrail sees none of them, and the delivery would be lost.
 */
export const returnedFault = (value: unknown): Error | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  switch (typeOf(value)) {
    case "[object Error]":
      return new Error("the handler returned an error: throw it, or fail with it", { cause: value })
    case "[object Response]":
      return (value as Response).ok
        ? undefined
        : new Error(
          `the handler returned a Response of status ${(value as Response).status}, which does not reach Hookrail: ` +
            "use reject or retryLater, or throw an error"
        )
  }
  return isBareEffect(value)
    ? new Error("the handler returned an Effect inside its Effect, which has not run: use flatMap, or yield* it")
    : undefined
}

const typeOf = (value: object): string => {
  try {
    return Object.prototype.toString.call(value)
  } catch {
    // A getter or a proxy threw.
    return ""
  }
}

/** An effect, and not one of the data types and fibers that are effects as well: those may be returned by accident. */
const isBareEffect = (value: object): boolean =>
  Effect.isEffect(value) && !Exit.isExit(value) &&
  (Object.hasOwn(value, "_op") || Object.hasOwn(value, "~effect/Effect/args"))
