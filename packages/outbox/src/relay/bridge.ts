/** What the adapters for Effect share, without Effect. */
import type { OutboxStats } from "../operate/events.js"
import { counters, depths, gauges, type Measure } from "./measures.js"
import type { RelayOptions, RelayStats } from "./model.js"

/**
 * Options of a relay as a layer. Times are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface LayerOptions extends Omit<RelayOptions, "executor" | "client" | "onLog"> {
  /** How long the relay may take to finish when the layer is released. Default 10,000. */
  readonly drainMs?: number | undefined
  /** How often the metrics are brought up to date; those of the table cost one statement. Default 10,000. */
  readonly measureMs?: number | undefined
}

/** A send that was interrupted, as the error of a client with promises. */
export const interruptedSend = (outcome: string): Error =>
  Object.assign(new Error("The send was interrupted."), { _tag: "HookrailAbortedError", outcome })

interface ExternalSpan {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

/** The span that a W3C `traceparent` names. */
export const spanOf = (traceparent: string | undefined): ExternalSpan | undefined => {
  const parts = /^00-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/.exec(traceparent ?? "")
  return parts === null
    ? undefined
    : { traceId: parts[1]!, spanId: parts[2]!, sampled: (Number.parseInt(parts[3]!, 16) & 1) === 1 }
}

type Update = (value: number) => void

/** Keeps metrics of some system up to date. */
export class Meter {
  private before: RelayStats | undefined
  private readonly counters: ReadonlyArray<readonly [Measure<RelayStats>, Update]>
  private readonly gauges: ReadonlyArray<readonly [Measure<RelayStats>, Update]>
  private readonly depths: ReadonlyArray<readonly [Measure<OutboxStats>, Update]>

  constructor(
    counter: (name: string, help: string) => Update,
    gauge: (name: string, help: string) => Update
  ) {
    const made = <A>(measures: ReadonlyArray<Measure<A>>, make: typeof gauge) =>
      measures.map((it) => [it, make(`hookrail.outbox.${it.name}`, it.help)] as const)
    this.counters = made(counters, counter)
    this.gauges = made(gauges, gauge)
    this.depths = made(depths, gauge)
  }

  update(stats: RelayStats, outbox: OutboxStats | undefined): void {
    const { before } = this
    this.before = stats
    for (const [{ of }, add] of this.counters) {
      const by = of(stats) - (before === undefined ? 0 : of(before))
      // Zeros too, at first: a counter that is there can be watched.
      if (by > 0 || before === undefined) add(by)
    }
    for (const [{ of }, set] of this.gauges) set(of(stats))
    if (outbox !== undefined) { for (const [{ of }, set] of this.depths) set(of(outbox)) }
  }
}
