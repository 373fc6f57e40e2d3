/** Checks of options: what is wrong with one is thrown where it is found, and becomes the error of an effect here. */
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
