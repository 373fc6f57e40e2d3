/**
 * Effect client for Hookrail, a self-hosted webhook delivery server.
 *
 * @since 0.1.0
 */
export * as Delivery from "./Delivery.js"
export * as DeliveryLog from "./DeliveryLog.js"
export * as Event from "./Event.js"
export * as HookrailAdmin from "./HookrailAdmin.js"
export * as HookrailClient from "./HookrailClient.js"
export * as HookrailConfig from "./HookrailConfig.js"
export * as HookrailError from "./HookrailError.js"
export * as IdempotencyKeys from "./IdempotencyKeys.js"
export * as RetryPolicy from "./RetryPolicy.js"
export * as SendGate from "./SendGate.js"
export * as SignatureVerifier from "./SignatureVerifier.js"
export * as Topic from "./Topic.js"
export * as Transport from "./Transport.js"
export * as Webhooks from "./Webhooks.js"
