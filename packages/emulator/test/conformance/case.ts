import type { EmulatorOptions, RunningEmulator } from "../../src/index.js"
import { startEmulator } from "../../src/index.js"
import { type Accepted, call, getStatus, postEvent, type Reply, type Status } from "../utils/http.js"
import { type Receiver, startReceiver } from "../utils/receiver.js"

/** What a case runs against: an emulator of its own and one receiver. */
export interface World {
  readonly emulator: RunningEmulator
  readonly receiver: Receiver
  /** Posts an event with the emulator's first key. */
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
}

/** One case. Ids with E are those of protocol section 8; those with X follow from its rules besides. */
export interface Case {
  readonly id: string
  readonly section: string
  readonly title: string
  readonly options?: EmulatorOptions | undefined
  readonly run: (world: World) => Promise<void>
}

/** Runs one case in a world of its own. */
export const runCase = async ({ options, run }: Case): Promise<void> => {
  await using receiver = await startReceiver()
  await using emulator = await startEmulator({ seed: 7, sweepIntervalMs: 0, ...options })
  const post: World["post"] = (body, headers) => postEvent(emulator, body, headers)
  await run({
    emulator,
    receiver,
    post,
    accept: async (body, headers) => {
      const reply = await post(body, headers)
      if (reply.status !== 202) throw new Error(`expected 202, got ${reply.status} ${reply.body}`)
      return reply.json() as Accepted
    },
    status: (eventId) => getStatus(emulator, eventId),
    admin: (method, path, body, more) =>
      call(method, emulator.adminUrl + path, {
        headers: {
          Authorization: `Bearer ${more?.token ?? emulator.adminToken}`,
          ...(body === undefined || more?.contentType === ""
            ? {}
            : { "Content-Type": more?.contentType ?? "application/json" })
        },
        body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body)
      })
  })
}

/** The bytes of a problem document. */
export const problemText = (status: number, title: string, detail: string): string =>
  JSON.stringify({ detail, status, title, type: "about:blank" }).replaceAll("<", "\\u003c").replaceAll(">", "\\u003e") +
  "\n"
