/**
 * When a failed attempt is retried, as plain data and as a `Schedule`.
 *
 * The delay is exponential with full jitter: uniform between 0 and min(cap, base * 2^n). `Retry-After` is a lower bound. The
 * policy stops when its retries or its time are used up, or when the server asks for a wait longer than the time left.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleInterval from "effect/ScheduleInterval"
import { type Backoff, nextDelay } from "./call/backoff.js"
import { monotonic } from "./fiber/time.js"
import type { HookrailError } from "./HookrailError.js"
import { HookrailConfigError, isRetryable, retryAfterOf } from "./HookrailError.js"
import { flag, wholeNumber, withDefault } from "./options/check.js"
import { positiveDuration } from "./options/duration.js"
import type { RetryOptions } from "./options/model.js"
import { checkOptions } from "./options/settings.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~hookrail/RetryPolicy"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~hookrail/RetryPolicy"

/**
 * A validated policy. Times are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryPolicy extends Backoff {
  readonly [TypeId]: TypeId
}

/**
 * The settings of a policy. All are optional.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends RetryOptions<Duration.DurationInput> {}

const checks = {
  maxRetries: withDefault(wholeNumber(0), 3),
  base: withDefault(positiveDuration, 200),
  cap: withDefault(positiveDuration, 10_000),
  maxElapsed: withDefault(positiveDuration, 60_000),
  respectRetryAfter: withDefault(flag, true)
}

/**
 * Validates the settings of a policy. Every `retry` option also accepts the bare settings.
 *
 * @example
 * import { RetryPolicy } from "hookrail"
 * import { Effect } from "effect"
 *
 * const patient = RetryPolicy.make({ maxRetries: 8, cap: "30 seconds", maxElapsed: "5 minutes" })
 *
 * Effect.runSync(patient).cap // 30000
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<RetryPolicy, HookrailConfigError> =>
  Effect.flatMap(checkOptions(options, checks, "retry."), (settings) =>
    settings.cap < settings.base
      ? new HookrailConfigError({ option: "retry.cap", reason: "must not be less than base" })
      : Effect.succeed({ [TypeId]: TypeId, ...settings }))

/**
 * @since 0.1.0
 * @category guards
 */
export const isRetryPolicy = (u: unknown): u is RetryPolicy => typeof u === "object" && u !== null && TypeId in u

/**
 * 3 retries within 1 minute, with delay ceilings from 200 milliseconds to 10 seconds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const standard: RetryPolicy = {
  [TypeId]: TypeId,
  maxRetries: 3,
  base: 200,
  cap: 10_000,
  maxElapsed: 60_000,
  respectRetryAfter: true
}

/**
 * No retries. A retryable failure is a `RetryError` with one attempt.
 *
 * @since 0.1.0
 * @category constructors
 */
export const none: RetryPolicy = { ...standard, maxRetries: 0 }

/**
 * The pauses of a policy: each ends when the next attempt may start, or fails if there is to be none. Their time counts from
 * `start`, on the monotonic clock. `onDelay` is told each delay before it begins, in milliseconds; it must not throw.
 *
 * @internal
 */
export const pauses = (
  policy: RetryPolicy,
  start: number,
  onDelay?: (error: HookrailError, delay: number) => void
): (error: HookrailError) => Effect.Effect<void, void> => {
  let progress: Progress = { retries: 0, start }
  return (error) =>
    Effect.flatMap(next(policy, error, progress), ([state, delay]) => {
      progress = state
      if (delay === undefined) return Effect.fail(undefined)
      onDelay?.(error, delay)
      return delay > 0 ? Effect.sleep(delay) : Effect.void
    })
}

interface Progress {
  readonly retries: number
  /** On the monotonic clock; unknown before the first step. */
  readonly start: number | undefined
}

/** One step of a policy: what it knows afterwards, and the delay before the next attempt, if there is to be one. */
const next = (
  policy: RetryPolicy,
  error: HookrailError,
  { retries, start }: Progress
): Effect.Effect<readonly [Progress, number | undefined]> =>
  Effect.flatMap(Random.next, (random) =>
    Effect.map(monotonic, (now) => {
      const began = start ?? now
      const floor = retryAfterOf(error)
      const delay = isRetryable(error)
        ? nextDelay(policy, {
          retries,
          elapsed: now - began,
          retryAfter: floor === undefined ? undefined : Duration.toMillis(floor),
          random
        })
        : undefined
      return [{ retries: retries + 1, start: began }, delay]
    }))

/**
 * A policy as a plain `Schedule` over the error, for any `Effect.retry`. It outputs the delay before each retry and stops at an
 * error that is not retryable. Its time counts from the first failure.
 *
 * @example
 * import { HookrailClient, RetryPolicy } from "hookrail"
 * import { Effect } from "effect"
 *
 * const status = HookrailClient.getEvent("01JXAMPLEEVENTID0000000000").pipe(
 *   Effect.retry(RetryPolicy.schedule(RetryPolicy.standard))
 * )
 *
 * @since 0.1.0
 * @category combinators
 */
export const schedule = (policy: RetryPolicy): Schedule.Schedule<Duration.Duration, HookrailError> =>
  Schedule.makeWithState({ retries: 0, start: undefined }, (wall, error: HookrailError, state: Progress) =>
    Effect.map(
      next(policy, error, state),
      // The time of a schedule is that of the wall clock. Only the difference to it counts for the next step.
      ([state, delay]) =>
        delay === undefined
          ? [state, Duration.zero, ScheduleDecision.done] as const
          : [
            state,
            Duration.millis(delay),
            ScheduleDecision.continueWith(ScheduleInterval.after(wall + delay))
          ] as const
    ))

/** The longest that `Retry-After` can hold a call that has no budget. */
const longestFloor = Duration.minutes(5)

/**
 * Makes `Retry-After` a lower bound for the delays of your own schedule. Such a schedule has no budget that would end the call
 * instead, so a response delays it by 5 minutes at most.
 *
 * @since 0.1.0
 * @category combinators
 */
export const respectRetryAfter = <Out, In extends HookrailError, R>(
  self: Schedule.Schedule<Out, In, R>
): Schedule.Schedule<Out, In, R> =>
  Schedule.identity<In>().pipe(
    Schedule.intersect(self),
    Schedule.modifyDelay(([error], delay) =>
      Duration.max(delay, Duration.min(longestFloor, retryAfterOf(error) ?? Duration.zero))
    ),
    Schedule.map(([, out]) => out)
  )
