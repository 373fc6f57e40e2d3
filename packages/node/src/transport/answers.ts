/**
 * Hands responses, or webhooks, over in batches: after all sockets that are readable in this turn of the event loop have been read.
 *
 * Under load that is dozens of sockets. Reading one, running the code that waited for it, and writing the next request before
 * the next socket is read, runs through all of the code once per socket and evicts it from the processor's caches each time.
 * Reading all sockets first costs a quarter less, and up to half if more than a few steps follow.
 */

export interface Answer {
  /** The next answer. Only `Answers` uses it. */
  next: Answer | undefined
  /** Passes it to its listener. */
  readonly handOver: () => void
}

/** The real `setImmediate`, even if tests replace the global one later. Missing in workers, which have no sockets to read. */
const atEndOfTurn = (globalThis as Partial<typeof globalThis>).setImmediate!

export class Answers {
  // A linked list: V8 would treat arrays as long-lived, and a dead one keeps its former contents alive.
  private first: Answer | undefined
  private last: Answer | undefined

  /** @param schedule Runs a function when all others of the batch have been added. Default: at the end of the turn. */
  constructor(private readonly schedule: (run: () => void) => void = atEndOfTurn) {}

  add(answer: Answer): void {
    if (this.last === undefined) {
      this.first = answer
      // Not as a method: functions of the platform want no other `this`.
      const { schedule } = this
      schedule(this.handOver)
    } else {
      this.last.next = answer
    }
    this.last = answer
  }

  private readonly handOver = (): void => {
    let answer = this.first
    this.first = undefined
    this.last = undefined
    try {
      while (answer !== undefined) {
        const current = answer
        answer = current.next
        current.next = undefined
        current.handOver()
      }
    } finally {
      // If one throws, the rest are handed over in the next batch.
      while (answer !== undefined) {
        const rest = answer
        answer = rest.next
        rest.next = undefined
        this.add(rest)
      }
    }
  }
}
