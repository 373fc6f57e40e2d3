import { validateHeaderName, validateHeaderValue } from "node:http"
import { isIP } from "node:net"
import type { UrlPolicy } from "../base/urlPolicy.js"
import type { AnswerFaultAction, DeliveryFaultAction, FaultSelection } from "../faults.js"
import type { BackoffPolicy, Observer, RateLimit } from "../model.js"
import {
  callback,
  type Check,
  type Fields,
  filled,
  flag,
  Invalid,
  list,
  number,
  object,
  oneOf,
  optional,
  orFalse,
  positive,
  secret,
  show,
  text,
  timer,
  topicPattern,
  whole
} from "./check.js"
import type {
  ApiKeyOptions,
  AttemptTimeouts,
  EmulatorOptions,
  EndpointOptions,
  PageOptions,
  SubscribeOptions
} from "./options.js"

/** The states of the database and of Redis. */
export const databaseState = oneOf("up", "down", "failing", "readonly")
export const redisState = oneOf("up", "down")

/** Milliseconds of the emulator's clock. */
export const millis = number(0)

const port = whole(0, 65_535)

const backoffFields = object<BackoffPolicy>({ baseMs: number(0), capMs: number(0) })

const backoff: Check = (value, at) => {
  backoffFields(value, at)
  const { baseMs, capMs } = value as BackoffPolicy
  if (capMs < baseMs) throw new Invalid(`${at}.capMs`, `${at}.capMs must be at least baseMs, got ${capMs}`)
}

const rateLimit = orFalse(object<RateLimit>({ rps: positive, burst: number(1, Infinity) }))

/** What `addApiKey` takes. */
export const apiKey = object<Partial<ApiKeyOptions>>(
  { key: optional(secret), scopes: optional(list(topicPattern)) },
  undefined,
  "{ scopes: [\"orders.*\"] }"
)

const namedKey = object<ApiKeyOptions>({ key: secret, scopes: optional(list(topicPattern)) })

/** What `addEndpoint` takes; whether its URL is allowed is a matter of the policy. */
export const endpoint = object<EndpointOptions>(
  { url: filled, description: optional(text), secret: optional(secret) },
  undefined,
  "{ url: \"http://127.0.0.1:3000/\" }"
)

const subscriptionFields = object<SubscribeOptions>(
  {
    topic: topicPattern,
    url: optional(filled),
    endpointId: optional(filled),
    secret: optional(secret),
    maxAttempts: optional(whole(1, 100)),
    ordered: optional(flag),
    backoff: optional(backoff),
    rateLimitRps: optional(number(0.01, 1_000_000))
  },
  undefined,
  "{ topic: \"orders.*\", url: \"http://127.0.0.1:3000/\" }"
)

/** What `subscribe` takes. The bounds are those of the admin API (protocol section 5.4). */
export const subscription: Check = (value, at) => {
  subscriptionFields(value, at)
  const { endpointId, url } = value as SubscribeOptions
  if ((url === undefined) !== (endpointId === undefined)) return
  const got = url === undefined ? "" : ", got both"
  throw new Invalid(at, `${at === "" ? "a subscription" : at} needs either url or endpointId${got}`)
}

const cidr: Check = (value, at) => {
  const [address = "", prefix, ...rest] = typeof value === "string" ? value.split("/") : []
  const bits = isIP(address) === 6 ? 128 : 32
  const fits = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)
  if (isIP(address) !== 0 && rest.length === 0 && fits) return
  throw new Invalid(at, `${at} must be a range such as "10.0.0.0/8", got ${show(value)}`)
}

const cidrs: Check = (value, at) => {
  if (value !== true) list(cidr)(value, at)
}

const headers: Check = (value, at) => {
  const entries = typeof value === "object" && value !== null ? Object.entries(value as object) : undefined
  if (entries === undefined) throw new Invalid(at, `${at} must be headers by name`)
  for (const [name, content] of entries) {
    try {
      validateHeaderName(name)
      validateHeaderValue(name, content as string)
    } catch {
      throw new Invalid(at, `${at} must be headers by name, got one named ${JSON.stringify(name)}`)
    }
  }
}

const when = optional(oneOf("before", "after"))
const status = whole(200, 999)

type FieldsOf<Action extends { readonly kind: string }, Kind extends Action["kind"]> = Fields<
  Omit<Extract<Action, { readonly kind: Kind }>, "kind">
>

/** What each kind of fault takes besides its kind. */
const answerFaults: { readonly [Kind in AnswerFaultAction["kind"]]: FieldsOf<AnswerFaultAction, Kind> } = {
  status: {
    status,
    when,
    problem: optional(object<{ title: string; detail: string }>({ title: text, detail: text })),
    body: optional(text),
    headers: optional(headers),
    retryAfter: optional(text)
  },
  reset: { when },
  close: { when },
  stall: { when },
  truncate: { bytes: whole(0) },
  drip: { chunkBytes: whole(1), everyMs: timer(0) },
  garbage: { body: text, status: optional(status), when },
  delay: { ms: millis },
  database: { state: optional(databaseState) }
}

