/** Where keys and URLs come from: the environment, a file of variables, a profile, or the server of `hookrail dev`. */
import { readFile, stat } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import { type DevServer, runningDevServer } from "./devServer.js"
import { readEnvFile } from "./envFile.js"
import { exitCodes, Failure, usage } from "./exit.js"

type Environment = Readonly<Record<string, string | undefined>>

/** What the command line says about it. */
export interface SettingsOptions {
  readonly env: Environment
  readonly profile: string | undefined
  readonly envFile: string | undefined
}

export interface Producer {
  readonly apiKey: string
  readonly baseUrl: string
  /** Where both are from, for messages. */
  readonly source: string
  /** Where the URL is from: it may be the default. */
  readonly urlSource: string
}

export interface Admin {
  readonly token: string
  readonly url: string
  readonly source: string
  readonly urlSource: string
}

interface Profile {
  readonly baseUrl?: string
  readonly apiKey?: string
  readonly adminUrl?: string
  readonly adminToken?: string
  readonly secret?: string
}

const names = ["baseUrl", "apiKey", "adminUrl", "adminToken", "secret"] as const

const variables = {
  baseUrl: "HOOKRAIL_BASE_URL",
  apiKey: "HOOKRAIL_API_KEY",
  adminUrl: "HOOKRAIL_ADMIN_URL",
  adminToken: "HOOKRAIL_ADMIN_TOKEN",
  secret: "HOOKRAIL_WEBHOOK_SECRET"
} as const

interface Source {
  readonly name: string
  readonly values: Profile
}

export const configPath = (env: Environment): string =>
  env.HOOKRAIL_CONFIG ?? join(env.XDG_CONFIG_HOME || join(homedir(), ".config"), "hookrail", "config.json")

const fromVariables = (env: Environment): Profile =>
  Object.fromEntries(
    names.map((name) => [name, env[variables[name]]?.trim()] as const).filter(([, value]) => value)
  )

interface Config {
  readonly default?: string | undefined
  readonly profiles: Readonly<Record<string, Profile>>
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Reads the file of profiles; `undefined` if there is none. */
const readConfig = async (path: string): Promise<Config | undefined> => {
  const refuse = (reason: string) => usage(`${path} ${reason}`)
  let text: string
  try {
    // On Windows there is no such mode.
    const { mode } = await stat(path)
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw refuse(`holds keys and can be read by others: run chmod 600 ${path}`)
    }
    text = await readFile(path, "utf8")
  } catch (error) {
    if (error instanceof Failure) throw error
    if (Object(error).code === "ENOENT") return undefined
    throw refuse(`cannot be read (${String(Object(error).code)})`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Without the parser's words, which quote the text: it holds keys.
    throw refuse("is not JSON")
  }
  if (!isRecord(value) || !isRecord(value.profiles)) {
    throw refuse("must be {\"profiles\": {\"name\": {\"baseUrl\": ..., \"apiKey\": ...}}}")
  }
  for (const [name, profile] of Object.entries(value.profiles)) {
    if (!isRecord(profile)) throw refuse(`has a profile ${JSON.stringify(name)} that is no object`)
    for (const [key, setting] of Object.entries(profile)) {
      if (!(names as ReadonlyArray<string>).includes(key)) {
        throw refuse(`has ${JSON.stringify(key)} in the profile ${JSON.stringify(name)}: there are ${names.join(", ")}`)
      }
      if (typeof setting !== "string") {
        throw refuse(`has a ${key} that is no text in the profile ${JSON.stringify(name)}`)
      }
    }
  }
  return value as unknown as Config
}

/**
 * A key and the URL that it is sent to always come from the same place: no key of production ever goes to another server
 * because a variable of the environment names one.
 */
export class Settings {
  private loaded: Promise<ReadonlyArray<Source>> | undefined

  constructor(private readonly options: SettingsOptions) {}

  private sources(): Promise<ReadonlyArray<Source>> {
    return this.loaded ??= this.load()
  }

