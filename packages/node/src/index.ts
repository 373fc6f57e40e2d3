/**
 * Hookrail on Node: the undici transport, and a client ready to use.
 *
 * @since 0.1.0
 */
export * as NodeHookrail from "./NodeHookrail.js"
export * as NodeTransport from "./NodeTransport.js"
export * as NodeWebhooks from "./NodeWebhooks.js"
