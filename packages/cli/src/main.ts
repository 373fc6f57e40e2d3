/** Runs the command: its output, its signals, and how it ends. */
import * as Cause from "effect/Cause"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { exitCodes, Failure, Stopped } from "./base/exit.js"
import { hasColors, oneLine, Output, type Streams } from "./base/output.js"
import { servicesWith } from "./base/services.js"
import { builtIns, rootOf } from "./root.js"

declare const HOOKRAIL_VERSION: string

/** How long a command may take to end once it has to. */
const graceMs = 3_000

const signals = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated, SIGHUP: exitCodes.hangup } as const

const isPipeClosed = ({ code }: NodeJS.ErrnoException): boolean => code === "EPIPE" || code === "ERR_STREAM_DESTROYED"

/** The words for a command line that is wrong: one line, with what was probably meant. */
const invalidText = (errors: ReadonlyArray<CliError.CliError>, path: ReadonlyArray<string>): string => {
  const text = errors
    .map(({ message }) =>
      oneLine(message.replace(/\s*Did you mean this\?\s*/, "; did you mean ").replace(/(; did you mean .*)$/s, "$1?"))
    )
    .join("; ")
  const isCredential = /Unrecognized flag: --(api-?key|admin-?token|token|secret|(base-?)?url)\b/i.test(text)
  if (isCredential) {
    return `${text}: keys and URLs come from the environment (set HOOKRAIL_API_KEY and so on), a --dotenv or a --profile`
  }
  return `${text}${text.endsWith("?") ? "" : `; see ${path.join(" ")} --help`}`
}

const presenter = (streams: Streams, isJson: boolean, fail: (message: string) => void): CliOutput.Presenter => {
  const formatter = CliOutput.defaultFormatter({ colors: hasColors(streams.stdout, streams.env) })
  return {
    present: (event) =>
      Effect.sync(() => {
        switch (event._tag) {
          case "Version":
            return void streams.stdout.write(`${event.name} ${event.version}\n`)
          case "InvalidInvocation":
            return fail(invalidText(event.errors, event.commandPath))
          case "Help": {
            const text = `${formatter.formatHelpDoc(event.helpDoc).trimEnd()}\n`
            // Asked for, it is data. A group without one of its commands is a mistake.
            if (event.reason === "Requested" || event.commandPath.length === 1) return void streams.stdout.write(text)
            if (!isJson) streams.stderr.write(text)
            return fail(`${event.commandPath.join(" ")} needs one of its commands`)
          }
        }
      })
  }
}

/** The format of errors in a command line that cannot be parsed. */
const formatIn = (args: ReadonlyArray<string>) =>
  args.some((arg, n) => arg === "--format=json" || (arg === "json" && args[n - 1] === "--format")) ? "json" : "text"

const run = async (args: ReadonlyArray<string>): Promise<number> => {
  const streams: Streams = { stdout: process.stdout, stderr: process.stderr, env: process.env }
  const controller = new AbortController()
  let out = new Output(formatIn(args), streams)
  let code: number = exitCodes.ok

  const stop = (code: number): void => {
    // Asked twice, or not ending: at once.
    if (controller.signal.aborted) process.exit(code)
    controller.abort(new Stopped(code))
    // Nothing more is read, such as a payload from a terminal.
    process.stdin.destroy()
    setTimeout(() => process.exit(code), graceMs).unref()
  }
  for (const [signal, code] of Object.entries(signals)) process.on(signal, () => stop(code))
  // That something of Node is experimental, such as its SQLite, is none of the user's business.
  process.removeAllListeners("warning")
  process.on("warning", ({ message, name }) => {
    if (name !== "ExperimentalWarning") out.warn(`${name}: ${oneLine(message)}`)
  })
  // Somebody closed the pipe, such as `head`: there is nobody to tell.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (isPipeClosed(error)) {
        if (!controller.signal.aborted) stop(exitCodes.brokenPipe)
        return
      }
      if (stream === process.stdout) out.error(`cannot write the output (${error.code})`, exitCodes.failed, {})
      process.exit(exitCodes.failed)
    })
  }

  const defect = (error: unknown): number => {
    const { message, stack } = Object(error) as { readonly message?: unknown; readonly stack?: unknown }
    out.error(`this is a defect of hookrail: ${String(message ?? error)}: please report it`, exitCodes.defect, {
      stack: process.env.HOOKRAIL_DEBUG ? String(stack) : undefined
    })
    return exitCodes.defect
  }
  process.on("uncaughtException", (error) => process.exit(defect(error)))

  const fail = (message: string): void => {
    code = exitCodes.usage
    out.error(message, code, {})
  }
  const root = rootOf({
    streams,
    signal: controller.signal,
    version: HOOKRAIL_VERSION,
    onOutput: (known) => {
      out = known
    },
    onExit: (known) => {
      code = known
    }
  })
  const program = Command.runWith(root, { version: HOOKRAIL_VERSION })(args).pipe(
    Effect.provideService(CliOutput.Presenter, presenter(streams, formatIn(args) === "json", fail)),
    Effect.provide(servicesWith(builtIns))
  )
  const exit = await Effect.runPromiseExit(program)
  const reason: unknown = controller.signal.reason
  if (reason instanceof Stopped) return reason.code
  if (Exit.isSuccess(exit)) return code
  const error = Cause.squash(exit.cause)
  // The presenter has told it.
  if (CliError.isCliError(error)) return code
  if (error instanceof Failure) {
    out.error(error.message, error.code, error.details)
    return error.code
  }
  return defect(error)
}

let isOver = false
// All that is left to wait for can never come.
process.once("exit", () => {
  if (isOver || process.exitCode !== undefined) return
  process.exitCode = exitCodes.usage
  process.stderr.write(
    "hookrail: a module that was loaded, such as that of --catalog, never gets done: see its await\n"
  )
})

void run(process.argv.slice(2)).then((code) => {
  isOver = true
  // What was written has to arrive; whatever else is open must not keep the process alive.
  process.exitCode = code
  process.stdout.write("", (error) => {
    // The listener tells of other errors.
    if (!error) process.exit(code)
    if (isPipeClosed(error)) process.exit(exitCodes.brokenPipe)
  })
})
