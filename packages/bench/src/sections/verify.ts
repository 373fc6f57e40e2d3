/** What verifying a webhook costs, relative to the MAC and the comparison alone. */
import { nodeProgram, runOnce } from "../children.js"
import type { Rounds } from "../protocol.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

const reference = "createHmac + timingSafeEqual"

const sizes = [256, 1024, 16 * 1024, 256 * 1024]

export interface VerifyRow {
  readonly contender: string
  readonly bodyBytes: number
  readonly cpuMicros: Summary
  readonly ratio: Summary
}

export const verify = async (quick: boolean): Promise<ReadonlyArray<VerifyRow>> => {
  const effort = quick ? [5, 20_000] : [15, 50_000]
  const results = await runOnce<Record<number, Rounds>>(
    "contender",
    nodeProgram("programs/verify.ts", [...effort, ...sizes])
  )
  return Object.entries(results).flatMap(([bodyBytes, rounds]) =>
    Object.entries(rounds).map(([contender, micros]) => ({
      contender,
      bodyBytes: Number(bodyBytes),
      cpuMicros: summarize(micros),
      ratio: summarize(ratios(micros, rounds[reference]!))
    }))
  )
}
