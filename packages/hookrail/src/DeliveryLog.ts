/**
 * Remembers which deliveries have been handled, so that none is handled twice.
 *
 * Hookrail delivers at least once: after a lost answer or a crashed worker, it sends the same delivery id again (protocol
 * section 4.5). `Webhooks` claims each delivery before its handler runs, holds the claim while the handler runs, and then
 * either marks it done or releases it, so that a retry runs.
 *
 * In a store shared by several processes, each operation must be atomic: see `Service`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Claims, isDone } from "./claims/claims.js"
import { WithClock } from "./fiber/ground.js"
import { monotonicNow } from "./fiber/time.js"
import type { DeliveryLogError, HookrailConfigError } from "./HookrailError.js"
import { wholeNumber, withDefault } from "./options/check.js"
import { positiveDuration } from "./options/duration.js"
import { checkOptions } from "./options/settings.js"

/**
 * The answer to a claim.
 *
 * - `Claimed`: the caller holds the claim until it is done or released, or its lease expires. `token` identifies this
 *   claim.
 * - `Running`: another claim is in force.
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
 * What a store must implement. With SQL: one row per delivery, `insert ... on conflict do update ... where lease_until <
 * now()` for a claim, and updates that check the token. With Redis: `set ... nx px`, and scripts that compare the token.
 *
 * A `delivery` is the delivery id, the event id and the topic in one string, joined by dots:
 * `01JX....01JW....orders.created`. The signature covers only the delivery id, so somebody who has seen a delivery could
 * replay it under another topic. All three together identify what was handled, and no replay shadows the genuine delivery.
 * Treat the string as opaque.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /**
   * Claims a delivery, atomically: of any number of concurrent claims, one is `Claimed`. A claim whose lease has expired
   * belongs to a process that has crashed, and can be taken over.
   */
  readonly claim: (delivery: string, lease: Duration.Duration) => Effect.Effect<Claim, DeliveryLogError>
  /**
   * Extends a claim by another lease from now, because its handler is still running. Returns `false` if `token` no longer
   * holds it; another process may have taken it over.
   */
  readonly renew: (
    delivery: string,
    token: string,
    lease: Duration.Duration
  ) => Effect.Effect<boolean, DeliveryLogError>
  /** Marks a delivery as handled. Does nothing if `token` no longer holds the claim. */
  readonly done: (delivery: string, token: string) => Effect.Effect<void, DeliveryLogError>
  /** Removes a claim. Does nothing if `token` no longer holds it. */
  readonly release: (delivery: string, token: string) => Effect.Effect<void, DeliveryLogError>
}

/**
 * Remembers which deliveries have been handled.
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
  /** How many handled deliveries are remembered; beyond that, the oldest are forgotten. Default: 100,000 (about 20 MB). */
  readonly capacity?: number | undefined
  /**
   * How long a handled delivery is remembered. Default: 24 hours. With its own defaults, Hookrail makes its last retry long
   * before that.
   */
  readonly ttl?: Duration.DurationInput | undefined
}

/**
 * A log in the memory of this process. It is empty after a restart, and other processes do not see it: sufficient for a
 * single process whose handlers tolerate a rare duplicate.
 *
 * Fails with `HookrailConfigError` if the capacity is not an integer above 0, or `ttl` is not finite and above 0.
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
        const token = claims().claim(delivery, monotonicNow(clock), Duration.toMillis(lease))
        return Effect.succeed(token > 0 ? { _tag: "Claimed", token: String(token) } : token === isDone ? done : running)
      }),
    renew: (delivery, token, lease) =>
      new WithClock((clock) =>
        Effect.succeed(claims().renew(delivery, Number(token), monotonicNow(clock), Duration.toMillis(lease)))
      ),
    done: (delivery, token) =>
      new WithClock((clock) => {
        claims().done(delivery, Number(token), monotonicNow(clock))
        return Effect.void
      }),
    release: (delivery, token) => Effect.sync(() => claims().release(delivery, Number(token)))
  }
}

const running: Claim = { _tag: "Running" }
const done: Claim = { _tag: "Done" }
/**
 * A log in memory: see `makeMemory`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory = (options?: MemoryOptions): Layer.Layer<DeliveryLog, HookrailConfigError> =>
  Layer.effect(DeliveryLog, makeMemory(options))

/**
 * No log: every delivery is handled, duplicates too. For handlers that detect duplicates themselves, for example in the
 * transaction that does the work.
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
