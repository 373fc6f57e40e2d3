import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, inject, it } from "vitest"
import { type Ledger, type LedgerOptions, runLedger } from "./ledger/ledger.js"
import { createDatabase } from "./utils/postgres.js"

const server = inject("postgres")

const sqlite = (onTestFinished: (clean: () => void) => void): string => {
  const folder = mkdtempSync(join(tmpdir(), "hookrail-ledger-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, "ledger.db")
}

const postgres = (): Promise<string> =>
  createDatabase(server!, `l_${process.pid}_${Math.random().toString(36).slice(2)}`)

/** Short runs: the command runs longer ones, with crashes of the database too. */
const run = (options: Pick<LedgerOptions, "database" | "role">): Promise<Ledger> =>
  runLedger({ seconds: 1, relays: 2, writers: 2, leaseMs: 1_500, minAccepted: 200, ...options })

const clean = { lost: 0, ghosts: 0, duplicated: 0, outOfOrder: 0, left: 0 }

// They wait for leases most of the time.
describe.concurrent("the ledger of what was committed and what arrived, through kills", () => {
  it.skipIf(server === undefined)("agrees, in Postgres", { timeout: 90_000 }, async () => {
    const ledger = await run({ database: await postgres() })
    assert.deepInclude(ledger, clean)
    assert.isAbove(ledger.replays, 0)
    assert.isAbove(ledger.kills + ledger.stops, 0)
  })

  it("agrees, in SQLite", { timeout: 90_000 }, async ({ onTestFinished }) => {
    const ledger = await run({ database: sqlite(onTestFinished) })
    assert.deepInclude(ledger, clean)
    assert.isAbove(ledger.replays, 0)
  })

  it(
    "shows the order lost where events are claimed without regard to their keys",
    { timeout: 90_000 },
    async ({ onTestFinished }) => {
      const ledger = await run({
        database: server === undefined ? sqlite(onTestFinished) : await postgres(),
        role: "naive"
      })
      assert.isAbove(ledger.outOfOrder, 0)
      assert.deepInclude(ledger, { lost: 0, ghosts: 0, duplicated: 0 })
    }
  )
})
