/**
 * Hookrail on Node: the undici transport, a ready-to-use client, and webhook listeners.
 *
 * @since 0.1.0
 */
export * as NodeHookrail from "./NodeHookrail.js"
export * as NodeTransport from "./NodeTransport.js"
export * as NodeWebhooks from "./NodeWebhooks.js"
