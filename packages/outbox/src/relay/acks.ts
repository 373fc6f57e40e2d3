/** Records what the server has accepted, many at a time. */
import type { Counts } from "./counts.js"
import type { Database } from "./database.js"
import type { Store } from "./store.js"
import type { Ending } from "./waiting.js"

/** How long the first one of a batch waits for others. */
const delayMs = 5
/** How often it waits again while the relay has more to send: each statement costs as much time as several sends. */
const maxDelays = 5
/** So many wait for nothing. */
const enough = 256
const maxRows = 500

export class Acks {
  private pending: Array<number> = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private delays = 0
  /** One statement runs at a time. */
  private running: Promise<void> | undefined
  private added = 0
  private recorded = 0
  /** Among those that wait is the last one of a run: more of its key may wait for it. */
  hasRunEnd = false

  constructor(
    private readonly store: Store,
    private readonly database: Database,
    private readonly counts: Counts,
    private readonly ending: Ending,
    /** Whether more is taken than can be sent at a time. */
    private readonly isBusy: () => boolean,
    /** Is told when some were recorded, and whether keys may go on. */
    private readonly onRecorded: (hasRunEnd: boolean) => void
  ) {}

  get size(): number {
    return this.pending.length
  }

  add(seq: number, isRunEnd: boolean): void {
    this.pending.push(seq)
    this.added++
    this.hasRunEnd ||= isRunEnd
    this.schedule()
  }

  /** Resolves when all that was added until now is recorded, or at the end. */
  async flush(): Promise<void> {
    const until = this.added
    while (this.recorded < until && !this.ending.isOver) await this.record()
  }

  private schedule(): void {
    if (this.running !== undefined) return
    if (this.pending.length >= enough) void this.record()
    else this.timer ??= setTimeout(this.onTime, delayMs)
  }

  private readonly onTime = (): void => {
    this.timer = undefined
    if (this.isBusy() && ++this.delays < maxDelays) this.schedule()
    else void this.record()
  }

  private record(): Promise<void> {
    if (this.running !== undefined) return this.running
    clearTimeout(this.timer)
    this.timer = undefined
    this.delays = 0
    return this.running = this.recordOnce()
  }

  private async recordOnce(): Promise<void> {
    const seqs = this.pending.slice(0, maxRows)
    const hasRunEnd = this.hasRunEnd && seqs.length === this.pending.length
    if (hasRunEnd) this.hasRunEnd = false
    const isDone = await this.database.run(this.ending, async () => {
      await this.store.ack(seqs)
      return true
    })
    this.running = undefined
    if (isDone !== true) return
    this.pending.splice(0, seqs.length)
    this.recorded += seqs.length
    this.counts.acks++
    this.counts.acked += seqs.length
    if (this.pending.length > 0) this.schedule()
    this.onRecorded(hasRunEnd)
  }
}
