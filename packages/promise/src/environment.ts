/** The variables of the process. Reading them through Effect's `Config` would bring in its Schema: half of the bundle. */
import * as Effect from "effect/Effect"
import type { Environment } from "hookrail/HookrailConfig"

/** Workers have no `process`, and one that is not there yet when a module is loaded. */
export const environment: Environment = (name) => Effect.sync(() => globalThis.process?.env?.[name])
