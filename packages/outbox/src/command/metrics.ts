/** Metrics in the text format of Prometheus. */
import type { OutboxStats } from "../operate/events.js"
import { counters, depths, gauges, type Measure } from "../relay/measures.js"
import type { RelayStats } from "../relay/model.js"

const escaped = (text: string): string => text.replace(/[\\"\n]/g, (it) => it === "\n" ? "\\n" : `\\${it}`)

/** The outbox is left out while it cannot be asked. */
export const metricsOf = (destination: string, stats: RelayStats, outbox: OutboxStats | undefined): string => {
  const label = `destination="${escaped(destination)}"`
  const write = <A>(kind: "counter" | "gauge", from: A) => ({ help, name, of }: Measure<A>): string => {
    const full = `hookrail_outbox_${name}${kind === "counter" ? "_total" : ""}`
    return `# HELP ${full} ${help}\n# TYPE ${full} ${kind}\n${full}{${label}} ${of(from)}\n`
  }
  const latency = "hookrail_outbox_latency_seconds"
  const { buckets, count, sumMs } = stats.latency
  const bucket = (le: number | string, atMost: number): string => `${latency}_bucket{${label},le="${le}"} ${atMost}\n`
  return [
    ...counters.map(write("counter", stats)),
    ...gauges.map(write("gauge", stats)),
    ...(outbox === undefined ? [] : depths.map(write("gauge", outbox))),
    `# HELP ${latency} From the enqueueing to the acceptance.\n# TYPE ${latency} histogram\n`,
    ...buckets.map(({ count, leMs }) => bucket(leMs / 1_000, count)),
    bucket("+Inf", count),
    `${latency}_sum{${label}} ${sumMs / 1_000}\n${latency}_count{${label}} ${count}\n`
  ].join("")
}
