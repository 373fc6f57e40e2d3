/**
 * Administers a Hookrail server from plain TypeScript, on Node, over undici's connection pool.
 *
 * @example
 * ```ts
 * import { HookrailAdmin } from "@hookrail/promise/admin"
 *
 * const admin = new HookrailAdmin() // HOOKRAIL_ADMIN_TOKEN, HOOKRAIL_ADMIN_URL
 * const { id, secret } = await admin.endpoints.create({ url: "https://shop.example.com/webhooks" })
 * await admin.subscriptions.create({ topic: "orders.*", endpointId: id })
 * console.log(secret.reveal()) // shown once: keep it
 *
 * for await (const { deliveryId, finalError } of admin.deadLetters.list({ replayed: false })) {
 *   if (finalError === "timeout") await admin.deadLetters.replay(deliveryId)
 * }
 * await admin.close()
 * ```
 *
 * @since 0.1.0
 */
import * as NodeTransport from "@hookrail/node/NodeTransport"
import * as Effect from "effect/Effect"
import { defineAdmin } from "./adminClient.js"
import type * as Types from "./adminTypes.js"
import { environment } from "./environment.js"
import { configError } from "./errors.js"

/**
 * An admin client of a Hookrail server.
 *
 * @since 0.1.0
 */
export const HookrailAdmin: Types.HookrailAdminConstructor = defineAdmin((config, options, fetch) =>
  fetch === undefined
    ? NodeTransport.open(options, environment, config.maxInFlight)
    : Effect.fail(
      configError("fetch", "is not for Node: there it is a dispatcher of undici, as transport: { dispatcher }")
    )
)

/**
 * @since 0.1.0
 */
export type HookrailAdmin = Types.HookrailAdmin

export * from "./adminCommon.js"
