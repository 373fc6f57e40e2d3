/** A Hookrail server on this machine that forwards webhooks to the user's receiver, and shows what happens. */
import type { EmulatorOptions, RunningEmulator } from "@hookrail/emulator"
import { startEmulator } from "@hookrail/emulator"
import { aborted, type Context, type Run } from "../base/context.js"
import { announceDevServer, type DevKeys, devKeys } from "../base/devServer.js"
import { readEnvFile, writeEnvFile } from "../base/envFile.js"
import { exitCodes, Failure, usage } from "../base/exit.js"
import { type Target, targetsOf } from "../base/forward.js"
import { oneLine, type Output, paintState } from "../base/output.js"

export interface DevInput {
  readonly forward: ReadonlyArray<string>
  readonly topic: ReadonlyArray<string>
  readonly port: number | undefined
  readonly adminPort: number | undefined
  readonly printSecret: boolean
}

type Entry<Kind extends "request" | "event" | "attempt"> = Parameters<
  NonNullable<NonNullable<EmulatorOptions["observer"]>[Kind]>
>[0]

const defaultPort = 8080
const defaultAdminPort = 8082
const defaultPagePort = 8089

const isTaken = (error: unknown): boolean => /in use|EADDRINUSE/.test(String(Object(error).message))

/** Starts the emulator on the given ports, or on the server's own, or on free ones if these are taken. */
const start = async (
  input: DevInput,
  pageToken: string,
  options: EmulatorOptions,
  out: Output
): Promise<RunningEmulator> => {
  const ports = [
    [input.port ?? defaultPort, input.adminPort ?? defaultAdminPort, defaultPagePort],
    [input.port ?? 0, input.adminPort ?? 0, 0]
  ] as const
  for (const [n, [port, adminPort, pagePort]] of ports.entries()) {
    try {
      const page = { port: input.port === undefined ? pagePort : 0, token: pageToken }
      return await startEmulator({ ...options, port, adminPort, page })
    } catch (error) {
      const isGiven = input.port !== undefined && input.adminPort !== undefined
      if (!isTaken(error) || isGiven || n === ports.length - 1) {
        throw usage(
          `the server does not start: ${String(Object(error).message)}: choose others with --port and --admin-port`
        )
      }
      out.note(`port ${defaultPort}, ${defaultAdminPort} or ${defaultPagePort} is taken: using free ones`)
    }
  }
  throw new Failure(exitCodes.defect, "no port")
}

const isLocal = (url: string): boolean => {
  const host = URL.canParse(url) ? new URL(url).hostname : url
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|.*\.localhost)$/.test(host)
}

/** Puts URL, key and secret into the user's file. One that is for another server stays as it is. */
const writeVariables = async (path: string, url: string, { apiKey, secret }: DevKeys, out: Output): Promise<void> => {
  const before = await readEnvFile(path).catch((error: unknown) => {
    if (/ENOENT/.test(String(Object(error).message))) return {} as Record<string, string>
    throw error
  })
  const baseUrl = before.HOOKRAIL_BASE_URL
  if (baseUrl !== undefined && baseUrl !== "" && !isLocal(baseUrl)) {
    throw usage(
      `${path} is for the server ${baseUrl}, so it is not changed: use another file, such as --dotenv .env.local`
    )
  }
  const isChanged = await writeEnvFile(path, {
    HOOKRAIL_BASE_URL: url,
    HOOKRAIL_API_KEY: apiKey,
    HOOKRAIL_WEBHOOK_SECRET: secret
  })
  if (isChanged) {
    out.note(
      `wrote HOOKRAIL_BASE_URL, HOOKRAIL_API_KEY and HOOKRAIL_WEBHOOK_SECRET to ${path}: restart programs that read it`
    )
  }
}

/** Prints what happens, with a hint when something goes wrong for the first time. */
class Lines {
  private readonly hinted = new Set<string>()

  constructor(private readonly out: Output) {}

  readonly event = ({ at, deliveryIds, eventId, topic }: Entry<"event">): void => {
    this.out.data(
      { type: "event", at: isoOf(at), eventId, topic, deliveryIds },
      () => this.text(at, "event", `${this.out.paint("bold", oneLine(topic))}  ${eventId}`)
    )
    if (deliveryIds.length === 0) {
      this.hint(`topic ${topic}`, `nobody gets ${oneLine(topic)}: see --forward and --topic`)
    }
  }

  readonly attempt = (entry: Entry<"attempt">): void => {
    const { at, attemptNo, deliveryId, errorClass, eventId, httpStatus, latencyMs, status, topic, url } = entry
    const answer = String(httpStatus ?? errorClass ?? status)
    this.out.data(
      {
        type: "attempt",
        at: isoOf(at),
        deliveryId,
        eventId,
        topic,
        url,
        attemptNo,
        status,
        httpStatus,
        errorClass,
        latencyMs
      },
      () =>
        this.text(
          at,
          "attempt",
          `${this.out.paint(status === "success" ? "green" : "red", answer)}  POST ${url}  ` +
            `${Math.round(latencyMs)} ms  attempt ${attemptNo}`
        )
    )
    this.hintAt(errorClass, url)
    const state = stateAfter(entry)
    if (state === undefined) return
    this.out.data(
      { type: "delivery", at: isoOf(at), deliveryId, eventId, topic, url, state },
      () => this.text(at, "delivery", `${paintState(state, this.out.paint)}  ${deliveryId}`)
    )
  }

