/** Signals that many calls wait for at a time. */

interface Shared {
  readonly runs: Set<() => void>
  readonly listener: () => void
}

const shared = new WeakMap<AbortSignal, Shared>()

const share = (signal: AbortSignal): Shared => {
  const runs = new Set<() => void>()
  const listener = () => {
    for (const run of [...runs]) run()
  }
  signal.addEventListener("abort", listener)
  return { runs, listener }
}

/**
 * Runs something when a signal aborts; gives what ends the wait. All waits for a signal share one listener: a signal for
 * the whole program would otherwise have one for each call under way, which Node takes for a leak and warns of.
 */
export const onAbort = (signal: AbortSignal, run: () => void): () => void => {
  const { listener, runs } = shared.get(signal) ?? share(signal)
  shared.set(signal, { listener, runs })
  runs.add(run)
  return () => {
    runs.delete(run)
    if (runs.size > 0) return
    signal.removeEventListener("abort", listener)
    shared.delete(signal)
  }
}
