#!/usr/bin/env node
/**
 * The command `hookrail-emulator`: an emulator on the server's own ports that logs one line per request, event and attempt.
 */
import { parseArgs } from "node:util"
import { type Emulator, startEmulator } from "./emulator.js"
import { EmulatorError, EmulatorStartError } from "./errors.js"
import { nearest } from "./options/check.js"
import type { EmulatorOptions } from "./options/options.js"

const usage = `Usage: hookrail-emulator [options]

  --port <number>             producer port, default 8080; 0 takes a free one
  --admin-port <number>       admin port, default 8082; 0 takes a free one
  --host <address>            address to listen on, default 127.0.0.1
  --api-key <key>             producer key, may be repeated; default a drawn one
  --admin-token <token>       admin token; default a drawn one
  --page                      serve a page to look at events and deliveries, on a port of its own
  --page-port <number>        port of the page, which this implies; default a free one
  --page-token <token>        token of the page, which this implies; default a drawn one
  --subscribe <topic=url>     deliver a topic pattern to a URL, may be repeated
  --secret <secret>           signing secret of the endpoints above; default a drawn one, which is printed
  --sweep-interval <ms>       how often due retries go out, default 30000; 0 at once
  --seed <number>             draw ids, keys and jitter from this seed
  --no-rate-limit             take any number of events and deliveries
  --quiet                     no log, only the line that tells that it is ready
  --help                      this text
`

const line = (text: string): void => {
  process.stdout.write(text + "\n")
}

const time = (at: number): string => new Date(at).toISOString()

const number = (name: string, value: string | undefined): number | undefined => {
  if (value === undefined) return undefined
  if (/^\d+$/.test(value)) return Number(value)
  throw new EmulatorStartError(`--${name} must be a whole number, got ${value}`)
}

/** What `--subscribe` names. */
interface Target {
  readonly topic: string
  readonly url: string
  readonly secret?: string
}

const subscription = (text: string, secret: string | undefined): Target => {
  const [, topic, url] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (topic === undefined || url === undefined) {
    throw new EmulatorStartError(`--subscribe must be <topic=url>, got ${text}`)
  }
  return secret === undefined ? { topic, url } : { topic, url, secret }
}

const observer: NonNullable<EmulatorOptions["observer"]> = {
  request: ({ answer, at, fault, method, outcome, path, surface }) =>
    line(
      `${time(at)} ${surface} ${method} ${path} ${outcome === "answered" ? answer?.status ?? "" : outcome}` +
        (fault === undefined ? "" : ` fault=${fault}`)
    ),
  event: ({ at, deliveryIds, eventId, topic }) =>
    line(`${time(at)} event ${eventId} topic=${JSON.stringify(topic)} deliveries=${deliveryIds.length}`),
  attempt: ({ at, attemptNo, deliveryId, errorClass, httpStatus, latencyMs, status, url }) =>
    line(
      `${time(at)} attempt ${deliveryId} no=${attemptNo} ${status} ${errorClass ?? httpStatus ?? ""} ` +
        `${latencyMs}ms ${new URL(url).host}`
    )
}

const flags = {
  port: { type: "string" },
  "admin-port": { type: "string" },
  host: { type: "string" },
  "api-key": { type: "string", multiple: true },
  "admin-token": { type: "string" },
  page: { type: "boolean" },
  "page-port": { type: "string" },
  "page-token": { type: "string" },
  subscribe: { type: "string", multiple: true },
  secret: { type: "string" },
  "sweep-interval": { type: "string" },
  seed: { type: "string" },
  "no-rate-limit": { type: "boolean" },
  quiet: { type: "boolean" },
  help: { type: "boolean" }
} as const

