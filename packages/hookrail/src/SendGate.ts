/**
 * Protects the server from overload: limits how many requests are in flight, and slows down the client as a whole while
 * the server answers more of them with 429 or 503 than chance explains.
 *
 * A few overloads among many answers change nothing. If their share is larger, the rate falls below what the server
 * accepted recently, and then rises again step by step. If nothing gets through, one request is tried after each pause.
 * Sends and reads each have their own places, queue and pace.
 *
 * By default each client makes its own gate. Provide one to share it between clients, to change its settings, or to monitor
 * it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as gate from "./gate/gate.js"
import type { LaneStats, State, Stats } from "./gate/model.js"
import { defaults } from "./gate/pace.js"
import { loggedBy } from "./gate/report.js"
import type { Service } from "./gate/service.js"
import type { HookrailConfigError } from "./HookrailError.js"
import { wholeNumber, withDefault } from "./options/check.js"
import { positiveDuration } from "./options/duration.js"
import { checkOptions } from "./options/settings.js"

export * from "./gate/model.js"
export * from "./gate/service.js"

/**
 * The settings of a gate. Omitted ones have their defaults.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many sends, and how many reads, may be in flight; the others wait in order of arrival. Default: 64. */
  readonly maxInFlight?: number | undefined
  /**
   * The longest pause of the whole client while nothing gets through, whatever `Retry-After` says. Default: 30 seconds.
   */
  readonly maxPause?: Duration.DurationInput | undefined
}

/**
 * @since 0.1.0
 * @category tags
 */
export class SendGate extends Context.Tag("hookrail/SendGate")<SendGate, Service>() {}

const checks = {
  maxInFlight: withDefault(wholeNumber(), defaults.maxInFlight),
  maxPause: withDefault(positiveDuration, defaults.maxPause)
}

/**
 * Makes a gate. It logs through the loggers in force where it is made: a warning when it starts to slow down, and a line
 * when that is over, at most one per second.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Service, HookrailConfigError> =>
  Effect.zipWith(
    checkOptions(options, checks, "gate."),
    Effect.runtime<never>(),
    (settings, runtime) => gate.make(settings, loggedBy(runtime))
  )

/**
 * A gate shared by all clients that it is provided to. Its `maxInFlight` replaces theirs.
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
 * No gate: no limit and no slowing down.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerNone: Layer.Layer<SendGate> = Layer.succeed(SendGate, gate.none)

/**
 * The current state of the gate.
 *
 * @since 0.1.0
 * @category accessors
 */
export const stats: Effect.Effect<Stats, never, SendGate> = Effect.flatMap(SendGate, (gate) => gate.stats)

const stateGauge = Metric.gauge("hookrail.gate.state", { description: "0 open, 1 paced, 2 probing" })
const inFlightGauge = Metric.gauge("hookrail.gate.in_flight", { description: "Requests under way" })
const waitingGauge = Metric.gauge("hookrail.gate.waiting", { description: "Requests that wait for their turn" })
const rateGauge = Metric.gauge("hookrail.gate.rate", { description: "Requests per second; infinite if unlimited" })

const states: ReadonlyArray<State> = ["open", "paced", "probing"]

/** Gauges for one kind of requests, distinguished by the tag `requests`. */
const publisher = (requests: "sends" | "reads") => {
  const [state, inFlight, waiting, rate] = [stateGauge, inFlightGauge, waitingGauge, rateGauge].map((gauge) =>
    Metric.tagged(gauge, "requests", requests)
  ) as [typeof stateGauge, typeof stateGauge, typeof stateGauge, typeof stateGauge]
  return (stats: LaneStats): Effect.Effect<void> =>
    Effect.all([
      Metric.set(state, states.indexOf(stats.state)),
      Metric.set(inFlight, stats.inFlight),
      Metric.set(waiting, stats.waiting),
      Metric.set(rate, stats.rate)
    ], { discard: true })
}

const publishSends = publisher("sends")
const publishReads = publisher("reads")

/**
 * Sets the gauges `hookrail.gate.state`, `hookrail.gate.in_flight`, `hookrail.gate.waiting` and `hookrail.gate.rate` to the
 * current state of the gate, for sends and for reads (tag `requests`). Repeat it to keep them current: sending itself does
 * not update them.
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
  (stats) => Effect.zipRight(publishSends(stats), publishReads(stats.reads))
)
