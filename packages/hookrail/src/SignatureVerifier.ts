/**
 * Verification of the webhooks that Hookrail delivers (protocol section 4.3).
 *
 * A delivery is signed with the secret of its endpoint, over the time, the delivery id and the exact bytes of the body.
 * So verify the raw body, before any JSON parser: parsing it and writing it again gives other bytes.
 *
 * Verification does not remember anything. Hookrail delivers at least once, and somebody who has seen a delivery can
 * send it again within the tolerance: whoever must not handle one twice keeps the `deliveryId`s.
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { SignatureVerifier } from "hookrail"
 *
 * const receive = (request: Request) =>
 *   Effect.gen(function*() {
 *     const body = yield* Effect.promise(() => request.text())
 *     const webhook = yield* SignatureVerifier.verifyRequest(request.headers, body)
 *     yield* Effect.log(`delivery ${webhook.deliveryId} on ${webhook.topic}`)
 *   })
 *
 * const SignatureVerifierLive = SignatureVerifier.layer({
 *   secrets: Redacted.make("whsec_...")
 * })
 * ```
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { WebhookVerificationError } from "./HookrailError.js"
import {
  HookrailConfigError,
  MalformedSignatureError,
  SignatureError,
  SignatureTimestampError
} from "./HookrailError.js"
import { anything, Reason, withDefault } from "./options/check.js"
import { tolerance } from "./options/duration.js"
import { checkOptions } from "./options/settings.js"
import * as kernel from "./signature/kernel.js"
import { advice, findMistake, otherProduct } from "./signature/mistakes.js"
import type { SignedWebhook, VerifiedWebhook, WebhookBody, WebhookHeaders } from "./signature/model.js"

// ---------------------------------------------------------------------------------------------------------------
// models
// ---------------------------------------------------------------------------------------------------------------

export type { SignedWebhook, VerifiedWebhook, WebhookBody, WebhookHeaders }

/**
 * The secret of an endpoint, its `whsec_` included. During a rotation, the new and the old one: Hookrail signs with one
 * secret and changes it at once (protocol section 4.6).
 *
 * @since 0.1.0
 * @category models
 */
export type Secrets = Redacted.Redacted<string> | NonEmptyReadonlyArray<Redacted.Redacted<string>>

/**
 * @since 0.1.0
 * @category models
 */
export interface SignatureVerifierOptions<out E = never, out R = never> {
  /**
   * The secrets, or an effect that reads them, from a secret store, say. It runs when the verifier is made, and again when
   * a signature does not match, at most every 5 seconds: a secret that has just been rotated is met without a restart.
   */
  readonly secrets: Secrets | Effect.Effect<Secrets, E, R>
  /**
   * How far the time of the signature may be from this machine's, inclusive, in the past and in the future. Every
   * attempt is signed anew, so this needs to cover the transport and wrong clocks only. A number is milliseconds; one
   * below a second is refused, since only seconds can be meant. Default: 5 minutes.
   */
  readonly tolerance?: Duration.DurationInput | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** See the accessor `verify`. */
  readonly verify: (signed: SignedWebhook) => Effect.Effect<VerifiedWebhook, WebhookVerificationError>
  /** See the accessor `verifyRequest`. */
  readonly verifyRequest: (
    headers: WebhookHeaders,
    body: WebhookBody
  ) => Effect.Effect<VerifiedWebhook, WebhookVerificationError>
}

// ---------------------------------------------------------------------------------------------------------------
// accessors and tag
// ---------------------------------------------------------------------------------------------------------------

/**
 * Verifies a signature over a delivery id and a raw body.
 *
 * Fails with `MalformedSignatureError` if there is no usable signature, `SignatureTimestampError` if it is too old or
 * from the future, and `SignatureError` if none of the secrets made it.
 *
 * @since 0.1.0
 * @category accessors
 */
export const verify = (
  signed: SignedWebhook
): Effect.Effect<VerifiedWebhook, WebhookVerificationError, SignatureVerifier> =>
  Effect.flatMap(SignatureVerifier, (verifier) => verifier.verify(signed))

/**
 * Verifies a request by its headers and raw body. Fails as `verify` does; a missing header is a
 * `MalformedSignatureError` that names it.
 *
 * @since 0.1.0
 * @category accessors
 */
export const verifyRequest = (
  headers: WebhookHeaders,
  body: WebhookBody
): Effect.Effect<VerifiedWebhook, WebhookVerificationError, SignatureVerifier> =>
  Effect.flatMap(SignatureVerifier, (verifier) => verifier.verifyRequest(headers, body))

/**
 * Verifies the webhooks that Hookrail delivers.
 *
 * @since 0.1.0
 * @category tags
 */
