import { randomUUID } from "node:crypto"
import type { EmulatorOptions, RunningEmulator } from "../../src/index.js"
import { startEmulator } from "../../src/index.js"
import { type Accepted, call, getStatus, postEvent, type Reply, type Status } from "../utils/http.js"
import { type Receiver, startReceiver } from "../utils/receiver.js"

/** What a case may need. All but the first three only the emulator can give. */
const needed = {
  producer: "a producer key",
  admin: "the admin API",
  receiver: "a receiver that the server can reach",
  clock: "control over the clock",
  database: "control over the database",
  directory: "control over the directory",
  emptyServer: "an empty server",
  faults: "control over faults",
  keys: "control over the producer keys",
  ledger: "the emulator's ledger",
  options: "control over the server's options",
  redis: "control over Redis"
} as const

export type Need = keyof typeof needed

/** A server that runs already. */
export interface Target {
  readonly url: string
  readonly apiKey: string
  readonly admin: { readonly url: string; readonly token: string } | undefined
  /** The name under which the server reaches this machine; without one it cannot deliver to it. */
  readonly receiverHost: string | undefined
}

/** The server that the environment names, if it names one. */
export const targetOf = (env: Readonly<Record<string, string | undefined>>): Target | undefined => {
  const read = (name: string): string | undefined => env[`HOOKRAIL_CONFORMANCE_${name}`]?.trim() || undefined
  const url = read("URL")
  if (url === undefined) return undefined
  const apiKey = read("API_KEY")
  if (apiKey === undefined) throw new Error("HOOKRAIL_CONFORMANCE_URL needs HOOKRAIL_CONFORMANCE_API_KEY beside it")
  const [adminUrl, token] = [read("ADMIN_URL"), read("ADMIN_TOKEN")]
  if ((adminUrl === undefined) !== (token === undefined)) {
    throw new Error("HOOKRAIL_CONFORMANCE_ADMIN_URL and HOOKRAIL_CONFORMANCE_ADMIN_TOKEN need each other")
  }
  const bare = (text: string): string => text.replace(/\/+$/, "")
  return {
    url: bare(url),
    apiKey,
    admin: adminUrl === undefined || token === undefined ? undefined : { url: bare(adminUrl), token },
    // Set but empty: the server cannot reach this machine.
    receiverHost: env["HOOKRAIL_CONFORMANCE_RECEIVER_HOST"] === undefined ? "127.0.0.1" : read("RECEIVER_HOST")
  }
}

/** What a case subscribes with. */
export interface Subscribe {
  readonly topic: string
  readonly url: string
  readonly backoff?: { readonly baseMs: number; readonly capMs: number }
}

/** What a case runs against: a server and one receiver. */
export interface World {
  /** The emulator, for cases that need more than HTTP. */
  readonly emulator: RunningEmulator
  /** Whether the server is not the case's own: others have used it, and it has a clock of its own. */
  readonly external: boolean
  readonly server: { readonly url: string; readonly apiKey: string; readonly adminUrl: string | undefined }
  readonly receiver: Receiver
  /** Posts an event with the server's first key. */
  readonly post: (
    body: string | Buffer | Record<string, unknown>,
    headers?: Record<string, string>
  ) => Promise<Reply>
  /** Posts an event that must be accepted. */
  readonly accept: (
    body: string | Buffer | Record<string, unknown>,
    headers?: Record<string, string>
  ) => Promise<Accepted>
  readonly status: (eventId: string) => Promise<Status>
  /** Calls the admin API; a body is sent as JSON. */
  readonly admin: (
    method: string,
    path: string,
    body?: unknown,
    options?: { readonly token?: string | undefined; readonly contentType?: string | undefined }
  ) => Promise<Reply>
  /** Makes a subscription. */
  readonly subscribe: (options: Subscribe) => Promise<void>
  /** Waits until no delivery of the event is under way. */
  readonly settled: (eventId: string) => Promise<void>
  /** Asserts how many events are stored, where that can be known. */
  readonly assertStored: (count: number) => void
}

/** One case. Ids with E are those of protocol section 8; those with X follow from its rules besides. */
export interface Case {
  readonly id: string
  readonly section: string
  readonly title: string
  readonly needs: ReadonlyArray<Need>
  readonly options?: EmulatorOptions | undefined
  readonly run: (world: World) => Promise<void>
}

export const nameOf = ({ id, section, title }: Case): string => `${id} (${section}): ${title}`