  readonly request = ({ answer, at, method, path, surface }: Entry<"request">): void => {
    if (surface !== "producer" || answer === undefined || answer.status < 400) return
    const detail = detailOf(answer.body)
    this.out.data(
      { type: "refused", at: isoOf(at), method, path, status: answer.status, detail },
      () => this.text(at, "refused", `${this.out.paint("red", String(answer.status))}  ${method} ${path}  ${detail}`)
    )
    if (answer.status === 401) {
      this.hint(
        "401",
        "the program that sent this has another key: restart it with the HOOKRAIL_API_KEY of this server"
      )
    }
  }

  private text(at: number, kind: string, rest: string): string {
    const time = new Date(at)
    const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
      .map((part) => String(part).padStart(2, "0")).join(":")
    return `${this.out.paint("dim", clock)}  ${kind.padEnd(8)}  ${rest}`
  }

  private hintAt(errorClass: string | undefined, url: string): void {
    if (errorClass === undefined) return
    const hint = errorClass === "connection"
      ? `nothing answers at ${url}: start your receiver, retries go on by themselves`
      : errorClass === "timeout"
      ? `${url} did not answer within 10 s: answer first, and do long work afterwards`
      : errorClass === "redirect_rejected"
      ? `${url} answers with a redirect, which is never followed: forward to where it leads`
      : /^http_40[13]$|^http_4(00|22)$/.test(errorClass)
      ? `${url} refused the webhook: is its HOOKRAIL_WEBHOOK_SECRET the one of "hookrail dev --print-secret"?`
      : errorClass === "http_404"
      ? `${url} answers 404: is the path the one of your receiver?`
      : undefined
    if (hint !== undefined) this.hint(`${errorClass} ${url}`, hint)
  }

  /** Once for each reason. */
  private hint(key: string, text: string): void {
    if (this.hinted.has(key)) return
    this.hinted.add(key)
    this.out.warn(text)
  }
}

const isoOf = (at: number): string => new Date(at).toISOString()

const detailOf = (body: string): string => {
  try {
    const { detail, title } = JSON.parse(body) as { readonly detail?: unknown; readonly title?: unknown }
    return oneLine(String(detail ?? title), 200)
  } catch {
    return oneLine(body, 200)
  }
}

const maxAttempts = 8

/** The end of a delivery, if this attempt was one. */
const stateAfter = ({ attemptNo, status }: Entry<"attempt">): string | undefined => {
  if (status === "success") return "succeeded"
  return status === "permanent_failure" || (status === "retryable_failure" && attemptNo >= maxAttempts)
    ? "dead_lettered"
    : undefined
}

export const dev: Run<DevInput & { readonly envFile: string | undefined }> = async (input, context) => {
  const { env, out, signal } = context
  const keys = await devKeys(env)
  if (input.printSecret) {
    out.data({ secret: keys.secret }, () => keys.secret)
    return
  }
  const targets = targetsOf(input.forward, input.topic)
  const lines = new Lines(out)
  const emulator = await start(input, keys.pageToken, {
    apiKeys: [keys.apiKey],
    adminToken: keys.adminToken,
    // Retries go out when they are due, and not with the next sweep.
    sweepIntervalMs: 0,
    observer: { request: lines.request, event: lines.event, attempt: lines.attempt }
  }, out)
  try {
    for (const target of targets) emulator.subscribe({ ...target, secret: keys.secret })
    if (input.envFile !== undefined) await writeVariables(input.envFile, emulator.url, keys, out)
    const withdraw = await announceDevServer(env, {
      ...keys,
      pid: process.pid,
      url: emulator.url,
      adminUrl: emulator.adminUrl
    })
    try {
      ready(emulator, targets, input.envFile, context)
      await aborted(signal)
    } finally {
      await withdraw()
    }
  } finally {
    await emulator.close()
  }
}

const ready = (
  emulator: RunningEmulator,
  targets: ReadonlyArray<Target>,
  envFile: string | undefined,
  { out }: Context
): void => {
  const { adminUrl, pageUrl, url } = emulator
  out.data({ type: "ready", url, adminUrl, pageUrl, forward: targets, envFile }, () => {
    const { paint } = out
    const field = (name: string, value: string) => `  ${paint("dim", name.padEnd(8))}  ${value}`
    return [
      `${paint("bold", "hookrail dev")} is ready`,
      field("server", url),
      field("admin", adminUrl),
      field("page", pageUrl),
      ...targets.map((target) => field("forward", `${target.topic} to ${target.url}`))
    ].join("\n")
  })
  if (targets.length === 0) out.note("webhooks go nowhere: give the URL of your receiver by --forward")
  if (envFile === undefined) {
    out.note("your program needs HOOKRAIL_WEBHOOK_SECRET: write it to a file by --dotenv .env, or see --print-secret")
  }
  out.note("send an event from another terminal: hookrail trigger orders.created --set order_id=o_1. Ctrl-C ends this.")
}
