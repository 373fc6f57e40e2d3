/**
 * Connections through a proxy. To an `https` server by a tunnel (CONNECT), within which the certificate of the server is
 * verified as if there was no proxy; to an `http` server by leaving the request to the proxy, since most refuse a tunnel
 * there.
 */
import type { Socket } from "node:net"
import type { buildConnector } from "undici"
import { connectTimeoutCode } from "./exchange.js"
import { type Proxy, proxyCode, refusal } from "./proxy.js"

/** Opens a connection. Each socket on the way is shown to `track`; the last one shown is at work. */
export type Connect = (
  options: buildConnector.Options,
  track: (socket: Socket) => void,
  callback: buildConnector.Callback
) => void

/** Undici's connectors give the socket back, which their types do not tell. */
export type Connector = (options: buildConnector.Options, callback: buildConnector.Callback) => Socket

/** More than any proxy has to say before a tunnel is open. */
const maxHead = 16 * 1024

/** Without a cause: the innermost one would be reported instead, and it does not name the proxy. */
const failure = (message: string, code = proxyCode): Error => Object.assign(new Error(message), { code })

const unreachable = (proxy: Proxy, error: Error): Error => {
  const { code } = error as { readonly code?: string }
  if (code === connectTimeoutCode) return error
  return failure(
    `no connection to the proxy ${proxy.name}: ${error.message || (code ?? error.name)}`,
    // Undici would look for the server whose certificate is wrong, find none, and try again for ever.
    code === "ERR_TLS_CERT_ALTNAME_INVALID" ? proxyCode : code
  )
}

export const through =
  (proxy: Proxy, toProxy: Connector, toServer: Connector): Connect => (options, track, callback) => {
    const { host, hostname, port, protocol } = proxy
    const socket = toProxy({ host, hostname, port, protocol }, (...result) => {
      const error = result[0]
      if (error !== null) return callback(unreachable(proxy, error), null)
      if (options.protocol !== "https:") return callback(null, socket)
      const authority = `${options.host ?? options.hostname}${options.port ? "" : ":443"}`
      openTunnel(proxy, socket, authority, (error) => {
        if (error !== undefined) {
          socket.destroy()
          return callback(error, null)
        }
        const secured = toServer({ ...options, httpSocket: socket }, callback)
        secured.once("close", () => socket.destroy())
        track(secured)
      })
    })
    track(socket)
  }

const openTunnel = (proxy: Proxy, socket: Socket, authority: string, callback: (error?: Error) => void): void => {
  let head = ""
  const end = (error?: Error): void => {
    socket.off("readable", read)
    socket.off("error", fail)
    socket.off("close", drop)
    callback(error)
  }
  const fail = (error: Error): void => end(unreachable(proxy, error))
  const drop = (): void => end(failure(`the proxy ${proxy.name} closed the connection instead of opening a tunnel`))
  const read = (): void => {
    let chunk: Buffer | null
    while ((chunk = socket.read() as Buffer | null) !== null) head += chunk.toString("latin1")
    for (;;) {
      const length = head.indexOf("\r\n\r\n") + 4
      const line = /^HTTP\/1\.[01] (\d{3})(?: |\r\n)/.exec(head)
      const isWrong = head.length >= 14 && line === null
      if (isWrong || (length < 4 && head.length > maxHead)) {
        return end(failure(`the proxy ${proxy.name} does not answer as an HTTP proxy does`))
      }
      if (length < 4 || line === null) return
      const status = Number(line[1])
      const rest = head.slice(length)
      if (status >= 200) {
        if (status >= 300) return end(failure(refusal(proxy, status, `a tunnel to ${authority}`)))
        // The server waits for the client to begin: such bytes would be the proxy's.
        return end(
          rest === "" ? undefined : failure(`the proxy ${proxy.name} sent something of its own into the tunnel`)
        )
      }
      // 1xx only announces the answer.
      head = rest
    }
  }
  socket.on("readable", read)
  socket.on("error", fail)
  socket.on("close", drop)
  const authorization = proxy.authorization()
  const lines = [`CONNECT ${authority} HTTP/1.1`, `host: ${authority}`]
  if (authorization !== undefined) lines.push(`proxy-authorization: ${authorization}`)
  socket.write(`${lines.join("\r\n")}\r\n\r\n`)
}
