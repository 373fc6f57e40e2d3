import { Effect, type Scope } from "effect"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer, type TlsOptions, TLSSocket } from "node:tls"
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from "node:zlib"

/** A request as it came over the wire. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** One request that has reached the server, as far as its headers. */
export interface Arrival {
  /** Resolves when the connection of this request is gone. */
  readonly closed: Promise<void>
}

const head = (status: string, ...headers: ReadonlyArray<string>): string =>
  [`HTTP/1.1 ${status}`, ...headers, "", ""].join("\r\n")

const answer = (status: string, body: string | Buffer, ...headers: ReadonlyArray<string>): Buffer =>
  Buffer.concat([
    Buffer.from(head(status, `content-length: ${Buffer.byteLength(body)}`, ...headers)),
    Buffer.from(body)
  ])

const chunk = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")])

const encoders: Record<string, (bytes: Buffer) => Buffer> = {
  br: (bytes) => brotliCompressSync(bytes),
  deflate: (bytes) => deflateSync(bytes),
  // Without the header of zlib, as some servers send it.
  "raw-deflate": (bytes) => deflateRawSync(bytes),
  gzip: (bytes) => gzipSync(bytes),
  "x-gzip": (bytes) => gzipSync(bytes)
}

const encodingOf = (name: string): string => `content-encoding: ${name === "raw-deflate" ? "deflate" : name}`

/** A few kilobytes each, that become 16 MiB. */
const bombs = new Map<string, Buffer>()

const bomb = (encoding: string): Buffer => {
  const found = bombs.get(encoding)
  if (found !== undefined) return found
  const bytes = Buffer.alloc(16 * 1024 * 1024, "x")
  const made = encoding === "br"
    ? brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })
    : encoders[encoding]!(bytes)
  bombs.set(encoding, made)
  return made
}

/** What the server does with a request, by the first part of its path. */
const behaviours: Record<string, (socket: Socket, request: Received, raw: Buffer) => void> = {
  echo: (socket, { body, ...request }) =>
    socket.write(answer("200 OK", JSON.stringify({ ...request, body: body.toString("base64") }))),
  /** `/status/503/100000`: that status, with a body of that size. */
  status: (socket, { path }) => {
    const [, , status, size] = path.split("/")
    socket.write(answer(`${status} Status`, "x".repeat(Number(size)), "retry-after: 7"))
  },
  redirect: (socket) => socket.write(answer("307 Temporary Redirect", "moved", "location: /echo")),
  empty: (socket) => socket.write(answer("200 OK", "")),
  "no-content": (socket) => socket.write(head("204 No Content")),
  hints: (socket) => {
    socket.write(head("103 Early Hints", "link: </style.css>; rel=preload"))
    socket.write(answer("200 OK", "after hints"))
  },
  /** As a server does that believes to have been asked whether to go on. */
  continue: (socket) => {
    socket.write(head("100 Continue"))
    socket.write(head("103 Early Hints", "link: </style.css>; rel=preload"))
    socket.write(answer("200 OK", "after continue"))
  },
  /** `/compressed/gzip/200`: in that encoding, whatever was asked for. */
  compressed: (socket, { path }) => {
    const [, , encoding = "", status] = path.split("/")
    const body = encoders[encoding]!(Buffer.from("{\"wörld\":true}"))
    socket.write(answer(`${status} Status`, body, encodingOf(encoding)))
  },
  bomb: (socket, { path }) => {
    const encoding = path.split("/")[2]!
    socket.write(answer("200 OK", bomb(encoding), encodingOf(encoding)))
  },
  /** Compressed, and only the beginning of it, though the length of the body says that it is whole. */
  "compressed-half": (socket, { path }) => {
    const bytes = gzipSync(Buffer.from("{\"half\":true}".repeat(50)))
    socket.write(answer(`${path.split("/")[2]} Status`, bytes.subarray(0, 20), "content-encoding: gzip"))
  },
  "compressed-nothing": (socket) => socket.write(answer("200 OK", "", "content-encoding: gzip")),
  /** Two chunks, cut within a character. */
  split: (socket) => {
    const bytes = Buffer.from("né…")
    socket.write(
      Buffer.concat([Buffer.from(head("200 OK", "transfer-encoding: chunked")), chunk(bytes.subarray(0, 2))])
    )
    setImmediate(() => {
      socket.write(Buffer.concat([chunk(bytes.subarray(2, 4)), chunk(bytes.subarray(4)), Buffer.from("0\r\n\r\n")]))
    })
  },
  bom: (socket) => socket.write(answer("200 OK", "\ufeff{}")),
  repeated: (socket) => socket.write(answer("200 OK", "", "X-Cased: First", "x-other: other")),
  reset: (socket) => socket.resetAndDestroy(),
  fin: (socket) => socket.end(),
  /** `/reset-body/200`: the connection breaks within the body. */
  "reset-body": (socket, { path }) =>
    socket.write(
      `${head(`${path.split("/")[2]} Status`, "content-length: 100")}partial`,
      () => socket.resetAndDestroy()
    ),
  truncated: (socket) => socket.end(`${head("200 OK", "content-length: 100")}{"short":true}`),
  "truncated-chunks": (socket) =>
    socket.end(Buffer.concat([Buffer.from(head("200 OK", "transfer-encoding: chunked")), chunk(Buffer.from("{}"))])),
  stall: () => {},
  "stall-body": (socket) => socket.write(`${head("200 OK", "content-length: 100")}partial`),
  /** A byte every 10 ms, without end. */
  drip: (socket) => {
    socket.write(head("200 OK", "content-length: 1000000"))
    const timer = setInterval(() => socket.write("x"), 10)
    socket.once("close", () => clearInterval(timer))
  },
  /** As an echo service does: the request, verbatim, credentials and all. */
  garbage: (socket, _request, raw) => socket.write(raw),
  "garbage-chunk": (socket) => socket.write(`${head("200 OK", "transfer-encoding: chunked")}zz\r\nnot a chunk\r\n`)
}

