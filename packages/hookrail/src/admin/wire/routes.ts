/**
 * The requests of the admin API as plain data: method, path and body of each operation, the role that it needs, and how to read
 * its answer (protocol section 5.2). Arguments are checked here: what the server would misread, ignore or never accept is refused.
 */
import { Reason, suggestion, topicPattern } from "../../options/check.js"
import type { AdminArgument, AdminOperation, Role } from "../../wire/admin.js"
import { deliveryStates } from "../../wire/deliveryState.js"
import { unusableText } from "../../wire/payload.js"
import { shorten } from "../../wire/shorten.js"
import type * as Model from "../model.js"
import * as decode from "./decode.js"

/** One operation, ready to be sent. */
export interface Spec<A> {
  readonly operation: AdminOperation
  /** What its errors name: an id, or a URL without its query. */
  readonly target: string | undefined
  readonly needs: Role
  readonly method: "GET" | "POST" | "PATCH" | "DELETE"
  /** With the query. */
  readonly path: string
  /** The body as JSON. */
  readonly body: string | undefined
  /** Reads the body of a success; `undefined` if it is not the promised one. */
  readonly read: (body: string) => A | undefined
  /** Whether that holds a secret. */
  readonly isSecret: boolean
}

/** An argument that is not sent. */
export class Refused {
  constructor(
    readonly operation: AdminOperation,
    readonly target: string | undefined,
    readonly argument: AdminArgument | "options",
    readonly reason: string
  ) {}
}

/** What is wrong with an argument. Thrown only within this module. */
class Fault {
  constructor(readonly argument: AdminArgument | "options", readonly reason: string) {}
}

const prepared = <A>(operation: AdminOperation, target: unknown, make: () => Spec<A>): Spec<A> | Refused => {
  try {
    return make()
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown
    return new Refused(operation, targetOf(target), thrown.argument, thrown.reason)
  }
}

const targetOf = (target: unknown): string | undefined =>
  typeof target === "string" && target !== "" ? shorten(target, 200) : undefined

