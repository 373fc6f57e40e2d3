/** Options as a service is built with them. */
import * as Effect from "effect/Effect"
import { HookrailConfigError } from "../HookrailError.js"
import { type Checked, type Checks, Fault, readOptions } from "./check.js"

/**
 * The options of a service, each checked, and defaults in the place of those that were left out. A name that no option
 * has fails too.
 *
 * @example
 * import { HookrailConfig } from "hookrail"
 * import { Effect } from "effect"
 *
 * interface Options {
 *   readonly connections?: number | undefined
 *   readonly idleTimeout?: string | number | undefined
 * }
 *
 * // { connections: 8, idleTimeout: 30000 }; a `HookrailConfigError` for `{ conections: 8 }`
 * const settings = HookrailConfig.checkOptions({ connections: 8 } as Options, {
 *   connections: HookrailConfig.withDefault(HookrailConfig.wholeNumber(), 64),
 *   idleTimeout: HookrailConfig.withDefault(HookrailConfig.duration(), 30_000)
 * })
 *
 * Effect.runSync(settings).connections // 8
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
