import * as Http from "node:http"
import type { AddressInfo, Socket } from "node:net"
import type { Clock } from "../base/clock.js"
import { EmulatorStartError } from "../errors.js"
import type { RequestEntry } from "../model.js"
import type { Ledger } from "../store/ledger.js"
import { maxHeadBytes, refusedRequest } from "./unknownMethod.js"
import type { Answer } from "./wire.js"

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

/** The part of a request body that was read. */
export interface Body {
  readonly bytes: Buffer
  /** `over`: the body exceeds the cap. `broken`: the client aborted or took too long. */
  readonly end: "complete" | "over" | "broken"
}

/** How long a client may go on sending after an answer that closes the connection, in milliseconds. */
const lingerMs = 500

/** A request and its response. */
export class Exchange {
  private reading: Promise<Body> | undefined
  private readonly first: Readonly<Record<string, string>>

  constructor(
    readonly request: Http.IncomingMessage,
    readonly response: Http.ServerResponse,
    readonly entry: Mutable<RequestEntry>,
    headers: Readonly<Record<string, string>>,
    private readonly settled: () => void,
    private readonly bodyTimeoutMs: number,
    private awaitsContinue: boolean
  ) {
    this.first = headers
  }

  /** The first value of a header, one character per byte. Pass the name in lower case. */
  header(name: string): string | undefined {
    return this.first[name]
  }

  /** Reads the body up to a cap in bytes; later calls return the same. */
  body(cap: number): Promise<Body> {
    return this.reading ??= this.read(cap)
  }

  private read(cap: number): Promise<Body> {
    const { request, response } = this
    if (this.awaitsContinue) {
      this.awaitsContinue = false
      response.writeContinue()
    }
    return new Promise((resolve) => {
      const chunks: Array<Buffer> = []
      let size = 0
      const finish = (end: Body["end"]): void => {
        clearTimeout(timer)
        request.off("data", onData)
        request.off("end", onEnd)
        request.off("error", onBroken)
        request.off("close", onBroken)
        // Drain the rest, or the client might never read the answer.
        request.on("error", () => {})
        request.resume()
        const bytes = Buffer.concat(chunks).subarray(0, cap)
        this.entry.bodyBytes = bytes.length
        this.entry.body = bytes.toString("utf8")
        resolve({ bytes, end })
      }
      const onData = (chunk: Buffer): void => {
        chunks.push(chunk)
        size += chunk.length
        if (size > cap) finish("over")
      }
      const onEnd = (): void => finish("complete")
      const onBroken = (): void => finish("broken")
      const timer = setTimeout(onBroken, this.bodyTimeoutMs)
      request.on("data", onData)
      request.on("end", onEnd)
      request.on("error", onBroken)
      request.on("close", onBroken)
    })
  }

  /** Writes the head, with the length of the whole body. */
  head(answer: Answer): void {
    const { response } = this
    // Go's server keeps connections open without a `Connection` header.
    if (response.shouldKeepAlive && answer.headers["Connection"] === undefined) response.removeHeader("connection")
    const length = answer.status === 204 ? {} : { "Content-Length": String(Buffer.byteLength(answer.body)) }
    response.writeHead(answer.status, { ...answer.headers, ...length })
  }

  /** Answers. */
  send(answer: Answer): void {
    const { request, response } = this
    this.settle("answered", answer)
    if (response.destroyed) return
    this.head(answer)
    if (answer.headers["Connection"] !== "close" || request.complete) {
      response.end(answer.body)
      return
    }
    // Closing while the client is still sending would reset the connection and lose the answer.
    const close = (): void => {
      clearTimeout(timer)
      response.end()
    }
    const timer = setTimeout(close, lingerMs)
    request.once("end", close)
    request.once("close", close)
    response.write(answer.body)
    request.resume()
  }

  /** Records how the request ended. */
  settle(outcome: RequestEntry["outcome"], answer: Answer | undefined): void {
    this.entry.outcome = outcome
    this.entry.answer = answer
    this.settled()
  }
}

/** A listening server. */
export interface Listener {
  readonly url: string
  readonly openConnections: () => number
  readonly close: () => Promise<void>
}

/** Options of a listener. */
export interface ListenerOptions {
  readonly surface: RequestEntry["surface"]
  readonly host: string
  readonly port: number
  readonly bodyTimeoutMs: number
  readonly clock: Clock
  readonly ledger: Ledger
  readonly handle: (exchange: Exchange) => Promise<void>
}

