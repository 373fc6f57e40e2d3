import { urlAllowed } from "../base/urlPolicy.js"
import { problem } from "../http/problem.js"
import { formatTime } from "../http/time.js"
import { type Answer, empty, json } from "../http/wire.js"
import type { Endpoint } from "../store/store.js"
import type { AdminContext } from "./context.js"
import { newestFirst, page, pageRequest } from "./page.js"
import { invalidBody, listFailed, notFound, writeFailed } from "./problems.js"

const noStore = { "Cache-Control": "no-store" }
const urlRejected = problem(422, "url rejected", "url failed SSRF policy")

const row = (endpoint: Endpoint): unknown => ({
  id: endpoint.id,
  url: endpoint.url,
  description: endpoint.description,
  created_at: formatTime(endpoint.createdAt),
  deleted_at: endpoint.deletedAt === undefined ? undefined : formatTime(endpoint.deletedAt)
})

const live = ({ core, params }: AdminContext): Endpoint | undefined => {
  const endpoint = core.store.endpoints.get(params["id"] ?? "")
  return endpoint?.deletedAt === undefined ? endpoint : undefined
}

/** `POST /v1/endpoints` (protocol section 5.2). */
export const createEndpoint = ({ core, fields, writable }: AdminContext): Answer => {
  const url = fields.string("url") ?? ""
  const description = fields.string("description") ?? ""
  if (url === "") return invalidBody("expected {\"url\": string, \"description\": string}")
  if (!urlAllowed(core.settings.urlPolicy, url)) return urlRejected
  if (!writable || description.includes("\0")) return writeFailed("create", "could not persist endpoint")
  const { id, secret } = core.directory.addEndpoint(url, description)
  return json(201, { id, url, secret }, noStore)
}

/** `GET /v1/endpoints` (protocol section 5.2). */
export const listEndpoints = ({ core, query, readable }: AdminContext): Answer => {
  const request = pageRequest(query)
  if ("status" in request) return request
  if (!readable) return listFailed()
  const deleted = query.get("include_deleted") === "true"
  const rows = newestFirst(
    core.store.endpoints.values(),
    request.after,
    (endpoint) => deleted || endpoint.deletedAt === undefined
  )
  return page(request, rows, ({ id }) => id, row)
}

/** `GET /v1/endpoints/{id}` (protocol section 5.2). */
export const getEndpoint = (context: AdminContext): Answer => {
  const { core, params, query, readable } = context
  const deleted = query.get("include_deleted") === "true"
  const endpoint = deleted ? core.store.endpoints.get(params["id"] ?? "") : live(context)
  return readable && endpoint !== undefined ? json(200, row(endpoint)) : notFound("endpoint")
}

/** `PATCH /v1/endpoints/{id}` (protocol section 5.2). */
export const patchEndpoint = (context: AdminContext): Answer => {
  const { core, fields, writable } = context
  const url = fields.string("url")
  const description = fields.string("description")
  if (url === "") return invalidBody("url must be non-empty when present")
  if (url !== undefined && !urlAllowed(core.settings.urlPolicy, url)) return urlRejected
  if (!writable) return writeFailed("update", "could not update endpoint")
  const endpoint = live(context)
  if (endpoint === undefined) return notFound("live endpoint")
  endpoint.url = url ?? endpoint.url
  endpoint.description = description ?? endpoint.description
  return empty(204)
}

/** `DELETE /v1/endpoints/{id}` (protocol section 5.2). */
export const deleteEndpoint = (context: AdminContext): Answer => {
  if (!context.writable) return writeFailed("delete", "could not delete endpoint")
  const endpoint = live(context)
  if (endpoint === undefined) return notFound("live endpoint")
  context.core.directory.remove(endpoint)
  return empty(204)
}

/** `POST /v1/endpoints/{id}/rotate-secret` (protocol section 5.2). */
export const rotateSecret = (context: AdminContext): Answer => {
  if (!context.writable) return writeFailed("rotate", "could not rotate secret")
  const endpoint = live(context)
  if (endpoint === undefined) return notFound("live endpoint")
  return json(200, { secret: context.core.directory.rotateSecret(endpoint) }, noStore)
}
