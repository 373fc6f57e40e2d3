import type { Exit } from "effect"
import { Tracer } from "effect"

class BareSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly sampled = true
  readonly attributes = new Map<string, unknown>()
  readonly spanId = "0123456789abcdef"
  readonly traceId = "0123456789abcdef0123456789abcdef"
  status: Tracer.SpanStatus

  constructor(
    readonly name: string,
    readonly parent: Tracer.Span["parent"],
    readonly context: Tracer.Span["context"],
    readonly links: ReadonlyArray<Tracer.SpanLink>,
    startTime: bigint,
    readonly kind: Tracer.SpanKind
  ) {
    this.status = { _tag: "Started", startTime }
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.status = { _tag: "Ended", startTime: this.status.startTime, endTime, exit }
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
  }

  event(): void {}

  addLinks(): void {}
}

/** A minimal tracer, to measure the cost of tracing itself. */
export const bareTracer = Tracer.make({
  span: (name, parent, context, links, startTime, kind) => new BareSpan(name, parent, context, links, startTime, kind),
  context: (run) => run()
})