  private async load(): Promise<ReadonlyArray<Source>> {
    const { env, envFile, profile } = this.options
    if (envFile !== undefined) return [{ name: envFile, values: fromVariables(await readEnvFile(envFile)) }]
    const path = configPath(env)
    if (profile !== undefined) return [await profileOf(path, profile)]
    const found: Array<Source> = [{ name: "the environment", values: fromVariables(env) }]
    if (env.HOOKRAIL_PROFILE) {
      found.push(await profileOf(path, env.HOOKRAIL_PROFILE))
      return found
    }
    const dev = await runningDevServer(env)
    if (dev !== undefined) found.push({ name: "hookrail dev", values: fromDev(dev) })
    const config = await readConfig(path)
    if (config?.default !== undefined) found.push(await profileOf(path, config.default))
    return found
  }

  /** The server to send to. */
  async producer(): Promise<Producer> {
    const sources = await this.sources()
    const source = sources.find(({ values }) => values.apiKey !== undefined || values.baseUrl !== undefined)
    if (source?.values.apiKey === undefined) throw missing("key", variables.apiKey, "apiKey", source)
    return {
      apiKey: source.values.apiKey,
      baseUrl: (source.values.baseUrl ?? "http://localhost:8080").replace(/\/+$/, ""),
      source: source.name,
      urlSource: urlSourceOf(source, "baseUrl")
    }
  }

  /** The admin API. */
  async admin(): Promise<Admin> {
    const sources = await this.sources()
    const source = sources.find(({ values }) => values.adminToken !== undefined || values.adminUrl !== undefined)
    if (source?.values.adminToken === undefined) {
      throw missing("admin token", variables.adminToken, "adminToken", source)
    }
    return {
      token: source.values.adminToken,
      url: (source.values.adminUrl ?? "http://localhost:8082").replace(/\/+$/, ""),
      source: source.name,
      urlSource: urlSourceOf(source, "adminUrl")
    }
  }

  /** The URL of the server, with or without a key. */
  async baseUrl(): Promise<string> {
    const sources = await this.sources()
    const source = sources.find(({ values }) => values.apiKey !== undefined || values.baseUrl !== undefined)
    return (source?.values.baseUrl ?? "http://localhost:8080").replace(/\/+$/, "")
  }

  /** The URL of the admin API, if anything names one. */
  async adminUrl(): Promise<string | undefined> {
    const sources = await this.sources()
    return sources.find(({ values }) => values.adminUrl !== undefined)?.values.adminUrl?.replace(/\/+$/, "")
  }

  /** The secrets that webhooks are signed with; several are separated by commas. */
  async secrets(): Promise<ReadonlyArray<string>> {
    const sources = await this.sources()
    const secret = sources.find(({ values }) => values.secret !== undefined)?.values.secret
    return (secret ?? "").split(",").map((text) => text.trim()).filter((text) => text !== "")
  }
}

const fromDev = ({ adminToken, adminUrl, apiKey, secret, url }: DevServer): Profile => ({
  baseUrl: url,
  apiKey,
  adminUrl,
  adminToken,
  secret
})

const urlSourceOf = ({ name, values }: Source, url: "baseUrl" | "adminUrl"): string =>
  values[url] === undefined ? `the default: ${variables[url]} is not set` : `from ${name}`

const profileOf = async (path: string, name: string): Promise<Source> => {
  const config = await readConfig(path)
  if (config === undefined) throw usage(`there is no ${path}, and so no profile ${JSON.stringify(name)}`)
  const values = Object.hasOwn(config.profiles, name) ? config.profiles[name] : undefined
  if (values === undefined) {
    throw usage(
      `there is no profile ${JSON.stringify(name)} in ${path}: there are ${Object.keys(config.profiles).join(", ")}`
    )
  }
  return { name: `the profile ${name}`, values }
}

const missing = (what: string, variable: string, name: string, source: Source | undefined): Failure =>
  new Failure(
    exitCodes.authentication,
    source === undefined
      ? `there is no ${what}: set ${variable}, choose a --profile or a --dotenv, or start "hookrail dev"`
      : `${source.name} has a URL and no ${what} for it: set ${
        source.name === "the environment" ? variable : name
      } there too`
  )
