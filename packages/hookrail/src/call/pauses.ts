/** The pauses that a `Schedule` of the program makes. The facade takes no schedules, and does not contain them. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/** Ends when it is time to try once more, or fails if there is to be no further attempt. */
export type Pause<In> = (input: In) => Effect.Effect<unknown, unknown>

export const scheduled = <In>(schedule: Schedule.Schedule<unknown, In>): Effect.Effect<Pause<In>> =>
  Effect.map(Schedule.driver(schedule), (driver) => (input: In) => driver.next(input))