export class SignatureVerifier extends Context.Tag("hookrail/SignatureVerifier")<
  SignatureVerifier,
  Service
>() {
  /** See the accessor `verify`. */
  static readonly verify = verify
  /** See the accessor `verifyRequest`. */
  static readonly verifyRequest = verifyRequest
}

// ---------------------------------------------------------------------------------------------------------------
// constructors
// ---------------------------------------------------------------------------------------------------------------

const configError = (option: string, reason: string): Effect.Effect<never, HookrailConfigError> =>
  Effect.fail(new HookrailConfigError({ option, reason }))

/** The kernel counts in seconds, as the errors do. */
const toleranceOf = withDefault(tolerance, kernel.defaultToleranceSeconds * 1000)

const checks = { secrets: anything<unknown>, tolerance: toleranceOf }

const faultOf = (given: unknown): string => {
  const isRedacted = Redacted.isRedacted(given)
  const secret = isRedacted ? Redacted.value(given) : given
  // As callers of the facade may give it, who know nothing of Redacted.
  if (secret === undefined || secret === null) return "is missing: is the environment variable that holds it set?"
  return isRedacted ? textFaultOf(secret) : "is not a Redacted text: wrap it in Redacted.make"
}

const textFaultOf = (secret: unknown): string =>
  typeof secret !== "string"
    ? "is not a text"
    : secret === ""
    ? "is empty"
    : secret.trim() === secret
    ? "is in quotes: leave them out"
    : "has white space around it: trim it"

