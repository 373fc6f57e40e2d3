/** Checks of the options that a service is built with. */
import * as Effect from "effect/Effect"
import { HookrailConfigError } from "../HookrailError.js"
import { type Checked, type Checks, Fault, readOptions } from "./check.js"

/**
 * Checks the options of a service and fills in the defaults. An option that does not exist fails too.
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
 * @param prefix Put before the names of options in errors, such as `retry.`.
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
