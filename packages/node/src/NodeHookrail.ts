/**
 * A ready-to-use Hookrail client for Node.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HookrailAdmin from "hookrail/HookrailAdmin"
import * as HookrailClient from "hookrail/HookrailClient"
import * as HookrailConfig from "hookrail/HookrailConfig"
import type { HookrailConfigError } from "hookrail/HookrailError"
import * as NodeTransport from "./NodeTransport.js"

/**
 * The options of the client and of its transport. `connections` defaults to `maxInFlight`, unless there is a `dispatcher`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends HookrailConfig.Options {
  readonly transport?: NodeTransport.Options | undefined
}

/**
 * The client on the undici transport. The API key and base URL default to `HOOKRAIL_API_KEY` and `HOOKRAIL_BASE_URL`.
 *
 * @example
 * import { NodeHookrail } from "@hookrail/node"
 * import { Effect } from "effect"
 * import { HookrailClient } from "hookrail"
 *
 * HookrailClient.sendEvent("orders.created", { order_id: "o_1", total: 4200 }).pipe(
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
  HookrailClient.layer(options).pipe(
    Layer.provide(NodeTransport.layerFor(transport, connectionsFor(options.maxInFlight)))
  )

/** The client reports an invalid `maxInFlight`, under that name. */
const connectionsFor = (maxInFlight: number | undefined): number | undefined =>
  Number.isSafeInteger(maxInFlight) && maxInFlight! > 0 ? maxInFlight : undefined

/**
 * The same client, with options that are `Config`s.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  { transport, ...options }: HookrailConfig.ConfigOptions & Pick<Options, "transport">
): Layer.Layer<HookrailClient.HookrailClient, ConfigError.ConfigError | HookrailConfigError> =>
  Layer.unwrapEffect(Effect.map(HookrailConfig.fromConfig(options), (options) => layer({ ...options, transport })))

/**
 * The options of the admin client and of its transport.
 *
 * @since 0.1.0
 * @category models
 */
export interface AdminOptions extends HookrailConfig.AdminOptions {
  readonly transport?: NodeTransport.Options | undefined
}

/**
 * The admin client on the undici transport. Token and base URL default to `HOOKRAIL_ADMIN_TOKEN` and `HOOKRAIL_ADMIN_URL`.
 *
 * @example
 * import { NodeHookrail } from "@hookrail/node"
 * import { Effect } from "effect"
 * import { HookrailAdmin } from "hookrail"
 *
 * HookrailAdmin.ensureSubscription({ topic: "orders.*", url: "https://shop.example.com/webhooks" }).pipe(
 *   Effect.provide(NodeHookrail.layerAdmin()),
 *   Effect.runPromise
 * )
 *
 * @since 0.1.0
 * @category layers
 */
export const layerAdmin = (
  { transport, ...options }: AdminOptions = {}
): Layer.Layer<HookrailAdmin.HookrailAdmin, HookrailConfigError> =>
  HookrailAdmin.layer(options).pipe(
    Layer.provide(NodeTransport.layerFor(transport, connectionsFor(options.maxInFlight)))
  )
