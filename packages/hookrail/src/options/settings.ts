/** Options as a service is built with them. */
import * as Effect from "effect/Effect"
import { HookrailConfigError } from "../HookrailError.js"
import { type Checked, type Checks, Fault, readOptions } from "./check.js"

/**
 * The options of a service, each checked, and defaults in the place of those that were left out. A name that no option
 * has fails too.
 *
 * @param prefix What the options are of, in errors: `retry.`, say.
 * @since 0.1.0
 * @category options
 */
export const checkOptions = <Options extends object, const C extends Checks<Options>>(
  options: Options,
  checks: C,
  prefix: string = ""
): Effect.Effect<Checked<C>, HookrailConfigError> =>
  Effect.suspend(() => {
    const values = readOptions(options, checks)
    return values instanceof Fault
      ? new HookrailConfigError({ option: prefix + values.option, reason: values.reason })
      : Effect.succeed(values)
  })
