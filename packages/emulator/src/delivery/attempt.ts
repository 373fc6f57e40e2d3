import { lookup } from "node:dns"
import * as Http from "node:http"
import * as Https from "node:https"
import { isIP, type LookupFunction, type Socket } from "node:net"
import { addressAllowed, type UrlPolicy } from "../base/urlPolicy.js"
import type { AttemptStatus } from "../model.js"
import type { Settings } from "../options/settings.js"
import type { ReceivedResponse } from "../store/history.js"

/** Most bytes of a receiver's answer that are read (protocol section 4.4). */
export const maxResponseBytes = 64 * 1024

/** Most bytes of response headers, the limit of Go's client. */
const maxResponseHeaderBytes = 10 << 20

/** The outcome of one POST to a receiver. */
export type AttemptOutcome =
  | {
    readonly kind: "response"
    readonly status: number
    readonly retryAfter?: string | undefined
    /** What was answered, as far as it is kept. */
    readonly answer?: (() => ReceivedResponse) | undefined
  }
  | { readonly kind: "timeout" | "connection" | "policy" | "panic" | "secret_decrypt" }

/** How the server classifies an outcome (protocol section 4.4). */
export interface Verdict {
  readonly status: AttemptStatus
  readonly httpStatus: number | undefined
  readonly errorClass: string | undefined
}

/** Classifies an outcome (protocol section 4.4). */
export const classify = (outcome: AttemptOutcome): Verdict => {
  if (outcome.kind !== "response") {
    const retryable = outcome.kind === "timeout" || outcome.kind === "connection"
    return {
      status: retryable ? "retryable_failure" : "permanent_failure",
      httpStatus: undefined,
      errorClass: outcome.kind
    }
  }
  const { status } = outcome
  if (status >= 200 && status < 300) return { status: "success", httpStatus: status, errorClass: undefined }
  if (status >= 300 && status < 400) {
    return { status: "permanent_failure", httpStatus: status, errorClass: "redirect_rejected" }
  }
  const retryable = status < 400 || status >= 500 || status === 408 || status === 425 || status === 429
  return {
    status: retryable ? "retryable_failure" : "permanent_failure",
    httpStatus: status,
    errorClass: `http_${status}`
  }
}

class PolicyRefusal extends Error {}

const guardedLookup = (policy: UrlPolicy): LookupFunction => (hostname, options, callback) => {
  lookup(hostname, options, (error, address, family) => {
    const addresses: ReadonlyArray<string> = error !== null
      ? []
      : typeof address === "string"
      ? [address]
      : (address as ReadonlyArray<{ readonly address: string }>).map((entry) => entry.address)
    const refusal = addresses.some((one) => !addressAllowed(policy, one)) ? new PolicyRefusal() : error
    callback(refusal, address, family)
  })
}

const redirects = new Set([301, 302, 303, 307, 308])

/** Whether Go can parse a `Location`. If not, its client reports a failed request without a status. */
const locationParses = (location: string, base: URL): boolean => {
  if (/%(?![0-9a-f]{2})|[\x00-\x1f\x7f]/i.test(location.split("?")[0] ?? "")) return false
  try {
    return new URL(location, base).href !== ""
  } catch {
    return false
  }
}

/** Most bytes of a response body that are kept for the page. */
const maxKeptBytes = 16 * 1024

/** Sends deliveries over its own keep-alive connections. */
export class Sender {
  private readonly http = new Http.Agent({ keepAlive: true, maxFreeSockets: 256 })
  private readonly https = new Https.Agent({ keepAlive: true, maxFreeSockets: 256 })
  private readonly open = new Set<Http.ClientRequest>()

  /** With `keeps`, outcomes hold what the receiver answered. */
  constructor(private readonly settings: Settings, private readonly keeps = false) {}

  /** Makes one POST. Never rejects: every failure is an outcome. */
  post(target: string, headers: Readonly<Record<string, string>>, body: Buffer): Promise<AttemptOutcome> {
    const { attemptTimeoutMs, connectTimeoutMs, headersTimeoutMs, urlPolicy } = this.settings
    const url = new URL(target)
    const host = url.hostname.replace(/^\[|\]$/g, "")
    if (isIP(host) !== 0 && !addressAllowed(urlPolicy, host)) return Promise.resolve({ kind: "policy" })
    const secure = url.protocol === "https:"
    return new Promise((resolve) => {
      let request: Http.ClientRequest
      try {
        request = (secure ? Https : Http).request(url, {
          method: "POST",
          agent: secure ? this.https : this.http,
          headers,
          maxHeaderSize: maxResponseHeaderBytes,
          ...(urlPolicy.allowCidrs === true ? {} : { lookup: guardedLookup(urlPolicy) })
        })
      } catch {
        // Go's client refuses a topic that is no valid header value, too, as a failed connection.
        return resolve({ kind: "connection" })
      }
      // Go's client keeps connections open without a `Connection` header.
      request.removeHeader("connection")
      request.maxHeadersCount = 0
      this.open.add(request)
      let response: AttemptOutcome | undefined
      let stage: NodeJS.Timeout | undefined
      const done = (outcome: AttemptOutcome): void => {
        clearTimeout(stage)
        clearTimeout(whole)
        this.open.delete(request)
        resolve(outcome)
      }
      const giveUp = (outcome: AttemptOutcome): void => {
        done(outcome)
        request.destroy()
      }
      // Once the status has arrived, it decides, whatever happens to the body.
      const whole = setTimeout(() => giveUp(response ?? { kind: "timeout" }), attemptTimeoutMs)
      const limit = (ms: number): void => {
        clearTimeout(stage)
        stage = setTimeout(() => giveUp({ kind: "timeout" }), ms)
      }
      request.on("socket", (socket: Socket) => {
        limit(socket.connecting ? connectTimeoutMs : headersTimeoutMs)
        if (socket.connecting) socket.once("connect", () => limit(headersTimeoutMs))
      })
      request.on(
        "error",
        (error) => done(response ?? { kind: error instanceof PolicyRefusal ? "policy" : "connection" })
      )
      request.on("upgrade", (_response, socket) => {
        socket.destroy()
        done({ kind: "response", status: 101 })
      })
      request.on("response", (message) => {
        clearTimeout(stage)
        const status = message.statusCode ?? 0
        const location = message.headers.location
        const outcome: AttemptOutcome =
          redirects.has(status) && location !== undefined && location !== "" && !locationParses(location, url)
            ? { kind: "connection" }
            : {
              kind: "response",
              status,
              retryAfter: message.headers["retry-after"],
              answer: this.keeps
                ? () => ({ rawHeaders: message.rawHeaders, body: Buffer.concat(kept), bodyBytes: read })
                : undefined
            }
        response = outcome
        let read = 0
        const kept: Array<Buffer> = []
        message.on("data", (chunk: Buffer) => {
          // Copied: the chunk is part of a larger buffer, which would be kept with it.
          if (this.keeps && read < maxKeptBytes) kept.push(Buffer.from(chunk.subarray(0, maxKeptBytes - read)))
          read += chunk.length
          if (read >= maxResponseBytes) giveUp(outcome)
        })
        message.on("error", () => done(outcome))
        message.on("close", () => done(outcome))
        message.on("end", () => done(outcome))
      })
      request.end(body)
    })
  }

  /** Aborts everything. */
  close(): void {
    for (const request of this.open) request.destroy()
    this.http.destroy()
    this.https.destroy()
  }
}
