import { request } from "node:http"
import type { RunningEmulator } from "../../src/index.js"
import { call, type Reply } from "./http.js"

/** The calls of an emulator's page. */
export const control = (emulator: RunningEmulator) => {
  const base = emulator.pageUrl.split("/#")[0]!
  const authorization = { Authorization: `Bearer ${emulator.pageToken}` }
  const raw = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
    call(method, base + path, {
      headers: {
        ...authorization,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers
      },
      body: body === undefined || typeof body === "string" || Buffer.isBuffer(body)
        ? body
        : JSON.stringify(body)
    })
  /** Makes a call that must succeed. */
  const api = async <A = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<A> => {
    const reply = await raw(method, path, body)
    if (reply.status >= 300) throw new Error(`${method} ${path} was answered ${reply.status} ${reply.body}`)
    return reply.body === "" ? undefined as A : reply.json() as A
  }
  return { base, raw, api }
}

/** A message of the feed. */
export interface Message {
  readonly kind: string
  readonly id: string | undefined
  readonly data: unknown
}

/** An open feed. */
export interface OpenFeed {
  /** The next message; rejects when the feed ends. */
  readonly next: () => Promise<Message>
  /** Reads until a message passes. */
  readonly until: (passes: (message: Message) => boolean) => Promise<Message>
  readonly stop: () => void
}

/** Opens the feed. With `held`, nothing is read from the socket before the first `next`. */
export const openFeed = (
  emulator: RunningEmulator,
  query = "",
  headers: Record<string, string> = {}
): Promise<OpenFeed & { readonly status: number }> =>
  new Promise((resolve, reject) => {
    const outgoing = request(`${control(emulator).base}/api/feed${query}`, {
      agent: false,
      headers: { Authorization: `Bearer ${emulator.pageToken}`, ...headers }
    }, (response) => {
      const chunks = response.setEncoding("utf8")[Symbol.asyncIterator]() as AsyncIterator<string>
      let text = ""
      const next = async (): Promise<Message> => {
        for (;;) {
          const end = text.indexOf("\n\n")
          if (end >= 0) {
            const block = text.slice(0, end)
            text = text.slice(end + 2)
            if (block.startsWith(":")) continue
            const field = (name: string): string | undefined =>
              block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
            return { kind: field("event") ?? "", id: field("id"), data: JSON.parse(field("data") ?? "null") as unknown }
          }
          const chunk = await chunks.next()
          if (chunk.done === true) throw new Error("the feed has ended")
          text += chunk.value
        }
      }
      resolve({
        status: response.statusCode ?? 0,
        next,
        until: async (passes) => {
          for (;;) {
            const message = await next()
            if (passes(message)) return message
          }
        },
        stop: () => {
          response.on("error", () => {})
          outgoing.destroy()
        }
      })
    })
    outgoing.on("error", reject)
    outgoing.end()
  })
