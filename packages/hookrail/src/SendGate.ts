/**
 * Keeps a client kind under load: a limited number of requests at a time, and a pace of the client as a whole while the
 * server answers 429 or 503.
 *
 * Until the first such answer the gate only counts. Then it pauses (as long as `Retry-After` asks, if it does), begins
 * again slowly, doubles the rate each second, and once it has met the limit rises by a constant and falls by a factor, as
 * TCP does. When no overload has come for a while, it is as in the beginning.
 *
 * A client makes a gate of its own. Provide one to share it between clients, to change its settings, or to watch it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as gate from "./gate/gate.js"
import type { Stats } from "./gate/model.js"
import { defaults } from "./gate/pace.js"
import type { Service } from "./gate/service.js"
import type { HookrailConfigError } from "./HookrailError.js"
import { fraction, numberFrom, positiveNumber, wholeNumber, withDefault } from "./options/check.js"
import { positiveDuration } from "./options/duration.js"
import { checkOptions } from "./options/settings.js"

export * from "./gate/model.js"
export * from "./gate/service.js"

/**
 * The settings of a gate. What is left out takes its default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many requests may be under way at a time; the others wait in the order they came. Default 64. */
  readonly maxInFlight?: number | undefined
  /** The rate after the first overload, in requests per second. Default 20. */
  readonly initialRate?: number | undefined
  /** What the rate gains each second once the limit has been met, in requests per second. Default 4. */
  readonly increase?: number | undefined
  /** What an overload multiplies the rate by: above 0, below 1. Default 0.9. */
  readonly decrease?: number | undefined
  /** The longest pause, whatever `Retry-After` says. Default 1 minute. */
  readonly maxPause?: Duration.DurationInput | undefined
  /** After so long without an overload the rate is unlimited again. Default 1 minute. */
  readonly calmAfter?: Duration.DurationInput | undefined
}

/**
 * @since 0.1.0
 * @category tags
 */
export class SendGate extends Context.Tag("hookrail/SendGate")<SendGate, Service>() {}

const checks = {
  maxInFlight: withDefault(wholeNumber(), defaults.maxInFlight),
  initialRate: withDefault(numberFrom(1), defaults.initialRate),
  increase: withDefault(positiveNumber, defaults.increase),
  decrease: withDefault(fraction, defaults.decrease),
  maxPause: withDefault(positiveDuration, defaults.maxPause),
  calmAfter: withDefault(positiveDuration, defaults.calmAfter)
}

/**
 * Makes a gate.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Service, HookrailConfigError> =>
  Effect.map(checkOptions(options, checks, "gate."), gate.make)

/**
 * A gate that all clients share that it is provided to. Its `maxInFlight` then holds instead of theirs.
 *
 * @example
 * import { HookrailClient, SendGate, Transport } from "hookrail"
 * import { Layer } from "effect"
 *
 * const layer = HookrailClient.layer().pipe(
 *   Layer.provide(SendGate.layer({ maxInFlight: 16 })),
 *   Layer.provide(Transport.layerFetch)
 * )
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<SendGate, HookrailConfigError> =>
  Layer.effect(SendGate, make(options))

/**
 * Each fiber on its own: no limit and no slowing down.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerNone: Layer.Layer<SendGate> = Layer.succeed(SendGate, gate.none)

/**
 * What the gate does at the moment.
 *
 * @since 0.1.0
 * @category accessors
 */
export const stats: Effect.Effect<Stats, never, SendGate> = Effect.flatMap(SendGate, (gate) => gate.stats)

const inFlightGauge = Metric.gauge("hookrail.gate.in_flight", { description: "Requests under way" })
const waitingGauge = Metric.gauge("hookrail.gate.waiting", { description: "Requests that wait for their turn" })
const rateGauge = Metric.gauge("hookrail.gate.rate", { description: "Requests per second; infinite if unlimited" })

/**
 * Sets the gauges `hookrail.gate.in_flight`, `hookrail.gate.waiting` and `hookrail.gate.rate` to what the gate does at
 * the moment. Repeat it as often as they are to be current: sending itself does not touch them.
 *
 * @example
 * import { SendGate } from "hookrail"
 * import { Effect, Layer, Schedule } from "effect"
 *
 * const Watched = Layer.scopedDiscard(
 *   Effect.forkScoped(Effect.repeat(SendGate.publish, Schedule.spaced("5 seconds")))
 * ).pipe(Layer.provideMerge(SendGate.layer()))
 *
 * @since 0.1.0
 * @category accessors
 */
export const publish: Effect.Effect<void, never, SendGate> = Effect.flatMap(
  stats,
  ({ inFlight, rate, waiting }) =>
    Effect.all([
      Metric.set(inFlightGauge, inFlight),
      Metric.set(waitingGauge, waiting),
      Metric.set(rateGauge, rate)
    ], { discard: true })
)
