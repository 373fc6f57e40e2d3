/**
 * Only verifies webhooks from Hookrail: no dependencies, and small enough for an edge function.
 *
 * It runs wherever there is `node:crypto` or WebCrypto. Verify the raw body, before any JSON parser: parsing and serializing
 * it again changes the bytes.
 *
 * @example
 * ```ts
 * import { verifyRequest, WebhookVerificationError } from "@hookrail/promise/verify"
 *
 * export const receive = async (request: Request): Promise<Response> => {
 *   try {
 *     const webhook = await verifyRequest({
 *       secrets: "whsec_...",
 *       headers: request.headers,
 *       body: await request.text()
 *     })
 *     console.log(`delivery ${webhook.deliveryId} on ${webhook.topic}`)
 *     return new Response(null, { status: 204 })
 *   } catch (error) {
 *     // Hookrail gives up after most 4xx answers. After a 503 it tries again, in case the secret is being rotated.
 *     return new Response(null, { status: error instanceof WebhookVerificationError ? 503 : 500 })
 *   }
 * }
 * ```
 *
 * @since 0.1.0
 */
import { isTolerance, millisOf, toleranceReason } from "hookrail/options/tolerance"
import {
  cachedKey,
  defaultToleranceSeconds,
  isSecret,
  parseSignature,
  readHeaders,
  verify
} from "hookrail/signature/kernel"
import { advice, findMistake } from "hookrail/signature/mistakes"
import type { Mistake, VerifiedWebhook, WebhookBody, WebhookHeaders } from "hookrail/signature/model"
import type { Duration } from "./types.js"

// ---------------------------------------------------------------------------------------------------------------
// errors
// ---------------------------------------------------------------------------------------------------------------

/** What the three errors of verification have. */
abstract class VerificationError extends Error {
  /** The name of the class. */
  abstract readonly _tag: string
  constructor(tag: string, message: string, fields: object) {
    // First, because the stack takes its first line from it; on the prototype, as in JavaScript's own errors.
    new.target.prototype.name = tag
    super(message)
    Object.assign(this, { _tag: tag }, fields)
  }
}

/**
 * The signature was made with none of the secrets, or the body or delivery id differs from what was signed.
 *
 * @since 0.1.0
 * @category errors
 */
export class SignatureError extends VerificationError {
  declare readonly _tag: "SignatureError"
  declare readonly reason: string
  constructor(fields: { readonly reason: string }) {
    super("SignatureError", `webhook signature does not match: ${fields.reason}`, fields)
  }
}

/**
 * The signature was made too long ago, or in the future.
 *
 * @since 0.1.0
 * @category errors
 */
export class SignatureTimestampError extends VerificationError {
  declare readonly _tag: "SignatureTimestampError"
  /** The age of the signature in seconds; negative if it is in the future. */
  declare readonly ageSeconds: number
  declare readonly toleranceSeconds: number
  constructor(fields: { readonly ageSeconds: number; readonly toleranceSeconds: number }) {
    const { ageSeconds, toleranceSeconds } = fields
    const where = `${Math.abs(ageSeconds)} s ${ageSeconds < 0 ? "in the future" : "old"}`
    super(
      "SignatureTimestampError",
      `webhook signature is ${where}, tolerated are ${toleranceSeconds} s: check this machine's clock`,
      fields
    )
  }
}

/**
 * The request carries no usable Hookrail signature: a header is missing or not in the form `t=...,v1=...`.
 *
 * @since 0.1.0
 * @category errors
 */
export class MalformedSignatureError extends VerificationError {
  declare readonly _tag: "MalformedSignatureError"
  declare readonly reason: string
  constructor(fields: { readonly reason: string }) {
    super("MalformedSignatureError", `not a signed Hookrail webhook: ${fields.reason}`, fields)
  }
}

/**
 * Why a request is not verified. It is a union: `switch (error._tag)` narrows it.
 *
 * @since 0.1.0
 * @category errors
 */
export type WebhookVerificationError = SignatureError | SignatureTimestampError | MalformedSignatureError

/**
 * The base class of the three, for `instanceof`.
 *
 * @since 0.1.0
 * @category errors
 */
// Under the type of the union, as `HookrailError` is.
export const WebhookVerificationError = VerificationError as unknown as abstract new(
  ...args: Array<never>
) => WebhookVerificationError

// ---------------------------------------------------------------------------------------------------------------
// models
// ---------------------------------------------------------------------------------------------------------------

export type { Mistake, VerifiedWebhook, WebhookBody, WebhookHeaders }

