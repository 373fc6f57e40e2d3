import type { AdminContext } from "../admin/context.js"
import { replayDelivery, skipDelivery } from "../admin/deliveries.js"
import { rotateSecret } from "../admin/endpoints.js"
import { Fields } from "../admin/fields.js"
import { EmulatorError } from "../errors.js"
import type { FaultRule } from "../faults.js"
import { Query } from "../http/query.js"
import type { Answer } from "../http/wire.js"
import type { DatabaseState, RequestEntry } from "../model.js"
import {
  type Check,
  checked,
  type Fields as FieldChecks,
  filled,
  flag,
  list,
  number,
  object,
  oneOf,
  optional,
  secret,
  text
} from "../options/check.js"
import { databaseState, faultRule, millis, redisState, subscription } from "../options/checks.js"
import type { SubscribeOptions } from "../options/options.js"
import type { Delivery } from "../store/store.js"
import { diagnose, type Diagnosis } from "./diagnosis.js"
import { found, input, invalid, queryValues, refuse, Refused, wholeNumber } from "./input.js"
import type { Call } from "./model.js"
import { stateOf } from "./state.js"

const noFields = new Fields(new Map())

/** Runs a handler of the admin API with all rights. Its refusal is passed on. */
const asAdmin = (call: Call, handle: (context: AdminContext) => Answer): Record<string, unknown> => {
  const { core, tokens } = call.parts
  const { database } = core.surroundings
  const answer = handle({
    core,
    tokens,
    role: "admin",
    params: call.params,
    query: new Query(""),
    fields: noFields,
    database,
    readable: database === "up" || database === "readonly",
    writable: database === "up"
  })
  if (answer.status >= 300) throw new Refused(answer)
  core.store.changed()
  return JSON.parse(answer.body) as Record<string, unknown>
}

/** Converts the error of a call on the emulator. */
const asCall = <A>(run: () => A): A => {
  try {
    return run()
  } catch (error) {
    if (error instanceof EmulatorError) return refuse(422, "cannot be done", error.message)
    throw error
  }
}

const deliveryOf = ({ params, parts }: Call): Delivery =>
  found(parts.core.store.deliveries.get(params["id"] ?? ""), "delivery")

/** `POST /api/deliveries/{id}/replay`: a dead delivery starts again (protocol section 5.4). */
export const replay = (call: Call): unknown => {
  asAdmin(call, replayDelivery)
  return { id: call.params["id"], state: "pending" }
}

/** `POST /api/deliveries/{id}/skip`: gives up the dead head of an ordering key (protocol section 5.2). */
export const skip = (call: Call): unknown => {
  const { next_head_delivery_id: nextHeadDeliveryId } = asAdmin(call, skipDelivery)
  return { id: call.params["id"], state: "skipped", nextHeadDeliveryId }
}

/** `POST /api/deliveries/{id}/retry-now`: sends a scheduled delivery without waiting. */
export const retryNow = (call: Call): unknown => {
  const delivery = deliveryOf(call)
  if (delivery.state !== "retry_scheduled" || !call.parts.core.dispatcher.hasten(delivery)) {
    return refuse(409, "not scheduled", "only a delivery whose next attempt is planned can be retried now")
  }
  return { id: delivery.id, state: delivery.state }
}

/** `POST /api/endpoints/{id}/rotate-secret` (protocol section 5.2). */
export const rotate = (call: Call): unknown => ({ secret: asAdmin(call, rotateSecret)["secret"] })

/** `POST /api/endpoints/{id}/reveal-secret`. */
export const reveal = ({ params, parts }: Call): unknown => ({
  secret: found(parts.core.store.endpoints.get(params["id"] ?? ""), "endpoint").secret
})

/** `POST /api/reveal-api-key`: the first producer key. */
export const revealApiKey = ({ parts }: Call): unknown => ({ apiKey: parts.controls.apiKey })

/** `GET /api/faults`. */
export const listFaults = ({ parts }: Call): unknown => ({ items: parts.core.faults.list() })

/** `POST /api/faults`: the rule of `emulator.fault`. */
export const addFault = ({ body, parts }: Call): unknown => {
  const rule = input<FaultRule>(faultRule, body)
  parts.controls.fault(rule)
  const active = parts.core.faults.list()
  return active[active.length - 1]
}

