/**
 * A Hookrail server in a process, for tests and for trying things out: `startEmulator` for any program, the
 * `Emulator` namespace for Effect.
 */
export { type Emulator as RunningEmulator, startEmulator } from "./emulator.js"
export type { EndpointHandle, SubscriptionHandle } from "./emulator.js"
export { EmulatorError, EmulatorStartError } from "./errors.js"
export type {
  AnswerFaultAction,
  AnswerFaultRule,
  DatabaseState,
  DeliveryFaultAction,
  DeliveryFaultRule,
  FaultHandle,
  FaultMoment,
  FaultPoint,
  FaultRule,
  FaultSelection
} from "./faults.js"
export { renderJsonb } from "./jsonb.js"
export * as Emulator from "./layer.js"
export type { AttemptEntry, EventEntry, LedgerView, Observer, RequestEntry, RequestOutcome } from "./ledger.js"
export type {
  ApiKeyOptions,
  AttemptTimeouts,
  BackoffPolicy,
  EmulatorOptions,
  EndpointOptions,
  RateLimit,
  SubscribeOptions,
  SubscriptionSettings
} from "./options.js"
export { type SignedWebhook, signWebhook, type SignWebhookOptions } from "./signWebhook.js"
export type { AttemptStatus, DeliveryState } from "./store.js"
export { openPolicy, strictUrlPolicy, type UrlPolicy } from "./urlPolicy.js"
