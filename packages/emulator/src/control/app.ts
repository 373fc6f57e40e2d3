import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { oneObject } from "../admin/problems.js"
import { problem } from "../http/problem.js"
import { makeRouter, type Route } from "../http/routing.js"
import { type Answer, empty, json } from "../http/wire.js"
import { strictUtf8 } from "../json/text.js"
import * as calls from "./calls.js"
import { pageDocument, securityHeaders } from "./document.js"
import { Feed } from "./feed.js"
import { listDeliveries, listEvents } from "./filter.js"
import { Guard, pageTokenRequired } from "./guard.js"
import { found, Refused } from "./input.js"
import type { PageHandler } from "./listener.js"
import type { Call, Parts } from "./model.js"
import { PageKey, resendEvent, sendEvent } from "./send.js"
import { stateOf } from "./state.js"
import { deliverySummary, deliveryView, eventSummary, eventView } from "./views.js"

/** Most bytes of a body: an event of the largest size, twice escaped. */
const maxBodyBytes = 1024 * 1024

const tooLarge = problem(413, "body too large", `a body may have ${maxBodyBytes} bytes`, { Connection: "close" })
const brokenBody = problem(400, "invalid body", "the body ended too early", { Connection: "close" })
const jsonRequired = problem(415, "bad content-type", "application/json required")

/** Handles a call; what it returns is the body of the answer. */
type Handle = (call: Call) => unknown

const routesOf = (
  parts: Parts,
  run: string
): ReadonlyMap<string, { readonly status: number; readonly handle: Handle }> => {
  const key = new PageKey(parts)
  const { store } = parts.core
  const eventOf = ({ params }: Call) => found(store.events.get(params["id"] ?? ""), "event")
  const call = (handle: Handle, status = 200) => ({ status, handle })
  return new Map([
    ["GET /api/state", call(() => stateOf(parts, run))],
    ["GET /api/events", call(({ query }) => listEvents(parts, query, (event) => eventSummary(parts, event)))],
    ["POST /api/events", call((it) => sendEvent(it, key))],
    ["GET /api/events/{id}", call((it) => eventView(parts, eventOf(it)))],
    ["POST /api/events/{id}/resend", call((it) => resendEvent(it, eventOf(it), key))],
    [
      "GET /api/deliveries",
      call(({ query }) =>
        listDeliveries(parts, query, (delivery) => ({
          ...deliverySummary(parts, delivery),
          eventId: delivery.event.id,
          topic: delivery.event.topic,
          url: delivery.subscription.endpoint.url
        }))
      )
    ],
    [
      "GET /api/deliveries/{id}",
      call(({ params }) => deliveryView(parts, found(store.deliveries.get(params["id"] ?? ""), "delivery")))
    ],
    ["POST /api/deliveries/{id}/replay", call(calls.replay)],
    ["POST /api/deliveries/{id}/skip", call(calls.skip)],
    ["POST /api/deliveries/{id}/retry-now", call(calls.retryNow)],
    ["POST /api/endpoints/{id}/rotate-secret", call(calls.rotate)],
    ["POST /api/endpoints/{id}/reveal-secret", call(calls.reveal)],
    ["POST /api/reveal-api-key", call(calls.revealApiKey)],
    ["POST /api/subscriptions", call(calls.subscribe, 201)],
    ["PATCH /api/subscriptions/{id}", call(calls.patchSubscription)],
    ["DELETE /api/subscriptions/{id}", call(calls.removeSubscription, 204)],
    ["GET /api/faults", call(calls.listFaults)],
    ["POST /api/faults", call(calls.addFault, 201)],
    ["DELETE /api/faults", call(calls.clearFaults, 204)],
    ["DELETE /api/faults/{id}", call(calls.removeFault, 204)],
    ["POST /api/pause", call((it) => calls.hold(it, true))],
    ["POST /api/resume", call((it) => calls.hold(it, false))],
    ["POST /api/clock/advance", call(calls.advance)],
    ["PATCH /api/surroundings", call(calls.setSurroundings)],
    ["POST /api/idle", call(calls.idle)],
    ["GET /api/requests", call(calls.listRequests)],
    ["POST /api/verify", call(calls.verify)]
  ])
}

const write = (request: IncomingMessage, response: ServerResponse, answer: Answer): void => {
  const body = Buffer.from(answer.body, "utf8")
  const length = answer.status === 204 ? {} : { "Content-Length": body.length }
  response.writeHead(answer.status, { ...securityHeaders, ...answer.headers, ...length })
  response.end(request.method === "HEAD" ? undefined : body)
}

/** Reads a body; without one, what the call gets is `undefined`. */
const readBody = async (request: IncomingMessage): Promise<unknown> => {
  if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) throw new Refused(tooLarge)
  const chunks: Array<Buffer> = []
  let size = 0
  try {
    for await (const chunk of request) {
      size += (chunk as Buffer).length
      if (size > maxBodyBytes) throw new Refused(tooLarge)
      chunks.push(chunk as Buffer)
    }
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(brokenBody)
  }
  if (size === 0) return undefined
  // Also a defence: a form of another site cannot have this type.
  const type = (request.headers["content-type"] ?? "").split(";")[0] ?? ""
  if (type.trim().toLowerCase() !== "application/json") throw new Refused(jsonRequired)
  const text = strictUtf8(Buffer.concat(chunks))
  try {
    if (text !== undefined) return JSON.parse(text) as unknown
  } catch {
    // Refused below.
  }
  throw new Refused(oneObject)
}

/** Makes the handler of the page's port: the document, the feed, and the calls. */
export const pageHandler = (parts: Parts): PageHandler => {
  const run = randomBytes(6).toString("base64url")
  const guard = new Guard(parts.port, parts.settings.token)
  const feed = new Feed(parts, run)
  const table = routesOf(parts, run)
  const router = makeRouter(
    ["GET /", "GET /api/feed", ...table.keys()].map((name): Route<string> => {
      const [method, path] = name.split(" ") as [Route<string>["method"], string]
      return { name, method, path }
    })
  )
  let document: Promise<Answer> | undefined

  /** Answers; nothing if the feed has taken over the response. */
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> => {
    const target = request.url ?? ""
    const match = router(request.method ?? "", target)
    const opens = "name" in match && match.name === "GET /"
    const refused = guard.refuse(request, opens)
    if (refused !== undefined) return refused
    if (opens) return document ??= pageDocument()
    if (!guard.admits(request)) return pageTokenRequired
    if ("status" in match) return match
    const query = new URLSearchParams(target.includes("?") ? target.slice(target.indexOf("?") + 1) : "")
    if (match.name === "GET /api/feed") {
      if (request.method === "HEAD") return empty(200)
      feed.serve(request, response, query, securityHeaders)
      return undefined
    }
    const { handle, status } = table.get(match.name)!
    const body = match.name.startsWith("GET ") ? undefined : await readBody(request)
    const result = await handle({ parts, params: match.params, query, body })
    return status === 204 ? empty(204) : json(status, result)
  }

  return (request, response) => {
    answer(request, response)
      .catch((error: unknown) => {
        if (error instanceof Refused) return error.answer
        throw error
      })
      .then((it) => {
        if (it !== undefined) write(request, response, it)
        // What is left of a body must not be taken for the next request.
        request.resume()
      })
      .catch(() => request.socket.destroy())
  }
}
