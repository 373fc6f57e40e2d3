/** Longer runs of the ledger, with crashes of the database. `npm run ledger` takes any time. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { type LedgerOptions, runLedger } from "../test/ledger/ledger.js"
import { startPostgres } from "../test/utils/postgres.js"

const clean = { lost: 0, ghosts: 0, duplicated: 0, outOfOrder: 0, left: 0 }

const check = async (options: Omit<LedgerOptions, "seconds" | "writers">): Promise<void> => {
  const ledger = await runLedger({ seconds: 12, writers: 3, ...options })
  assert.deepInclude(ledger, clean)
  assert.isAbove(ledger.replays, 0)
}

describe("the ledger through a longer run", () => {
  it("agrees, in Postgres that crashes", async ({ skip }) => {
    // A server of its own: it is stopped.
    const postgres = await startPostgres()
    if (postgres === undefined) return skip()
    try {
      const crash = async (): Promise<void> => {
        await postgres.stop("immediate")
        await new Promise((resolve) => setTimeout(resolve, 500))
        await postgres.start()
      }
      await check({ database: await postgres.createDatabase(), relays: 3, crash, crashes: 3 })
    } finally {
      await postgres.close()
    }
  })

  it("agrees, in SQLite with three relays", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hookrail-ledger-"))
    try {
      await check({ database: join(folder, "ledger.db"), relays: 3 })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