/** A URL as an error may show it: user name, password, query and fragment may hold credentials. */
export const shownUrl = (url: unknown): string | undefined =>
  typeof url === "string" ? targetOf(url.replace(/[?#].*/s, "").replace(/\/\/[^/]*@/, "//")) : undefined

// ---------------------------------------------------------------------------------------------------------------
// checks of arguments
// ---------------------------------------------------------------------------------------------------------------

/** The longest id that is sent. The server's have 26 characters. */
const maxId = 512

const text = (argument: AdminArgument, value: unknown): string => {
  if (typeof value !== "string") throw new Fault(argument, "it must be a text")
  const reason = unusableText(value)
  if (reason !== undefined) throw new Fault(argument, reason)
  return value
}

const filled = (argument: AdminArgument, value: unknown): string => {
  const checked = text(argument, value)
  if (checked === "") throw new Fault(argument, "it is empty")
  return checked
}

/** An id as a segment of a path. */
const segment = (argument: AdminArgument, value: unknown): string => {
  const id = filled(argument, value)
  // URL parsers resolve these even if they are percent-encoded, and the request would reach another route.
  if (id === "." || id === "..") throw new Fault(argument, "it is not an id")
  if (id.length > maxId) throw new Fault(argument, `it is longer than ${maxId} characters`)
  return encodeURIComponent(id)
}

const optional = <A>(value: A | undefined, check: (value: A) => unknown): unknown =>
  value === undefined ? undefined : check(value)

const flag = (argument: AdminArgument) => (value: unknown): boolean => {
  if (typeof value !== "boolean") throw new Fault(argument, "it must be true or false")
  return value
}

const between = (argument: AdminArgument, least: number, most: number, whole: boolean) => (value: unknown): number => {
  const fits = typeof value === "number" && value >= least && value <= most && (!whole || Number.isInteger(value))
  if (!fits) throw new Fault(argument, `it must be a ${whole ? "whole " : ""}number, ${least} to ${most}`)
  return value
}

const maxPolicyMs = 604_800_000

/** The server takes exactly these two members (protocol section 4.5). */
const backoffPolicy = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) {
    throw new Fault("backoffPolicy", "it must be like { baseMs: 5000, capMs: 60000 }; it cannot be taken away")
  }
  only("backoffPolicy", value, ["baseMs", "capMs"])
  const { baseMs, capMs } = value as Model.BackoffPolicy
  const base = between("backoffPolicy", 1, maxPolicyMs, true)(baseMs)
  const cap = between("backoffPolicy", 1, maxPolicyMs, true)(capMs)
  if (cap < base) throw new Fault("backoffPolicy", "capMs must not be less than baseMs")
  return { base_ms: base, cap_ms: cap }
}

/** Why a member is wrong: it does not exist. Misspelt, it would be ignored, and a filter with it. */
export const unknownMember = (value: object, names: ReadonlyArray<string>): string | undefined => {
  const name = Object.keys(value).find((name) => !names.includes(name))
  return name === undefined ? undefined : `there is no ${name.slice(0, 64)}: ${suggestion(name, names)}`
}

const only = (argument: AdminArgument | "options", value: object, names: ReadonlyArray<string>): void => {
  const reason = unknownMember(value, names)
  if (reason !== undefined) throw new Fault(argument, reason)
}

/** The members of an argument, which untyped callers may have left out. */
const given = <A extends object>(
  argument: AdminArgument,
  value: A | undefined,
  names: ReadonlyArray<keyof A & string>
): A => {
  const members = value ?? {} as A
  if (typeof members !== "object" || members === null) throw new Fault(argument, "it must be an object")
  only(argument, members, names)
  return members
}

const settings = ({ backoffPolicy: policy, maxAttempts, rateLimitRps }: Model.DeliverySettings) => ({
  // 0 would mean 8, and null would be ignored (protocol section 5.4).
  max_attempts: optional(maxAttempts, between("maxAttempts", 1, 100, true)),
  rate_limit_rps: optional(rateLimitRps, between("rateLimitRps", 0.01, 1_000_000, false)),
  backoff_policy: optional(policy, backoffPolicy)
})

const settingNames = ["maxAttempts", "rateLimitRps", "backoffPolicy"] as const

/** The server's own limit (protocol section 5.1). */
const maxBody = 65_536

const encoded = (members: Readonly<Record<string, unknown>>): string => {
  const json = JSON.stringify(members)
  const bytes = json.length * 3 <= maxBody ? json.length : new TextEncoder().encode(json).length
  if (bytes > maxBody) throw new Fault("input", `it has ${bytes} bytes as JSON, at most ${maxBody} are read`)
  return json
}

/** A query, without what is not given. */
const query = (parts: Readonly<Record<string, unknown>>): string => {
  const pairs = Object.entries(parts)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`
}

/** An unreadable time would be ignored, and with it the filter (protocol section 5.4). */
const time = (argument: AdminArgument) => (value: unknown): string => {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw new Fault(argument, "it must be a valid Date")
  const year = value.getUTCFullYear()
  if (year < 0 || year > 9999) throw new Fault(argument, "its year must have four digits")
  return value.toISOString()
}

const states: ReadonlyArray<Model.ListedState> = deliveryStates

/** An unknown state is answered with 503 (protocol section 5.2). */
const state = (value: unknown): string => {
  if (states.includes(value as Model.ListedState)) return value as string
  throw new Fault("state", `it must be one of ${states.join(", ")}`)
}

const roles = ["viewer", "operator", "admin"] as const satisfies ReadonlyArray<Role>

const topicPatternOf = (value: unknown): string => {
  const checked = topicPattern(filled("topic", value))
  if (checked instanceof Reason) throw new Fault("topic", `it ${checked.text}`)
  return checked
}

// ---------------------------------------------------------------------------------------------------------------
// specs
// ---------------------------------------------------------------------------------------------------------------

interface Parts<A> {
  readonly target?: string | undefined
  readonly body?: string | undefined
  readonly read: (body: string) => A | undefined
  readonly isSecret?: boolean
}

const spec = <A>(
  operation: AdminOperation,
  needs: Role,
  method: Spec<A>["method"],
  path: string,
  { body, isSecret = false, read, target }: Parts<A>
): Spec<A> => ({ operation, target: targetOf(target), needs, method, path, body, read, isSecret })

const json = <A>(decoder: decode.Decode<A>) => (body: string): A | undefined => decode.body(body, decoder)

/** 204, or any other success: there is nothing to read. Not `undefined`, which would be an unreadable body. */
const done = (): null => null

const pageOf = <A>(
  operation: AdminOperation,
  path: string,
  needs: Role,
  { cursor, limit }: Model.PageRequest,
  parts: Readonly<Record<string, unknown>>,
  item: decode.Decode<A>
): Spec<Model.Page<A>> => {
  const range = {
    cursor: optional(cursor, (value) => filled("cursor", value)),
    limit: optional(limit, between("limit", 1, 200, true)) ?? 100
  }
  return spec(operation, needs, "GET", `${path}${query({ ...parts, ...range })}`, { read: json(decode.page(item)) })
}

const pageNames = ["cursor", "limit"] as const

export const createEndpoint = (input: Model.EndpointInput) =>
  prepared("endpoints.create", shownUrl(input?.url), () => {
    const { description, url } = given("input", input, ["url", "description"])
    const body = encoded({
      url: filled("url", url),
      description: optional(description, (value) => text("description", value))
    })
    return spec("endpoints.create", "admin", "POST", "/v1/endpoints", {
      target: shownUrl(url),
      body,
      read: json(decode.createdEndpoint),
      isSecret: true
    })
  })

export const pageOfEndpoints = (filter: Model.Paged<Model.EndpointFilter> | undefined) =>
  prepared("endpoints.list", undefined, () => {
    const { includeDeleted, ...page } = given("filter", filter, ["includeDeleted", ...pageNames])
    const parts = { include_deleted: optional(includeDeleted, flag("includeDeleted")) }
    return pageOf("endpoints.list", "/v1/endpoints", "viewer", page, parts, decode.endpoint)
  })

export const getEndpoint = (id: string, includeDeleted: boolean | undefined) =>
  prepared("endpoints.get", id, () => {
    const parts = query({ include_deleted: optional(includeDeleted, flag("includeDeleted")) })
    return spec("endpoints.get", "viewer", "GET", `/v1/endpoints/${segment("id", id)}${parts}`, {
      target: id,
      read: json(decode.endpoint)
    })
  })

export const updateEndpoint = (id: string, changes: Model.EndpointChanges) =>
  prepared("endpoints.update", id, () => {
    const { description, url } = given("input", changes, ["url", "description"])
    const body = encoded({
      url: optional(url, (value) => filled("url", value)),
      description: optional(description, (value) => text("description", value))
    })
    return spec("endpoints.update", "admin", "PATCH", `/v1/endpoints/${segment("id", id)}`, {
      target: id,
      body,
      read: done
    })
  })

export const deleteEndpoint = (id: string) =>
  prepared(
    "endpoints.delete",
    id,
    () => spec("endpoints.delete", "admin", "DELETE", `/v1/endpoints/${segment("id", id)}`, { target: id, read: done })
  )

export const rotateSecret = (id: string) =>
  prepared(
    "endpoints.rotateSecret",
    id,
    () =>
      spec("endpoints.rotateSecret", "admin", "POST", `/v1/endpoints/${segment("id", id)}/rotate-secret`, {
        target: id,
        read: json(decode.rotatedSecret),
        isSecret: true
      })
  )

export const createSubscription = (input: Model.SubscriptionInput) =>
  prepared("subscriptions.create", input?.topic, () => {
    const { endpointId, ordered, topic, ...rest } = given("input", input, [
      "topic",
      "endpointId",
      "ordered",
      ...settingNames
    ])
    const body = encoded({
      topic_pattern: topicPatternOf(topic),
      endpoint_id: filled("endpointId", endpointId),
      ...settings(rest),
      ordered: optional(ordered, flag("ordered"))
    })
    return spec("subscriptions.create", "admin", "POST", "/v1/subscriptions", {
      target: topic,
      body,
      read: json(decode.createdSubscription)
    })
  })

export const pageOfSubscriptions = (filter: Model.Paged<Model.SubscriptionFilter> | undefined) =>
  prepared("subscriptions.list", undefined, () => {
    const { endpointId, ...page } = given("filter", filter, ["endpointId", ...pageNames])
    const parts = { endpoint_id: optional(endpointId, (value) => filled("endpointId", value)) }
    return pageOf("subscriptions.list", "/v1/subscriptions", "viewer", page, parts, decode.subscription)
  })

export const getSubscription = (id: string, includeDeleted: boolean | undefined) =>
  prepared("subscriptions.get", id, () => {
    const parts = query({ include_deleted: optional(includeDeleted, flag("includeDeleted")) })
    return spec("subscriptions.get", "viewer", "GET", `/v1/subscriptions/${segment("id", id)}${parts}`, {
      target: id,
      read: json(decode.subscription)
    })
  })

export const updateSubscription = (id: string, changes: Model.SubscriptionChanges) =>
  prepared("subscriptions.update", id, () => {
    if (typeof changes === "object" && changes !== null && "ordered" in changes) {
      throw new Fault("ordered", "it is fixed when a subscription is made: delete it, and make another")
    }
    const { active, ...rest } = given("input", changes, ["active", ...settingNames])
    const body = encoded({ active: optional(active, flag("active")), ...settings(rest) })
    return spec("subscriptions.update", "admin", "PATCH", `/v1/subscriptions/${segment("id", id)}`, {
      target: id,
      body,
      read: done
    })
  })

export const deleteSubscription = (id: string) =>
  prepared(
    "subscriptions.delete",
    id,
    () =>
      spec("subscriptions.delete", "admin", "DELETE", `/v1/subscriptions/${segment("id", id)}`, {
        target: id,
        read: done
      })
  )

export const pageOfDeliveries = (filter: Model.Paged<Model.DeliveryFilter> | undefined) =>
  prepared("deliveries.list", undefined, () => {
    const { endpointId, eventId, state: wanted, topic, ...page } = given("filter", filter, [
      "state",
      "endpointId",
      "topic",
      "eventId",
      ...pageNames
    ])
    const parts = {
      state: optional(wanted, state),
      endpoint_id: optional(endpointId, (value) => filled("endpointId", value)),
      topic: optional(topic, (value) => filled("topic", value)),
      event_id: optional(eventId, (value) => filled("eventId", value))
    }
    return pageOf("deliveries.list", "/v1/deliveries", "viewer", page, parts, decode.deliverySummary)
  })

export const getDelivery = (id: string) =>
  prepared("deliveries.get", id, () =>
    spec("deliveries.get", "viewer", "GET", `/v1/deliveries/${segment("id", id)}`, {
      target: id,
      read: json(decode.deliveryTimeline)
    }))

export const skipDelivery = (id: string) =>
  prepared(
    "deliveries.skip",
    id,
    () =>
      spec("deliveries.skip", "operator", "POST", `/v1/deliveries/${segment("id", id)}/skip`, {
        target: id,
        read: json(decode.skipped)
      })
  )

export const replayDelivery = (id: string) =>
  prepared(
    "deliveries.replay",
    id,
    () =>
      spec("deliveries.replay", "operator", "POST", `/v1/dlq/${segment("id", id)}/replay`, {
        target: id,
        read: json(decode.replayed)
      })
  )

export const pageOfDeadLetters = (filter: Model.Paged<Model.DeadLetterFilter> | undefined) =>
  prepared("deadLetters.list", undefined, () => {
    const { endpointId, replayed, since, until, ...page } = given("filter", filter, [
      "endpointId",
      "since",
      "until",
      "replayed",
      ...pageNames
    ])
    const parts = {
      endpoint_id: optional(endpointId, (value) => filled("endpointId", value)),
      since: optional(since, time("since")),
      until: optional(until, time("until")),
      replayed: optional(replayed, flag("replayed"))
    }
    return pageOf("deadLetters.list", "/v1/dlq", "viewer", page, parts, decode.deadLetter)
  })

export const pageOfOrderedKeys = (filter: Model.PageRequest | undefined) =>
  prepared("orderedKeys.list", undefined, () => {
    const page = given("filter", filter, [...pageNames])
    return pageOf("orderedKeys.list", "/v1/ordered-keys", "viewer", page, { blocked: true }, decode.orderedKey)
  })

export const createToken = (input: Model.TokenInput) =>
  prepared("tokens.create", input?.label, () => {
    const { label, role } = given("input", input, ["role", "label"])
    if (!roles.includes(role)) throw new Fault("role", `it must be ${roles.join(", ")}`)
    const bytes = new TextEncoder().encode(filled("label", label)).length
    if (bytes > 200) throw new Fault("label", `it has ${bytes} bytes, at most 200 are taken`)
    return spec("tokens.create", "admin", "POST", "/v1/admin-tokens", {
      target: label,
      body: encoded({ role, label }),
      read: json(decode.createdToken),
      isSecret: true
    })
  })

export const pageOfTokens = (filter: Model.PageRequest | undefined) =>
  prepared("tokens.list", undefined, () => {
    const page = given("filter", filter, [...pageNames])
    return pageOf("tokens.list", "/v1/admin-tokens", "admin", page, {}, decode.adminToken)
  })

export const revokeToken = (id: string) =>
  prepared(
    "tokens.revoke",
    id,
    () => spec("tokens.revoke", "admin", "DELETE", `/v1/admin-tokens/${segment("id", id)}`, { target: id, read: done })
  )

/** Its body is JSON, though its type says plain text (protocol section 5.2). */
export const whoami = () =>
  prepared("whoami", undefined, () => spec("whoami", "viewer", "GET", "/v1/whoami", { read: json(decode.identity) }))
