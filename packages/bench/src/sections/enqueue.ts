/** What storing an event costs, relative to a bare INSERT of the same row by the same driver. */
import { nodeProgram, runOnce } from "../children.js"
import type { Rounds } from "../protocol.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

export interface EnqueueRow {
  readonly contender: string
  readonly micros: Summary
  readonly ratio: Summary
}

export const enqueue = async (quick: boolean): Promise<ReadonlyArray<EnqueueRow>> => {
  const effort = quick ? [30, 6] : [120, 12]
  const rounds = await runOnce<Rounds>("contender", nodeProgram("programs/enqueue.ts", effort))
  return Object.entries(rounds).map(([contender, micros]) => ({
    contender,
    micros: summarize(micros),
    ratio: summarize(ratios(micros, rounds[contender.replace(/: .*, /, ": bare INSERT, ")]!))
  }))
}
