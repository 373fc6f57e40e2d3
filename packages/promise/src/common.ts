/** Exports that both entry points share. */
export {
  AuthenticationError,
  AwaitTimeoutError,
  BadRequestError,
  ConflictError,
  ForbiddenError,
  HookrailAbortedError,
  HookrailClosedError,
  HookrailConfigError,
  HookrailConnectionError,
  HookrailError,
  HookrailTimeoutError,
  InvalidArgumentError,
  InvalidPayloadError,
  isHookrailError,
  isRetryable,
  NotFoundError,
  OrderingKeyHeldError,
  PayloadTooLargeError,
  RateLimitError,
  RetryError,
  ServerError,
  UnexpectedResponseError,
  UnmatchedEventError
} from "./errors.js"
export type { AdminArgument, AdminOperation, Argument, Outcome, Problem, RetryableError, Role } from "./errors.js"
export type {
  AnyEvents,
  Attempt,
  AwaitOptions,
  CloseOptions,
  Delivery,
  Dispatcher,
  Duration,
  EncodedEvent,
  EventAccepted,
  EventInput,
  Events,
  EventStatus,
  // Under a name that declarations can use: `Hookrail` of the entries is an alias, beside the class.
  Hookrail as HookrailClient,
  HookrailConstructor,
  HookrailOptions,
  Log,
  LogEntry,
  ReadOptions,
  RetryNotice,
  RetryOptions,
  SendEncodedOptions,
  SendEventsOptions,
  SendFailure,
  SendingEvents,
  SendOptions,
  SendResult,
  SendSummary,
  TransportOptions
} from "./types.js"
export {
  explainMismatch,
  MalformedSignatureError,
  SignatureError,
  SignatureTimestampError,
  verifyRequest,
  verifySignature,
  WebhookVerificationError
} from "./verify.js"
export type {
  Mistake,
  VerifiedWebhook,
  VerifyOptions,
  VerifyRequestOptions,
  VerifySignatureOptions,
  WebhookBody,
  WebhookHeaders
} from "./verify.js"
