/** Shares one listener among all calls that wait for the same signal. */
import { Queue, type Queued } from "hookrail/gate/queue"

class Wait implements Queued<Wait> {
  next: Wait | undefined
  previous: Wait | undefined

  constructor(readonly run: () => void) {}
}

/** All waits for one signal. */
class Waits {
  private readonly queue = new Queue<Wait>()
  private readonly listener = () => {
    // The last one first: what it waits for, such as a place in the gate, is not for one that is about to be aborted.
    for (const wait of [...this.queue].reverse()) wait.run()
  }

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener("abort", this.listener)
  }

  add(wait: Wait): void {
    this.queue.add(wait)
  }

  delete(wait: Wait): void {
    this.queue.delete(wait)
    if (this.queue.size > 0) return
    this.signal.removeEventListener("abort", this.listener)
    shared.delete(this.signal)
  }
}

const shared = new WeakMap<AbortSignal, Waits>()

/**
 * Runs a function when a signal aborts. Returns a function that ends the wait; call it once. All waits for a signal share one
 * listener: a program-wide signal would otherwise have one per call in flight, and Node would warn of a leak.
 */
export const onAbort = (signal: AbortSignal, run: () => void): () => void => {
  let waits = shared.get(signal)
  if (waits === undefined) {
    waits = new Waits(signal)
    shared.set(signal, waits)
  }
  const wait = new Wait(run)
  waits.add(wait)
  return () => waits.delete(wait)
}
