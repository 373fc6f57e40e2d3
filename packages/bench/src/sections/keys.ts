/** What making an idempotency key costs. */
import { nodeProgram, runOnce } from "../children.js"
import type { Rounds } from "../protocol.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

const reference = "crypto.randomUUID"

export interface KeysRow {
  readonly contender: string
  readonly cpuMicros: Summary
  readonly ratio: Summary
}

export const keys = async (quick: boolean): Promise<ReadonlyArray<KeysRow>> => {
  const effort = quick ? [5, 20_000] : [15, 60_000]
  const rounds = await runOnce<Rounds>("contender", nodeProgram("programs/keys.ts", effort))
  return Object.entries(rounds).map(([contender, micros]) => ({
    contender,
    cpuMicros: summarize(micros),
    ratio: summarize(ratios(micros, rounds[reference]!))
  }))
}
