import type { Exit } from "effect-4"
import { Tracer } from "effect-4"

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
    readonly annotations: Tracer.Span["annotations"],
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

/** As `bareTracer`, for Effect 4. */
export const bareTracer4 = Tracer.make({
  span: ({ annotations, kind, links, name, parent, startTime }) =>
    new BareSpan(name, parent, annotations, links, startTime, kind)
})
