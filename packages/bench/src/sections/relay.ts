/** What a relay costs, relative to bare loops that keep no order; and whether what makes queues slow makes it slow. */
import { nodeProgram, runOnce, start } from "../children.js"
import type { Rounds, StubReady } from "../protocol.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

export interface RelayRow {
  readonly contender: string
  readonly millis: Summary
  /** To what it is compared, and how they compare. */
  readonly reference: string
  readonly ratio: Summary
  readonly limit: number | undefined
}

/** By the end of the name: the reference, and the highest ratio that is the goal. */
const references: ReadonlyArray<readonly [RegExp, string, number | undefined]> = [
  [/^claim and ack: /, "claim and ack: bare loop, no order", 1 / 0.75],
  [/^send: /, "send: bare loop with undici, no order", 1 / 0.9],
  [/^one claim: a transaction/, "one claim: idle", 1.5],
  [/^one claim: /, "one claim: idle", undefined],
  [/^drain: /, "claim and ack: ours", 5]
]

export const relay = async (quick: boolean): Promise<ReadonlyArray<RelayRow>> => {
  const stub = await start<never, never>("server", nodeProgram("stub.ts"))
  try {
    const effort = quick ? [3, 8_000] : [9, 20_000]
    const { url } = stub.hello as StubReady
    const rounds = await runOnce<Rounds>("contender", nodeProgram("programs/relay.ts", [...effort, url]))
    return Object.entries(rounds).map(([contender, millis]): RelayRow => {
      const [, reference, limit] = references.find(([pattern]) => pattern.test(contender))!
      const compared = rounds[reference]!
      return {
        contender,
        millis: summarize(millis),
        reference,
        ratio: summarize(ratios(millis, millis.map((_, round) => compared[round] ?? compared[0]!))),
        limit: contender === reference ? undefined : limit
      }
    })
  } finally {
    await stub.stop()
  }
}
