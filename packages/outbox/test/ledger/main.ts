/**
 * The ledger as a command: `pnpm run ledger [seconds]`, the length of each run. Ends with 1 if something was lost, told that never was, told
 * twice or out of order; if nothing was sent again; or if the control passes.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startPostgres } from "../utils/postgres.js"
import { type Ledger, type LedgerOptions, runLedger } from "./ledger.js"

// Some package managers pass on the dashes before the arguments of a script.
const seconds = Number(process.argv.slice(2).find((arg) => arg !== "--") ?? 30)
if (!(seconds > 0 && seconds <= 3_600)) throw new Error("Give the seconds of each run, at most 3600.")

const postgres = await startPostgres()
const folder = mkdtempSync(join(tmpdir(), "hookrail-ledger-"))
let files = 0

interface Run extends Omit<LedgerOptions, "database" | "seconds" | "writers"> {
  readonly name: string
  readonly isPostgres: boolean
}

const crash = async (): Promise<void> => {
  await postgres!.stop("immediate")
  await new Promise((resolve) => setTimeout(resolve, 500))
  await postgres!.start()
}

const runs: ReadonlyArray<Run> = [
  { name: "Postgres, 3 relays", isPostgres: true, relays: 3 },
  { name: "Postgres, 3 relays, crashes", isPostgres: true, relays: 3, crash, crashes: 3 },
  { name: "SQLite, 1 relay", isPostgres: false, relays: 1 },
  { name: "SQLite, 3 relays", isPostgres: false, relays: 3 },
  { name: "control: no head rule", isPostgres: postgres !== undefined, relays: 3, role: "naive" }
]

const isClean = ({ duplicated, ghosts, left, lost, outOfOrder, replays }: Ledger): boolean =>
  lost + ghosts + duplicated + outOfOrder + left === 0 && replays > 0

let isGood = true
try {
  for (const { isPostgres, name, ...options } of runs) {
    if (isPostgres && postgres === undefined) continue
    const database = isPostgres ? await postgres!.createDatabase() : join(folder, `${++files}.db`)
    const ledger = await runLedger({ ...options, database, seconds, writers: 3 })
    const isExpected = options.role === "naive" ? ledger.outOfOrder > 0 : isClean(ledger)
    if (!isExpected) isGood = false
    process.stdout.write(`${isExpected ? "as expected" : "WRONG      "}  ${name}: ${JSON.stringify(ledger)}\n`)
  }
} finally {
  await postgres?.close()
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = isGood ? 0 : 1
