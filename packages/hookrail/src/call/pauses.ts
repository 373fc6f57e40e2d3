/** The pauses that a `Schedule` of the program makes. The facade takes no schedules, and does not contain them. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { RetryableError } from "../HookrailError.js"

/** Ends when it is time to try once more, or fails if there is to be no further attempt. */
export type Pause<In> = (input: In) => Effect.Effect<unknown, unknown>

/** Makes the pauses of a schedule, for retries. */
export type Scheduled = (schedule: Schedule.Schedule<unknown, RetryableError>) => Effect.Effect<Pause<RetryableError>>

/** For clients whose options are no schedules: one that an untyped caller passes all the same is refused before. */
export const unscheduled: Scheduled = () => Effect.succeed(() => Effect.fail(undefined))

/** Why such a client refuses a schedule. */
export const noSchedule =
  "must be settings such as { maxRetries: 5 }, or false: only the package hookrail takes a Schedule of Effect"

export const scheduled = <In>(schedule: Schedule.Schedule<unknown, In>): Effect.Effect<Pause<In>> =>
  Effect.map(Schedule.driver(schedule), (driver) => (input: In) => driver.next(input))
