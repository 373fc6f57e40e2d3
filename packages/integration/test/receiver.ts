import { Effect, type Scope } from "effect"
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"

/** A webhook as it came over the wire. */
export interface Delivered {
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Receiver {
  readonly url: string
  readonly delivered: Array<Delivered>
}

/** A webhook receiver that gives these statuses in turn, and then 200. */
export const makeReceiver = (...statuses: ReadonlyArray<number>): Effect.Effect<Receiver, never, Scope.Scope> =>
  Effect.gen(function*() {
    const delivered: Array<Delivered> = []
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        delivered.push({ headers: request.headers, body: Buffer.concat(chunks) })
        response.writeHead(statuses[delivered.length - 1] ?? 200).end()
      })
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, delivered }
  })
