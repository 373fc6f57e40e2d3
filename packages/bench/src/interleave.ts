/** Rounds of several operations in one process, each in turn. */
import type { Rounds } from "./protocol.js"
import { costOf } from "./protocol.js"

/** A function that runs the operation once, maybe asynchronously; or an object that repeats it, such as within one fiber. */
export type Operation = (() => unknown) | { readonly repeat: (times: number) => unknown }

export type Operations = Readonly<Record<string, Operation>>

interface Effort {
  readonly rounds: number
  readonly batchMicros: number
}

const repeat = async (operation: Operation, times: number): Promise<void> => {
  if ("repeat" in operation) return void await operation.repeat(times)
  for (let i = 0; i < times; i++) {
    const result = operation()
    // Awaiting every result would cost synchronous operations a turn of the microtask queue.
    if (result instanceof Promise) await result
  }
}

/** Repeats an operation for about that much CPU time, and returns the time of one. */
const microsOf = async (operation: Operation, micros: number): Promise<number> => {
  let times = 0
  let spent = 0
  let portion = 1
  while (spent < micros) {
    const { cpuMicros } = await costOf(() => repeat(operation, portion))
    times += portion
    spent += cpuMicros
    portion = Math.max(1, Math.ceil(micros / 10 / Math.max(1, spent) * times))
  }
  return spent / times
}

/** Enough for the compiler to finish, even if it shares the core. */
const warmUpTimes = 20_000

export const warmUp = async (operations: Operations): Promise<void> => {
  for (const operation of Object.values(operations)) await repeat(operation, warmUpTimes)
}

/** CPU microseconds per operation and round. */
export const interleave = async (operations: Operations, { batchMicros, rounds }: Effort): Promise<Rounds> => {
  const results: Record<string, Array<number>> = {}
  // The first round warms the caches.
  for (let round = -1; round < rounds; round++) {
    for (const [name, operation] of Object.entries(operations)) {
      const micros = await microsOf(operation, batchMicros)
      if (round >= 0) (results[name] ??= []).push(micros)
    }
  }
  return results
}
