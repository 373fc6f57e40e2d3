import { PassThrough } from "node:stream"
import { assert, it } from "vitest"
import { serveMcp } from "../src/mcp/protocol.js"

/** A server with the tools `echo`, and `wait`, which ends when it is cancelled. */
const server = () => {
  const input = new PassThrough()
  const written: Array<string> = []
  const stopped: Array<unknown> = []
  const result = (text: string) => ({ content: [{ type: "text" as const, text }] })
  const done = serveMcp({
    version: "1",
    instructions: "",
    input,
    write: (line) => written.push(line),
    signal: new AbortController().signal,
    tools: {
      list: [],
      call: (name, args, signal) =>
        name === "echo"
          ? Promise.resolve(result(JSON.stringify(args)))
          : name === "wait"
          ? new Promise((resolve) =>
            signal.addEventListener("abort", () => {
              stopped.push(args)
              resolve(result("stopped"))
            })
          )
          : undefined
    }
  })
  return {
    stopped,
    /** The answers to these lines, after the end of the input. */
    answers: async (...lines: ReadonlyArray<unknown>) => {
      for (const line of lines) input.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`)
      await new Promise((resolve) => setImmediate(resolve))
      input.end()
      await done
      return written.map((line) => JSON.parse(line))
    }
  }
}

const rpc = (message: object) => ({ jsonrpc: "2.0", ...message })
const ping = rpc({ id: "ping", method: "ping" })
const pong = rpc({ id: "ping", result: {} })
const call = (id: unknown, name: string, args: unknown = {}) =>
  rpc({ id, method: "tools/call", params: { name, arguments: args } })

it.each<readonly [string, unknown, number, unknown]>([
  ["null", "null", -32600, null],
  ["a number", "5", -32600, null],
  ["an empty batch", "[]", -32600, null],
  ["half a value", "{\"jsonrpc\":\"2.0\",", -32700, null],
  ["bytes that are no text", "\ufffd\u0000", -32700, null],
  ["another version", { jsonrpc: "1.0", id: 1, method: "ping" }, -32600, null],
  ["an id that is an object", rpc({ id: {}, method: "ping" }), -32600, null],
  ["an id that is a truth", rpc({ id: true, method: "ping" }), -32600, null],
  ["no method", rpc({ id: 1 }), -32600, 1],
  ["a method that is a number", rpc({ id: 1, method: 5 }), -32600, 1],
  ["an unknown method", rpc({ id: 1, method: "__proto__" }), -32601, 1],
  ["params that are null", rpc({ id: 1, method: "initialize", params: null }), -32602, 1],
  ["params that are a list", rpc({ id: 1, method: "tools/call", params: [1] }), -32602, 1],
  ["an unknown tool", call(1, "toString"), -32602, 1]
])("%s is answered with an error, and the next message as ever", async (_, line, code, id) => {
  const [refused, next] = await server().answers(line, ping)
  assert.deepInclude(refused, { jsonrpc: "2.0", id })
  assert.strictEqual(refused.error.code, code)
  assert.deepStrictEqual(next, pong)
})

it("answers, notifications and what they say wrong have no answer", async () => {
  const answers = await server().answers(
    rpc({ id: 1, result: {} }),
    rpc({ id: 1, error: { code: 1, message: "" } }),
    rpc({ method: "notifications/initialized" }),
    rpc({ method: "notifications/cancelled", params: null }),
    rpc({ method: "notifications/cancelled", params: { requestId: 77 } }),
    rpc({ id: null, method: "ping" }),
    [rpc({ method: "notifications/initialized" })],
    ping
  )
  assert.deepStrictEqual(answers, [pong])
})

it("a batch is answered at once, whatever is in it", async () => {
  const [batch] = await server().answers([null, ping, call(1, "echo", { a: 1 })])
  assert.deepStrictEqual(batch.map(({ id }: { readonly id: unknown }) => id), [null, "ping", 1])
})

it("a call that is cancelled has no answer, and one that the end of the input stops has one", async () => {
  const { answers, stopped } = server()
  const cancel = rpc({ method: "notifications/cancelled", params: { requestId: 1 } })
  const given = await answers(call(1, "wait", "a"), call(2, "wait", "b"), cancel, ping)
  assert.deepStrictEqual(stopped, ["a", "b"])
  assert.deepStrictEqual(given.map(({ id }) => id), ["ping", 2])
})

it("an id that is in use is refused, and the first call can still be stopped", async () => {
  const { answers, stopped } = server()
  const given = await answers(call(1, "wait", "a"), call(1, "echo"))
  assert.deepStrictEqual(given.map(({ error, id }) => [id, error?.code]), [[1, -32600], [1, undefined]])
  assert.deepStrictEqual(stopped, ["a"])
})

it("a message of megabytes is one like any other", async () => {
  const [answer] = await server().answers(call(1, "echo", { text: "x".repeat(5_000_000) }))
  assert.lengthOf(answer.result.content[0].text, 5_000_011)
})
