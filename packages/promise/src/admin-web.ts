/**
 * Administers a Hookrail server from plain TypeScript, on runtimes with `fetch`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as fetchTransport from "hookrail/transport/fetch"
import { defineAdmin } from "./adminClient.js"
import type * as Types from "./adminTypes.js"
import { configError } from "./errors.js"

/**
 * An admin client of a Hookrail server.
 *
 * @since 0.1.0
 */
export const HookrailAdmin: Types.HookrailAdminConstructor = defineAdmin((_, options, fetch) =>
  options === undefined
    ? Effect.succeed({ transport: fetchTransport.make(fetch), close: () => Promise.resolve() })
    : Effect.fail(configError("transport", "is for Node: here connections are those of fetch"))
)

/**
 * @since 0.1.0
 */
export type HookrailAdmin = Types.HookrailAdmin

export * from "./adminCommon.js"
