import type { startEmulator } from "@hookrail/emulator"
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { vi } from "vitest"

// Each of them starts processes, on a machine that may have other work.
vi.setConfig({ testTimeout: 90_000 })

export const bin = fileURLToPath(new URL("../../node_modules/.cache/hookrail/hookrail.js", import.meta.url))

type Variables = Readonly<Record<string, string | undefined>>

/** The environment of a command that knows nothing of this machine's. */
export const environment = (home: string, env: Variables = {}): Record<string, string> => {
  const { NODE_OPTIONS: _, PATH = "" } = process.env
  const all = {
    PATH,
    HOME: home,
    XDG_CONFIG_HOME: `${home}/config`,
    XDG_STATE_HOME: `${home}/state`,
    TZ: "UTC",
    ...env
  }
  return Object.fromEntries(Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined))
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that runs. */
export class Process implements AsyncDisposable {
  stdout = ""
  stderr = ""
  readonly ended: Promise<Ended>
  private readonly waiting = new Set<() => void>()

  constructor(readonly child: ChildProcessWithoutNullStreams) {
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        this[name] += text
        for (const check of this.waiting) check()
      })
    }
    this.ended = new Promise((resolve) =>
      child.once("close", (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
        for (const check of this.waiting) check()
      })
    )
  }

  /** Resolves with the match as soon as the output has it; rejects if it ends before. */
  until(pattern: RegExp, stream: "stdout" | "stderr" = "stdout"): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const match = pattern.exec(this[stream])
        if (match === null) return
        this.waiting.delete(check)
        resolve(match)
      }
      this.waiting.add(check)
      check()
      void this.ended.then(() => reject(new Error(`ended without ${pattern}: ${this.stdout}${this.stderr}`)))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL")
    await this.ended
  }
}

export interface Options {
  readonly env?: Variables
  readonly input?: string | Uint8Array
  readonly cwd?: string
}

/** A folder as home, and commands that run in it. */
export class Home implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async make(): Promise<Home> {
    return new Home(await mkdtemp(join(tmpdir(), "hookrail-cli-")))
  }

  start(args: ReadonlyArray<string>, { cwd = this.path, env, input }: Options = {}): Process {
    const child = spawn(process.execPath, [bin, ...args], { cwd, env: environment(this.path, env) })
    // A command that ends early does not read its input.
    child.stdin.on("error", () => {})
    child.stdin.end(input)
    return new Process(child)
  }

  run(args: ReadonlyArray<string>, options?: Options): Promise<Ended> {
    return this.start(args, options).ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}

/** The variables that lead to an emulator. */
export const variablesOf = (emulator: Awaited<ReturnType<typeof startEmulator>>) => ({
  HOOKRAIL_BASE_URL: emulator.url,
  HOOKRAIL_API_KEY: emulator.apiKey,
  HOOKRAIL_ADMIN_URL: emulator.adminUrl,
  HOOKRAIL_ADMIN_TOKEN: emulator.adminToken
})

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- It is whatever the command prints.
export const lines = (text: string): ReadonlyArray<any> =>
  text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))

/** A server of the test's own. */
export const serve = async (handle: (request: IncomingMessage, response: ServerResponse) => void) => {
  const server = createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}
