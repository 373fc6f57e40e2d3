import * as Http from "node:http"
import type { Socket } from "node:net"

/**
 * Requests whose method Node's parser refuses, although Go's takes any token: the router then answers 405 (protocol
 * section 1.1). The parser gives up at the first letter that no method of its own has, so the head is read here.
 */

/** What Node's parser reports for a line that it does not like, sometimes in the middle of a packet. */
interface ParserError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer | undefined
  readonly bytesParsed?: number | undefined
}

/** RTSP methods, which the parser knows, fail at the version. */
const codes = new Set(["HPE_INVALID_METHOD", "HPE_INVALID_CONSTANT", "HPE_INVALID_VERSION"])

const known = new Set(Http.METHODS)

/** Most bytes of a head, as for every other request. */
export const maxHeadBytes = 1 << 20

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const requestLine = new RegExp(`^(${token}) (\\S+) HTTP/1\\.([01])$`)
const headerLine = new RegExp(`^(${token}):[ \\t]*(.*?)[ \\t]*$`)

/** What has come of the heads that are not complete yet. */
const partial = new WeakMap<Socket, string>()

/** Where the line begins in which the parser stopped. */
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
    // The parser keeps the letters of an earlier packet. What they leave over must not become another request.
    method: known.has(method) ? `?${method}` : method,
    url,
    rawHeaders,
    complete: true
  })
}

/**
 * The request that the parser refused: `more` where its head goes on in a packet to come, for which this is called
 * again, and `malformed` where Go refuses it as well.
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
