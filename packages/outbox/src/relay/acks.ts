/** Records what the server has accepted, many at a time. */
import type { Counts } from "./counts.js"
import type { Database } from "./database.js"
import type { Store } from "./store.js"
import type { Ending } from "./waiting.js"

/** How long the first one of a batch waits for others. */
const delayMs = 5
const maxRows = 500

export class Acks {
  private pending: Array<number> = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private isFlushing = false
  private flushed: Promise<void> = Promise.resolve()
  /** Among those that wait is the last one of a run: more of its key may wait for it. */
  private hasRunEnd = false

  constructor(
    private readonly store: Store,
    private readonly database: Database,
    private readonly counts: Counts,
    private readonly ending: Ending,
    /** Is told when some were recorded, and whether keys may go on. */
    private readonly onRecorded: (hasRunEnd: boolean) => void
  ) {}

  get size(): number {
    return this.pending.length
  }

  add(seq: number, isRunEnd: boolean): void {
    this.pending.push(seq)
    this.hasRunEnd ||= isRunEnd
    if (this.isFlushing) return
    if (this.pending.length >= maxRows) void this.flush()
    else this.timer ??= setTimeout(() => void this.flush(), delayMs)
  }

  /** Resolves when all that was added is recorded, or at the end. One statement runs at a time. */
  flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    if (!this.isFlushing) {
      this.isFlushing = true
      this.flushed = this.flushAll()
    }
    return this.flushed
  }

  private async flushAll(): Promise<void> {
    while (this.pending.length > 0 && !this.ending.isOver) {
      const seqs = this.pending.slice(0, maxRows)
      const hasRunEnd = this.hasRunEnd && seqs.length === this.pending.length
      if (hasRunEnd) this.hasRunEnd = false
      const isDone = await this.database.run(this.ending, async () => {
        await this.store.ack(seqs)
        return true
      })
      if (isDone !== true) break
      this.pending.splice(0, seqs.length)
      this.counts.acks++
      this.counts.acked += seqs.length
      this.onRecorded(hasRunEnd)
    }
    // In the same turn in which nothing was pending: what is added later starts another one.
    this.isFlushing = false
  }
}
