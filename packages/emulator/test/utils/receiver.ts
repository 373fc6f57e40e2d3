import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"

/** A delivery as it reached the receiver. */
export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: ReadonlyArray<string>
  readonly body: string
  /** The port that it came from, which tells connections apart. */
  readonly port: number | undefined
}

/** How a receiver answers: a status, one with headers, `hang` for never, `reset` for a dropped connection. */
export type Reply =
  | number
  | "hang"
  | "reset"
  | "endless"
  | { readonly status: number; readonly headers: Record<string, string> }

/** A webhook receiver on a free port that keeps what it got. */
export interface Receiver extends AsyncDisposable {
  readonly url: string
  readonly received: Array<Received>
  /** Sets how it answers from now on; the number counts the requests from 0. */
  readonly reply: (next: Reply | ((index: number, request: Received) => Reply)) => void
}

/** With another name than the loopback's, all addresses are listened on: the caller is another machine or container. */
export const startReceiver = async (initial: Reply = 200, host = "127.0.0.1"): Promise<Receiver> => {
  const received: Array<Received> = []
  let reply: (index: number, request: Received) => Reply = () => initial
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const one: Received = {
        path: request.url ?? "",
        headers: request.headers,
        rawHeaders: request.rawHeaders,
        body: Buffer.concat(chunks).toString("utf8"),
        port: request.socket.remotePort
      }
      const answer = reply(received.push(one) - 1, one)
      if (answer === "hang") return
      if (answer === "reset") return void request.socket.resetAndDestroy()
      if (answer === "endless") {
        response.writeHead(200)
        const pour = (): void => {
          while (!response.destroyed && response.write("x".repeat(16_384)));
        }
        response.on("drain", pour)
        response.on("error", () => {})
        return pour()
      }
      if (typeof answer === "number") response.writeHead(answer).end()
      else response.writeHead(answer.status, answer.headers).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, host === "127.0.0.1" ? host : "0.0.0.0", resolve))
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/hook`,
    received,
    reply: (next) => {
      reply = typeof next === "function" ? next : () => next
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}
