/** The metrics of a relay. */
import type * as Context from "effect-4/Context"
import * as Metric from "effect-4/Metric"
import { Meter } from "../relay/bridge.js"

export const meterOf = (destination: string, context: Context.Context<never>): Meter =>
  new Meter(
    (name, description) => {
      const metric = Metric.withAttributes(Metric.counter(name, { description, incremental: true }), { destination })
      return (by) => metric.updateUnsafe(by, context)
    },
    (name, description) => {
      const metric = Metric.withAttributes(Metric.gauge(name, { description }), { destination })
      return (value) => metric.updateUnsafe(value, context)
    }
  )
