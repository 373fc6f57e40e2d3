/**
 * Connections through a proxy. An `https` server is reached through a tunnel (CONNECT), in which its certificate is verified as
 * without a proxy. For an `http` server the proxy forwards the request, since most proxies refuse a tunnel to it.
 */
import type { Socket } from "node:net"
import type { buildConnector } from "undici"
import { connectTimeoutCode } from "./exchange.js"
import { type Proxy, proxyCode, refusal } from "./proxy.js"

/** Opens a connection. It passes each socket that it opens to `track`; the last one is the current one. */
export type Connect = (
  options: buildConnector.Options,
  track: (socket: Socket) => void,
  callback: buildConnector.Callback
) => void

/** Undici's connectors return the socket, although their types do not say so. */
export type Connector = (options: buildConnector.Options, callback: buildConnector.Callback) => Socket

/** In bytes. No proxy sends a longer head. */
const maxHead = 16 * 1024

/** Has no cause: the innermost one would be reported instead, and it does not name the proxy. */
const failure = (message: string, code = proxyCode): Error => Object.assign(new Error(message), { code })

const unreachable = (proxy: Proxy, error: Error): Error => {
  const { code } = error as { readonly code?: string }
  if (code === connectTimeoutCode) return error
  return failure(
    `no connection to the proxy ${proxy.name}: ${error.message || (code ?? error.name)}`,
    // With this code undici would fail only requests for the server name of the certificate, find none, and retry for ever.
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
        // In TLS the client speaks first, so these bytes can only come from the proxy.
        return end(
          rest === "" ? undefined : failure(`the proxy ${proxy.name} sent something of its own into the tunnel`)
        )
      }
      // Skip 1xx, which only precedes the response.
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
