/** What verification can say about a signature, as plain data. */

/**
 * A mistake that keeps a genuine signature from matching.
 *
 * - `"body-empty"`, `"body-parsed"`, `"body-base64"`, `"body-compressed"`, `"body-encoding"`, `"body-trimmed"`: the body
 *   is not the bytes that came; something read, parsed, encoded or changed it on the way.
 * - `"secret-prefix"`: the secret has lost its `whsec_`, or has it twice.
 * - `"secret-decoded"`: signed with a secret that was decoded first, as Standard Webhooks does.
 * - `"secret-other"`: the body is as Hookrail writes it, so the secret is that of another endpoint, or no longer in use.
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
