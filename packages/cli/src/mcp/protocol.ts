/** The Model Context Protocol on the standard input and output: JSON-RPC, one message a line. Only what tools need. */
import { createInterface } from "node:readline"

type Id = string | number

/** What came, before anything is known about it. */
type Message = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Message =>
  typeof value === "object" && value !== null && !Array.isArray(value)

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

  const answerOf = (id: Id, method: string, params: unknown = {}): unknown => {
    if (!isObject(params)) throw new RpcError(invalidParams, "params must be an object")
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
        if (running.has(id)) throw new RpcError(invalidRequest, `the id ${JSON.stringify(id)} is in use`)
        const controller = new AbortController()
        const called = tools.call(String(params.name), params.arguments ?? {}, controller.signal)
        if (called === undefined) throw new RpcError(invalidParams, `there is no tool ${JSON.stringify(params.name)}`)
        running.set(id, controller)
        return called
          .finally(() => running.delete(id))
          .then((result) => controller.signal.reason === cancelled ? cancelled : result)
      }
      default:
        throw new RpcError(methodNotFound, `there is no method ${JSON.stringify(method)}`)
    }
  }

  const refusal = (id: Id | null, code: number, message: string): object => ({
    jsonrpc: "2.0",
    id,
    error: { code, message }
  })

  const handle = async (message: unknown): Promise<object | undefined> => {
    if (!isObject(message) || message.jsonrpc !== "2.0") {
      return refusal(null, invalidRequest, "a message is a JSON-RPC 2.0 object")
    }
    const { id, method, params } = message
    // An answer to a question of ours, though there are no questions.
    if (method === undefined && ("result" in message || "error" in message)) return undefined
    if (id === undefined || id === null) {
      // A notification, which has no answer.
      if (method === "notifications/cancelled" && isObject(params)) {
        running.get(params.requestId as Id)?.abort(cancelled)
      }
      return undefined
    }
    if (typeof id !== "string" && typeof id !== "number") {
      return refusal(null, invalidRequest, "an id is a string or a number")
    }
    if (typeof method !== "string") return refusal(id, invalidRequest, "a request has a method, which is a string")
    try {
      const result = await answerOf(id, method, params)
      // Nobody waits for the answer any more.
      return result === cancelled ? undefined : { jsonrpc: "2.0", id, result }
    } catch (error) {
      const code = error instanceof RpcError ? error.code : internalError
      return refusal(id, code, String(Object(error).message))
    }
  }

  const take = async (line: string): Promise<void> => {
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      return write(JSON.stringify(refusal(null, parseError, "a line is one JSON value")))
    }
    if (Array.isArray(value) && value.length > 0) {
      const answers = (await Promise.all(value.map(handle))).filter((one) => one !== undefined)
      return answers.length === 0 ? undefined : write(JSON.stringify(answers))
    }
    const answer = await handle(value)
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
