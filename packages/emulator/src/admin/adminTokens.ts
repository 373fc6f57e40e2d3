import { credential, ulid } from "../base/ids.js"
import { problem } from "../http/problem.js"
import { formatTime } from "../http/time.js"
import { type Answer, empty, json } from "../http/wire.js"
import type { AdminContext } from "./context.js"
import { page, pageRequest } from "./page.js"
import { listFailed, notFound, writeFailed } from "./problems.js"
import { maxActiveTokens, roles } from "./tokens.js"

const noStore = { "Cache-Control": "no-store" }
const invalidRole = problem(422, "invalid role", "role must be viewer, operator, or admin")
const invalidLabel = problem(422, "invalid label", "label must be 1..200 chars")
const tooMany = problem(409, "too many tokens", "active admin-token limit reached")

/** `GET /v1/whoami`: JSON that travels as plain text, because the server sets no type (protocol section 5.2). */
export const whoami = ({ role }: AdminContext): Answer =>
  json(200, { role }, { ...noStore, "Content-Type": "text/plain; charset=utf-8" })

/** `POST /v1/admin-tokens` (protocol section 5.2). */
export const createToken = ({ core, fields, tokens, writable }: AdminContext): Answer => {
  const asked = fields.string("role")
  const label = fields.string("label") ?? ""
  const role = roles.find((known) => known === asked)
  if (role === undefined) return invalidRole
  const bytes = Buffer.byteLength(label)
  if (bytes < 1 || bytes > 200) return invalidLabel
  if (!writable || label.includes("\0")) return writeFailed("create", "could not persist admin token")
  if (tokens.active >= maxActiveTokens) return tooMany
  const createdAt = core.clock.now()
  const id = ulid(createdAt, core.random)
  const token = credential("hkadm_", core.random)
  tokens.byId.set(id, { id, role, label, token, createdAt, revokedAt: undefined })
  return json(201, { id, label, role, token }, noStore)
}

/** `GET /v1/admin-tokens`: oldest first, `[]` when there are none (protocol sections 5.2 and 5.3). */
export const listTokens = ({ query, readable, tokens }: AdminContext): Answer => {
  const request = pageRequest(query)
  if ("status" in request) return request
  if (!readable) return listFailed()
  const rows = [...tokens.byId.values()].filter(({ id }) => id > request.after).sort((a, b) => a.id < b.id ? -1 : 1)
  return page(request, rows, ({ id }) => id, (token) => ({
    id: token.id,
    role: token.role,
    label: token.label,
    created_at: formatTime(token.createdAt),
    revoked_at: token.revokedAt === undefined ? null : formatTime(token.revokedAt)
  }), [])
}

/** `DELETE /v1/admin-tokens/{id}`: also fine when it was revoked before (protocol section 5.2). */
export const revokeToken = ({ core, params, tokens, writable }: AdminContext): Answer => {
  if (!writable) return writeFailed("revoke", "could not revoke admin token")
  const token = tokens.byId.get(params["id"] ?? "")
  if (token === undefined) return notFound("admin token")
  token.revokedAt ??= core.clock.now()
  return empty(204)
}
