/**
 * Time limits for many concurrent operations, few of which time out: they share one timer, since a timer for each costs more than
 * keeping track of all of them.
 */

/** The longest delay that `setTimeout` supports; a longer one would fire at once. */
export const maxDelay = 2 ** 31 - 1

export interface Limited {
  /** The earliest time at which a limit may be exceeded, by `performance.now()`, in milliseconds. */
  due: number
  /** Its index in the list. Only `Deadlines` uses it. */
  slot: number
  /** Called when it is due. It either moves `due`, if there is time left, or deletes itself. */
  readonly onDue: (now: number) => void
}

/** Timers count whole milliseconds and may fire a fraction early. */
export const isDue = ({ due }: Limited, now: number): boolean => due - now < 1

export class Deadlines {
  // Unordered. A set is rehashed every few dozen requests, and each old table points to the next: once V8 treats one as
  // long-lived, all later ones become so too, with all of their former contents.
  private readonly items: Array<Limited> = []
  private timer: NodeJS.Timeout | undefined
  /** When the timer fires. Deleting its item does not clear it: it then finds nothing due and is set for the next item. */
  private firesAt = Infinity

  add(item: Limited): void {
    item.slot = this.items.length
    this.items.push(item)
    if (item.due < this.firesAt) this.arm(item.due, performance.now())
  }

  delete(item: Limited): void {
    const { items } = this
    if (items[item.slot] !== item) return
    const last = items.pop()!
    if (last === item) return
    items[item.slot] = last
    last.slot = item.slot
  }

  /** All that have not ended. */
  all(): ReadonlyArray<Limited> {
    return [...this.items]
  }

  private arm(due: number, now: number): void {
    clearTimeout(this.timer)
    this.firesAt = due
    // Unreferenced: the sockets of waiting items keep the process alive.
    this.timer = setTimeout(() => this.readFirst(), Math.min(due - now, maxDelay)).unref()
  }

  /**
   * After the process was stopped, timers run before sockets are read. An answer that is already in a socket has come in time: it
   * is read before the immediates run.
   */
  private readFirst(): void {
    setImmediate(() => this.fire())
  }

  private fire(): void {
    const now = performance.now()
    this.firesAt = Infinity
    let next = Infinity
    // A copy, since items may be deleted and added meanwhile.
    for (const item of [...this.items]) {
      if (isDue(item, now)) item.onDue(now)
    }
    for (const { due } of this.items) next = Math.min(next, due)
    if (next < this.firesAt) this.arm(next, now)
  }
}
