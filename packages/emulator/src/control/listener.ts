import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { EmulatorStartError } from "../errors.js"
import type { PageSettings } from "../options/settings.js"

/** Answers a request of the page's port. */
export type PageHandler = (request: Http.IncomingMessage, response: Http.ServerResponse) => void

/** The listening side of the page. */
export interface PageListener {
  /** Without a slash at the end. */
  readonly url: string
  readonly close: () => Promise<void>
}

/**
 * Listens for the page, on the loopback only, whatever `host` says. `load` is called with the first request, so that an
 * emulator whose page nobody opens neither loads nor runs it.
 */
export const listenForPage = async (
  settings: PageSettings,
  load: (port: number) => Promise<PageHandler>
): Promise<PageListener> => {
  let handler: Promise<PageHandler> | undefined
  let port = 0
  const server = Http.createServer(
    { maxHeaderSize: 16 * 1024, headersTimeout: 5000, requestTimeout: 15_000, keepAliveTimeout: 60_000 },
    (request, response) => {
      response.on("error", () => {})
      handler ??= load(port)
      // A bug must not leave the browser waiting.
      handler.then((handle) => handle(request, response)).catch(() => request.socket.destroy())
    }
  )
  server.maxConnections = 256
  await new Promise<void>((resolve, reject) => {
    server.once(
      "error",
      (error) =>
        reject(
          new EmulatorStartError(`page cannot listen: ${error.message}`, { option: "page.port", cause: error })
        )
    )
    server.listen(settings.port, "127.0.0.1", resolve)
  })
  port = (server.address() as AddressInfo).port
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}
