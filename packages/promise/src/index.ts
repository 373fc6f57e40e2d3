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
    ? NodeTransport.open(options, environment, config.maxInFlight)
    : Effect.fail(
      configError("fetch", "is not for Node: there it is a dispatcher of undici, as transport: { dispatcher }")
    ), NodeTransport.optionNames)

/**
 * `Sent`: the payloads of its catalogue, by topic.
 *
 * @since 0.1.0
 */
export type Hookrail<Sent extends object = Types.AnyEvents> = Types.Hookrail<Sent>

export * from "./common.js"
