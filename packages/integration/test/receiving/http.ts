import { subscribe, unsubscribe } from "node:diagnostics_channel"
import {
  type Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  request,
  type Server
} from "node:http"
import type { AddressInfo, Socket } from "node:net"

/** What is sent. An array of values makes several headers. */
export interface Outgoing {
  readonly headers: OutgoingHttpHeaders
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Begins a POST with these headers and no others, and gives the answer when it is complete. */
const begin = (
  url: string,
  headers: OutgoingHttpHeaders,
  agent: Agent | false
): readonly [ClientRequest, Promise<Answer>] => {
  const outgoing = request(url, { method: "POST", headers, agent })
  const answer = new Promise<Answer>((resolve, reject) => {
    outgoing.on("error", reject)
    // A server that closes during an upload breaks the socket when the answer has been read, and nobody listens any more.
    outgoing.on("socket", (socket) => socket.on("error", () => {}))
    outgoing.on("response", (response) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => body += chunk)
      response.on("error", reject)
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, body }))
    })
  })
  return [outgoing, answer]
}

export const post = (url: string, { body, headers }: Outgoing, agent: Agent | false = false): Promise<Answer> => {
  const [outgoing, answer] = begin(url, headers, agent)
  outgoing.end(body)
  return answer
}

/** Without a `content-length`, in pieces of this many bytes that go out one by one until there is an answer. */
export const postInPieces = async (url: string, { body, headers }: Outgoing, size: number): Promise<Answer> => {
  const { "content-length": _, ...rest } = headers
  const [outgoing, answer] = begin(url, rest, false)
  outgoing.setNoDelay(true)
  const bytes = Buffer.from(body)
  for (let start = 0; start < bytes.length; start += size) {
    const written = new Promise<undefined>((resolve) =>
      outgoing.write(bytes.subarray(start, start + size), () => resolve(undefined))
    )
    const early = await Promise.race([written, answer])
    if (early !== undefined) return early
  }
  outgoing.end()
  return answer
}

/** Sends the first half of a body and destroys the socket; fulfilled when the server's end of it has closed. */
export const postAndHangUp = async (url: string, { body, headers }: Outgoing): Promise<void> => {
  const socket = requestStarted(Number(new URL(url).port))
  const [outgoing, answer] = begin(url, headers, false)
  answer.catch(() => {})
  outgoing.write(body.slice(0, body.length / 2))
  const received = await socket
  const closed = new Promise((resolve) => received.once("close", resolve))
  outgoing.destroy()
  await closed
}

/** The server's end of the connection on which the next request comes in. */
const requestStarted = (port: number): Promise<Socket> =>
  new Promise((resolve) => {
    const channel = "http.server.request.start"
    const onStart = (message: unknown): void => {
      const { server, socket } = message as { readonly server: Server; readonly socket: Socket }
      if ((server.address() as AddressInfo).port !== port) return
      unsubscribe(channel, onStart)
      resolve(socket)
    }
    subscribe(channel, onStart)
  })
