import * as Http from "node:http"
import type { Socket } from "node:net"

/**
 * Requests whose method Node's parser does not know. Go accepts any token as a method, and its router answers 405 (protocol
 * section 1.1). Node's parser stops at the first unexpected letter, so the head is parsed here.
 */

/** What Node's parser reports; it may have stopped in the middle of a packet. */
interface ParserError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer | undefined
  readonly bytesParsed?: number | undefined
}

/** The parser knows RTSP methods and fails at their version. */
const codes = new Set(["HPE_INVALID_METHOD", "HPE_INVALID_CONSTANT", "HPE_INVALID_VERSION"])

const known = new Set(Http.METHODS)

/** Most bytes of the head of a request. */
export const maxHeadBytes = 1 << 20

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const requestLine = new RegExp(`^(${token}) (\\S+) HTTP/1\\.([01])$`)
const headerLine = new RegExp(`^(${token}):[ \\t]*(.*?)[ \\t]*$`)

/** Heads that are still incomplete. */
const partial = new WeakMap<Socket, string>()

/** Start of the line in which the parser stopped. */
const lineStart = (packet: Buffer, stoppedAt: number): number =>
  stoppedAt === 0 ? 0 : packet.lastIndexOf("\n", stoppedAt - 1) + 1

const requestOf = (head: string, socket: Socket): Http.IncomingMessage | undefined => {
  const [first = "", ...lines] = head.split("\r\n")
  const [, method, url, minor] = requestLine.exec(first) ?? []
  if (method === undefined || url === undefined) return undefined
  const rawHeaders: Array<string> = []
  for (const line of lines) {
    const [, name, value] = headerLine.exec(line) ?? []
    if (name === undefined || value === undefined) return undefined
    rawHeaders.push(name, value)
  }
  const hasHost = rawHeaders.some((text, index) => index % 2 === 0 && text.toLowerCase() === "host")
  if (minor === "1" && !hasHost) return undefined
  return Object.assign(new Http.IncomingMessage(socket), {
    // Letters in an earlier packet are lost. The rest must not be taken for a method that a route accepts.
    method: known.has(method) ? `?${method}` : method,
    url,
    rawHeaders,
    complete: true
  })
}

/**
 * The request that the parser refused. `more` means that its head is incomplete: call again with the next error, which has
 * the next packet. `malformed` means that Go refuses it, too.
 */
export const refusedRequest = (error: ParserError, socket: Socket): Http.IncomingMessage | "more" | "malformed" => {
  const { bytesParsed = 0, code = "", rawPacket } = error
  const before = partial.get(socket)
  if (rawPacket === undefined || !(before !== undefined || codes.has(code))) return "malformed"
  const packet = before === undefined ? rawPacket.subarray(lineStart(rawPacket, bytesParsed)) : rawPacket
  const text = (before ?? "") + packet.toString("latin1")
  const end = text.indexOf("\r\n\r\n")
  if (end < 0) {
    if (text.length > maxHeadBytes) return "malformed"
    partial.set(socket, text)
    return "more"
  }
  partial.delete(socket)
  return requestOf(text.slice(0, end), socket) ?? "malformed"
}
