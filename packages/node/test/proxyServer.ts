import { Effect, type Scope } from "effect"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer, type TlsOptions, TLSSocket } from "node:tls"
import { closed, peerOf } from "./faultServer.js"

export interface Behaviour {
  /** What it does with a request: pass it on, or write this and do nothing more. Default: pass it on. */
  readonly answer?: string | undefined
  /** It ends the connection after what it has written. */
  readonly ends?: boolean | undefined
  /** The value of `proxy-authorization` without which it answers 407. */
  readonly authorization?: string | undefined
  /** It speaks TLS. */
  readonly tls?: TlsOptions | undefined
}

/** An HTTP proxy that leads every request to one server on this machine, whatever its name. */
export class ProxyServer {
  /** The first lines of what it was asked, and the headers. */
  readonly asked: Array<{ readonly line: string; readonly headers: Readonly<Record<string, string>> }> = []
  /** All bytes that it could read of its clients: of a tunnel, what was said before it was open. */
  read = ""
  readonly open = new Set<Socket>()
  accepted = 0
  readonly peers: Array<string | undefined> = []
  private readonly server: Server
  private waiting: Array<() => void> = []

  private constructor(private readonly port: number, private readonly behaviour: Behaviour) {
    const { tls } = behaviour
    this.server = tls === undefined
      ? createServer((socket) => this.serve(socket))
      : createTlsServer(tls, (socket) => this.serve(socket))
    this.server.on("tlsClientError", () => {})
  }

  static make(port: number, behaviour: Behaviour = {}): Effect.Effect<ProxyServer, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.promise(async () => {
        const self = new ProxyServer(port, behaviour)
        await new Promise<void>((resolve) => self.server.listen(0, "127.0.0.1", resolve))
        return self
      }),
      (self) => Effect.promise(() => self.close())
    )
  }

  /** Its URL, with a user name and password if any are given. */
  url(credentials = ""): string {
    const { port } = this.server.address() as AddressInfo
    return `http${this.behaviour.tls === undefined ? "" : "s"}://${credentials}127.0.0.1:${port}`
  }

  /** Resolves when it has been asked something more. */
  nextRequest(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  /** Resolves when each connection of its clients is gone. */
  async allClosed(): Promise<void> {
    await Promise.all([...this.open].map(closed))
  }

  private close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve())
      for (const socket of this.open) socket.destroy()
    })
  }

  private serve(socket: Socket): void {
    this.accepted++
    if (socket instanceof TLSSocket) this.peers.push(peerOf(socket))
    this.open.add(socket)
    socket.once("close", () => this.open.delete(socket))
    socket.on("error", () => {})
    let upstream: Socket | undefined
    let buffered = ""
    socket.on("data", (data) => {
      const text = data.toString("latin1")
      this.read += text
      buffered += text
      for (;;) {
        const end = buffered.indexOf("\r\n\r\n")
        if (end < 0) return
        const [line = "", ...fields] = buffered.slice(0, end).split("\r\n")
        const headers = Object.fromEntries(fields.map((field) => {
          const colon = field.indexOf(":")
          return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
        }))
        const total = end + 4 + Number(headers["content-length"] ?? 0)
        if (buffered.length < total) return
        const rest = buffered.slice(end + 4, total)
        buffered = buffered.slice(total)
        this.asked.push({ line, headers })
        const { answer, authorization, ends } = this.behaviour
        if (authorization !== undefined && headers["proxy-authorization"] !== authorization) {
          socket.write("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        } else if (answer !== undefined) {
          if (answer !== "") socket.write(answer)
          if (ends === true) socket.end()
        } else if (line.startsWith("CONNECT ")) {
          const tunnel = this.reach(socket)
          tunnel.once("connect", () => {
            socket.removeAllListeners("data")
            socket.write("HTTP/1.1 200 Connection established\r\nproxy-agent: test\r\n\r\n")
            socket.pipe(tunnel)
            tunnel.pipe(socket)
          })
        } else {
          if (upstream === undefined) {
            upstream = this.reach(socket)
            upstream.pipe(socket)
          }
          const [method, url = "", version] = line.split(" ")
          const { pathname, search } = new URL(url)
          const passed = fields.filter((field) => !/^proxy-/i.test(field))
          upstream.write([`${method} ${pathname}${search} ${version}`, ...passed, "", rest].join("\r\n"), "latin1")
        }
        for (const resolve of this.waiting.splice(0)) resolve()
      }
    })
  }

  private reach(socket: Socket): Socket {
    const upstream = connect(this.port, "127.0.0.1")
    upstream.on("error", () => socket.destroy())
    upstream.once("close", () => socket.destroy())
    socket.once("close", () => upstream.destroy())
    return upstream
  }
}
