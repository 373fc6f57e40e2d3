import { respond } from "../answering.js"
import type { Core } from "../core.js"
import { makeRouter, type Route } from "../http/routing.js"
import type { Exchange } from "../http/server.js"
import { type Answer, empty } from "../http/wire.js"
import type { DatabaseState } from "../model.js"
import { metrics, readiness } from "../producer/routes.js"
import { createToken, listTokens, revokeToken, whoami } from "./adminTokens.js"
import type { AdminContext } from "./context.js"
import {
  getDelivery,
  listDeadLetters,
  listDeliveries,
  listOrderedKeys,
  replayDelivery,
  skipDelivery
} from "./deliveries.js"
import { createEndpoint, deleteEndpoint, getEndpoint, listEndpoints, patchEndpoint, rotateSecret } from "./endpoints.js"
import { Fields, Mistyped, readFields } from "./fields.js"
import { oneObject, roleRequired } from "./problems.js"
import {
  createSubscription,
  deleteSubscription,
  getSubscription,
  listSubscriptions,
  patchSubscription
} from "./subscriptions.js"
import { type AdminTokens, type Role, roles } from "./tokens.js"

interface AdminRoute {
  readonly role: Role
  readonly takesBody: boolean
  readonly handle: (context: AdminContext) => Answer
}

const route = (
  role: Role,
  handle: AdminRoute["handle"],
  takesBody = false
): AdminRoute => ({ role, takesBody, handle })

/** The routes with the least role of each (protocol sections 3 and 5.2). */
const table: ReadonlyMap<string, AdminRoute> = new Map([
  ["POST /v1/endpoints", route("admin", createEndpoint, true)],
  ["GET /v1/endpoints", route("viewer", listEndpoints)],
  ["GET /v1/endpoints/{id}", route("viewer", getEndpoint)],
  ["PATCH /v1/endpoints/{id}", route("admin", patchEndpoint, true)],
  ["DELETE /v1/endpoints/{id}", route("admin", deleteEndpoint)],
  ["POST /v1/endpoints/{id}/rotate-secret", route("admin", rotateSecret)],
  ["POST /v1/subscriptions", route("admin", createSubscription, true)],
  ["GET /v1/subscriptions", route("viewer", listSubscriptions)],
  ["GET /v1/subscriptions/{id}", route("viewer", getSubscription)],
  ["PATCH /v1/subscriptions/{id}", route("admin", patchSubscription, true)],
  ["DELETE /v1/subscriptions/{id}", route("admin", deleteSubscription)],
  ["GET /v1/dlq", route("viewer", listDeadLetters)],
  ["POST /v1/dlq/{id}/replay", route("operator", replayDelivery)],
  ["GET /v1/deliveries", route("viewer", listDeliveries)],
  ["GET /v1/deliveries/{id}", route("viewer", getDelivery)],
  ["POST /v1/deliveries/{id}/skip", route("operator", skipDelivery)],
  ["GET /v1/ordered-keys", route("viewer", listOrderedKeys)],
  ["GET /v1/whoami", route("viewer", whoami)],
  ["POST /v1/admin-tokens", route("admin", createToken, true)],
  ["GET /v1/admin-tokens", route("admin", listTokens)],
  ["DELETE /v1/admin-tokens/{id}", route("admin", revokeToken)]
])

const noFields = new Fields(new Map())

/** Makes the handler of the admin port (protocol section 5). */
export const adminHandler = (core: Core, tokens: AdminTokens): (exchange: Exchange) => Promise<void> => {
  const names = [...table.keys(), "GET /healthz", "GET /readyz", "GET /metrics"]
  const router = makeRouter(names.map((name): Route<string> => {
    const [method, path] = name.split(" ") as [Route<string>["method"], string]
    return { name, method, path }
  }))

  const answer = async (
    exchange: Exchange,
    { handle, role: least, takesBody }: AdminRoute,
    params: AdminContext["params"],
    query: AdminContext["query"],
    database: DatabaseState
  ): Promise<Answer> => {
    const role = tokens.authenticate(exchange.header("authorization"), database)
    if (typeof role !== "string") return role
    if (roles.indexOf(role) < roles.indexOf(least)) return roleRequired(least)
    const fields = takesBody ? await readFields(exchange) : noFields
    if ("status" in fields) return fields
    const readable = database === "up" || database === "readonly"
    try {
      const result = handle({
        core,
        tokens,
        role,
        params,
        query,
        fields,
        database,
        readable,
        writable: database === "up"
      })
      // Routes for viewers only read.
      if (least !== "viewer") core.store.changed()
      return result
    } catch (error) {
      if (error instanceof Mistyped) return oneObject
      throw error
    }
  }

  return async (exchange) => {
    const match = router(exchange.entry.method, exchange.entry.path)
    if ("status" in match) return exchange.send(match)
    if (match.name === "GET /healthz") return exchange.send(empty(200))
    if (match.name === "GET /readyz") return exchange.send(readiness(core, core.surroundings.database))
    const found = table.get(match.name)
    if (found === undefined) return exchange.send(metrics(core))
    return respond(
      core,
      exchange,
      "admin",
      () => Promise.resolve(undefined),
      (database) => answer(exchange, found, match.params, match.query, database)
    )
  }
}
