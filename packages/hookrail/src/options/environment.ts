/** Where settings are read that the options leave out. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { HookrailConfigError } from "../HookrailError.js"
import { redact } from "../wire/redact.js"

/** Reads a variable by its name: `undefined` if it is not set. */
export type Environment = (name: string) => Effect.Effect<string | undefined, HookrailConfigError>

/** Reads it through the `ConfigProvider`. */
export const configured: Environment = (name) =>
  Effect.mapBoth(Config.option(Config.string(name)), {
    onFailure: (error) =>
      new HookrailConfigError({ option: name, reason: `it cannot be read: ${redact(error.message)}` }),
    onSuccess: Option.getOrUndefined
  })
