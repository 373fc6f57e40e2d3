/**
 * A Hookrail server in a process, for tests and for trying things out. Needs nothing but Node; the layer for Effect is in
 * `@hookrail/emulator/effect`.
 *
 * @since 0.1.0
 */
export { openPolicy, strictUrlPolicy, type UrlPolicy } from "./base/urlPolicy.js"
export type { VerifyView } from "./control/calls.js"
export type { Diagnosis } from "./control/diagnosis.js"
export type { Listing } from "./control/filter.js"
export type { SendView } from "./control/send.js"
export type { EndpointState, State as PageState, SubscriptionState } from "./control/state.js"
export type {
  AttemptView,
  BytesView,
  DeliverySummary,
  DeliveryView,
  EventSummary,
  EventView,
  SentView,
  SignatureView
} from "./control/views.js"
export {
  type Emulator as RunningEmulator,
  type EndpointHandle,
  startEmulator,
  type SubscriptionHandle
} from "./emulator.js"
export { EmulatorError, EmulatorStartError } from "./errors.js"
export type {
  ActiveFault,
  AnswerFaultAction,
  AnswerFaultRule,
  DeliveryFaultAction,
  DeliveryFaultRule,
  FaultHandle,
  FaultMoment,
  FaultPoint,
  FaultRule,
  FaultSelection
} from "./faults.js"
export { renderJsonb } from "./json/jsonb.js"
export type {
  AttemptEntry,
  AttemptStatus,
  BackoffPolicy,
  DatabaseState,
  DeliveryState,
  EventEntry,
  LedgerView,
  Observer,
  RateLimit,
  RequestEntry,
  RequestOutcome,
  SubscriptionSettings
} from "./model.js"
export type {
  ApiKeyOptions,
  AttemptTimeouts,
  EmulatorOptions,
  EndpointOptions,
  PageOptions,
  SubscribeOptions
} from "./options/options.js"
export {
  type AnyPayloads,
  type SignedWebhook,
  signWebhook,
  type SignWebhookOptions,
  type WebhookCatalogue
} from "./signWebhook.js"
