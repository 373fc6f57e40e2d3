/** Databases for tests: a Postgres of their own within the run's server, and files of SQLite. */
import Libsql from "libsql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import { afterAll, inject } from "vitest"
import { createDatabase } from "./postgres.js"

/** The URL of the server; `undefined` where there are no binaries: then its tests are skipped, visibly. */
export const server = inject("postgres")

let databases = 0

/** An empty database, with a pool that is closed after the tests of the file. */
export const postgresDatabase = async (): Promise<{ readonly url: string; readonly pool: pg.Pool }> => {
  const name = `t_${process.pid}_${Math.random().toString(36).slice(2)}_${++databases}`
  const url = await createDatabase(server!, name)
  const pool = new pg.Pool({ connectionString: url, max: 20 })
  // The server may be stopped before idle connections are closed.
  pool.on("error", () => {})
  afterAll(() => pool.end())
  return { url, pool }
}

/** A file of SQLite in WAL mode, and a way to open it once more. */
export const sqliteFile = (): {
  readonly file: string
  readonly db: Libsql.Database
  readonly open: () => Libsql.Database
} => {
  const folder = mkdtempSync(join(tmpdir(), "hookrail-sqlite-"))
  const file = join(folder, "test.db")
  const opened: Array<Libsql.Database> = []
  const open = (): Libsql.Database => {
    const db = new Libsql(file, { timeout: 5_000 })
    db.exec("pragma journal_mode = wal")
    opened.push(db)
    return db
  }
  afterAll(() => {
    for (const db of opened) db.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { file, db: open(), open }
}
