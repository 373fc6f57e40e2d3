/**
 * The errors of administration alone: in their own file, since the other entries do not need them.
 *
 * @since 0.1.0
 */
import type { AdminOperation, ReceiverCheck, Role } from "hookrail/wire/admin"
import { type AdminTag, classes, ClientError, type ErrorClass, named, type Outcome, ResponseError } from "./errors.js"

/**
 * 403 of the admin API: the role of the token is too low for the operation.
 *
 * @since 0.1.0
 */
export class InsufficientRoleError extends ResponseError {
  declare readonly _tag: "InsufficientRoleError"
  /** The least role that the operation needs. */
  declare readonly required: Role
  /** The role of the token, if the server told it. */
  declare readonly actual?: Role | (string & {})
}

/**
 * 422 of the admin API: the URL of the endpoint fails the server's policy.
 *
 * @since 0.1.0
 */
export class UrlRejectedError extends ResponseError {
  declare readonly _tag: "UrlRejectedError"
}

/**
 * 422 of the admin API: the server does not accept a setting.
 *
 * @since 0.1.0
 */
export class UnprocessableError extends ResponseError {
  declare readonly _tag: "UnprocessableError"
}

/**
 * 410 of the admin API: the delivery has been dead for too long to be replayed.
 *
 * @since 0.1.0
 */
export class ReplayExpiredError extends ResponseError {
  declare readonly _tag: "ReplayExpiredError"
}

/**
 * A write was done, but its answer was lost, and with it the only copy of a secret. Give the endpoint another one with
 * `rotateSecret`, or revoke the token. `onLostSecret: "replace"` does so.
 *
 * @since 0.1.0
 */
export class SecretLostError extends ClientError {
  declare readonly _tag: "SecretLostError"
  declare readonly operation: AdminOperation
  declare readonly target?: string
  declare readonly outcome?: Outcome
  /** What has been made. More than one, if others were made like it at the same time. */
  declare readonly ids: ReadonlyArray<string>
}

/**
 * The receiver of an endpoint is not ready for another secret, or does not take both after it was deployed.
 *
 * @since 0.1.0
 */
export class ReceiverCheckError extends ClientError {
  declare readonly _tag: "ReceiverCheckError"
  declare readonly operation: AdminOperation
  declare readonly target?: string
  declare readonly outcome?: Outcome
  /** Whether the endpoint has its new secret by now. */
  declare readonly isRotated: boolean
  /** What is wrong with the receiver. */
  declare readonly reason: string
  /** Its answers. */
  declare readonly check: ReceiverCheck
}

const own: Record<AdminTag, ErrorClass> = {
  InsufficientRoleError,
  UrlRejectedError,
  UnprocessableError,
  ReplayExpiredError,
  SecretLostError,
  ReceiverCheckError
}

named(own)

/**
 * Each error of the core that a call of the admin client can have, and its class here.
 *
 * @internal
 */
export const adminClasses: Readonly<Record<string, ErrorClass>> = { ...classes, ...own }
