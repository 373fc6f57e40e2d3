/**
 * A Hookrail client that is ready to use on Node.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Layer from "effect/Layer"
import * as HookrailClient from "hookrail/HookrailClient"
import type * as HookrailConfig from "hookrail/HookrailConfig"
import type { HookrailConfigError } from "hookrail/HookrailError"
import * as NodeTransport from "./NodeTransport.js"

/**
 * The options of the client, and those of its transport.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends HookrailConfig.Options {
  readonly transport?: NodeTransport.Options | undefined
}

/**
 * The client on the undici transport. What the options leave out comes from `HOOKRAIL_API_KEY` and `HOOKRAIL_BASE_URL`.
 *
 * @example
 * import { NodeHookrail } from "@hookrail/node"
 * import { Effect } from "effect"
 * import { HookrailClient } from "hookrail"
 *
 * HookrailClient.sendEvent("orders.created", { order_id: "o_1", amount: 4200 }).pipe(
 *   Effect.provide(NodeHookrail.layer()),
 *   Effect.runPromise
 * )
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  { transport, ...options }: Options = {}
): Layer.Layer<HookrailClient.HookrailClient, HookrailConfigError> =>
  HookrailClient.layer(options).pipe(Layer.provide(NodeTransport.layer(transport)))

/**
 * The same, with options that are `Config`s.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  { transport, ...options }: HookrailConfig.ConfigOptions & Pick<Options, "transport">
): Layer.Layer<HookrailClient.HookrailClient, ConfigError.ConfigError | HookrailConfigError> =>
  HookrailClient.layerConfig(options).pipe(Layer.provide(NodeTransport.layer(transport)))
