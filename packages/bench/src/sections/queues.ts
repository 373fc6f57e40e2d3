/** What the outbox costs next to job queues over Postgres that ask for Node 22: all of them run on it. */
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { nodeProgram, runOnce } from "../children.js"
import { fromNpm, nodes } from "../nodes.js"
import type { Rounds } from "../protocol.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

export interface QueuesRow {
  readonly contender: string
  readonly millis: Summary
  /** To the outbox, in the same case. */
  readonly ratio: Summary
}

const packages = ["pg-boss@12.38.0", "graphile-worker@0.18.0"]

/** An empty list if the other queues, or a Node for them, cannot be had. */
export const queues = async (quick: boolean): Promise<ReadonlyArray<QueuesRow>> => {
  const node = nodes().find(({ version }) => Number(version.slice(1).split(".")[0]) >= 22)
  const folder = fromNpm("queues", packages)
  if (node === undefined || folder === undefined) return []
  const require = createRequire(join(folder, "package.json"))
  const files = ["pg-boss", "graphile-worker"].map((name) => pathToFileURL(require.resolve(name)).href)
  const effort = quick ? [3, 4_000] : [9, 20_000]
  const program = nodeProgram("programs/queues.ts", [...effort, ...files])
  const rounds = await runOnce<Rounds>("contender", { ...program, command: node.command })
  return Object.entries(rounds).map(([contender, millis]) => ({
    contender,
    millis: summarize(millis),
    ratio: summarize(ratios(millis, rounds[contender.replace(/: .*/, ": outbox")]!))
  }))
}