/**
 * The options of both functions.
 *
 * @since 0.1.0
 * @category models
 */
export interface VerifyOptions {
  /**
   * The secret of the endpoint, including its `whsec_`. During a rotation, the new and the old one: Hookrail signs with one
   * secret and replaces it at once (protocol section 4.6).
   */
  readonly secrets: string | ReadonlyArray<string>
  /** The raw body, as received. */
  readonly body: WebhookBody
  /**
   * How far the time of the signature may be from `now`, inclusive: a text such as `"5 minutes"`, or milliseconds. A number
   * below a second is refused, because it is certainly meant in seconds. Default: 5 minutes.
   */
  readonly tolerance?: Duration | undefined
  /** The current time: a `Date`, or milliseconds since 1970. Default: the clock of this machine. */
  readonly now?: Date | number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface VerifySignatureOptions extends VerifyOptions {
  /** The value of `hookrail-signature`. */
  readonly signature: string
  /** The value of `hookrail-delivery-id`. */
  readonly deliveryId: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface VerifyRequestOptions extends VerifyOptions {
  readonly headers: WebhookHeaders
}

// ---------------------------------------------------------------------------------------------------------------
// verification
// ---------------------------------------------------------------------------------------------------------------

const run = async (
  // eslint-disable-next-line no-restricted-properties -- There is no Effect here, and so no Clock.
  { body, now = Date.now(), secrets, tolerance = defaultToleranceSeconds * 1000 }: VerifyOptions,
  headers: Parameters<typeof verify>[1]
): Promise<VerifiedWebhook> => {
  const list = Array.isArray(secrets) ? secrets : [secrets]
  const millis = millisOf(tolerance)
  if (!(list.length && list.every(isSecret))) {
    throw new TypeError("secrets: give at least one, of 16 bytes or more, without white space or quotes around it")
  }
  if (!isTolerance(millis)) throw new TypeError(`tolerance ${toleranceReason}`)
  let verdict = verify(list.map(cachedKey), headers, body, Number(now), millis)
  // Awaiting an available verdict would cost a microtask turn.
  if ("then" in verdict) verdict = await verdict
  if (verdict.ok) return verdict.webhook as VerifiedWebhook
  throw verdict.reason === "timestamp"
    ? new SignatureTimestampError(verdict.fields)
    : new (verdict.reason === "mismatch" ? SignatureError : MalformedSignatureError)(verdict.fields)
}

/**
 * Verifies a signature over a delivery id and a raw body.
 *
 * Rejects with `MalformedSignatureError` if there is no usable signature, `SignatureTimestampError` if it is too old or
 * from the future, `SignatureError` if none of the secrets made it; and with a `TypeError` for invalid secrets or an invalid
 * tolerance.
 *
 * @since 0.1.0
 * @category verification
 */
export const verifySignature = (options: VerifySignatureOptions): Promise<VerifiedWebhook> =>
  run(options, { signature: options.signature, deliveryId: options.deliveryId })

/**
 * Verifies a request by its headers and raw body. Rejects as `verifySignature` does; a missing header is a
 * `MalformedSignatureError` that names it.
 *
 * @since 0.1.0
 * @category verification
 */
export const verifyRequest = async (options: VerifyRequestOptions): Promise<VerifiedWebhook> =>
  run(options, readHeaders(options.headers))

/**
 * Finds out why a genuine signature does not match, after a `SignatureError`: whether the body was parsed before, the secret has
 * lost its `whsec_`, and the like. Resolves to `undefined` if it is none of the common mistakes.
 *
 * For the log. It takes several MACs, so do not call it for each forgery that somebody may send. `verifyRequest` does not
 * call it, and a bundler leaves it out of programs that do not either. It needs WebCrypto, and examines bodies of up to 64 KB.
 *
 * @since 0.1.0
 * @category verification
 */
export const explainMismatch = async (
  options: VerifySignatureOptions | VerifyRequestOptions
): Promise<{ readonly mistake: Mistake; readonly advice: string } | undefined> => {
  const { body, secrets } = options
  const { deliveryId = "", signature = "" } = "headers" in options ? readHeaders(options.headers) : options
  const mac = new Uint8Array(32)
  const timestamp = parseSignature(signature, mac)
  if (timestamp < 0) return undefined
  const mistake = await findMistake({
    secrets: [secrets].flat(),
    timestamp,
    mac,
    deliveryId,
    body: body instanceof ArrayBuffer ? new Uint8Array(body) : body
  })
  return mistake && { mistake, advice: advice[mistake] }
}