/** What the case needs and the target has not, in words. */
export const missing = ({ needs }: Case, target: Target): string | undefined => {
  const absent = needs.filter((need) =>
    need === "producer"
      ? false
      : need === "admin"
      ? target.admin === undefined
      : need === "receiver"
      ? target.receiverHost === undefined
      : true
  )
  return absent.length === 0 ? undefined : `needs ${absent.map((need) => needed[need]).join(" and ")}`
}

const adminCall =
  (admin: { readonly url: string; readonly token: string }): World["admin"] => (method, path, body, more) =>
    call(method, admin.url + path, {
      headers: {
        Authorization: `Bearer ${more?.token ?? admin.token}`,
        ...(body === undefined || more?.contentType === ""
          ? {}
          : { "Content-Type": more?.contentType ?? "application/json" })
      },
      body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body)
    })

const accepting = (post: World["post"]): World["accept"] => async (body, headers) => {
  const reply = await post(body, headers)
  if (reply.status !== 202) throw new Error(`expected 202, got ${reply.status} ${reply.body}`)
  return reply.json() as Accepted
}

/** Runs one case in a world of its own. */
export const runCase = async ({ options, run }: Case): Promise<void> => {
  await using receiver = await startReceiver()
  await using emulator = await startEmulator({ seed: 7, sweepIntervalMs: 0, ...options })
  const post: World["post"] = (body, headers) => postEvent(emulator, body, headers)
  await run({
    emulator,
    external: false,
    server: emulator,
    receiver,
    post,
    accept: accepting(post),
    status: (eventId) => getStatus(emulator, eventId),
    admin: adminCall({ url: emulator.adminUrl, token: emulator.adminToken }),
    subscribe: async (subscription) => {
      emulator.subscribe(subscription)
    },
    settled: () => emulator.idle(),
    assertStored: (count) => {
      const { length } = emulator.ledger().events
      if (length !== count) throw new Error(`expected ${count} events, got ${length}`)
    }
  })
}

/** Runs one case against a server that runs already, and takes away what the case made in its directory. */
export const runExternal = async ({ run }: Case, target: Target): Promise<void> => {
  await using receiver = await startReceiver(200, target.receiverHost)
  const scope = randomUUID()
  const made: Array<string> = []
  const post: World["post"] = (body, headers = {}) => {
    // Earlier cases and runs have used the server: every case has idempotency keys of its own.
    const key = headers["Idempotency-Key"]
    return postEvent(target, body, key ? { ...headers, "Idempotency-Key": `${key}-${scope}` } : headers)
  }
  const ask = adminCall(target.admin ?? { url: "", token: "" })
  const admin: World["admin"] = async (method, path, body, more) => {
    if (target.admin === undefined) throw new Error("the case did not say that it needs the admin API")
    const reply = await ask(method, path, body, more)
    if (method === "POST" && reply.status === 201) made.push(`${path}/${(reply.json() as { id: string }).id}`)
    return reply
  }
  const create = async (path: string, body: unknown): Promise<string> => {
    const reply = await admin("POST", path, body)
    if (reply.status !== 201) throw new Error(`POST ${path}: expected 201, got ${reply.status} ${reply.body}`)
    return (reply.json() as { id: string }).id
  }
  try {
    await run({
      get emulator(): never {
        throw new Error("the case did not say that it needs the emulator")
      },
      external: true,
      server: { url: target.url, apiKey: target.apiKey, adminUrl: target.admin?.url },
      receiver,
      post,
      accept: accepting(post),
      status: (eventId) => getStatus(target, eventId),
      admin,
      subscribe: async ({ backoff, topic, url }) => {
        await create("/v1/subscriptions", {
          topic_pattern: topic,
          endpoint_id: await create("/v1/endpoints", { url }),
          ...(backoff === undefined ? {} : { backoff_policy: { base_ms: backoff.baseMs, cap_ms: backoff.capMs } })
        })
      },
      settled: async (eventId) => {
        const deadline = Date.now() + 15_000
        for (;;) {
          const { deliveries } = await getStatus(target, eventId)
          if (deliveries?.every(({ state }) => state !== "pending" && state !== "in_flight") ?? true) return
          if (Date.now() > deadline) throw new Error(`event ${eventId} has deliveries under way after 15 s`)
        }
      },
      assertStored: () => {}
    })
  } finally {
    for (const path of made.reverse()) await ask("DELETE", path)
  }
}

/** The bytes of a problem document. */
export const problemText = (status: number, title: string, detail: string): string =>
  JSON.stringify({ detail, status, title, type: "about:blank" }).replaceAll("<", "\\u003c").replaceAll(">", "\\u003e") +
  "\n"