/** `DELETE /api/faults`. */
export const clearFaults = ({ parts }: Call): void => parts.controls.clearFaults()

/** `DELETE /api/faults/{id}`. */
export const removeFault = ({ params, parts }: Call): void => {
  const id = /^\d{1,15}$/.test(params["id"] ?? "") ? Number(params["id"]) : -1
  if (!parts.core.faults.remove(id)) refuse(404, "not found", "there is no fault with that id")
}

/** `POST /api/pause` and `POST /api/resume`: holds the workers, or lets them go on. */
export const hold = ({ parts }: Call, held: boolean): unknown => {
  if (held) parts.controls.pause()
  else parts.controls.resume()
  return { paused: held }
}

interface AdvanceInput {
  readonly ms?: number | undefined
  readonly to?: "next-attempt" | undefined
}

const advanceInput = object<AdvanceInput>({ ms: optional(millis), to: optional(oneOf("next-attempt")) })

/** `POST /api/clock/advance`: by `ms`, or to the next planned attempt; answers when what became due has finished. */
export const advance = async ({ body, parts }: Call): Promise<unknown> => {
  const { ms, to } = input<AdvanceInput>(advanceInput, body)
  if ((ms === undefined) === (to === undefined)) return invalid("give either ms or to: \"next-attempt\"")
  if (!parts.manual) return refuse(409, "clock is real", "advance needs the option clock: \"manual\"")
  const before = parts.controls.now()
  const next = to === undefined ? null : stateOf(parts, "").nextAttemptAt
  if (to !== undefined && next === null) return refuse(409, "nothing is planned", "no delivery has a next attempt")
  await parts.controls.advance(ms ?? Math.max(0, next! - before))
  return { now: parts.controls.now(), advancedMs: parts.controls.now() - before }
}

interface Surroundings {
  readonly database?: DatabaseState | undefined
  readonly redis?: "up" | "down" | undefined
}

const surroundingsInput = object<Surroundings>({ database: optional(databaseState), redis: optional(redisState) })

/** `PATCH /api/surroundings`: the state of the database and of Redis. */
export const setSurroundings = ({ body, parts }: Call): unknown => {
  const { database, redis } = input<Surroundings>(surroundingsInput, body)
  if (database !== undefined) parts.controls.setDatabase(database)
  if (redis !== undefined) parts.controls.setRedis(redis)
  return parts.core.surroundings
}

/** `POST /api/subscriptions`: the options of `emulator.subscribe`. */
export const subscribe = ({ body, parts }: Call): unknown => {
  const options = input<SubscribeOptions>(subscription, body)
  const { endpointId, id } = asCall(() => parts.controls.subscribe(options))
  return { id, endpointId }
}

const activeInput = object<{ readonly active: boolean }>({ active: flag })

const liveSubscription = ({ params, parts }: Call): string => {
  const subscription = parts.core.store.subscriptions.get(params["id"] ?? "")
  return found(subscription?.deletedAt === undefined ? subscription : undefined, "subscription").id
}

/** `PATCH /api/subscriptions/{id}`: pauses or resumes its fan-out (protocol section 4.6). */
export const patchSubscription = (call: Call): unknown => {
  const { active } = input<{ readonly active: boolean }>(activeInput, call.body)
  const id = liveSubscription(call)
  call.parts.controls.setActive(id, active)
  return { id, active }
}

/** `DELETE /api/subscriptions/{id}` (protocol section 4.6). */
export const removeSubscription = (call: Call): void => call.parts.controls.removeSubscription(liveSubscription(call))

interface IdleInput {
  readonly timeoutMs?: number | undefined
}

const idleInput = object<IdleInput>({ timeoutMs: optional(number(0, 60_000)) })

/** `POST /api/idle`: waits until nothing is in flight or scheduled. */
export const idle = async ({ body, parts }: Call): Promise<unknown> => {
  const { timeoutMs = 10_000 } = input<IdleInput>(idleInput, body)
  try {
    await parts.controls.idle({ timeoutMs })
    return { idle: true }
  } catch (error) {
    if (error instanceof EmulatorError) return { idle: false }
    throw error
  }
}

