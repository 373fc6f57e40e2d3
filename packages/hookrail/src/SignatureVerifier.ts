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
   * The secrets, or an effect that reads them, from a secret store, say. It runs when the verifier is made; again when a
   * signature does not match, at most every 5 seconds, so that a secret that has just been rotated is met without a restart;
   * and when `refresh` is over. A reading has 3 seconds. If it fails, the last secrets stay in force.
   */
  readonly secrets: Secrets | Effect.Effect<Secrets, E, R>
  /**
   * How long secrets that an effect has read stay in force before it reads them again: so long may a revoked one live.
   * Default: 5 minutes.
   */
  readonly refresh?: Duration.DurationInput | undefined
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
  /**
   * See the accessor `verifyRequest`. With `explain: false` nobody looks for the mistake behind a mismatch: for those who
   * call `explain` later.
   */
  readonly verifyRequest: (
    headers: WebhookHeaders,
    body: WebhookBody,
    options?: { readonly explain?: boolean | undefined }
  ) => Effect.Effect<VerifiedWebhook, WebhookVerificationError>
  /**
   * Looks at the form of the headers and the age of the signature, which needs no body: for those who can refuse a request
   * before they read it. Gives the headers of Hookrail among them, to go on with: they need not be looked for again. A
   * verifier of your own may do without.
   */
  readonly inspect?:
    | ((headers: WebhookHeaders) => Effect.Effect<WebhookHeaders, MalformedSignatureError | SignatureTimestampError>)
    | undefined
  /**
   * Why a request whose signature does not match has not matched: the advice and the mistake, if one of the usual ones
   * explains it. It takes several MACs, and looks at bodies of up to 64 KB. A verifier of your own may do without.
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

const defaultRefresh = 300_000

const checks = {
  secrets: anything<unknown>,
  refresh: withDefault(positiveDuration, defaultRefresh),
  tolerance: toleranceOf
}

const faultOf = (secret: unknown): string =>
  typeof secret !== "string"
    ? "is not a Redacted text: wrap it in Redacted.make"
    : secret === ""
    ? "is empty"
    : secret.trim() !== secret
    ? "has white space around it: trim it"
    : /^["'`]|["'`]$/.test(secret)
    ? "is in quotes: leave them out"
    : `is shorter than ${kernel.shortestSecret} bytes: give it as Hookrail shows it, whsec_ and what follows`

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
  const secrets = Redacted.isRedacted(given) ? [given] : given
  if (!Array.isArray(secrets) || secrets.length === 0) return configError("secrets", "give at least one secret")
  const keys: Array<kernel.Key> = []
  for (const [index, redacted] of secrets.entries()) {
    const secret = Redacted.isRedacted(redacted) ? Redacted.value(redacted) : undefined
    if (!kernel.isSecret(secret)) {
      const which = secrets.length === 1 ? "the secret" : `secret ${index + 1} of ${secrets.length}`
      return configError("secrets", `${which} ${faultOf(secret)}`)
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

/** Between two readings of the secrets that requests cause. */
const readInterval = 5_000

/** How long a reading may take: the answer to the request that waits for it is due within 10 seconds. */
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
  // It may fail where there is no WebCrypto; the mismatch remains one.
  return Effect.catchAll(Effect.tryPromise(() => findMistake(mismatch)), () => Effect.succeed(undefined))
}

const errorOf = (mistake: Mistake | undefined): SignatureError =>
  mistake === undefined ? unexplained() : new SignatureError({ reason: advice[mistake], mistake })

const unexplained = (): SignatureError => new SignatureError({ reason: generalAdvice })

/** Turns mismatches into errors, now and then with the mistake behind them. */
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

/** The secrets, as they are in force. */
interface Source {
  /** Those in force. If there are none, or if they are due, they are read first. */
  readonly current: (now: number) => Effect.Effect<Settings, WebhookSecretsError>
  /** After some have not matched: those in force after another reading, or the same if it is too early for one. */
  readonly newer: (used: Settings, now: number) => Effect.Effect<Settings>
}

const fixed = (settings: Settings): Source => ({
  current: () => Effect.succeed(settings),
  newer: Effect.succeed
})

/** Secrets that an effect reads: one reading at a time, and one in each interval, however many requests come. */
class Readings implements Source {
  private settings: Settings | undefined
  /** The same, as an effect that is made once. */
  private inForce: Effect.Effect<Settings> | undefined
  /** When they were last read with success. */
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
    // While the store is away nobody waits for it again and again: the last ones stay, and it is asked in the background.
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

  /** The reading at the start, which no request has caused. */
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

  /** Reads them, unless it is too early, or somebody else has while this one waited for its turn. */
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
 * The bare service, to bind to a tag of your own: for several endpoints with secrets of their own, say.
 *
 * Fails with `HookrailConfigError` for options that cannot work: no secret, an empty one, one of less than 16 bytes, one with
 * white space or quotes around it, a tolerance that is infinite or below a second; and with what the first reading of the
 * secrets fails with.
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
 * As `make`, but without a first reading of the secrets that could fail: they are read when the first webhook needs them,
 * and until that succeeds `verify` fails with `WebhookSecretsError`.
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
    // Captured once: later readings, in the middle of some request, run with these services.
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
    // First what needs no secrets: a request of no form is not to have them read.
    const refusal = kernel.inspect(headers, now, Infinity)
    if (typeof refusal !== "number") return settle(refusal, neverHere, neverHere)
    const current = source.current(now)
    // As a rule they are there.
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

/** Headers that have been read. */
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
 * A verifier with the given secrets. Fails with `HookrailConfigError` for options that cannot work.
 *
 * Where an effect reads the secrets and its first reading fails, that is logged, and the layer is there all the same: it is
 * tried again when webhooks come, which are answered with 503 until it succeeds. A store that was away at the start does
 * not keep a program from its webhooks until it is restarted. (To have the start fail: `Layer.effect` with `make`, or
 * `layerConfig`.)
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
