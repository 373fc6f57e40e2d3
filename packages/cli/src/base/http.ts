/** Plain requests, for what the client hides: certificates, headers, times, and answers that are not Hookrail's. */
import type { IncomingHttpHeaders } from "node:http"
import type { TLSSocket } from "node:tls"

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The first 64 KiB. */
  readonly body: string
  /** Until the headers of the answer. */
  readonly ms: number
  readonly tls: { readonly protocol: string; readonly validTo: Date | undefined } | undefined
}

export interface Asked {
  readonly method?: "GET" | "POST"
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Why there was no answer. */
export class NoAnswer extends Error {
  constructor(readonly code: string, message: string, readonly url: string) {
    super(message)
  }
}

const bodyLimit = 64 * 1024

export const request = async (url: string, asked: Asked = {}): Promise<Answer> => {
  const { body, headers, method = "GET", signal, timeoutMs = 10_000 } = asked
  if (!URL.canParse(url) || !/^https?:/.test(url)) throw new NoAnswer("ERR_INVALID_URL", "it is no URL with http", url)
  const target = new URL(url)
  const module = target.protocol === "https:" ? await import("node:https") : await import("node:http")
  const start = performance.now()
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer)
      sent.destroy()
      if (signal?.aborted === true) return reject(signal.reason)
      reject(new NoAnswer(error.code ?? "", error.message || String(error.code), url))
    }
    // A connection of its own: nothing is left open.
    const sent = module.request(target, { method, headers: { ...headers }, agent: false, signal }, (answer) => {
      const ms = performance.now() - start
      const socket = answer.socket as TLSSocket
      const certificate = socket.encrypted === true ? socket.getPeerCertificate() : undefined
      const chunks: Array<Buffer> = []
      let size = 0
      const end = (): void => {
        clearTimeout(timer)
        answer.destroy()
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(chunks).toString(),
          ms,
          tls: certificate === undefined ? undefined : {
            protocol: socket.getProtocol() ?? "TLS",
            validTo: certificate.valid_to === undefined ? undefined : new Date(certificate.valid_to)
          }
        })
      }
      answer.on("data", (chunk: Buffer) => {
        chunks.push(chunk)
        size += chunk.length
        if (size >= bodyLimit) end()
      })
      answer.once("end", end)
      answer.once("error", end)
    })
    const timer = setTimeout(
      () => fail(Object.assign(new Error(`no answer within ${timeoutMs / 1000} s`), { code: "ETIMEDOUT" })),
      timeoutMs
    )
    sent.once("error", fail)
    sent.end(body)
  })
}

/** A problem document's detail, or the start of whatever else it is. */
export const problemOf = (
  { body, headers }: Answer
): { readonly title?: string; readonly detail?: string } | undefined => {
  if (!String(headers["content-type"]).startsWith("application/problem+json")) return undefined
  try {
    return JSON.parse(body) as { readonly title?: string; readonly detail?: string }
  } catch {
    return undefined
  }
}
