/** What `hookrail dev` leaves for the other commands on this machine: its keys, and where it listens while it runs. */
import { randomBytes } from "node:crypto"
import { mkdir, readdir, readFile, rm } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import { replaceFile } from "./envFile.js"
import { exitCodes, Failure } from "./exit.js"

type Environment = Readonly<Record<string, string | undefined>>

export interface DevKeys {
  readonly apiKey: string
  readonly adminToken: string
  readonly secret: string
  /** What the page is opened with: a tab of the browser stays usable after a restart. */
  readonly pageToken: string
}

export interface DevServer extends DevKeys {
  readonly pid: number
  readonly url: string
  readonly adminUrl: string
}

const folder = (env: Environment): string =>
  join(
    env.XDG_STATE_HOME || (process.platform === "win32" && env.LOCALAPPDATA || join(homedir(), ".local", "state")),
    "hookrail"
  )

const read = async <A>(path: string, keys: ReadonlyArray<string>): Promise<A | undefined> => {
  try {
    const value = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>
    return keys.every((key) => typeof value[key] === "string") ? value as A : undefined
  } catch {
    return undefined
  }
}

const write = async (env: Environment, name: string, value: object): Promise<void> => {
  try {
    await mkdir(folder(env), { recursive: true, mode: 0o700 })
    await replaceFile(join(folder(env), name), `${JSON.stringify(value, undefined, 2)}\n`, 0o600)
  } catch (error) {
    throw new Failure(
      exitCodes.usage,
      `cannot write to ${folder(env)} (${
        String(Object(error).code)
      }): set XDG_STATE_HOME to a folder that can be written`
    )
  }
}

const keyNames = ["apiKey", "adminToken", "secret", "pageToken"]

/** The same in every run, so that a receiver needs its secret once. Only for servers on this machine. */
export const devKeys = async (env: Environment): Promise<DevKeys> => {
  const known = await read<DevKeys>(join(folder(env), "dev-keys.json"), keyNames)
  if (known !== undefined) return known
  const drawn = (prefix: string) => prefix + randomBytes(24).toString("hex")
  const keys = { apiKey: drawn("hk_"), adminToken: drawn("hkadm_"), secret: drawn("whsec_"), pageToken: drawn("") }
  await write(env, "dev-keys.json", keys)
  return keys
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return Object(error).code === "EPERM"
  }
}

/** Each has a file of its own: when one ends, another one may still run. */
const fileOf = (pid: number): string => `dev-${pid}.json`

/** The processes that have announced a server and not taken it back. */
const announced = async (env: Environment): Promise<ReadonlyArray<number>> =>
  (await readdir(folder(env)).catch(() => [])).flatMap((file) => {
    const [, pid] = /^dev-(\d+)\.json$/.exec(file) ?? []
    return pid === undefined ? [] : [Number(pid)]
  })

/** The server of the `hookrail dev` that was started last and runs. */
export const runningDevServer = async (env: Environment): Promise<DevServer | undefined> => {
  const servers = await Promise.all(
    (await announced(env)).filter(isAlive).map((pid) =>
      read<DevServer & { readonly startedAt: number }>(join(folder(env), fileOf(pid)), [...keyNames, "url", "adminUrl"])
    )
  )
  return servers.filter((server) => server !== undefined).sort((a, b) => b.startedAt - a.startedAt)[0]
}

/** Announces a server; the result takes it back. What a process left behind that was killed is cleared away. */
export const announceDevServer = async (
  env: Environment,
  server: DevServer,
  startedAt = Date.now()
): Promise<() => Promise<void>> => {
  await write(env, fileOf(server.pid), { ...server, startedAt })
  const gone = (await announced(env)).filter((pid) => pid !== server.pid && !isAlive(pid))
  await Promise.all(gone.map((pid) => rm(join(folder(env), fileOf(pid)), { force: true })))
  return () => rm(join(folder(env), fileOf(server.pid)), { force: true })
}
