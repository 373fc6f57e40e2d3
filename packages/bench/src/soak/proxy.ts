/** A reverse proxy in front of one server that injects faults. */
import * as Http from "node:http"
import * as Net from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { type Fault, type Faults, outageMs } from "./faults.js"

export interface Proxy {
  readonly url: string
  /** How often each kind of fault was injected, and `none`. */
  readonly injected: ReadonlyMap<string, number>
  readonly connections: () => number
  readonly requests: () => number
  readonly openConnections: () => number
  /** Resolves when no request is left to forward or answer. */
  readonly idle: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface ProxyOptions {
  /** Base URL of the server. Its responses must have a `Content-Length`: they are cut without regard to chunks. */
  readonly target: string
  readonly faults: Faults
  /** Called for each request that has arrived completely. */
  readonly onRequest?: ((headers: Http.IncomingHttpHeaders) => void) | undefined
}

interface Answer {
  readonly status: number
  readonly reason: string
  readonly headers: ReadonlyArray<string>
  readonly body: Buffer
}

const read = async (message: Http.IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const bytesOf = ({ body, headers, reason, status }: Answer): Buffer => {
  const lines = [`HTTP/1.1 ${status} ${reason}`]
  for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`)
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body])
}

const nameOf = (fault: Fault): string => {
  if (fault.kind !== "status") return fault.kind
  return `${fault.kind} ${fault.status}${fault.retryAfter === undefined ? "" : " with Retry-After"}`
}

const closed = (socket: Net.Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.destroyed) resolve()
    else socket.once("close", () => resolve())
  })

const ownAnswer = ({ retryAfter, status }: Extract<Fault, { kind: "status" }>): Answer => {
  const body = Buffer.from("the proxy says no\n")
  return {
    status,
    reason: Http.STATUS_CODES[status] ?? "",
    headers: [
      ...["Content-Type", "text/plain", "Content-Length", String(body.length)],
      ...(retryAfter === undefined ? [] : ["Retry-After", String(retryAfter)])
    ],
    body
  }
}

export const startProxy = async ({ faults, onRequest, target }: ProxyOptions): Promise<Proxy> => {
  const agent = new Http.Agent({ keepAlive: true })
  const injected = new Map<string, number>()
  /** The number of each connection, and of its requests so far. */
  const sockets = new Map<Net.Socket, { readonly connection: number; requests: number }>()
  const underWay = new Set<Promise<void>>()
  let connections = 0
  let requests = 0

  const count = (kind: string): void => {
    injected.set(kind, (injected.get(kind) ?? 0) + 1)
  }

  const forward = async (request: Http.IncomingMessage, body: Buffer): Promise<Answer> => {
    const response = await new Promise<Http.IncomingMessage>((resolve, reject) => {
      Http.request(target + request.url, { agent, method: request.method, headers: request.rawHeaders })
        .on("response", resolve)
        .on("error", reject)
        .end(body)
    })
    return {
      status: response.statusCode ?? 0,
      reason: response.statusMessage ?? "",
      headers: response.rawHeaders,
      body: await read(response)
    }
  }

  const apply = async (fault: Fault, response: Http.ServerResponse, body: Buffer): Promise<void> => {
    const request = response.req
    const { socket } = request
    const answer = ({ body, headers, reason, status }: Answer): void => {
      response.writeHead(status, reason, headers as Array<string>).end(body)
    }
    const breakOff = (answer: Answer, part: number, end: () => void): void => {
      const bytes = bytesOf(answer)
      socket.write(bytes.subarray(0, Math.floor(part * bytes.length)), end)
    }
    switch (fault.kind) {
      case "none":
        return answer(await forward(request, body))
      case "delay":
      case "late":
        await sleep(fault.ms)
        return answer(await forward(request, body))
      case "duplicate":
        return answer((await Promise.all([forward(request, body), forward(request, body)]))[0])
      case "status":
        return answer(ownAnswer(fault))
      case "reset-before":
        socket.resetAndDestroy()
        return
      case "reset-after":
        await forward(request, body)
        socket.resetAndDestroy()
        return
      case "reset-within":
        return breakOff(await forward(request, body), fault.part, () => void socket.resetAndDestroy())
      case "truncate":
        return breakOff(await forward(request, body), fault.part, () => void socket.end())
      case "stall-before":
        return closed(socket)
      case "stall-after":
        await forward(request, body)
        return closed(socket)
    }
  }

  const handle = async (request: Http.IncomingMessage, response: Http.ServerResponse): Promise<void> => {
    const place = sockets.get(request.socket)!
    const fault = faults.ofRequest(place.connection, place.requests++)
    const body = await read(request)
    requests++
    count(nameOf(fault))
    onRequest?.(request.headers)
    await apply(fault, response, body)
  }

  const server = Http.createServer((request, response) => {
    // Fails if the client is gone, or at the end the server: then nobody waits for the response.
    const handling = handle(request, response).catch(() => void request.socket.destroy())
    underWay.add(handling)
    void handling.then(() => underWay.delete(handling))
  })

  const accept = (socket: Net.Socket): void => {
    const connection = connections++
    const fault = faults.ofConnection(connection)
    if (fault !== "none") count(fault)
    if (fault === "reset-connection") {
      socket.resetAndDestroy()
      return
    }
    if (fault === "outage") beAway()
    sockets.set(socket, { connection, requests: 0 })
    socket.on("close", () => sockets.delete(socket))
    socket.on("error", () => socket.destroy())
    server.emit("connection", socket)
  }

  // A listener separate from the HTTP server, whose `close` in an outage would also close idle connections.
  let listener: Net.Server | undefined
  let returning: NodeJS.Timeout | undefined
  let port = 0

  const listen = async (): Promise<void> => {
    listener = Net.createServer({ noDelay: true }, accept)
    await new Promise<void>((resolve, reject) => listener!.listen(port, "127.0.0.1", resolve).once("error", reject))
    port = (listener.address() as Net.AddressInfo).port
  }

  const beAway = (): void => {
    if (listener === undefined) return
    listener.close()
    listener = undefined
    returning = setTimeout(() => void listen(), outageMs)
  }

  const idle = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.all(underWay)
  }

  await listen()
  return {
    url: `http://127.0.0.1:${port}`,
    injected,
    connections: () => connections,
    requests: () => requests,
    openConnections: () => sockets.size,
    idle,
    close: async () => {
      clearTimeout(returning)
      listener?.close()
      for (const socket of sockets.keys()) socket.destroy()
      await idle()
      agent.destroy()
      server.close()
    }
  }
}