/** `GET /api/requests`: the ledger's requests, newest first. */
export const listRequests = ({ parts, query }: Call): unknown => {
  const { limit, surface } = queryValues(query, ["limit", "surface"])
  if (surface !== undefined && surface !== "producer" && surface !== "admin") {
    return invalid("surface must be \"producer\" or \"admin\"")
  }
  const requests: ReadonlyArray<RequestEntry> = parts.core.ledger.view().requests
  const passing = surface === undefined ? requests : requests.filter((entry) => entry.surface === surface)
  return { items: passing.slice(-(wholeNumber("limit", limit, 1, 200) ?? 50)).reverse(), total: passing.length }
}

interface VerifyInput {
  readonly signature?: string | undefined
  readonly deliveryId?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
  readonly bodyBase64?: string | undefined
  readonly secrets?: ReadonlyArray<string> | undefined
  readonly endpointId?: string | undefined
  readonly at?: number | undefined
  readonly toleranceMs?: number | undefined
}

const headersCheck: Check = (value, at) => {
  const entries = typeof value === "object" && value !== null ? Object.values(value as object) : [undefined]
  if (!entries.every((one) => typeof one === "string")) checked(text, undefined, at, (message) => new Error(message))
}

const base64: Check = (value, at) => {
  text(value, at)
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value as string)) invalid(`${at} must be base64`)
}

const verifyFields: FieldChecks<VerifyInput> = {
  signature: optional(text),
  deliveryId: optional(text),
  headers: optional((value, at) => {
    try {
      headersCheck(value, at)
    } catch {
      invalid(`${at} must be texts by name`)
    }
  }),
  body: optional(text),
  bodyBase64: optional(base64),
  secrets: optional(list(secret, { hidden: true })),
  endpointId: optional(filled),
  at: optional(number(0)),
  toleranceMs: optional(millis)
}

/** What a receiver's verifier says, and how the bytes compare with those delivered. */
export interface VerifyView extends Diagnosis {
  /** The body beside the one that was delivered under this id. */
  readonly body: "identical" | "different" | "unknown-delivery"
  /** The first byte that differs. */
  readonly differsAt: number | null
}

const firstDifference = (a: Buffer, b: Buffer): number => {
  let at = 0
  while (at < a.length && at < b.length && a[at] === b[at]) at++
  return at
}

/** `POST /api/verify`: examines a request as a receiver saw it, by the secrets given or those of the endpoint. */
export const verify = async ({ body, parts }: Call): Promise<VerifyView> => {
  const given = input<VerifyInput>(object(verifyFields), body)
  if ((given.body === undefined) === (given.bodyBase64 === undefined)) return invalid("give either body or bodyBase64")
  const headers = new Map(Object.entries(given.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
  const deliveryId = given.deliveryId ?? headers.get("hookrail-delivery-id") ?? ""
  const signature = given.signature ?? headers.get("hookrail-signature") ?? ""
  const bytes = given.body === undefined
    ? Buffer.from(given.bodyBase64!, "base64")
    : Buffer.from(given.body, "utf8")
  const { store } = parts.core
  const delivery = store.deliveries.get(deliveryId)
  const endpoint = given.endpointId === undefined
    ? delivery?.subscription.endpoint
    : found(store.endpoints.get(given.endpointId), "endpoint")
  const secrets = given.secrets ?? (endpoint === undefined ? undefined : [endpoint.secret])
  if (secrets === undefined || secrets.length === 0) {
    return invalid("give secrets or endpointId: there is no delivery with this id to take the secret from")
  }
  const delivered = delivery === undefined ? undefined : Buffer.from(delivery.event.payload, "utf8")
  const same = delivered?.equals(bytes)
  const diagnosis = await diagnose({
    secrets,
    signature,
    deliveryId,
    body: bytes,
    nowMs: given.at ?? parts.controls.now(),
    toleranceMs: given.toleranceMs ?? 300_000
  })
  return {
    ...diagnosis,
    body: same === undefined ? "unknown-delivery" : same ? "identical" : "different",
    differsAt: delivered === undefined || same === true ? null : firstDifference(delivered, bytes)
  }
}
