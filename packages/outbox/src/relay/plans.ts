/**
 * Plans that Postgres keeps of prepared statements. One that was made while there was next to nothing in the table reads all of it,
 * and goes on doing so when there are a million events, until statistics are brought up to date: up to a minute or more.
 */
import type { Executor } from "../executor/model.js"

/** A claim of some hundred events takes milliseconds. */
const slowMillis = 50

/** How often in a row it is tried once a second; it may be the network that is slow. */
const tries = 10

const [second, tenMinutes] = [1_000, 600_000]

export class Plans {
  private last = -Infinity
  private inVain = 0
  private readonly areKept: boolean

  constructor(private readonly executor: Executor) {
    this.areKept = executor.dialect === "postgres" && executor.prepares === true
  }

  /** After a statement that was about many events: if it was slow, lets its connection make new plans. */
  async review(millis: number): Promise<void> {
    if (!this.areKept) return
    if (millis < slowMillis) {
      this.inVain = 0
      return
    }
    const now = performance.now()
    if (now - this.last < (this.inVain < tries ? second : tenMinutes)) return
    this.last = now
    this.inVain++
    // A pool gives the connection that has just become free. If this fails, all is as it was.
    await this.executor.execute("discard plans", []).catch(() => {})
  }
}
