/** The metrics of a relay. */
import * as Metric from "effect/Metric"
import type * as Runtime from "effect/Runtime"
import { Meter } from "../relay/bridge.js"

/** Their registry is one for the program in this line of Effect. */
export const meterOf = (destination: string, _: Runtime.Runtime<never>): Meter =>
  new Meter(
    (name, description) => {
      const metric = Metric.tagged(Metric.counter(name, { description, incremental: true }), "destination", destination)
      return (by) => metric.unsafeUpdate(by, [])
    },
    (name, description) => {
      const metric = Metric.tagged(Metric.gauge(name, { description }), "destination", destination)
      return (value) => metric.unsafeUpdate(value, [])
    }
  )
