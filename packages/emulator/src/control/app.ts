import type { IncomingMessage, ServerResponse } from "node:http"
import { makeRouter, type Route } from "../http/routing.js"
import { type Answer, json } from "../http/wire.js"
import type { PageSettings } from "../options/settings.js"
import { pageDocument, securityHeaders } from "./document.js"
import { Guard, pageTokenRequired } from "./guard.js"
import type { PageHandler } from "./listener.js"

const routes: ReadonlyArray<Route<string>> = [
  { name: "document", method: "GET", path: "/" },
  { name: "state", method: "GET", path: "/api/state" }
]

const write = (request: IncomingMessage, response: ServerResponse, answer: Answer): void => {
  const body = Buffer.from(answer.body, "utf8")
  response.writeHead(answer.status, { ...securityHeaders, ...answer.headers, "Content-Length": body.length })
  response.end(request.method === "HEAD" ? undefined : body)
}

/** Makes the handler of the page's port. */
export const pageHandler = (settings: PageSettings, port: number): PageHandler => {
  const guard = new Guard(port, settings.token)
  const router = makeRouter(routes)
  let document: Promise<Answer> | undefined

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const match = router(request.method ?? "", request.url ?? "")
    const opens = "name" in match && match.name === "document"
    const refused = guard.refuse(request, opens)
    if (refused !== undefined) return refused
    if (opens) return document ??= pageDocument()
    if (!guard.admits(request)) return pageTokenRequired
    return "status" in match ? match : json(200, {})
  }

  return (request, response) => {
    request.resume()
    answer(request).then((it) => write(request, response, it)).catch(() => request.socket.destroy())
  }
}
