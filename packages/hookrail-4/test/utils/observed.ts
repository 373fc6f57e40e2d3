import { Effect, Layer, Logger, Metric, References, Tracer } from "effect"
import { inspect } from "node:util"

/** Keeps the spans that a program makes. */
export const traced = () => {
  const spans: Array<TestSpan> = []
  const tracer = Tracer.make({
    span: ({ annotations, kind, links, name, parent, startTime }) => {
      const span = new TestSpan(name, parent, annotations, links, startTime, kind)
      spans.push(span)
      return span
    }
  })
  return { spans, layer: Layer.succeed(Tracer.Tracer, tracer) }
}

let ids = 0

export class TestSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly spanId = (++ids).toString(16).padStart(16, "0")
  readonly traceId: string
  readonly sampled = true
  readonly attributes = new Map<string, unknown>()
  readonly events: Array<readonly [string, Record<string, unknown> | undefined]> = []
  readonly links: Array<Tracer.SpanLink>
  status: Tracer.SpanStatus

  constructor(
    readonly name: string,
    readonly parent: Tracer.Span["parent"],
    readonly annotations: Tracer.Span["annotations"],
    links: ReadonlyArray<Tracer.SpanLink>,
    startTime: bigint,
    readonly kind: Tracer.SpanKind
  ) {
    this.links = [...links]
    this.traceId = (++ids).toString(16).padStart(32, "0")
    this.status = { _tag: "Started", startTime }
  }

  end(endTime: bigint, exit: never): void {
    this.status = { _tag: "Ended", startTime: this.status.startTime, endTime, exit }
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
  }

  event(name: string, _: bigint, attributes?: Record<string, unknown>): void {
    this.events.push([name, attributes])
  }

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.links.push(...links)
  }
}

/** Labels the metrics of a program: `test: <name>`. */
export const tagged = <A, E, R>(name: string, program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(program, Metric.CurrentMetricAttributes, { test: name })

/** The counters and histograms of Hookrail with the label `test: <name>`, with their other labels and their counts. */
export const countsOf = (name: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(Metric.snapshot, (snapshot) =>
    snapshot.flatMap(({ attributes, id, state }) => {
      if (attributes?.["test"] !== name || !id.startsWith("hookrail.")) return []
      const { count } = state as { readonly count: number }
      const what = [id, attributes["result"], attributes["outcome"]].filter((text) => text !== undefined)
      return [`${what.join(" ")}: ${count}`]
    }).sort())

/** Keeps what a program logs, from level debug on. */
export const debugLines = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  return {
    lines,
    layer: Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "Debug"))
  }
}

const shown = (value: unknown): string => inspect(value, { depth: 20, showHidden: true, maxStringLength: null })

/** Keeps what tracers and loggers are given of a program, and all metrics. */
export const everything = () => {
  const { layer: tracer, spans } = traced()
  const lines: Array<string> = []
  const logger = Logger.map(Logger.formatStructured, (entry) => void lines.push(shown(entry)))
  return {
    spans,
    lines,
    seen: Effect.map(Metric.snapshot, (metrics) => [shown(spans), ...lines, shown(metrics)].join("\n")),
    layer: Layer.mergeAll(tracer, Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "All"))
  }
}
