/** The command `hookrail-relay`: a relay as a process of its own, and what an operator needs. Nothing it prints holds a payload. */
import { DatabaseError, OutboxConfigError } from "../errors.js"
import { blockedKeys, discardEvent, listEvents, outboxStats, retryEvent } from "../operate/events.js"
import { migrate, migrationSql, schemaStatus } from "../operate/migrate.js"
import type { RelayClient, RelayLog } from "../relay/model.js"
import { startRelay } from "../relay/relay.js"
import { namesOf, type NamesOptions } from "../sql/names.js"
import { channelOf } from "../sql/storing.js"
import { type Database, installed, openDatabase } from "./database.js"
import { serveHealth } from "./health.js"
import { type Arguments, argumentsOf, usage } from "./usage.js"

const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

const fail = (text: string): number => {
  process.stderr.write(`hookrail-relay: ${text}\n`)
  return 1
}

/** Runs the command; resolves with the exit code. */
export const main = async (args: ReadonlyArray<string>): Promise<number> => {
  let url: string | undefined
  try {
    const parsed = argumentsOf(args)
    if (parsed.isHelp) {
      print(usage)
      return 0
    }
    const names: NamesOptions = { schema: parsed.text("schema"), prefix: parsed.text("prefix") }
    namesOf(names)
    if (parsed.command === "sql") {
      print(migrationSql({
        ...names,
        dialect: dialectOf(parsed.text("dialect")),
        from: parsed.number("from"),
        separator: parsed.text("separator")
      }))
      return 0
    }
    url = parsed.text("database") ?? process.env.HOOKRAIL_DATABASE_URL
    const database = await openDatabase(url, {
      prepare: parsed.isPreparing,
      // Of a file that is not there, only this makes one: elsewhere it is a mistake in the path.
      create: parsed.command === "migrate"
    })
    try {
      return await (parsed.command === "run" ? run(parsed, names, database) : operate(parsed, names, database))
    } finally {
      await database.close()
    }
  } catch (error) {
    return fail(`${explained(error, url)}${error instanceof OutboxConfigError ? " See --help." : ""}`)
  }
}

/** There is no transaction here to roll back, and nobody can look at a cause: it is told, without the URL and its password. */
const explained = (error: unknown, url: string | undefined): string => {
  if (!(error instanceof DatabaseError)) return String(Object(error).message)
  const { advice, cause, code, operation } = error
  const password = url !== undefined && URL.canParse(url) ? new URL(url).password : ""
  const why = [url ?? "", password, decoded(password)]
    .filter((secret) => secret !== "")
    .reduce((text, secret) => text.replaceAll(secret, "***"), String(Object(cause).message))
  return `${operation} failed in the database${code === undefined ? "" : ` (${code})`}. ${advice ?? why}`
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const dialectOf = (dialect: string | undefined): "postgres" | "sqlite" => {
  if (dialect === "postgres" || dialect === "sqlite") return dialect
  throw new OutboxConfigError({ option: "--dialect", reason: "must be postgres or sqlite" })
}

/** A table, or JSON. */
const show = (isJson: boolean, rows: ReadonlyArray<object>): void => {
  if (isJson) return print(JSON.stringify(rows, undefined, 2))
  if (rows.length === 0) return print("none")
  const texts = rows.map((row) =>
    Object.entries(row).map(([name, value]) =>
      name === "createdAt" ? new Date(value as number).toISOString() : value === undefined ? "-" : oneLine(value)
    )
  )
  const head = Object.keys(rows[0]!)
  const widths = head.map((name, n) => Math.max(name.length, ...texts.map((row) => row[n]!.length)))
  for (const row of [head, ...texts]) print(row.map((text, n) => text.padEnd(widths[n]!)).join("  ").trimEnd())
}

/** Control characters of a topic or an error must not steer the terminal. */
const oneLine = (value: unknown): string => String(value).replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").slice(0, 120)

const operate = async (parsed: Arguments, names: NamesOptions, { executor }: Database): Promise<number> => {
  const { command, isJson, key } = parsed
  const destination = parsed.text("destination")
  const options = { ...names, destination }
  switch (command) {
    case "migrate": {
      const { applied } = await migrate(executor, names)
      print(applied.length === 0 ? "The tables are up to date." : `Applied: ${applied.join(", ")}.`)
      return 0
    }
    case "status": {
      const status = await schemaStatus(executor, names)
      const stats = status.state === "current" ? await outboxStats(executor, options) : {}
      show(isJson, [{ tables: status.state, version: status.version, ...stats }])
      return status.state === "current" ? 0 : 1
    }
    case "list": {
      const state = parsed.text("state") as "parked" | undefined
      show(
        isJson,
        await listEvents(executor, { ...options, state, after: parsed.number("after"), limit: parsed.number("limit") })
      )
      return 0
    }
    case "blocked":
      show(isJson, await blockedKeys(executor, { ...options, limit: parsed.number("limit") }))
      return 0
    default: {
      const isDone = await (command === "retry" ? retryEvent : discardEvent)(executor, key!, options)
      if (!isDone) return fail("There is no parked or dead event with this key at this destination.")
      print(command === "retry" ? "It is sent again." : "It is discarded.")
      return 0
    }
  }
}

interface Client extends RelayClient {
  readonly close: () => Promise<void>
}

const clientOf = async (baseUrl: string | undefined): Promise<Client> => {
  const module = await installed("@hookrail/promise") as
    | { readonly Hookrail: new(options: object) => Client }
    | undefined
  if (module === undefined) {
    throw new OutboxConfigError({ option: "client", reason: "is missing: install @hookrail/promise" })
  }
  return new module.Hookrail({ ...(baseUrl === undefined ? {} : { baseUrl }), onUnmatched: "ignore" })
}

const log = ({ fields, level, message }: RelayLog): void =>
  print(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }))

