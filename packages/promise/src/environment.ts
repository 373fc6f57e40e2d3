/** The variables of the process. Reading them through Effect's `Config` would bring in its Schema: half of the bundle. */
import * as Effect from "effect/Effect"
import type { Environment } from "hookrail/HookrailConfig"

/**
 * Looked up at each call: some workers have no `process`.
 *
 * @internal
 */
export const environment: Environment = (name) => Effect.sync(() => globalThis.process?.env?.[name])
