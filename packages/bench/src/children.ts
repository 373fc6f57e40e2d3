/** The child processes of a run. None outlives the run. */
import type { ChildProcess } from "node:child_process"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { availableParallelism } from "node:os"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const running = new Set<ChildProcess>()

export const stopAll = (): void => {
  for (const child of running) child.kill("SIGKILL")
}

/** The core of each role: the measured contender has a core of its own. */
const cores = { server: 0, contender: 1 } as const

export type Role = keyof typeof cores

export const canPin = availableParallelism() > 1 && spawnSync("taskset", ["-c", "0", "true"]).status === 0

/** The command, pinned to the core of its role if possible. */
const pinned = (role: Role, command: string, args: ReadonlyArray<string>): [string, ReadonlyArray<string>] =>
  canPin ? ["taskset", ["-c", String(cores[role]), command, ...args]] : [command, args]

export interface Child<Order, Answer> {
  /** The first line that it printed. */
  readonly hello: unknown
  readonly ask: (order: Order) => Promise<Answer>
  readonly stop: () => Promise<void>
}

export interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly cwd?: string | undefined
}

/** Runs a module of this folder as a program. */
export const nodeProgram = (module: string, args: ReadonlyArray<string | number> = []): Command => ({
  command: process.execPath,
  args: ["--import", "tsx", fileURLToPath(new URL(module, import.meta.url)), ...args.map(String)]
})

const spawnChild = (role: Role, { args, command, cwd, env }: Command): ChildProcess => {
  const [file, fileArgs] = pinned(role, command, args)
  const child = spawn(file, fileArgs, { stdio: ["pipe", "pipe", "pipe"], cwd, env: env ?? process.env })
  running.add(child)
  child.once("close", () => running.delete(child))
  return child
}

/** Starts a program that speaks the protocol, and waits for its first line. */
export const start = async <Order, Answer>(role: Role, command: Command): Promise<Child<Order, Answer>> => {
  const child = spawnChild(role, command)
  const closed = once(child, "close")
  let trouble = ""
  child.stderr!.on("data", (chunk: Buffer) => {
    trouble = (trouble + chunk.toString()).slice(-4_000)
  })
  // Its end shows on stdout.
  child.stdin!.on("error", () => {})
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const hear = async (): Promise<unknown> => {
    const { done, value } = await lines.next()
    if (done === true) throw new Error(`${command.args.join(" ")} ended early:\n${trouble}`)
    return JSON.parse(value)
  }
  return {
    hello: await hear(),
    ask: async (order) => {
      child.stdin!.write(`${JSON.stringify(order)}\n`)
      return await hear() as Answer
    },
    stop: async () => {
      child.kill("SIGKILL")
      await closed
    }
  }
}

/** Runs a program to its end, which has to be a good one. */
export const runToEnd = async (role: Role, command: Command): Promise<void> => {
  const child = spawnChild(role, command)
  let trouble = ""
  child.stdout!.resume()
  child.stderr!.on("data", (chunk: Buffer) => {
    trouble = (trouble + chunk.toString()).slice(-4_000)
  })
  child.stdin!.end()
  const [code] = await once(child, "close") as [number | null]
  if (code !== 0) throw new Error(`${command.args.join(" ")} ended with ${code}:\n${trouble}`)
}

/** Runs a program that prints one line, and returns that line. */
export const runOnce = async <Answer>(role: Role, command: Command): Promise<Answer> => {
  const child = await start<never, never>(role, command)
  await child.stop()
  return child.hello as Answer
}
