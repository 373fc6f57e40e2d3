/** What storing an event costs, relative to a bare INSERT of the same row by the same driver. */
import { nodeProgram, runOnce } from "../children.js"
import type { EnqueueRound } from "../protocol.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

export interface EnqueueRow {
  readonly contender: string
  readonly micros: Summary
  readonly ratio: Summary
  /** The same of the CPU time, which other programs on the machine disturb less. `undefined` where it is not known. */
  readonly cpuMicros: Summary | undefined
  readonly cpuRatio: Summary | undefined
}

export const enqueue = async (quick: boolean): Promise<ReadonlyArray<EnqueueRow>> => {
  const effort = quick ? [100, 2] : [400, 4]
  const rounds = await runOnce<Readonly<Record<string, ReadonlyArray<EnqueueRound>>>>(
    "contender",
    nodeProgram("programs/enqueue.ts", effort)
  )
  return Object.entries(rounds).map(([contender, own]) => {
    const reference = rounds[contender.replace(/: .*, /, ": bare INSERT, ")]!
    const compared = (of: (round: EnqueueRound) => number | null) => {
      const [values, bare] = [own.map(of), reference.map(of)]
      const known = (value: number | null): value is number => value !== null
      return values.every(known) && bare.every(known)
        ? { values: summarize(values), ratio: summarize(ratios(values, bare)) }
        : undefined
    }
    const elapsed = compared(({ micros }) => micros)!
    const cpu = compared(({ cpuMicros }) => cpuMicros)
    return {
      contender,
      micros: elapsed.values,
      ratio: elapsed.ratio,
      cpuMicros: cpu?.values,
      cpuRatio: cpu?.ratio
    }
  })
}
