/** Metrics in the text format of Prometheus. */
import type { OutboxStats } from "../operate/events.js"
import type { RelayStats } from "../relay/model.js"

type Kind = "counter" | "gauge"

const line = (name: string, kind: Kind, help: string, value: number, labels = ""): string =>
  `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${name}${labels} ${value}\n`

const escaped = (text: string): string => text.replace(/[\\"\n]/g, (it) => it === "\n" ? "\\n" : `\\${it}`)

/** The outbox is left out while it cannot be asked. */
export const metricsOf = (destination: string, stats: RelayStats, outbox: OutboxStats | undefined): string => {
  const labels = `{destination="${escaped(destination)}"}`
  const of = (kind: Kind) => (name: string, help: string, value: number): string =>
    line(`hookrail_outbox_${name}`, kind, help, value, labels)
  const [counter, gauge] = [of("counter"), of("gauge")]
  const { latency } = stats
  const bucket = (le: number | string, count: number): string =>
    `hookrail_outbox_latency_seconds_bucket{destination="${escaped(destination)}",le="${le}"} ${count}\n`
  return [
    counter("accepted_total", "Events that the server accepted.", stats.accepted),
    counter("replayed_total", "Accepted events that the server had accepted before.", stats.replayed),
    counter("failed_total", "Attempts that failed and are repeated.", stats.failed),
    counter("parked_total", "Events that were parked until somebody decides.", stats.parked),
    counter("dead_total", "Events that were moved to the dead letters.", stats.dead),
    counter("claims_total", "Statements that claim events.", stats.claims),
    counter("empty_claims_total", "Claims that found nothing.", stats.emptyClaims),
    counter("claimed_total", "Events that were claimed.", stats.claimed),
    counter("released_total", "Claimed events that were given back untried.", stats.released),
    counter("fenced_total", "Results that came after another relay had taken over.", stats.fenced),
    counter("acks_total", "Statements that delete accepted events.", stats.acks),
    counter("acked_total", "Accepted events that were deleted.", stats.acked),
    counter("database_errors_total", "Statements that failed.", stats.databaseErrors),
    gauge("in_flight", "Ordering keys, and events without one, that are being sent.", stats.inFlight),
    gauge("queued", "Claimed events that wait for their turn.", stats.queued),
    gauge("gate_closed_seconds", "For how long the relay still pauses.", stats.gateClosedMs / 1_000),
    ...(outbox === undefined ? [] : [
      gauge("pending", "Events that wait, counted up to 100000.", outbox.pending),
      gauge("oldest_age_seconds", "For how long the oldest of them has been waiting.", outbox.oldestAgeMs / 1_000),
      gauge("parked", "Events that are parked.", outbox.parked),
      gauge("blocked_keys", "Ordering keys that a parked event blocks.", outbox.blockedKeys),
      gauge("dead", "Dead letters.", outbox.dead)
    ]),
    "# HELP hookrail_outbox_latency_seconds From the enqueueing to the acceptance.\n",
    "# TYPE hookrail_outbox_latency_seconds histogram\n",
    ...latency.buckets.map(({ count, leMs }) => bucket(leMs / 1_000, count)),
    bucket("+Inf", latency.count),
    `hookrail_outbox_latency_seconds_sum${labels} ${latency.sumMs / 1_000}\n`,
    `hookrail_outbox_latency_seconds_count${labels} ${latency.count}\n`
  ].join("")
}
