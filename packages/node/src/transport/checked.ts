/** Checks of options throw a `HookrailConfigError` where they find it; `checked` turns it into the error of an effect. */
import * as Effect from "effect/Effect"
import { HookrailConfigError } from "hookrail/HookrailError"

export const wrong = (option: string, reason: string): HookrailConfigError =>
  new HookrailConfigError({ option, reason })

export const checked = <A>(make: () => A): Effect.Effect<A, HookrailConfigError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(make())
    } catch (error) {
      return error instanceof HookrailConfigError ? Effect.fail(error) : Effect.die(error)
    }
  })
