/** Whether a large backlog is drained at the pace of a small one, in flat memory. */
import { nodeProgram, runOnce } from "../children.js"
import type { BacklogResult } from "../protocol.js"

export const backlog = (rows: number): Promise<BacklogResult> =>
  runOnce<BacklogResult>("contender", nodeProgram("programs/backlog.ts", [rows, 10_000]))
