/** The words of the admin API that errors need too (protocol section 5). */

/**
 * What an admin token may do: a viewer reads, an operator also replays and skips deliveries, an admin does everything (protocol
 * section 3).
 *
 * @since 0.1.0
 * @category models
 */
export type Role = "viewer" | "operator" | "admin"

/**
 * An operation of the admin API, by the name of its method.
 *
 * @since 0.1.0
 * @category models
 */
export type AdminOperation =
  | "endpoints.create"
  | "endpoints.list"
  | "endpoints.get"
  | "endpoints.update"
  | "endpoints.delete"
  | "endpoints.rotateSecret"
  | "subscriptions.create"
  | "subscriptions.list"
  | "subscriptions.get"
  | "subscriptions.update"
  | "subscriptions.delete"
  | "deliveries.list"
  | "deliveries.get"
  | "deliveries.skip"
  | "deliveries.replay"
  | "deadLetters.list"
  | "orderedKeys.list"
  | "tokens.create"
  | "tokens.list"
  | "tokens.revoke"
  | "whoami"
  | "ensureSubscription"
  | "replayAll"
  | "checkReceiver"
  | "rotateWithReceiver"

/**
 * Which argument of an admin call an `InvalidArgumentError` is about.
 *
 * @since 0.1.0
 * @category models
 */
export type AdminArgument =
  | "id"
  | "input"
  | "filter"
  | "url"
  | "description"
  | "topic"
  | "endpointId"
  | "eventId"
  | "maxAttempts"
  | "rateLimitRps"
  | "backoffPolicy"
  | "ordered"
  | "active"
  | "role"
  | "label"
  | "cursor"
  | "limit"
  | "pageSize"
  | "includeDeleted"
  | "state"
  | "since"
  | "until"
  | "replayed"
  | "rate"
  | "concurrency"
  | "dryRun"
  | "where"
  | "onLostSecret"
  | "secrets"
  | "current"
  | "deploy"
  | "payload"
  | "pause"

/**
 * How a receiver answered one request.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReceiverAnswer {
  /** `undefined`: there was none. */
  readonly status: number | undefined
  /** Why there was none. */
  readonly failure?: string | undefined
}

/**
 * What a receiver does with requests signed with secrets, and with one that nobody signed.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReceiverCheck {
  /** One for each secret, in their order. */
  readonly answers: ReadonlyArray<ReceiverAnswer & { readonly isTaken: boolean }>
  /** Its answer to a signature with a secret that nobody has. */
  readonly forged: ReceiverAnswer
  /** It takes all of the secrets. */
  readonly takesAll: boolean
  /** It refuses what is forged, with a status after which Hookrail tries again: nothing is lost while it has the wrong secret. */
  readonly isPatient: boolean
  /** What is wrong, in words. */
  readonly problem?: string | undefined
}

/** What is known about an operation after it failed, as a sentence after a blank. */
export const adminVerdictOf = (operation: string, outcome: string | undefined): string => {
  switch (outcome) {
    case "not-sent":
    case "refused":
      return " Nothing was changed."
    case "unknown":
      return ` It may have been done: ${
        operation.endsWith(".create") ? "look at the list before you repeat it" : "repeating it is safe"
      }.`
    default:
      return ""
  }
}
