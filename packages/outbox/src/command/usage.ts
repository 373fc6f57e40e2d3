/** What the command understands. */
import { parseArgs } from "node:util"
import { OutboxConfigError } from "../errors.js"

export const usage = `Usage: hookrail-relay [command] --database <url> [options]

Commands:
  run                  send what is in the outbox until SIGTERM or SIGINT; the default
  migrate              create the tables, or bring them to the version that is needed
  status               the version of the tables, how much waits, and for how long
  sql                  print the migrations, for another migration tool; needs --dialect
  list                 list events, by default the parked ones
  blocked              list the ordering keys that a parked event blocks
  retry <key>          send a parked or dead event again
  discard <key>        delete a parked or dead event: it is never sent

  --database <url>     postgres://..., or sqlite:<path>; default: HOOKRAIL_DATABASE_URL, which other users cannot see
  --schema <name>      the schema of the tables
  --prefix <name>      what their names begin with, default hookrail_
  --destination <name> whose events; default: "default", for status, list and blocked all of them
  --json               print JSON
  --help               this text

run (the client takes HOOKRAIL_API_KEY and HOOKRAIL_BASE_URL):
  --base-url <url>     the server
  --port <number>      answer /healthz, /readyz and /metrics on this port; default: none
  --host <address>     where, default 127.0.0.1
  --listen             Postgres: wait for notifications of enqueue({ notify: true }), too
  --prepare            Postgres: prepare statements once per connection; poolers in between must support it
  --concurrency <n>    sends in flight, default 32
  --batch <n>          ordering keys taken at a time, default 64
  --run <n>            events of one key taken at a time, default 8
  --lease-ms <n>       after how long others go on if this relay dies, default 60000
  --send-timeout-ms <n>  how long one attempt may take, default 15000
  --poll-min-ms <n>, --poll-max-ms <n>
                       how often an empty outbox is looked at, default 50 to 1000
  --backoff-base-ms <n>, --backoff-cap-ms <n>
                       when a failed event is tried again, default 1000 to 300000
  --ambiguous-ms <n>   for how long an event that may have been accepted is sent again, default 82800000, which is 23 hours
  --max-attempts <n>   after how many attempts an event is given up; default: no limit
  --on-dead <block|skip>
                       what an event does that is given up; default: it blocks its key
  --drain-ms <n>       how long to finish when stopped, default 10000

list: --state <waiting|parked|dead>, --after <seq>, --limit <n>
sql:  --dialect <postgres|sqlite>, --from <version>, --separator=<text>
`

const text = { type: "string" } as const

const options = {
  database: text,
  schema: text,
  prefix: text,
  destination: text,
  json: { type: "boolean" },
  help: { type: "boolean" },
  "base-url": text,
  port: text,
  host: text,
  listen: { type: "boolean" },
  prepare: { type: "boolean" },
  concurrency: text,
  batch: text,
  run: text,
  "lease-ms": text,
  "send-timeout-ms": text,
  "poll-min-ms": text,
  "poll-max-ms": text,
  "backoff-base-ms": text,
  "backoff-cap-ms": text,
  "ambiguous-ms": text,
  "max-attempts": text,
  "on-dead": text,
  "drain-ms": text,
  state: text,
  after: text,
  limit: text,
  dialect: text,
  from: text,
  separator: text
} as const

/** Options that only some commands have. */
const only: Record<string, ReadonlyArray<string>> = {
  run: [
    "base-url",
    "port",
    "host",
    "listen",
    "prepare",
    "concurrency",
    "batch",
    "run",
    "lease-ms",
    "send-timeout-ms",
    "poll-min-ms",
    "poll-max-ms",
    "backoff-base-ms",
    "backoff-cap-ms",
    "ambiguous-ms",
    "max-attempts",
    "on-dead",
    "drain-ms"
  ],
  list: ["state", "after", "limit"],
  blocked: ["limit"],
  sql: ["dialect", "from", "separator"]
}

const commands = ["run", "migrate", "status", "sql", "list", "blocked", "retry", "discard"] as const

export type Command = typeof commands[number]

export interface Arguments {
  readonly command: Command
  /** The idempotency key of `retry` and `discard`. */
  readonly key: string | undefined
  readonly isHelp: boolean
  readonly isJson: boolean
  readonly isListening: boolean
  readonly isPreparing: boolean
  readonly text: (name: keyof typeof options) => string | undefined
  readonly number: (name: keyof typeof options) => number | undefined
}

const refuse = (option: string, reason: string): never => {
  throw new OutboxConfigError({ option, reason })
}

const isCommand = (value: string): value is Command => commands.includes(value as Command)

/** Throws an `OutboxConfigError`. */
export const argumentsOf = (args: ReadonlyArray<string>): Arguments => {
  let parsed
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    return refuse("on the command line", `is wrong: ${(error as Error).message}`)
  }
  const { positionals, values } = parsed
  const [command = "run", key, ...rest] = positionals
  if (!isCommand(command)) return refuse("command", `must be one of ${commands.join(", ")}`)
  const needsKey = command === "retry" || command === "discard"
  if (values.help !== true && needsKey !== (key !== undefined)) {
    refuse(command, needsKey ? "needs the idempotency key of an event" : "takes no argument")
  }
  if (rest.length > 0) refuse(command, "takes one key")
  for (const name of Object.keys(values)) {
    const owners = Object.keys(only).filter((owner) => only[owner]!.includes(name))
    if (owners.length > 0 && !owners.includes(command)) refuse(`--${name}`, `is one of ${owners.join(" and ")} only`)
  }
  return {
    command,
    key,
    isHelp: values.help === true,
    isJson: values.json === true,
    isListening: values.listen === true,
    isPreparing: values.prepare === true,
    text: (name) => values[name] as string | undefined,
    number: (name) => {
      const value = values[name] as string | undefined
      if (value === undefined || /^\d{1,15}$/.test(value)) return value === undefined ? undefined : Number(value)
      return refuse(`--${name}`, "must be a whole number")
    }
  }
}
