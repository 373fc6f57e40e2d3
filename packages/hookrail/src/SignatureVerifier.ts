/**
 * Verifies webhooks from Hookrail (protocol section 4.3).
 *
 * A delivery is signed with the secret of its endpoint. The signature covers the time, the delivery id and the exact bytes
 * of the body. So verify the raw body, before any JSON parser: parsing and serializing it again changes the bytes.
 *
 * Verification is stateless. Hookrail delivers at least once, and somebody who has seen a delivery can replay it within the
 * tolerance. If handling one twice would hurt, store the `deliveryId`s.
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
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { isSuccess } from "./fiber/callback.js"
import { WithClock } from "./fiber/ground.js"
import type { WebhookVerificationError } from "./HookrailError.js"
import {
  HookrailConfigError,
  MalformedSignatureError,
  SignatureError,
  SignatureTimestampError,
  WebhookSecretsError
} from "./HookrailError.js"
import { anything, Reason, withDefault } from "./options/check.js"
import { positiveDuration, tolerance } from "./options/duration.js"
import { checkOptions } from "./options/settings.js"
import * as kernel from "./signature/kernel.js"
import { advice, findMistake, otherProduct } from "./signature/mistakes.js"
import type { Mistake, SignedWebhook, VerifiedWebhook, WebhookBody, WebhookHeaders } from "./signature/model.js"

// ---------------------------------------------------------------------------------------------------------------
// models
// ---------------------------------------------------------------------------------------------------------------

export type { SignedWebhook, VerifiedWebhook, WebhookBody, WebhookHeaders }

/**
 * The secret of an endpoint, including its `whsec_`. During a rotation, the new and the old one: Hookrail signs with one
 * secret and replaces it at once (protocol section 4.6).
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
   * The secrets, or an effect that reads them, for example from a secret store. The effect runs when the verifier is made;
   * again when a signature does not match, at most every 5 seconds, so that a rotated secret is picked up without a restart;
   * and after `refresh`. It has 3 seconds to complete. If it fails, the last secrets stay in force.
   */
  readonly secrets: Secrets | Effect.Effect<Secrets, E, R>
  /**
   * How long secrets read by an effect stay in force before it runs again. A revoked secret may be accepted for this long.
   * Default: 5 minutes.
   */
  readonly refresh?: Duration.DurationInput | undefined
  /**
   * How far the time of the signature may be from the clock of this machine, inclusive, in the past and in the future.
   * Every attempt is signed anew, so this only needs to cover the transport and wrong clocks. A number is in milliseconds;
   * one below a second is refused, because it is certainly meant in seconds. Default: 5 minutes.
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
  /**
   * See the accessor `verifyRequest`. `explain: false` skips the search for the mistake behind a mismatch, for callers that
   * call `explain` later.
   */
  readonly verifyRequest: (
    headers: WebhookHeaders,
    body: WebhookBody,
    options?: { readonly explain?: boolean | undefined }
  ) => Effect.Effect<VerifiedWebhook, WebhookVerificationError>
  /**
   * Checks the form of the headers and the age of the signature, which needs no body: for servers that can refuse a request
   * before they read its body. Returns Hookrail's headers, to be passed to the next step without another lookup. Optional
   * in a custom verifier.
   */
  readonly inspect?:
    | ((headers: WebhookHeaders) => Effect.Effect<WebhookHeaders, MalformedSignatureError | SignatureTimestampError>)
    | undefined
  /**
   * Explains why the signature of a request does not match: the advice and the mistake, if it is a common one. It takes
   * several MACs, and examines bodies of up to 64 KB. Optional in a custom verifier.
   */
  readonly explain?:
    | ((headers: WebhookHeaders, body: WebhookBody) => Effect.Effect<SignatureError | undefined>)
    | undefined
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
 * Verifies webhooks from Hookrail.
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

/** In seconds, like the kernel and the errors. */
const toleranceOf = withDefault(tolerance, kernel.defaultToleranceSeconds * 1000)

const defaultRefresh = 300_000

