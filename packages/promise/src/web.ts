/**
 * Hookrail for plain TypeScript on runtimes with `fetch`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as fetchTransport from "hookrail/transport/fetch"
import { define } from "./client.js"
import { configError } from "./errors.js"
import type * as Types from "./types.js"

/**
 * A client of a Hookrail server.
 *
 * @since 0.1.0
 */
export const Hookrail: Types.HookrailConstructor = define((_, options, fetch) =>
  options === undefined
    ? Effect.succeed({ transport: fetchTransport.make(fetch), close: () => Promise.resolve() })
    : Effect.fail(configError("transport", "is for Node: here connections are those of fetch"))
)

/**
 * `Sent`: the payloads of its catalogue, by topic.
 *
 * @since 0.1.0
 */
export type Hookrail<Sent extends object = Types.AnyEvents> = Types.Hookrail<Sent>

export * from "./common.js"
