/** What a relay counts. */
import type { RelayStats } from "./model.js"

const bounds = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000, 600_000, 3_600_000]

export class Counts {
  claims = 0
  emptyClaims = 0
  claimed = 0
  accepted = 0
  replayed = 0
  failed = 0
  parked = 0
  dead = 0
  released = 0
  fenced = 0
  acks = 0
  acked = 0
  databaseErrors = 0
  databaseError: string | undefined
  private sumMs = 0
  private readonly atMost = bounds.map(() => 0)

  tookMs(took: number): void {
    const millis = Math.max(took, 0)
    this.sumMs += millis
    const index = bounds.findIndex((bound) => millis <= bound)
    if (index >= 0) this.atMost[index]!++
  }

  snapshot(now: Pick<RelayStats, "state" | "inFlight" | "queued" | "gateClosedMs">): RelayStats {
    let count = 0
    return {
      ...now,
      claims: this.claims,
      emptyClaims: this.emptyClaims,
      claimed: this.claimed,
      accepted: this.accepted,
      replayed: this.replayed,
      failed: this.failed,
      parked: this.parked,
      dead: this.dead,
      released: this.released,
      fenced: this.fenced,
      acks: this.acks,
      acked: this.acked,
      databaseErrors: this.databaseErrors,
      databaseError: this.databaseError,
      latency: {
        count: this.accepted,
        sumMs: this.sumMs,
        buckets: bounds.map((leMs, index) => ({ leMs, count: count += this.atMost[index]! }))
      }
    }
  }
}