const checks = {
  secrets: anything<unknown>,
  refresh: withDefault(positiveDuration, defaultRefresh),
  tolerance: toleranceOf
}

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
    : secret.trim() !== secret
    ? "has white space around it: trim it"
    : /^["'`]|["'`]$/.test(secret)
    ? "is in quotes: leave them out"
    : isKey(secret)
    ? "is an API key (hk_) or an admin token (hkadm_): give the secret of the endpoint (whsec_)"
    : `is shorter than ${kernel.shortestSecret} bytes: give it as Hookrail shows it, whsec_ and what follows`

/** Protocol section 3. */
const isKey = (secret: string): boolean => /^hk(adm)?_/.test(secret)

interface Settings {
  readonly keys: ReadonlyArray<kernel.Key>
  /** To find mistakes. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
  readonly toleranceMillis: number
}

/** Checks the secrets. They are unwrapped only here, into keys, and to look for a mistake. */
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
    if (!kernel.isSecret(secret) || isKey(secret)) {
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

/** Only these two: the caller's object may have other members. */
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
        // Refused for its age anyway; whether it matches distinguishes a wrong clock from a forgery.
        whenReady(
          kernel.verify(keys, headers, body, now, Infinity),
          ({ ok }) => Effect.fail(new SignatureTimestampError({ ...fields, genuine: ok }))
        ))
  )

/** Continues with a verdict: at once where there is node:crypto. */
const whenReady = (verdict: kernel.Verdict | Promise<kernel.Verdict>, next: (verdict: kernel.Verdict) => Verdict) =>
  "then" in verdict ? Effect.flatMap(Effect.promise(() => verdict), next) : next(verdict)

/** The shortest time between two searches for mistakes: each costs several MACs, and a flood of forgeries is cheap. */
const explainInterval = 10_000

/** The shortest time between two readings of the secrets that are caused by requests. */
const readInterval = 5_000

/** The time limit of a reading: the request that waits for it must be answered within 10 seconds. */
const readTimeout = "3 seconds"

/** The mistake behind a mismatch, if there is one. */
const mistakeOf = (
  { secrets }: Settings,
  headers: kernel.SignedHeaders,
  body: WebhookBody
): Effect.Effect<Mistake | undefined> => {
  const mac = new Uint8Array(32)
  const mismatch = {
    secrets: secrets.map(Redacted.value),
    timestamp: kernel.parseSignature(headers.signature ?? "", mac),
    mac,
    deliveryId: headers.deliveryId ?? "",
    body: body instanceof ArrayBuffer ? new Uint8Array(body) : body
  }
  // It may fail without WebCrypto; the mismatch is then reported without a mistake.
  return Effect.catchAll(Effect.tryPromise(() => findMistake(mismatch)), () => Effect.succeed(undefined))
}

const errorOf = (mistake: Mistake | undefined): SignatureError =>
  mistake === undefined ? unexplained() : new SignatureError({ reason: advice[mistake], mistake })

const unexplained = (): SignatureError => new SignatureError({ reason: generalAdvice })

/** Turns mismatches into errors, at most once per interval with the mistake behind them. */
const makeExplainer = () => {
  let explainedAt = -Infinity
  return (settings: Settings, headers: kernel.SignedHeaders, body: WebhookBody): Verdict =>
    Effect.clockWith((clock) => {
      const now = clock.unsafeCurrentTimeMillis()
      if (Math.abs(now - explainedAt) < explainInterval) return Effect.fail(unexplained())
      explainedAt = now
      return Effect.flatMap(mistakeOf(settings, headers, body), (mistake) => Effect.fail(errorOf(mistake)))
    })
}

const generalAdvice = "use the endpoint's secret, whsec_ included, and the raw body, as it came, before any parser"

/** The source of the secrets in force. */
interface Source {
  /** The secrets in force. Reads them first if there are none, or if they are due for a refresh. */
  readonly current: (now: number) => Effect.Effect<Settings, WebhookSecretsError>
  /** After a mismatch: the secrets after another reading, or the same ones if it is too early for that. */
  readonly newer: (used: Settings, now: number) => Effect.Effect<Settings>
}

const fixed = (settings: Settings): Source => ({
  current: () => Effect.succeed(settings),
  newer: Effect.succeed
})

/** Secrets read by an effect: one reading at a time, and one per interval, however many requests arrive. */
class Readings implements Source {
  private settings: Settings | undefined
  /** The same as an effect, created once. */
  private inForce: Effect.Effect<Settings> | undefined
  /** The time of the last successful reading. */
  private readAt = -Infinity
  private triedAt = -Infinity
  private lastFailed: unknown

  constructor(
    private readonly read: Effect.Effect<Settings, unknown>,
    private readonly refresh: number,
    private readonly oneAtATime: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  ) {}

  put(settings: Settings, now: number): void {
    this.settings = settings
    this.inForce = Effect.succeed(settings)
    this.readAt = now
    this.lastFailed = undefined
  }

  current(now: number): Effect.Effect<Settings, WebhookSecretsError> {
    const { inForce, settings } = this
    if (inForce !== undefined && (Math.abs(now - this.readAt) < this.refresh || this.isTooEarly(now))) return inForce
    const reading = this.again(settings, now)
    // While the store is down, no request waits for it: the last secrets stay in force, and it is read in the background.
    if (inForce !== undefined && this.lastFailed !== undefined) {
      return Effect.zipRight(Effect.forkDaemon(reading), inForce)
    }
    return Effect.flatMap(reading, () =>
      this.settings === undefined
        ? Effect.fail(new WebhookSecretsError({ cause: this.lastFailed }))
        : Effect.succeed(this.settings))
  }

  private isTooEarly(now: number): boolean {
    return Math.abs(now - this.triedAt) < readInterval
  }

  newer(used: Settings, now: number): Effect.Effect<Settings> {
    return Effect.map(this.again(used, now), () => this.settings ?? used)
  }

  /** The reading at the start, not caused by a request. */
  first(): Effect.Effect<void> {
    return Effect.clockWith((clock) =>
      Effect.ensuring(
        this.again(undefined, clock.unsafeCurrentTimeMillis()),
        Effect.sync(() => {
          if (this.settings !== undefined) this.triedAt = -Infinity
        })
      )
    )
  }

  /** Reads the secrets, unless it is too early, or another caller has read them while this one waited. */
  again(used: Settings | undefined, now: number): Effect.Effect<void> {
    return this.oneAtATime(Effect.suspend(() => {
      const { triedAt } = this
      if (this.settings !== used || this.isTooEarly(now)) return Effect.void
      this.triedAt = now
      return Effect.matchCauseEffect(this.read, {
        onSuccess: (settings) => Effect.sync(() => this.put(settings, now)),
        onFailure: (cause) => {
          this.lastFailed = Cause.squash(cause)
          return Effect.logWarning(
            this.settings === undefined
              ? "the webhook secrets could not be read: webhooks are answered with 503 until they can be"
              : "the webhook secrets could not be read again: the last ones stay",
            cause
          )
        }
      }).pipe(
        // If interrupted, the next request reads them again.
        Effect.onInterrupt(() => Effect.sync(() => void (this.triedAt = triedAt)))
      )
    }))
  }
}

/**
 * The service itself, to bind to your own tag, for example for several endpoints that each have their own secrets.
 *
 * Fails with `HookrailConfigError` for invalid options: no secret, an empty one, one of less than 16 bytes, one with white
 * space or quotes around it, a tolerance that is infinite or below a second. Also fails with the error of the first reading
 * of the secrets.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E = never, R = never>(
  options: SignatureVerifierOptions<E, R>
): Effect.Effect<Service, HookrailConfigError | E, R> =>
  Effect.flatMap(checkOptions(options, checks), (settings) => {
    const { secrets } = options
    return Effect.isEffect(secrets)
      ? Effect.flatMap(readingsOf(secrets, settings), ({ read, service, source }) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.map(read, (settings) => {
            source.put(settings, now)
            return service
          })))
      : Effect.map(settingsOf(secrets, settings.tolerance, kernel.importKey), (settings) =>
        serviceOf(fixed(settings), settings.toleranceMillis))
  })

/**
 * Like `make`, but reads the secrets only when the first webhook arrives. Until that succeeds, `verify` fails with
 * `WebhookSecretsError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeLazy = <E = never, R = never>(
  options: SignatureVerifierOptions<E, R>
): Effect.Effect<Service, HookrailConfigError, R> => {
  const { secrets } = options
  return Effect.isEffect(secrets)
    ? Effect.flatMap(
      checkOptions(options, checks),
      (settings) => Effect.map(readingsOf(secrets, settings), ({ service }) => service)
    )
    : make({ ...options, secrets })
}

const readingsOf = <E, R>(
  secrets: Effect.Effect<Secrets, E, R>,
  { refresh, tolerance }: { readonly refresh: number; readonly tolerance: number }
) =>
  Effect.map(
    // Captured once: later readings, caused by some request, run with these services.
    Effect.zip(Effect.runtime<R>(), Effect.makeSemaphore(1)),
    ([runtime, semaphore]) => {
      const read = Effect.flatMap(
        Effect.provide(secrets, runtime),
        (secrets) => settingsOf(secrets, tolerance, kernel.importKey)
      ).pipe(
        Effect.disconnect,
        Effect.timeoutFail({
          duration: readTimeout,
          onTimeout: () => new HookrailConfigError({ option: "secrets", reason: `not read within ${readTimeout}` })
        })
      )
      const source = new Readings(read, refresh, semaphore.withPermits(1))
      return { read, source, service: serviceOf(source, tolerance) }
    }
  )

const serviceOf = (source: Source, toleranceMillis: number): Service => {
  const explain = makeExplainer()

  const verifyHeaders = (
    clock: Clock.Clock,
    headers: kernel.SignedHeaders,
    body: WebhookBody,
    explain: (settings: Settings) => Verdict
  ): Verdict => {
    const now = clock.unsafeCurrentTimeMillis()
    // First what needs no secrets: a malformed request must not cause a reading.
    const refusal = kernel.inspect(headers, now, Infinity)
    if (typeof refusal !== "number") return settle(refusal, neverHere, neverHere)
    const current = source.current(now)
    // Usually they are available at once.
    return isSuccess(current)
      ? verifyNow(clock, now, current.value, headers, body, explain)
      : Effect.flatMap(current, (settings) => verifyNow(clock, now, settings, headers, body, explain))
  }

  const verifyNow = (
    clock: Clock.Clock,
    now: number,
    used: Settings,
    headers: kernel.SignedHeaders,
    body: WebhookBody,
    explain: (settings: Settings) => Verdict
  ): Verdict =>
    verifyWith(used, headers, body, now, () => {
      const now = clock.unsafeCurrentTimeMillis()
      return Effect.flatMap(source.newer(used, now), (newer) =>
        newer === used
          ? explain(newer)
          : verifyWith(newer, headers, body, now, () => explain(newer)))
    })

  const foreign = (headers: WebhookHeaders): MalformedSignatureError | undefined => {
    const product = otherProduct((name) => kernel.header(headers, name) !== undefined)
    return product === undefined
      ? undefined
      : new MalformedSignatureError({ reason: `its headers are those of a webhook of ${product}` })
  }

  return {
    verify: (signed) =>
      new WithClock((clock) => {
        const headers = headersOf(signed)
        return verifyHeaders(clock, headers, signed.body, (settings) => explain(settings, headers, signed.body))
      }),
    verifyRequest: (headers, body, options) =>
      new WithClock((clock): Verdict => {
        const known = knownOf(headers)
        const error = known.signature === undefined ? foreign(headers) : undefined
        if (error !== undefined) return Effect.fail(error)
        return verifyHeaders(
          clock,
          known,
          body,
          options?.explain === false
            ? () => Effect.fail(unexplained())
            : (settings) => explain(settings, known, body)
        )
      }),
    inspect: (headers) =>
      new WithClock((clock) => {
        const known = kernel.readHeaders(headers)
        const error = known.signature === undefined ? foreign(headers) : undefined
        if (error !== undefined) return Effect.fail(error)
        const refusal = kernel.inspect(known, clock.unsafeCurrentTimeMillis(), toleranceMillis)
        if (typeof refusal === "number") return Effect.succeed(new InspectedHeaders(known))
        return Effect.fail(
          refusal.reason === "malformed"
            ? new MalformedSignatureError(refusal.fields)
            : new SignatureTimestampError(refusal.fields)
        )
      }),
    explain: (headers, body) =>
      new WithClock((clock) =>
        Effect.matchEffect(source.current(clock.unsafeCurrentTimeMillis()), {
          onFailure: () => Effect.succeed(undefined),
          onSuccess: (settings) =>
            Effect.map(
              mistakeOf(settings, knownOf(headers), body),
              (mistake) => mistake === undefined ? undefined : errorOf(mistake)
            )
        })
      )
  }
}

/** Headers that have already been read. */
class InspectedHeaders {
  constructor(readonly known: kernel.SignedHeaders) {}

  get(name: string): string | undefined {
    switch (name) {
      case "hookrail-topic":
        return this.known.topic
      case "hookrail-event-id":
        return this.known.eventId
      case "hookrail-delivery-id":
        return this.known.deliveryId
      case "hookrail-signature":
        return this.known.signature
      default:
        return undefined
    }
  }
}

const knownOf = (headers: WebhookHeaders): kernel.SignedHeaders =>
  headers instanceof InspectedHeaders ? headers.known : kernel.readHeaders(headers)

const neverHere = (): Verdict => Effect.dieMessage("inspection has refused it")

/**
 * Verifies one webhook without a service. Fails as `verify` does, and with `HookrailConfigError` for invalid options.
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
 * The `hookrail-signature` that Hookrail would send with a delivery. For tests of receivers.
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
  /** The secret, including its `whsec_`. */
  readonly secret: Redacted.Redacted<string>
  readonly deliveryId: string
  readonly body: WebhookBody
  /** The time of signing, in seconds since 1970. Default: now. */
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
 * A verifier with the given secrets. Fails with `HookrailConfigError` for invalid options.
 *
 * If an effect reads the secrets and its first reading fails, this is logged, and the layer is built anyway. The secrets
 * are read again when webhooks arrive; until that succeeds, those are answered with 503. So a program whose secret store
 * was down at startup needs no restart. (To fail at startup instead: `Layer.effect` with `make`, or `layerConfig`.)
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E = never, R = never>(
  options: SignatureVerifierOptions<E, R>
): Layer.Layer<SignatureVerifier, HookrailConfigError, R> =>
  Layer.effect(
    SignatureVerifier,
    Effect.suspend(() => {
      const { secrets } = options
      return Effect.isEffect(secrets)
        ? Effect.flatMap(checkOptions(options, checks), (settings) =>
          Effect.flatMap(
            readingsOf(secrets, settings),
            ({ service, source }) => Effect.as(source.first(), service)
          ))
        : make({ ...options, secrets })
    })
  )

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
