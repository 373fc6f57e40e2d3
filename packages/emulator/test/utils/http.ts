import { request } from "node:http"

/** An answer as it came over the wire. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
  readonly json: () => unknown
}

/** Makes one request with exactly these headers, without `fetch`'s opinions on them. */
export const call = (
  method: string,
  url: string,
  options: { readonly headers?: Record<string, string> | undefined; readonly body?: string | Buffer | undefined } = {}
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const target = new URL(url)
    const outgoing = request({
      host: target.hostname,
      port: target.port,
      // Not `target.pathname`: the URL parser would clean the path.
      path: url.slice(target.origin.length) || "/",
      method,
      agent: false,
      headers: {
        ...options.headers,
        ...(options.body === undefined ? {} : { "Content-Length": Buffer.byteLength(options.body) })
      }
    }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", reject)
      response.on("end", () => {
        const body = Buffer.concat(chunks).toString("utf8")
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body,
          json: () => JSON.parse(body) as unknown
        })
      })
    })
    outgoing.on("error", reject)
    // As bytes: beside a text Node would write the headers as UTF-8.
    outgoing.end(options.body === undefined ? undefined : Buffer.from(options.body))
  })

/** Posts an event. */
export const postEvent = (
  emulator: { readonly url: string; readonly apiKey: string },
  body: string | Buffer | Record<string, unknown>,
  headers: Record<string, string> = {}
): Promise<Reply> =>
  call("POST", `${emulator.url}/v1/events`, {
    headers: { Authorization: `Bearer ${emulator.apiKey}`, ...headers },
    body: typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  })

/** What ingest answers to an event it takes. */
export interface Accepted {
  readonly event_id: string
  readonly delivery_ids: ReadonlyArray<string> | null
}

/** What the status answer says. */
export interface Status {
  readonly event_id: string
  readonly topic: string
  readonly deliveries:
    | ReadonlyArray<{
      readonly delivery_id: string
      readonly state: string
      readonly attempts_truncated: boolean
      readonly attempts: ReadonlyArray<Record<string, unknown>>
    }>
    | null
}

/** Reads the status of an event. */
export const getStatus = async (
  emulator: { readonly url: string; readonly apiKey: string },
  eventId: string
): Promise<Status> => {
  const reply = await call("GET", `${emulator.url}/v1/events/${eventId}`, {
    headers: { Authorization: `Bearer ${emulator.apiKey}` }
  })
  return reply.json() as Status
}
