/** The Model Context Protocol on the standard input and output: JSON-RPC, one message a line. Only what tools need. */
import { createInterface } from "node:readline"

type Id = string | number

interface Message {
  readonly jsonrpc?: unknown
  readonly id?: Id | null
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
}

/** What a tool answers. */
export interface ToolResult {
  readonly content: ReadonlyArray<{ readonly type: "text"; readonly text: string }>
  readonly structuredContent?: object
  readonly isError?: boolean
}

export interface Tools {
  readonly list: ReadonlyArray<object>
  /** `undefined`: there is no such tool. */
  readonly call: (name: string, args: unknown, signal: AbortSignal) => Promise<ToolResult> | undefined
}

export interface ServerOptions {
  readonly version: string
  readonly instructions: string
  readonly tools: Tools
  readonly input: NodeJS.ReadableStream
  readonly write: (line: string) => void
  readonly signal: AbortSignal
}

/** Those that differ in nothing that tools use, the newest first. */
const versions = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]

const parseError = -32700
const invalidRequest = -32600
const methodNotFound = -32601
const invalidParams = -32602
const internalError = -32603

const cancelled = Symbol("cancelled")

class RpcError extends Error {
  constructor(readonly code: number, message: string) {
    super(message)
  }
}

/** Serves until the input ends or the signal is aborted; calls in progress are then given up. */
export const serveMcp = async (
  { input, instructions, signal, tools, version, write }: ServerOptions
): Promise<void> => {
  const running = new Map<Id, AbortController>()
  const pending = new Set<Promise<void>>()

  const answerOf = (message: Message): unknown => {
    const { method, params = {} } = message
    switch (method) {
      case "initialize": {
        const asked = String(params.protocolVersion)
        return {
          protocolVersion: versions.includes(asked) ? asked : versions[0],
          capabilities: { tools: {} },
          serverInfo: { name: "hookrail", version },
          instructions
        }
      }
      case "ping":
        return {}
      case "tools/list":
        return { tools: tools.list }
      case "tools/call": {
        const controller = new AbortController()
        const called = tools.call(String(params.name), params.arguments ?? {}, controller.signal)
        if (called === undefined) throw new RpcError(invalidParams, `there is no tool ${JSON.stringify(params.name)}`)
        const id = message.id!
        running.set(id, controller)
        return called
          .finally(() => running.delete(id))
          .then((result) => controller.signal.reason === cancelled ? cancelled : result)
      }
      default:
        throw new RpcError(methodNotFound, `there is no method ${JSON.stringify(method)}`)
    }
  }

  const handle = async (message: Message): Promise<object | undefined> => {
    const { id, method } = message
    if (typeof message !== "object" || message === null || message.jsonrpc !== "2.0") {
      return {
        jsonrpc: "2.0",
        id: null,
        error: { code: invalidRequest, message: "a message is a JSON-RPC 2.0 object" }
      }
    }
    if (id === undefined || id === null) {
      // A notification, which has no answer. Answers to questions of ours are none, either: there are no questions.
      if (method === "notifications/cancelled") running.get(message.params?.requestId as Id)?.abort(cancelled)
      return undefined
    }
    if (method === undefined) return undefined
    try {
      const result = await answerOf(message)
      // Nobody waits for the answer any more.
      return result === cancelled ? undefined : { jsonrpc: "2.0", id, result }
    } catch (error) {
      const code = error instanceof RpcError ? error.code : internalError
      return { jsonrpc: "2.0", id, error: { code, message: String(Object(error).message) } }
    }
  }

  const take = async (line: string): Promise<void> => {
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      return write(
        JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: parseError, message: "a line is one JSON value" } })
      )
    }
    if (Array.isArray(value)) {
      const answers = (await Promise.all(value.map((one) => handle(one as Message)))).filter((one) => one !== undefined)
      return answers.length === 0 ? undefined : write(JSON.stringify(answers))
    }
    const answer = await handle(value as Message)
    if (answer !== undefined) write(JSON.stringify(answer))
  }

  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  const stop = (): void => {
    for (const controller of running.values()) controller.abort()
    lines.close()
  }
  signal.addEventListener("abort", stop, { once: true })
  lines.on("line", (line) => {
    if (line.trim() === "") return
    const done: Promise<void> = take(line).finally(() => pending.delete(done))
    pending.add(done)
  })
  await new Promise<void>((resolve) => lines.once("close", resolve))
  for (const controller of running.values()) controller.abort()
  await Promise.all(pending)
}
