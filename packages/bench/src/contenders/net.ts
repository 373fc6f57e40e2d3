import { connect, type Socket } from "node:net"
import { body, check, contendWithPromises, headers, url } from "../contend.js"

/**
 * The lower bound for any client over `node:net`: one write per request, and no more than a look at the answer. It trusts the server
 * to send each answer whole, with a length, and nothing else.
 */
class Connection {
  private readonly socket: Socket
  private resolve = (): void => {}
  private reject: (error: unknown) => void = () => {}

  constructor(private readonly free: Array<Connection>, { hostname, port }: URL) {
    this.socket = connect(Number(port), hostname).setNoDelay(true)
    this.socket.on("data", (chunk: Buffer) => this.receive(chunk))
    this.socket.on("error", (error) => this.reject(error))
  }

  send(resolve: () => void, reject: (error: unknown) => void): void {
    this.resolve = resolve
    this.reject = reject
    const content = body()
    const length = Buffer.byteLength(content)
    let head = "POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: keep-alive\r\n"
    for (const [name, value] of Object.entries(headers())) head += `${name}: ${value}\r\n`
    head += `content-length: ${length}\r\n\r\n`
    const bytes = Buffer.allocUnsafe(head.length + length)
    bytes.write(head, 0, "latin1")
    bytes.write(content, head.length, "utf8")
    this.socket.write(bytes)
  }

  private receive(chunk: Buffer): void {
    const { reject, resolve } = this
    try {
      const end = chunk.indexOf("\r\n\r\n") + 4
      check(Number(chunk.toString("latin1", 9, 12)), chunk.toString("utf8", end))
    } catch (error) {
      return reject(error)
    }
    this.free.push(this)
    resolve()
  }
}

const server = new URL(url)
const free: Array<Connection> = []

await contendWithPromises(() =>
  new Promise<void>((resolve, reject) => {
    const connection = free.pop() ?? new Connection(free, server)
    connection.send(resolve, reject)
  })
)
