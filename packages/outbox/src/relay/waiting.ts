/** Waiting that can be cut short. */

/** Something that may happen: whoever waits goes on. What happens while nobody waits is remembered once. */
export class Signal {
  private waiter: (() => void) | undefined
  private happened = false

  notify(): void {
    if (this.waiter === undefined) this.happened = true
    else this.waiter()
  }

  /** Waits until it happens, at most so long. Only one may wait at a time. */
  wait(millis?: number): Promise<void> {
    if (this.happened) {
      this.happened = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined
      const done = (): void => {
        clearTimeout(timer)
        this.waiter = undefined
        resolve()
      }
      if (millis !== undefined) timer = setTimeout(done, Math.min(millis, 2_147_483_647))
      this.waiter = done
    })
  }

  /** Forgets what happened. */
  clear(): void {
    this.happened = false
  }
}

/** A point of no return, for any number of those who wait. */
export class Ending {
  isOver = false
  private readonly listeners = new Set<() => void>()

  end(): void {
    if (this.isOver) return
    this.isOver = true
    for (const listener of [...this.listeners]) listener()
  }

  /** Sleeps; returns early at the end. */
  sleep(millis: number): Promise<void> {
    if (this.isOver) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.listeners.delete(done)
        resolve()
      }
      const timer = setTimeout(done, millis)
      this.listeners.add(done)
    })
  }

  onEnd(listener: () => void): void {
    if (this.isOver) listener()
    else this.listeners.add(listener)
  }
}