/** Better messages than Node's own. */
const checkFlags = (): void => {
  const { tokens } = parseArgs({ options: flags, strict: false, allowPositionals: true, tokens: true })
  for (const token of tokens) {
    if (token.kind === "positional") throw new EmulatorStartError(`takes no argument ${token.value}; see --help`)
    if (token.kind !== "option") continue
    if (!Object.hasOwn(flags, token.name)) {
      const meant = nearest(token.name, Object.keys(flags))
      const hint = meant === undefined ? "; see --help" : `; did you mean --${meant}?`
      throw new EmulatorStartError(`there is no option ${token.rawName}${hint}`)
    }
    const { type } = flags[token.name as keyof typeof flags]
    if (type === "string" && token.value === undefined) throw new EmulatorStartError(`${token.rawName} needs a value`)
    if (type === "boolean" && token.value !== undefined) throw new EmulatorStartError(`${token.rawName} takes no value`)
  }
}

/** What the command line asks for. */
interface Asked {
  readonly options: EmulatorOptions
  readonly subscriptions: ReadonlyArray<Target>
  readonly drawsSecret: boolean
}

/** Reads the command line; nothing when only help was asked for. */
const readFlags = (): Asked | undefined => {
  checkFlags()
  const { values } = parseArgs({ options: flags })
  if (values.help === true) return undefined
  const unlimited = values["no-rate-limit"] === true ? false : undefined
  const subscriptions = (values.subscribe ?? []).map((text) => subscription(text, values.secret))
  return {
    subscriptions,
    drawsSecret: subscriptions.length > 0 && values.secret === undefined,
    options: {
      port: number("port", values.port) ?? 8080,
      adminPort: number("admin-port", values["admin-port"]) ?? 8082,
      host: values.host,
      apiKeys: values["api-key"],
      adminToken: values["admin-token"],
      page: values.page === true || values["page-port"] !== undefined || values["page-token"] !== undefined
        ? { port: number("page-port", values["page-port"]), token: values["page-token"] }
        : false,
      sweepIntervalMs: number("sweep-interval", values["sweep-interval"]),
      seed: number("seed", values.seed),
      ingestRateLimit: unlimited,
      deliveryRateLimit: unlimited,
      observer: values.quiet === true ? undefined : observer
    }
  }
}

/** An option's name on the command line. */
const flagNames: Readonly<Record<string, string>> = {
  port: "--port",
  adminPort: "--admin-port",
  host: "--host",
  adminToken: "--admin-token",
  "page.port": "--page-port",
  "page.token": "--page-token",
  sweepIntervalMs: "--sweep-interval",
  seed: "--seed",
  url: "--subscribe",
  topic: "--subscribe",
  secret: "--secret"
}

const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const option = error instanceof EmulatorStartError || error instanceof EmulatorError ? error.option : undefined
  const flag = option === undefined ? undefined : flagNames[option]
  return flag === undefined || option === undefined || !error.message.startsWith(`${option} `)
    ? error.message
    : flag + error.message.slice(option.length)
}

/** Subscribes with one secret for all endpoints and returns it. */
const subscribeAll = (emulator: Emulator, { subscriptions }: Asked): string | undefined => {
  let secret: string | undefined
  for (const one of subscriptions) secret = emulator.subscribe({ secret, ...one }).secret
  return secret
}

const main = async (): Promise<void> => {
  const asked = readFlags()
  if (asked === undefined) {
    process.stdout.write(usage)
    return
  }
  const emulator = await startEmulator(asked.options)
  try {
    const secret = subscribeAll(emulator, asked)
    line(
      `hookrail-emulator ready url=${emulator.url} admin=${emulator.adminUrl} ` +
        `api-key=${emulator.apiKey} admin-token=${emulator.adminToken}` +
        (emulator.pageUrl === "" ? "" : ` page=${emulator.pageUrl}`) +
        (asked.drawsSecret ? ` secret=${secret}` : "")
    )
  } catch (error) {
    await emulator.close()
    throw error
  }
  const stop = (): void => {
    void emulator.close()
  }
  process.once("SIGINT", stop)
  process.once("SIGTERM", stop)
}

main().catch((error: unknown) => {
  process.stderr.write(`hookrail-emulator: ${describe(error)}\n`)
  process.exitCode = 1
})
