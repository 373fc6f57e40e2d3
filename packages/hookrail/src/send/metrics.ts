/** What watches the calls of the Effect client: metrics, span events, debug lines. The labels are made once: see `Metrics` in `receive/receive.ts`. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricLabel from "effect/MetricLabel"
import * as Option from "effect/Option"
import type * as Runtime from "effect/Runtime"
import type { AttemptError } from "../call/errors.js"
import type { CallMetrics, Watched } from "../call/metrics.js"
import { monotonicNow } from "../fiber/time.js"
import { addEvent } from "../fiber/tracing.js"
import type { UnmatchedEventError } from "../HookrailError.js"

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

  attempted(call: Watched, outcome: string): void {
    if (call.kind !== "send") return
    let labels = this.outcomes.get(outcome)
    if (labels === undefined) {
      labels = [...this.labels, MetricLabel.make("outcome", outcome)]
      this.outcomes.set(outcome, labels)
    }
    attempts.unsafeUpdate(1, labels)
  }

  ended(call: Watched, result: string, outcome: string): void {
    if (call.kind !== "send") return
    // No new text for the usual case.
    const key = result === outcome ? result : `${result} ${outcome}`
    let labels = this.results.get(key)
    if (labels === undefined) {
      labels = [...this.labels, MetricLabel.make("result", result), MetricLabel.make("outcome", outcome)]
      this.results.set(key, labels)
    }
    sends.unsafeUpdate(1, labels)
    duration.unsafeUpdate(monotonicNow(call.clock) - call.start, labels)
  }

  measured<A, E extends { readonly _tag: string }>(call: Watched, rest: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.onExit(rest, (exit) =>
      Effect.sync(() => {
        if (Exit.isSuccess(exit)) return this.ended(call, "accepted", "accepted")
        const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
        const outcome = call.isPending ? "unknown" : call.outcome
        if (error !== undefined) {
          const own = (error as { readonly outcome?: string }).outcome
          return this.ended(call, error._tag, own ?? outcome)
        }
        this.ended(call, Cause.isInterrupted(exit.cause) ? "interrupted" : "defect", outcome)
      }))
  }

  failed(call: Watched, error: AttemptError | UnmatchedEventError): Effect.Effect<void> {
    const attributes: Record<string, string | number> = { "hookrail.attempt": call.attempts, "error.type": error._tag }
    if ("status" in error && error.status !== undefined) attributes["http.response.status_code"] = error.status
    const line = Effect.logDebug(`hookrail: attempt ${call.attempts} has failed: ${error.message}`)
    return Effect.zipRight(
      Effect.flatMap(
        Effect.option(Effect.currentSpan),
        Option.match({
          onNone: () => Effect.void,
          onSome: (span) => Effect.sync(() => addEvent(span, "hookrail.attempt", call.clock, attributes))
        })
      ),
      Effect.annotateLogs(line, attributes)
    )
  }
}

/** With the labels that are in force where the client is made. */
export const metricsOf = (runtime: Runtime.Runtime<never>): SendMetrics =>
  new SendMetrics(FiberRefs.getOrDefault(runtime.fiberRefs, FiberRef.currentMetricLabels))