const deliveryFaults: { readonly [Kind in DeliveryFaultAction["kind"]]: FieldsOf<DeliveryFaultAction, Kind> } = {
  status: { status: whole(100, 999), retryAfter: optional(text), when },
  reset: { when },
  timeout: { when },
  crash: { when },
  panic: {},
  secretDecrypt: {}
}

const selection: Fields<FaultSelection & { readonly on: string }> = {
  on: optional(oneOf("ingest", "status", "ready", "health", "metrics", "admin", "delivery")),
  topic: optional(topicPattern),
  nth: optional(whole(1)),
  times: optional(whole(0)),
  probability: optional(number(0, 1))
}

const anyFault = object({}, undefined, "{ kind: \"status\", status: 503, times: 1 }")

/** What `fault` takes. */
export const faultRule: Check = (value, at) => {
  if (typeof value !== "object" || value === null) return anyFault(value, at)
  const { kind, on, topic } = value as { readonly kind?: unknown; readonly on?: unknown; readonly topic?: unknown }
  const dot = at === "" ? "" : `${at}.`
  selection.on(on, `${dot}on`)
  if (topic !== undefined && (on === "ready" || on === "health" || on === "metrics" || on === "admin")) {
    throw new Invalid(`${dot}topic`, `${dot}topic never matches: on: "${on}" knows no topic`)
  }
  const [here, elsewhere] = on === "delivery" ? [deliveryFaults, answerFaults] : [answerFaults, deliveryFaults]
  if (typeof kind === "string" && !Object.hasOwn(here, kind) && Object.hasOwn(elsewhere, kind)) {
    const hint = on === "delivery"
      ? "is a fault of requests, not of deliveries"
      : "is a fault of deliveries: it needs on: \"delivery\""
    throw new Invalid(`${dot}kind`, `${dot}kind "${kind}" ${hint}`)
  }
  const known = oneOf(...Object.keys(here))
  known(kind, `${dot}kind`)
  const fields = (here as Readonly<Record<string, Readonly<Record<string, Check>>>>)[kind as string]
  const { kind: _, ...rest } = value as Record<string, unknown>
  object({ ...fields, ...selection }, `a fault of kind "${String(kind)}"`)(rest, at)
}

/** A token that goes into a URL and a header as it is, and cannot be guessed. The value is never shown. */
const pageToken: Check = (value, at) => {
  if (typeof value === "string" && /^[A-Za-z0-9_-]{16,256}$/.test(value)) return
  throw new Invalid(at, `${at} must be 16 to 256 letters, digits, "_" or "-"`)
}

const pageFields = object<PageOptions>({
  port: optional(port),
  token: optional(pageToken),
  historyBytes: optional(whole(0))
})

const page: Check = (value, at) => {
  if (typeof value === "boolean") return
  if (typeof value !== "object" || value === null) {
    throw new Invalid(at, `${at} must be true, false or an object, got ${show(value)}`)
  }
  pageFields(value, at)
}

const fields = object<EmulatorOptions>({
  port: optional(port),
  host: optional(filled),
  adminPort: optional((value, at) => {
    if (value !== false) port(value, at)
  }),
  page: optional(page),
  apiKeys: optional(
    list((value, at) => typeof value === "object" && value !== null ? namedKey(value, at) : secret(value, at), {
      hidden: true
    })
  ),
  adminToken: optional(secret),
  subscriptions: optional(list(subscription)),
  backoff: optional(backoff),
  sweepIntervalMs: optional(millis),
  seed: optional(number(-Number.MAX_VALUE)),
  clock: optional(oneOf("real", "manual")),
  startAt: optional(number(0)),
  ingestRateLimit: optional(rateLimit),
  deliveryRateLimit: optional(rateLimit),
  orderingKeyMaxBytes: optional(whole(1)),
  orderedKeyBacklogMax: optional(whole(1)),
  idempotencyTtlMs: optional(millis),
  retentionMs: optional(millis),
  leaseMs: optional(millis),
  bodyTimeoutMs: optional(timer(1)),
  attemptTimeouts: optional(
    object<AttemptTimeouts>({
      connectMs: optional(timer(1)),
      headersMs: optional(timer(1)),
      attemptMs: optional(timer(1))
    })
  ),
  workers: optional(whole(1)),
  urlPolicy: optional(object<UrlPolicy>({ allowHttp: flag, allowCidrs: cidrs })),
  legacy: optional(object<NonNullable<EmulatorOptions["legacy"]>>({ statusErrorsAre404: optional(flag) })),
  faults: optional(list(faultRule)),
  observer: optional(
    object<Observer>({ request: optional(callback), event: optional(callback), attempt: optional(callback) })
  ),
  ledgerLimit: optional(whole(1)),
  eventLimit: optional(whole(1))
})

/** What `startEmulator` takes. */
export const emulatorOptions: Check = (value, at) => {
  fields(value, at)
  const { clock, startAt } = value as EmulatorOptions
  if (startAt !== undefined && clock !== "manual") throw new Invalid("startAt", "startAt needs clock: \"manual\"")
}