interface Settings {
  readonly keys: ReadonlyArray<kernel.Key>
  /** For finding mistakes. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
  readonly toleranceMillis: number
}

/** Checks the secrets. They are unwrapped here, into the keys, and to look for a mistake. */
const settingsOf = (
  given: Redacted.Redacted<string> | ReadonlyArray<Redacted.Redacted<string>>,
  toleranceMillis: number,
  keyOf: (secret: string) => kernel.Key
): Effect.Effect<Settings, HookrailConfigError> => {
  const secrets = (Array.isArray(given) ? given : [given]) as ReadonlyArray<Redacted.Redacted<string>>
  if (secrets.length === 0) return configError("secrets", "give at least one secret")
  const keys: Array<kernel.Key> = []
  for (const [index, redacted] of secrets.entries()) {
    const secret = Redacted.isRedacted(redacted) ? Redacted.value(redacted) : undefined
    if (!kernel.isSecret(secret)) {
      const which = secrets.length === 1 ? "the secret" : `secret ${index + 1} of ${secrets.length}`
      return configError("secrets", `${which} ${faultOf(redacted)}`)
    }
    keys.push(keyOf(secret))
  }
  if (!keys.every(kernel.isUsable)) return configError("secrets", "there is neither node:crypto nor WebCrypto here")
  return Effect.succeed({ keys, secrets, toleranceMillis })
}

type Verdict = Effect.Effect<VerifiedWebhook, WebhookVerificationError>

const settle = (
  verdict: kernel.Verdict,
  mismatch: () => Verdict,
  stale: (fields: { readonly ageSeconds: number; readonly toleranceSeconds: number }) => Verdict
): Verdict => {
  if (verdict.ok) return Effect.succeed(verdict.webhook as VerifiedWebhook)
  switch (verdict.reason) {
    case "malformed":
      return Effect.fail(new MalformedSignatureError(verdict.fields))
    case "timestamp":
      return stale(verdict.fields)
    case "mismatch":
      return mismatch()
  }
}

/** Those two alone: the caller's object may have other members. */
const headersOf = ({ deliveryId, signature }: SignedWebhook): kernel.SignedHeaders => ({ signature, deliveryId })

const verifyWith = (
  { keys, toleranceMillis }: Settings,
  headers: kernel.SignedHeaders,
  body: WebhookBody,
  now: number,
  mismatch: () => Verdict
): Verdict =>
  whenReady(
    kernel.verify(keys, headers, body, now, toleranceMillis),
    (verdict) =>
      settle(verdict, mismatch, (fields) =>
        // Its age alone refuses it; whether it matches tells a clock that is off from a forgery.
        whenReady(
          kernel.verify(keys, headers, body, now, Infinity),
          ({ ok }) => Effect.fail(new SignatureTimestampError({ ...fields, genuine: ok }))
        ))
  )

/** Goes on with a verdict: at once where there is node:crypto. */
const whenReady = (verdict: kernel.Verdict | Promise<kernel.Verdict>, next: (verdict: kernel.Verdict) => Verdict) =>
  "then" in verdict ? Effect.flatMap(Effect.promise(() => verdict), next) : next(verdict)

/** Between two looks for the mistake behind a mismatch: each costs several MACs, and a flood of forgeries is cheap. */
const explainInterval = 10_000

/** Between two readings of the secrets for the same reason. */
const reloadInterval = 5_000

/** How long a mismatch waits for the secrets to be read again: the answer is due within 10 seconds. */
const reloadTimeout = "3 seconds"

/** Turns mismatches into errors, now and then with the mistake behind them. */
const makeExplainer = () => {
  let explainedAt = -Infinity
  return ({ secrets }: Settings, headers: kernel.SignedHeaders, body: WebhookBody): Verdict =>
    Effect.clockWith((clock) => {
      const now = clock.unsafeCurrentTimeMillis()
      if (Math.abs(now - explainedAt) < explainInterval) {
        return Effect.fail(new SignatureError({ reason: generalAdvice }))
      }
      explainedAt = now
      const mac = new Uint8Array(32)
      const mismatch = {
        secrets: secrets.map(Redacted.value),
        timestamp: kernel.parseSignature(headers.signature ?? "", mac),
        mac,
        deliveryId: headers.deliveryId ?? "",
        body: body instanceof ArrayBuffer ? new Uint8Array(body) : body
      }
      return Effect.flatMap(
        // It may fail where there is no WebCrypto; the mismatch remains one.
        Effect.catchAll(Effect.tryPromise(() => findMistake(mismatch)), () => Effect.succeed(undefined)),
        (mistake) =>
          Effect.fail(
            mistake === undefined
              ? new SignatureError({ reason: generalAdvice })
              : new SignatureError({ reason: advice[mistake], mistake })
          )
      )
    })
}

const generalAdvice = "use the endpoint's secret, whsec_ included, and the raw body, as it came, before any parser"

/**
 * The bare service, to bind to a tag of your own: for several endpoints with secrets of their own, say.
 *
 * Fails with `HookrailConfigError` for options that cannot work: no secret, an empty one, one with white space or quotes
 * around it, a tolerance that is infinite or below a second; and with what reading the secrets fails with.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E = never, R = never>(
  options: SignatureVerifierOptions<E, R>
): Effect.Effect<Service, HookrailConfigError | E, R> =>
  Effect.gen(function*() {
    const { tolerance } = yield* checkOptions(options, checks)
    const { secrets } = options
    if (!Effect.isEffect(secrets)) {
      const settings = yield* settingsOf(secrets, tolerance, kernel.importKey)
      return serviceOf({ settings }, () => Effect.void)
    }
    // What is in force now, also when it is read again, in the middle of some request.
    const runtime = yield* Effect.runtime<R>()
    const read = Effect.flatMap(
      Effect.provide(secrets, runtime),
      (secrets) => settingsOf(secrets, tolerance, kernel.importKey)
    )
    const state = { settings: yield* read, readAt: -Infinity }
    const oneAtATime = (yield* Effect.makeSemaphore(1)).withPermits(1)
    return serviceOf(state, (used) =>
      oneAtATime(Effect.clockWith((clock) => {
        const now = clock.unsafeCurrentTimeMillis()
        const { readAt } = state
        // Who waited for its turn finds that they have just been read.
        if (state.settings !== used || Math.abs(now - readAt) < reloadInterval) return Effect.void
        state.readAt = now
        return read.pipe(
          Effect.disconnect,
          Effect.timeout(reloadTimeout),
          Effect.map((settings) => void (state.settings = settings)),
          Effect.catchAllCause((cause) =>
            Effect.logWarning("the webhook secrets could not be read again: the last ones stay", cause)
          ),
          // Whose request is gone leaves the reading to the next one.
          Effect.onInterrupt(() => Effect.sync(() => void (state.readAt = readAt)))
        )
      })))
  })

/** @param reload Reads the secrets again, after these have not matched, and puts them into the state. */
const serviceOf = (
  state: { readonly settings: Settings },
  reload: (used: Settings) => Effect.Effect<void>
): Service => {
  const explain = makeExplainer()
  const verifyHeaders = (clock: Clock.Clock, headers: kernel.SignedHeaders, body: WebhookBody): Verdict => {
    const used = state.settings
    return verifyWith(used, headers, body, clock.unsafeCurrentTimeMillis(), () =>
      Effect.flatMap(reload(used), () => {
        const newer = state.settings
        const unexplained = () => explain(newer, headers, body)
        return newer === used
          ? unexplained()
          : verifyWith(newer, headers, body, clock.unsafeCurrentTimeMillis(), unexplained)
      }))
  }
  return {
    verify: (signed) => Effect.clockWith((clock) => verifyHeaders(clock, headersOf(signed), signed.body)),
    verifyRequest: (headers, body) =>
      Effect.clockWith((clock) => {
        const known = kernel.readHeaders(headers)
        if (known.signature !== undefined) return verifyHeaders(clock, known, body)
        const product = otherProduct((name) => kernel.header(headers, name) !== undefined)
        return product === undefined
          ? verifyHeaders(clock, known, body)
          : Effect.fail(new MalformedSignatureError({ reason: `its headers are those of a webhook of ${product}` }))
      })
  }
}

/**
 * Verifies one webhook without a service. As `verify`, and `HookrailConfigError` for options that cannot work.
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { SignatureVerifier } from "hookrail"
 *
 * declare const request: { signature: string; deliveryId: string; body: Uint8Array }
 *
 * const verified = SignatureVerifier.verifySignature({
 *   secrets: Redacted.make("whsec_..."),
 *   ...request
 * }).pipe(
 *   Effect.catchTag("SignatureTimestampError", (error) => Effect.dieMessage(`check the clock: ${error.message}`))
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const verifySignature = (
  options: SignatureVerifierOptions & SignedWebhook & { readonly secrets: Secrets }
): Effect.Effect<VerifiedWebhook, WebhookVerificationError | HookrailConfigError> =>
  Effect.clockWith((clock) =>
    Effect.flatMap(oneSettingsOf(options), (settings) => {
      const { body } = options
      const headers = headersOf(options)
      const now = clock.unsafeCurrentTimeMillis()
      return verifyWith(settings, headers, body, now, () => explainOne(settings, headers, body))
    })
  )

const oneSettingsOf = (options: { readonly secrets: Secrets; readonly tolerance?: unknown }) => {
  const tolerance = toleranceOf(options.tolerance)
  return tolerance instanceof Reason
    ? configError("tolerance", tolerance.text)
    : settingsOf(options.secrets, tolerance, kernel.cachedKey)
}

const explainOne = makeExplainer()

/**
 * The `hookrail-signature` that Hookrail would send with a delivery: for tests of receivers.
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { SignatureVerifier } from "hookrail"
 *
 * const headers = Effect.gen(function*() {
 *   const deliveryId = "01JXAMPLEDELIVERYID0000000"
 *   const signature = yield* SignatureVerifier.sign({
 *     secret: Redacted.make("whsec_test_secret"),
 *     deliveryId,
 *     body: `{"amount": 42}`
 *   })
 *   return { "hookrail-delivery-id": deliveryId, "hookrail-signature": signature }
 * })
 * ```
 *
 * @since 0.1.0
 * @category testing
 */
export const sign = (options: {
  /** The secret, its `whsec_` included. */
  readonly secret: Redacted.Redacted<string>
  readonly deliveryId: string
  readonly body: WebhookBody
  /** When it is signed, in seconds since 1970. Default: now. */
  readonly timestamp?: number | undefined
}): Effect.Effect<string> =>
  Effect.clockWith((clock) => {
    const key = kernel.cachedKey(Redacted.value(options.secret))
    const timestamp = Math.floor(options.timestamp ?? clock.unsafeCurrentTimeMillis() / 1000)
    const signature = kernel.sign(key, options.deliveryId, options.body, timestamp)
    return typeof signature === "string" ? Effect.succeed(signature) : Effect.promise(() => signature)
  })

// ---------------------------------------------------------------------------------------------------------------
// layers
// ---------------------------------------------------------------------------------------------------------------

/**
 * A verifier with the given secrets. Fails as `make` does.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E = never, R = never>(
  options: SignatureVerifierOptions<E, R>
): Layer.Layer<SignatureVerifier, HookrailConfigError | E, R> => Layer.effect(SignatureVerifier, make(options))

/**
 * A verifier configured by `Config`.
 *
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { SignatureVerifier } from "hookrail"
 *
 * // HOOKRAIL_WEBHOOK_SECRETS=whsec_new,whsec_old
 * const SignatureVerifierLive = SignatureVerifier.layerConfig({
 *   secrets: Config.array(Config.redacted(), "HOOKRAIL_WEBHOOK_SECRETS")
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (options: {
  readonly secrets: Config.Config<Redacted.Redacted<string> | ReadonlyArray<Redacted.Redacted<string>>>
  readonly tolerance?: Config.Config<Duration.DurationInput> | undefined
}): Layer.Layer<SignatureVerifier, HookrailConfigError | ConfigError> =>
  Layer.effect(
    SignatureVerifier,
    Effect.flatMap(
      Config.all({ secrets: options.secrets, tolerance: options.tolerance ?? Config.succeed(undefined) }),
      ({ secrets, tolerance }) => make({ secrets: secrets as Secrets, tolerance })
    )
  )
