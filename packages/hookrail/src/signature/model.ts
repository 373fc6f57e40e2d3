/** The inputs and results of verification, as plain data. */

/**
 * A mistake that keeps a genuine signature from matching.
 *
 * - `"body-empty"`, `"body-parsed"`, `"body-base64"`, `"body-compressed"`, `"body-encoding"`, `"body-trimmed"`: the body
 *   differs from the bytes received; something read, parsed, encoded or changed it.
 * - `"secret-prefix"`: the secret lacks its `whsec_`, or has it twice.
 * - `"secret-decoded"`: signed with a secret that was decoded first, as Standard Webhooks does.
 * - `"secret-other"`: the body is as Hookrail writes it, so the secret belongs to another endpoint, or is no longer in use.
 *
 * @since 0.1.0
 * @category models
 */
export type Mistake =
  | "body-empty"
  | "body-parsed"
  | "body-base64"
  | "body-compressed"
  | "body-encoding"
  | "body-trimmed"
  | "secret-prefix"
  | "secret-decoded"
  | "secret-other"

/**
 * The raw body of a request, as received. A string stands for its UTF-8.
 *
 * @since 0.1.0
 * @category models
 */
export type WebhookBody = string | Uint8Array | ArrayBuffer

/**
 * Headers of a request: `Headers` of fetch, `req.headers` of Node, `Headers` of `@effect/platform`, or a record. Names are
 * case-insensitive.
 *
 * @since 0.1.0
 * @category models
 */
export type WebhookHeaders =
  | { readonly get: (name: string) => string | null | undefined }
  | { readonly [name: string]: string | ReadonlyArray<string> | undefined }

/**
 * The input of a verification.
 *
 * @since 0.1.0
 * @category models
 */
export interface SignedWebhook {
  /** The value of `hookrail-signature`. */
  readonly signature: string
  /** The value of `hookrail-delivery-id`. */
  readonly deliveryId: string
  /** The raw body, as received. */
  readonly body: WebhookBody
}

declare const Verified: unique symbol

/**
 * A webhook that Hookrail has signed. Only verification creates one: a function that takes a `VerifiedWebhook` cannot be
 * called with anything unverified. (In a test, `sign` one and verify it.)
 *
 * @since 0.1.0
 * @category models
 */
export interface VerifiedWebhook {
  readonly [Verified]: true
  /** The same for every attempt at this delivery: use it to detect duplicates. */
  readonly deliveryId: string
  /** The event; `undefined` from `verify`. Not covered by the signature. */
  readonly eventId?: string | undefined
  /** The topic; `undefined` from `verify`. Not covered by the signature. */
  readonly topic?: string | undefined
  /** The body as given (an `ArrayBuffer` as a view of it). */
  readonly body: string | Uint8Array
  /** When this attempt was signed, in seconds since 1970. */
  readonly signedAtSeconds: number
  /** The index of the secret that signed it. Shows when an old secret is no longer in use. */
  readonly secretIndex: number
}
