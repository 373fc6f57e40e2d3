/**
 * Hookrail for plain TypeScript on Node, over undici's connection pool.
 *
 * @since 0.1.0
 */
import * as NodeTransport from "@hookrail/node/NodeTransport"
import * as Effect from "effect/Effect"
import { define } from "./client.js"
import { environment } from "./environment.js"
import { configError } from "./errors.js"
import type * as Types from "./types.js"

/**
 * A client of a Hookrail server.
 *
 * @since 0.1.0
 */
export const Hookrail: Types.HookrailConstructor = define((config, options, fetch) =>
  fetch === undefined
    ? NodeTransport.open({ ...options, connections: options?.connections ?? config.maxInFlight }, environment)
    : Effect.fail(configError("fetch", "is not for Node: see transport"))
)

/**
 * @since 0.1.0
 */
export type Hookrail = Types.Hookrail

export * from "./common.js"
