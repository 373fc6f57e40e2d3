/**
 * Time limits for things of which there are many at a time and hardly any takes too long: they share one timer. A timer for
 * each costs more than to keep all of them in a set.
 */

/** The longest delay `setTimeout` takes; more would fire at once. */
export const maxDelay = 2 ** 31 - 1

export interface Limited {
  /** The earliest moment at which it could have taken too long, by `performance.now()`, in milliseconds. */
  due: number
  /** That moment is here. If there is still time, it moves `due`; otherwise it leaves. */
  readonly onDue: (now: number) => void
}

/** Timers count whole milliseconds and may fire a fraction early. */
export const isDue = ({ due }: Limited, now: number): boolean => due - now < 1

export class Deadlines {
  private readonly items = new Set<Limited>()
  private timer: NodeJS.Timeout | undefined
  /** When the timer fires. It is not disarmed when its item leaves: it finds nothing due, and looks for the next. */
  private firesAt = Infinity

  add(item: Limited): void {
    this.items.add(item)
    if (item.due < this.firesAt) this.arm(item.due, performance.now())
  }

  delete(item: Limited): void {
    this.items.delete(item)
  }

  private arm(due: number, now: number): void {
    clearTimeout(this.timer)
    this.firesAt = due
    // Unreferenced: what waits has a socket, and that is what keeps the process alive.
    this.timer = setTimeout(() => this.fire(), Math.min(due - now, maxDelay)).unref()
  }

  private fire(): void {
    const now = performance.now()
    this.firesAt = Infinity
    let next = Infinity
    for (const item of this.items) {
      if (isDue(item, now)) item.onDue(now)
      if (this.items.has(item)) next = Math.min(next, item.due)
    }
    if (next < this.firesAt) this.arm(next, now)
  }
}
