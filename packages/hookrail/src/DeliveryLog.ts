/**
 * Which deliveries have been handled, so that none is handled twice.
 *
 * Hookrail delivers at least once: an answer that gets lost, or a worker that crashes, brings the same delivery id again
 * (protocol section 4.5). `Webhooks` claims each delivery before its handler runs, holds the claim as long as the handler
 * runs, and afterwards either marks it done or releases it, so that a retry runs.
 *
 * A store that several processes share makes each operation atomic: see `Service`.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Claims, isDone } from "./claims/claims.js"
import { WithClock } from "./fiber/ground.js"
import type { DeliveryLogError, HookrailConfigError } from "./HookrailError.js"
import { wholeNumber, withDefault } from "./options/check.js"
import { positiveDuration } from "./options/duration.js"
import { checkOptions } from "./options/settings.js"

/**
 * The answer to a claim.
 *
 * - `Claimed`: nobody has it; it is the caller's until it is done or released, or the lease runs out. `token` tells this
 *   claim from any other.
 * - `Running`: somebody else has claimed it.
 * - `Done`: it has been handled.
 *
 * @since 0.1.0
 * @category models
 */
export type Claim =
  | { readonly _tag: "Claimed"; readonly token: string }
  | { readonly _tag: "Running" }
  | { readonly _tag: "Done" }

/**
 * What a store has to do. With SQL: one row per delivery, `insert ... on conflict do update ... where lease_until < now()`
 * for a claim, and updates that name the token. With Redis: `set ... nx px`, and scripts that compare the token.
 *
 * A `delivery` is its id, its event's id and its topic in one text, joined by dots: `01JX....01JW....orders.created`. The
 * signature covers the id alone, so that somebody who has seen a delivery could send it again under another topic; all three
 * together name what was handled, and nothing that is sent again shadows the genuine delivery. Take it as it is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /**
   * Claims a delivery, atomically: of any number of claims at the same time, one is `Claimed`. A claim whose lease has
   * run out belongs to a process that has crashed, and is there to be taken.
   */
  readonly claim: (delivery: string, lease: Duration.Duration) => Effect.Effect<Claim, DeliveryLogError>
  /**
   * Holds a claim for another lease from now on: its handler is still running. `false` if `token` no longer holds it, and
   * somebody else may have taken it.
   */
  readonly renew: (
    delivery: string,
    token: string,
    lease: Duration.Duration
  ) => Effect.Effect<boolean, DeliveryLogError>
  /** Marks a delivery as handled. Does nothing if `token` no longer holds the claim. */
  readonly done: (delivery: string, token: string) => Effect.Effect<void, DeliveryLogError>
  /** Forgets a claim. Does nothing if `token` no longer holds it. */
  readonly release: (delivery: string, token: string) => Effect.Effect<void, DeliveryLogError>
}

/**
 * Which deliveries have been handled.
 *
 * @since 0.1.0
 * @category tags
 */
export class DeliveryLog extends Context.Tag("hookrail/DeliveryLog")<DeliveryLog, Service>() {}

/**
 * @since 0.1.0
 * @category models
 */
export interface MemoryOptions {
  /** How many handled deliveries are remembered; beyond that the oldest are forgotten. Default 100,000 (about 20 MB). */
  readonly capacity?: number | undefined
  /**
   * How long a handled delivery is remembered. Default 24 hours: with its defaults, Hookrail has made its last retry long
   * before that.
   */
  readonly ttl?: Duration.DurationInput | undefined
}

/**
 * A log in the memory of this process. It is empty after a restart, and other processes do not see it: enough for one
 * process whose handlers could stand a rare duplicate.
 *
 * Fails with `HookrailConfigError` if the capacity is not a whole number above 0, or the time not finite and above 0.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeMemory = (options: MemoryOptions = {}): Effect.Effect<Service, HookrailConfigError> =>
  Effect.map(checkOptions(options, checks), ({ capacity, ttl }) => memory(capacity, ttl))

const checks = {
  capacity: withDefault(wholeNumber(), 100_000),
  ttl: withDefault(positiveDuration, 24 * 3_600_000)
}

const memory = (capacity: number, ttl: number): Service => {
  let made: Claims | undefined
  // Not before the first delivery: workers have no random numbers while a module is loaded.
  const claims = (): Claims => made ??= new Claims(capacity, ttl, crypto.getRandomValues(new Uint32Array(1))[0]!)
  return {
    claim: (delivery, lease) =>
      new WithClock((clock) => {
        const token = claims().claim(delivery, now(clock), Duration.toMillis(lease))
        return Effect.succeed(token > 0 ? { _tag: "Claimed", token: String(token) } : token === isDone ? done : running)
      }),
    renew: (delivery, token, lease) =>
      new WithClock((clock) =>
        Effect.succeed(claims().renew(delivery, Number(token), now(clock), Duration.toMillis(lease)))
      ),
    done: (delivery, token) =>
      new WithClock((clock) => {
        claims().done(delivery, Number(token), now(clock))
        return Effect.void
      }),
    release: (delivery, token) => Effect.sync(() => claims().release(delivery, Number(token)))
  }
}

const running: Claim = { _tag: "Running" }
const done: Claim = { _tag: "Done" }

/** In milliseconds, of a clock that nobody sets: a lease and a time to live are durations. */
const now = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

/**
 * A log in memory: see `makeMemory`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory = (options?: MemoryOptions): Layer.Layer<DeliveryLog, HookrailConfigError> =>
  Layer.effect(DeliveryLog, makeMemory(options))

/**
 * No log: every delivery is handled, duplicates too. For handlers that find duplicates themselves, in the transaction
 * that does the work, say.
 *
 * @since 0.1.0
 * @category constructors
 */
export const none: Service = {
  claim: () => Effect.succeed({ _tag: "Claimed", token: "" }),
  renew: () => Effect.succeed(true),
  done: () => Effect.void,
  release: () => Effect.void
}

/**
 * No log: see `none`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerNone: Layer.Layer<DeliveryLog> = Layer.succeed(DeliveryLog, none)