const run = async (parsed: Arguments, names: NamesOptions, database: Database): Promise<number> => {
  const { executor } = database
  const destination = parsed.text("destination") ?? "default"
  const port = parsed.number("port")
  const drainMs = parsed.number("drain-ms") ?? 10_000
  if (parsed.isListening && database.listen === undefined) {
    throw new OutboxConfigError({ option: "--listen", reason: "is for Postgres only" })
  }
  const client = await clientOf(parsed.text("base-url"))
  try {
    const relay = await startRelay({
      ...names,
      executor,
      client,
      destination,
      batch: parsed.number("batch"),
      run: parsed.number("run"),
      concurrency: parsed.number("concurrency"),
      leaseMs: parsed.number("lease-ms"),
      sendTimeoutMs: parsed.number("send-timeout-ms"),
      poll: { minMs: parsed.number("poll-min-ms"), maxMs: parsed.number("poll-max-ms") },
      backoff: { baseMs: parsed.number("backoff-base-ms"), capMs: parsed.number("backoff-cap-ms") },
      ambiguousWindowMs: parsed.number("ambiguous-ms"),
      maxAttempts: parsed.number("max-attempts"),
      onDead: parsed.text("on-dead") as "block" | "skip" | undefined,
      onLog: log
    })
    const stopped = untilStopped()
    const health = port === undefined ? undefined : await serveHealth({
      relay,
      destination,
      port,
      host: parsed.text("host") ?? "127.0.0.1",
      outbox: () => outboxStats(executor, { ...names, destination })
    }).catch(async (error: unknown) => {
      await relay.drain({ timeoutMs: drainMs })
      throw error
    })
    if (parsed.isListening) database.listen!(channelOf(namesOf(names)), () => relay.wake())
    log({
      level: "info",
      message: "The relay runs.",
      fields: { destination, dialect: executor.dialect, pid: process.pid, ...(health && { port: health.port }) }
    })
    const signal = await stopped
    log({ level: "info", message: "The relay ends what is in flight.", fields: { signal } })
    const isComplete = await relay.drain({ timeoutMs: drainMs })
    await health?.close()
    const { accepted, replayed } = relay.stats()
    log({
      level: isComplete ? "info" : "warn",
      message: isComplete
        ? "The relay has ended."
        : "The relay has ended before all was recorded. It is sent again under the same keys.",
      fields: { accepted, replayed }
    })
    return isComplete ? 0 : 1
  } finally {
    await client.close()
  }
}

/** The first signal; the second one ends the process at once. */
const untilStopped = (): Promise<string> =>
  new Promise((resolve) => {
    let isStopping = false
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (isStopping) process.exit(signal === "SIGINT" ? 130 : 143)
        isStopping = true
        resolve(signal)
      })
    }
  })