/** A server that misbehaves on demand, and tells what it saw. */
export class FaultServer {
  /** Connections ever accepted. */
  accepted = 0
  /** Requests that arrived, by path. */
  readonly requests: Array<string> = []
  readonly open = new Set<Socket>()
  /** Whom the certificates are for that clients have shown, one for each connection with TLS. */
  readonly peers: Array<string | undefined> = []
  private readonly waiting: Array<{ readonly path: string; readonly resolve: (arrival: Arrival) => void }> = []
  private readonly server: Server

  private constructor(private readonly tls?: TlsOptions) {
    this.server = tls === undefined
      ? createServer((socket) => this.serve(socket))
      : createTlsServer(tls, (socket) => this.serve(socket))
    // A handshake that fails is the client's to tell.
    this.server.on("tlsClientError", () => {})
  }

  /** With `tls`, one that speaks `https`. */
  static makeWith(tls?: TlsOptions): Effect.Effect<FaultServer, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.promise(async () => {
        const self = new FaultServer(tls)
        await new Promise<void>((resolve) => self.server.listen(0, "127.0.0.1", resolve))
        return self
      }),
      (self) => Effect.promise(() => self.close())
    )
  }

  static readonly make: Effect.Effect<FaultServer, never, Scope.Scope> = FaultServer.makeWith()

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get origin(): string {
    return `http${this.tls === undefined ? "" : "s"}://127.0.0.1:${this.port}`
  }

  /** The next request for a path. Ask before sending it. */
  arrival(path: string): Promise<Arrival> {
    return new Promise((resolve) => this.waiting.push({ path, resolve }))
  }

  /** The next connection. */
  connection(): Promise<Socket> {
    return new Promise((resolve) => this.server.once("connection", resolve))
  }

  /** Ends all connections, as after an idle time. */
  endConnections(): Promise<unknown> {
    return Promise.all([...this.open].map((socket) => {
      socket.end()
      return closed(socket)
    }))
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve())
      for (const socket of this.open) socket.destroy()
    })
  }

  private serve(socket: Socket): void {
    this.accepted++
    if (socket instanceof TLSSocket) this.peers.push(peerOf(socket))
    this.open.add(socket)
    socket.setNoDelay(true)
    socket.once("close", () => this.open.delete(socket))
    // Clients reset connections here all the time.
    socket.on("error", () => {})
    let buffered = Buffer.alloc(0)
    let arrived = false
    socket.on("data", (data) => {
      buffered = Buffer.concat([buffered, data])
      for (;;) {
        const end = buffered.indexOf("\r\n\r\n")
        if (end < 0) return
        const [line = "", ...fields] = buffered.toString("latin1", 0, end).split("\r\n")
        const [method = "", path = ""] = line.split(" ")
        const headers = Object.fromEntries(fields.map((field) => {
          const colon = field.indexOf(":")
          return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
        }))
        if (!arrived) {
          arrived = true
          this.arrived(path, socket)
          if (path === "/early") {
            // The verdict comes first, and the request is not read any further.
            socket.pause()
            socket.write(answer("413 Payload Too Large", "too large", "connection: close"))
            return
          }
        }
        const total = end + 4 + Number(headers["content-length"] ?? 0)
        if (buffered.length < total) return
        const raw = buffered.subarray(0, total)
        buffered = buffered.subarray(total)
        arrived = false
        behaviours[path.split("/")[1] ?? ""]?.(socket, { method, path, headers, body: raw.subarray(end + 4) }, raw)
      }
    })
  }

  private arrived(path: string, socket: Socket): void {
    this.requests.push(path)
    const index = this.waiting.findIndex((entry) => entry.path === path)
    if (index >= 0) this.waiting.splice(index, 1)[0]!.resolve({ closed: closed(socket) })
  }
}

/** Whom the certificate of a client is for. */
export const peerOf = (socket: TLSSocket): string | undefined => {
  const name = socket.getPeerCertificate().subject?.CN as string | Array<string> | undefined
  return Array.isArray(name) ? name[0] : name
}

/** Resolves when a connection is gone. */
export const closed = (socket: Socket): Promise<void> =>
  socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once("close", () => resolve()))

/** An origin where nobody listens. */
export const closedOrigin: Effect.Effect<string> = Effect.scoped(
  Effect.map(FaultServer.make, (server) => server.origin)
)
