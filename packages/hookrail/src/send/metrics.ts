/** The metrics of sends. The labels are made once: see `Metrics` in `receive/receive.ts`. */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricLabel from "effect/MetricLabel"
import type { CallMetrics } from "../call/metrics.js"

const sends = Metric.counter("hookrail.sends", {
  description: "Sends, by result: accepted, interrupted, or the error; and by what is known about the event",
  incremental: true
})

const attempts = Metric.counter("hookrail.send.attempts", {
  description: "Attempts of sends, by outcome: accepted, refused, not-sent, unknown",
  incremental: true
})

const duration = Metric.histogram(
  "hookrail.send.duration",
  MetricBoundaries.fromIterable([
    5,
    10,
    25,
    50,
    75,
    100,
    250,
    500,
    750,
    1000,
    2500,
    5000,
    7500,
    10_000,
    30_000,
    60_000
  ]),
  "How long sends take, with all attempts and pauses, in milliseconds"
)

type Labels = ReadonlyArray<MetricLabel.MetricLabel>

export class SendMetrics implements CallMetrics {
  private readonly results = new Map<string, Labels>()
  private readonly outcomes = new Map<string, Labels>()

  constructor(private readonly labels: Labels) {}

  attempted(outcome: string): void {
    let labels = this.outcomes.get(outcome)
    if (labels === undefined) {
      labels = [...this.labels, MetricLabel.make("outcome", outcome)]
      this.outcomes.set(outcome, labels)
    }
    attempts.unsafeUpdate(1, labels)
  }

  ended(result: string, outcome: string, millis: number): void {
    const key = result === outcome ? result : `${result} ${outcome}`
    let labels = this.results.get(key)
    if (labels === undefined) {
      labels = [...this.labels, MetricLabel.make("result", result), MetricLabel.make("outcome", outcome)]
      this.results.set(key, labels)
    }
    sends.unsafeUpdate(1, labels)
    duration.unsafeUpdate(millis, labels)
  }
}