const firstHeaders = (raw: ReadonlyArray<string>): Record<string, string> => {
  const headers: Record<string, string> = {}
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]!.toLowerCase()
    headers[name] ??= raw[index + 1]!
  }
  return headers
}

/** How long a client may take to send the head of a request, in milliseconds (protocol section 6). */
const headTimeoutMs = 5000

/** A response over a socket that Node's server no longer handles. It ends the connection. */
const responseOver = (socket: Socket, request: Http.IncomingMessage): Http.ServerResponse => {
  const response = new Http.ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.on("finish", () => {
    response.detachSocket(socket)
    response.emit("close")
    // Drain the rest first: closing with unread bytes would send a reset.
    socket.end()
    socket.resume()
    const timer = setTimeout(() => socket.destroy(), lingerMs)
    socket.on("close", () => clearTimeout(timer))
  })
  return response
}

const malformed = (code: string | undefined): string => {
  const line = code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request"
  return `HTTP/1.1 ${line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${line}`
}

/** Starts to listen. Limits are those of the server (protocol section 6). */
export const listen = async (options: ListenerOptions): Promise<Listener> => {
  const sockets = new Set<Socket>()
  const latest = new WeakMap<Socket, Http.ServerResponse>()
  /** Waits for the earlier responses on the same connection. */
  const inTurn = (socket: Socket, answer: () => void): void => {
    const earlier = latest.get(socket)
    if (earlier === undefined || earlier.writableFinished) answer()
    else earlier.once("close", () => socket.writable && answer())
  }
  const take = (request: Http.IncomingMessage, response: Http.ServerResponse, awaitsContinue: boolean): void => {
    const headers = firstHeaders(request.rawHeaders)
    const entry: Mutable<RequestEntry> = {
      at: options.clock.now(),
      surface: options.surface,
      method: request.method ?? "",
      path: request.url ?? "",
      headers: headers["authorization"] === undefined ? headers : { ...headers, authorization: "[hidden]" },
      idempotencyKey: headers["idempotency-key"] || undefined,
      orderingKey: headers["x-hookrail-ordering-key"] || undefined,
      bodyBytes: 0,
      body: "",
      fault: undefined,
      outcome: "open",
      answer: undefined
    }
    options.ledger.request(entry)
    latest.set(request.socket, response)
    response.on("error", () => {})
    response.on("close", () => {
      if (entry.outcome !== "open") return
      entry.outcome = "aborted"
      settled()
    })
    const settled = (): void => options.ledger.settled(entry)
    const exchange = new Exchange(request, response, entry, headers, settled, options.bodyTimeoutMs, awaitsContinue)
    // A bug must not leave a client waiting.
    options.handle(exchange).catch(() => request.socket.destroy())
  }
  const server = Http.createServer(
    {
      maxHeaderSize: maxHeadBytes,
      keepAliveTimeout: 60_000,
      headersTimeout: headTimeoutMs,
      requestTimeout: 0,
      noDelay: true
    },
    (request, response) => take(request, response, false)
  )
  server.on("checkContinue", (request, response) => take(request, response, true))
  server.on("connect", (request, socket: Socket) => {
    socket.on("error", () => {})
    inTurn(socket, () => take(request, responseOver(socket, request), false))
  })
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    // Go's server sends nothing to a client whose headers are late.
    const silent = error.code === "ECONNRESET" || error.code === "ERR_HTTP_REQUEST_TIMEOUT"
    if (!socket.writable || silent) {
      socket.destroy()
      return
    }
    // A handshake of TLS has no line that it could end with: the client would wait for an answer.
    const isTls = (error as { readonly rawPacket?: Buffer }).rawPacket?.[0] === 0x16
    const request = isTls ? "malformed" : refusedRequest(error, socket)
    if (request === "malformed") socket.end(malformed(error.code))
    else if (request === "more") socket.setTimeout(headTimeoutMs, () => socket.destroy())
    else inTurn(socket, () => take(request, responseOver(socket, request), false))
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const advice = error.code === "EADDRINUSE"
        ? ". Another program, perhaps an emulator, uses the port: give another one, or 0 for any that is free"
        : ""
      reject(new EmulatorStartError(`cannot listen: ${error.message}${advice}`, { cause: error }))
    })
    server.listen(options.port, options.host, resolve)
  })
  const { address, family, port } = server.address() as AddressInfo
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}`,
    openConnections: () => sockets.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      })
  }
}
