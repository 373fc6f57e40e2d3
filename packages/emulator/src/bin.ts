#!/usr/bin/env node
/**
 * The command `hookrail-emulator`: an emulator on the server's own ports, with one line of log for what happens.
 */
import { parseArgs } from "node:util"
import { startEmulator } from "./emulator.js"
import { EmulatorStartError } from "./errors.js"
import type { EmulatorOptions, SubscribeOptions } from "./options/options.js"

const usage = `Usage: hookrail-emulator [options]

  --port <number>             producer port, default 8080; 0 takes a free one
  --admin-port <number>       admin port, default 8082; 0 takes a free one
  --host <address>            address to listen on, default 127.0.0.1
  --api-key <key>             producer key, may be repeated; default a drawn one
  --admin-token <token>       admin token; default a drawn one
  --subscribe <topic=url>     deliver a topic pattern to a URL, may be repeated
  --secret <secret>           signing secret of the endpoints above; default a drawn one
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

const subscription = (text: string, secret: string | undefined): SubscribeOptions => {
  const [, topic, url] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (topic === undefined || url === undefined) {
    throw new EmulatorStartError(`--subscribe must be <topic=url>, got ${text}`)
  }
  return { topic, url, secret }
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

/** The options on the command line, or nothing when only help was asked for. */
const options = (): EmulatorOptions | undefined => {
  const { values } = parseArgs({
    options: {
      port: { type: "string" },
      "admin-port": { type: "string" },
      host: { type: "string" },
      "api-key": { type: "string", multiple: true },
      "admin-token": { type: "string" },
      subscribe: { type: "string", multiple: true },
      secret: { type: "string" },
      "sweep-interval": { type: "string" },
      seed: { type: "string" },
      "no-rate-limit": { type: "boolean" },
      quiet: { type: "boolean" },
      help: { type: "boolean" }
    }
  })
  if (values.help === true) return undefined
  const unlimited = values["no-rate-limit"] === true ? false : undefined
  return {
    port: number("port", values.port) ?? 8080,
    adminPort: number("admin-port", values["admin-port"]) ?? 8082,
    host: values.host,
    apiKeys: values["api-key"],
    adminToken: values["admin-token"],
    subscriptions: values.subscribe?.map((text) => subscription(text, values.secret)),
    sweepIntervalMs: number("sweep-interval", values["sweep-interval"]),
    seed: number("seed", values.seed),
    ingestRateLimit: unlimited,
    deliveryRateLimit: unlimited,
    observer: values.quiet === true ? undefined : observer
  }
}

const main = async (): Promise<void> => {
  const asked = options()
  if (asked === undefined) {
    process.stdout.write(usage)
    return
  }
  const emulator = await startEmulator(asked)
  line(
    `hookrail-emulator ready url=${emulator.url} admin=${emulator.adminUrl} ` +
      `api-key=${emulator.apiKey} admin-token=${emulator.adminToken}`
  )
  const stop = (): void => {
    void emulator.close()
  }
  process.once("SIGINT", stop)
  process.once("SIGTERM", stop)
}

main().catch((error: unknown) => {
  process.stderr.write(`hookrail-emulator: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
