/** What a send costs without a network, relative to what no client can do without. */
import { nodeProgram, runOnce } from "../children.js"
import type { Rounds } from "../protocol.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

const reference = "JSON, UTF-8, UUID"

export interface PartsRow {
  readonly contender: string
  readonly cpuMicros: Summary
  readonly ratio: Summary
}

export const parts = async (quick: boolean): Promise<ReadonlyArray<PartsRow>> => {
  const effort = quick ? [15, 4_000] : [41, 8_000]
  const rounds = await runOnce<Rounds>("contender", nodeProgram("programs/parts.ts", effort))
  return Object.entries(rounds).map(([contender, micros]) => ({
    contender,
    cpuMicros: summarize(micros),
    ratio: summarize(ratios(micros, rounds[reference]!))
  }))
}
