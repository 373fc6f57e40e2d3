/**
 * Time limits for things of which there are many at a time and hardly any takes too long: they share one timer. A timer for
 * each costs more than to keep all of them together.
 */

/** The longest delay `setTimeout` takes; more would fire at once. */
export const maxDelay = 2 ** 31 - 1

export interface Limited {
  /** The earliest moment at which it could have taken too long, by `performance.now()`, in milliseconds. */
  due: number
  /** Where it is among the others. Only `Deadlines` touches it. */
  slot: number
  /** That moment is here. If there is still time, it moves `due`; otherwise it leaves. */
  readonly onDue: (now: number) => void
}

/** Timers count whole milliseconds and may fire a fraction early. */
export const isDue = ({ due }: Limited, now: number): boolean => due - now < 1

export class Deadlines {
  // In no order. A set would be made anew every few dozen requests, each old table pointing to the next: once one of them
  // is taken for long-lived by V8, so are all that follow, with all that was in them.
  private readonly items: Array<Limited> = []
  private timer: NodeJS.Timeout | undefined
  /** When the timer fires. It is not disarmed when its item leaves: it finds nothing due, and looks for the next. */
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

  private arm(due: number, now: number): void {
    clearTimeout(this.timer)
    this.firesAt = due
    // Unreferenced: what waits has a socket, and that is what keeps the process alive.
    this.timer = setTimeout(() => this.readFirst(), Math.min(due - now, maxDelay)).unref()
  }

  /**
   * After the process was stopped, timers come before the sockets. An answer that is in one of them has come in time; when
   * the immediates have their turn it is read.
   */
  private readFirst(): void {
    setImmediate(() => this.fire())
  }

  private fire(): void {
    const now = performance.now()
    this.firesAt = Infinity
    let next = Infinity
    // Those that are due leave, and others may come.
    for (const item of [...this.items]) {
      if (isDue(item, now)) item.onDue(now)
    }
    for (const { due } of this.items) next = Math.min(next, due)
    if (next < this.firesAt) this.arm(next, now)
  }
}
