/**
 * Which deliveries have been handled, so that none is handled twice.
 *
 * Hookrail delivers at least once: an answer that gets lost, or a worker that crashes, brings the same delivery id again
 * (protocol section 4.5). `Webhooks` claims each delivery before its handler runs, and afterwards either marks it done or
 * releases it, so that a retry runs.
 *
 * A store that several processes share makes each operation atomic: see `Service`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
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
 * What a store has to do. With SQL: one row per delivery id, `insert ... on conflict do update ... where lease_until < now()`
 * for a claim, and updates that name the token. With Redis: `set ... nx px`, and a script that compares the token.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /**
   * Claims a delivery, atomically: of any number of claims at the same time, one is `Claimed`. A claim whose lease has
   * run out belongs to a process that has crashed, and is there to be taken.
   */
  readonly claim: (deliveryId: string, lease: Duration.Duration) => Effect.Effect<Claim, DeliveryLogError>
  /** Marks a delivery as handled. Does nothing if `token` no longer holds the claim. */
  readonly done: (deliveryId: string, token: string) => Effect.Effect<void, DeliveryLogError>
  /** Forgets a claim. Does nothing if `token` no longer holds it. */
  readonly release: (deliveryId: string, token: string) => Effect.Effect<void, DeliveryLogError>
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
  const running = new Map<string, { readonly token: string; readonly leaseUntil: number }>()
  // In the order they were done, and so in the order they are forgotten.
  const done = new Map<string, number>()
  let claims = 0

  const forget = (now: number): void => {
    for (const [deliveryId, doneAt] of done) {
      if (done.size <= capacity && doneAt + ttl > now) return
      done.delete(deliveryId)
    }
  }

  return {
    claim: (deliveryId, lease) =>
      Effect.map(Clock.currentTimeMillis, (now): Claim => {
        forget(now)
        if (done.has(deliveryId)) return { _tag: "Done" }
        const holder = running.get(deliveryId)
        if (holder !== undefined && holder.leaseUntil > now) return { _tag: "Running" }
        const token = String(++claims)
        running.set(deliveryId, { token, leaseUntil: now + Duration.toMillis(lease) })
        return { _tag: "Claimed", token }
      }),
    done: (deliveryId, token) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (running.get(deliveryId)?.token !== token) return
        running.delete(deliveryId)
        done.set(deliveryId, now)
        forget(now)
      }),
    release: (deliveryId, token) =>
      Effect.sync(() => {
        if (running.get(deliveryId)?.token === token) running.delete(deliveryId)
      })
  }
}

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
