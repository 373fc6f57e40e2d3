/** Opens a database by its URL, with whichever driver is installed. */
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { OutboxConfigError } from "../errors.js"
import type { Executor } from "../executor/model.js"
import { fromPg, type PgClient } from "../executor/pg.js"
import { fromSqlite, type SqliteDatabase } from "../executor/sqlite.js"

export interface Database {
  readonly executor: Executor
  /** Calls back for each notification, and after each reconnection; until `close`. `undefined`: the database has none. */
  readonly listen: ((channel: string, onNotify: () => void) => void) | undefined
  readonly close: () => Promise<void>
}

/** A module that is installed next to this one, or in the folder in which the command runs. */
export const installed = async (name: string): Promise<unknown> => {
  // In the words of Node, or of a tool that runs this.
  const isMissing = (error: unknown): boolean =>
    /^(ERR_MODULE_NOT_FOUND|MODULE_NOT_FOUND|ERR_UNKNOWN_BUILTIN_MODULE) .*|^undefined Could not resolve /.test(
      `${Object(error).code} ${Object(error).message}`
    ) && String(Object(error).message).includes(name)
  try {
    return await import(name)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  try {
    const path = createRequire(join(process.cwd(), "package.json")).resolve(name)
    return await import(pathToFileURL(path).href)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

const defaultOf = (module: unknown): unknown => (module as { readonly default?: unknown }).default ?? module

const refuse = (reason: string): never => {
  throw new OutboxConfigError({ option: "--database", reason })
}

/** Throws an `OutboxConfigError`, whose message holds nothing of the URL. */
export const openDatabase = (url: string | undefined): Promise<Database> => {
  if (url === undefined || url === "") return Promise.resolve(refuse("is missing, and so is HOOKRAIL_DATABASE_URL"))
  if (/^postgres(ql)?:\/\//.test(url)) return openPostgres(url)
  const file = /^(?:sqlite|file):(?:\/\/)?(.+)$/.exec(url)?.[1] ??
    (/^[^:]+\.(db|sqlite3?)$/.test(url) ? url : undefined)
  return file === undefined
    ? Promise.resolve(refuse("must begin with postgres:// or sqlite:"))
    : openSqlite(file)
}

interface Listener extends PgClient {
  readonly connect: () => Promise<unknown>
  readonly end: () => Promise<void>
  readonly on: (event: string, listener: () => void) => unknown
}

interface Pg {
  readonly Pool: new(options: object) => Listener
  readonly Client: new(options: object) => Listener
}

const reconnectMs = 1_000

const openPostgres = async (connectionString: string): Promise<Database> => {
  const module = await installed("pg")
  if (module === undefined) return refuse("is a Postgres, for which there is no driver: install pg")
  const { Client, Pool } = defaultOf(module) as Pg
  const pool = new Pool({
    connectionString,
    max: 8,
    connectionTimeoutMillis: 5_000,
    application_name: "hookrail-relay"
  })
  // Idle connections that break: the next statement makes another one.
  pool.on("error", () => {})
  let isClosed = false
  let listener: Listener | undefined
  const listen = (channel: string, onNotify: () => void): void => {
    const again = (): void => {
      if (!isClosed) setTimeout(() => listen(channel, onNotify), reconnectMs).unref()
    }
    const client = listener = new Client({ connectionString, application_name: "hookrail-relay" })
    let isOver = false
    const over = (): void => {
      if (isOver) return
      isOver = true
      client.end().catch(() => {})
      again()
    }
    client.on("error", over)
    client.on("end", over)
    client.on("notification", onNotify)
    client.connect().then(() => client.query(`listen ${channel}`)).then(onNotify, over)
  }
  return {
    executor: fromPg(pool),
    listen,
    close: async () => {
      isClosed = true
      await listener?.end().catch(() => {})
      await pool.end()
    }
  }
}

interface Closable extends SqliteDatabase {
  readonly close: () => void
}

const openSqlite = async (file: string): Promise<Database> => {
  for (const name of ["better-sqlite3", "libsql", "node:sqlite"]) {
    const module = await installed(name)
    if (module === undefined) continue
    const Database = (name === "node:sqlite"
      ? (module as { readonly DatabaseSync: unknown }).DatabaseSync
      : defaultOf(module)) as new(file: string, options: object) => Closable
    const db = new Database(file, { timeout: 5_000 })
    db.exec("pragma busy_timeout = 5000")
    // Readers and a writer at the same time: relays and the program share the file.
    db.exec("pragma journal_mode = wal")
    return {
      executor: fromSqlite(db),
      listen: undefined,
      close: async () => {
        db.close()
      }
    }
  }
  return refuse(
    "is a file of SQLite, for which there is no driver: install better-sqlite3 or libsql, or use Node 22.13"
  )
}
