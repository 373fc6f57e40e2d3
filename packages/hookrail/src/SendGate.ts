/**
 * Keeps a client kind under load: a limited number of requests at a time, and a pace of the client as a whole while the
 * server answers 429 or 503 to more of them than chance explains.
 *
 * A few overloads among many answers change nothing. When the share is larger, the rate falls below what the server accepted
 * of late, and feels its way up again. When nothing gets through, one request is tried after each pause. Sends and reads
 * each have places, a queue and a pace of their own.
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
 * The settings of a gate. What is left out takes its default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many sends, and how many reads, may be under way at a time; the others wait in the order they came. Default 64. */
  readonly maxInFlight?: number | undefined
  /**
   * The longest pause of the whole client while nothing gets through, whatever `Retry-After` says. Default 30 seconds.
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
 * Makes a gate. It logs through the loggers that it is made with: a warning when it begins to slow down, a line when it is
 * over, at most one a second.
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

const stateGauge = Metric.gauge("hookrail.gate.state", { description: "0 open, 1 paced, 2 probing" })
const inFlightGauge = Metric.gauge("hookrail.gate.in_flight", { description: "Requests under way" })
const waitingGauge = Metric.gauge("hookrail.gate.waiting", { description: "Requests that wait for their turn" })
const rateGauge = Metric.gauge("hookrail.gate.rate", { description: "Requests per second; infinite if unlimited" })

const states: ReadonlyArray<State> = ["open", "paced", "probing"]

/** Gauges of one kind of requests, told apart by the tag `requests`. */
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
 * Sets the gauges `hookrail.gate.state`, `hookrail.gate.in_flight`, `hookrail.gate.waiting` and `hookrail.gate.rate` to what
 * the gate does at the moment, for sends and for reads (tag `requests`). Repeat it as often as they are to be current:
 * sending itself does not touch them.
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
