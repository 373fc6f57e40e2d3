/** Opens a database by its URL, with whichever driver is installed. */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { OutboxConfigError } from "../errors.js"
import { failureOf } from "../executor/failure.js"
import type { Executor } from "../executor/model.js"
import { fromPg, type PgClient } from "../executor/pg.js"
import { fromSqlite, type SqliteDatabase } from "../executor/sqlite.js"
import { namesOf } from "../sql/names.js"

export interface Database {
  readonly executor: Executor
  /** Calls back for each notification, and after each reconnection; until `close`. `undefined`: the database has none. */
  readonly listen: ((channel: string, onNotify: () => void) => void) | undefined
  readonly close: () => Promise<void>
}

const messageOf = (error: unknown): string => String(Object(error).message)

/** A module that is installed next to this one, or in the folder in which the command runs. */
export const installed = async (name: string): Promise<unknown> => {
  // In the words of Node, or of a tool that runs this.
  const isMissing = (error: unknown): boolean =>
    /^(ERR_MODULE_NOT_FOUND|MODULE_NOT_FOUND|ERR_UNKNOWN_BUILTIN_MODULE) .*|^undefined Could not resolve /.test(
      `${Object(error).code} ${messageOf(error)}`
    ) && messageOf(error).includes(name)
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

export interface OpenOptions {
  /** Whether statements are prepared in Postgres. */
  readonly prepare: boolean
  /** Whether a file of SQLite is made that is not there. */
  readonly create: boolean
}

/** Rejects with an `OutboxConfigError`, whose message holds nothing of the URL, or a `DatabaseError`. */
export const openDatabase = async (url: string | undefined, options: OpenOptions): Promise<Database> => {
  if (url === undefined || url === "") return refuse("is missing, and so is HOOKRAIL_DATABASE_URL")
  if (/^postgres(ql)?:\/\//.test(url)) return await openPostgres(url, options)
  const file = /^(?:sqlite|file):(?:\/\/)?(.+)$/.exec(url)?.[1] ??
    (/^[^:]+\.(db|sqlite3?)$/.test(url) ? url : undefined)
  if (file === undefined) return refuse("must begin with postgres:// or sqlite:")
  if (file !== ":memory:" && !options.create && !existsSync(file)) {
    return refuse(`names a file that is not there: ${file}. The command migrate makes it`)
  }
  try {
    return await openSqlite(file)
  } catch (cause) {
    if (cause instanceof OutboxConfigError) throw cause
    throw failureOf(`Opening ${file}`, cause, namesOf())
  }
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

/** A connection that is dead, without anybody having noticed, must not hold a relay up. */
const answerMs = 30_000

const openPostgres = async (connectionString: string, { prepare }: OpenOptions): Promise<Database> => {
  // The driver reads it when it connects first; a relay would take that for a database that is away.
  if (!URL.canParse(connectionString.replace("@/", "@socket/"))) {
    return refuse("is not a valid URL: special characters of a password are written as %xx")
  }
  const module = await installed("pg")
  if (module === undefined) return refuse("is a Postgres, for which there is no driver: install pg")
  const { Client, Pool } = defaultOf(module) as Pg
  const pool = new Pool({
    connectionString,
    max: 8,
    connectionTimeoutMillis: 5_000,
    query_timeout: answerMs,
    keepAlive: true,
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
    const client = listener = new Client({
      connectionString,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      application_name: "hookrail-relay"
    })
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
    executor: fromPg(pool, { prepare }),
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

/** The database, by the first driver that is installed and was built for this machine. */
const openFile = async (file: string): Promise<Closable | undefined> => {
  let broken: unknown
  for (const name of ["better-sqlite3", "libsql", "node:sqlite"]) {
    try {
      const module = await installed(name)
      if (module === undefined) continue
      const Database = (name === "node:sqlite"
        ? (module as { readonly DatabaseSync: unknown }).DatabaseSync
        : defaultOf(module)) as new(file: string, options: object) => Closable
      return new Database(file, { timeout: 5_000 })
    } catch (error) {
      // The file, and not the driver.
      if (/^(SQLITE_|ERR_SQLITE_)/.test(String(Object(error).code)) || /^ConnectionFailed/.test(messageOf(error))) {
        throw error
      }
      broken ??= error
    }
  }
  if (broken !== undefined) throw broken
  return undefined
}

const openSqlite = async (file: string): Promise<Database> => {
  const db = await openFile(file)
  if (db === undefined) {
    return refuse(
      "is a file of SQLite, for which there is no driver: install better-sqlite3 or libsql, or use Node 22.13"
    )
  }
  try {
    db.exec("pragma busy_timeout = 5000")
    // Readers and a writer at the same time: relays and the program share the file.
    db.exec("pragma journal_mode = wal")
  } catch (error) {
    db.close()
    throw error
  }
  return {
    executor: fromSqlite(db),
    listen: undefined,
    close: async () => {
      db.close()
    }
  }
}
