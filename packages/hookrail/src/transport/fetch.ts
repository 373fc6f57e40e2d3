import * as Exit from "effect/Exit"
import { type Abortable, type Listener, nothing } from "../fiber/callback.js"
import type { TransportError } from "./error.js"
import { BodyBuffer, Limits } from "./exchange.js"
import { connectionError, invalidRequest } from "./failure.js"
import { fromCallbacks } from "./fromCallbacks.js"
import type { TransportRequest, TransportResponse } from "./model.js"
import type { Service, Start } from "./service.js"

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

class FetchExchange implements Abortable {
  private readonly controller = new AbortController()
  private readonly limits: Limits
  private done = false

  constructor(
    private readonly request: TransportRequest,
    private readonly listener: Listener<TransportResponse, TransportError>,
    private readonly fetch: Fetch | undefined
  ) {
    this.limits = new Limits(request, (error) => {
      this.fail(error)
      this.controller.abort()
    })
  }

  /** Never rejects: it ends the exchange in every case. */
  async run(): Promise<void> {
    let response: Response
    try {
      response = await this.send()
    } catch (error) {
      return this.fail(connectionError(error))
    }
    if (this.done) return
    this.limits.answered()
    // Browsers hide the content of a redirect, even its status.
    const status = response.type === "opaqueredirect" ? 302 : response.status
    const body = new BodyBuffer()
    try {
      await this.read(response, body)
    } catch (error) {
      // A server that responds before it has read the whole request may reset the connection right afterwards. The status of
      // an error is enough; only a success needs its body.
      if (status < 400) return this.fail(connectionError(error, { phase: "body" }))
      body.truncated = true
    }
    if (this.done) return
    const { headers } = response
    const text = body.text()
    this.end()
    this.listener.resume(Exit.succeed({
      status,
      header: (name) => headers.get(name) ?? undefined,
      body: text,
      truncated: body.truncated
    }))
    if (body.truncated) this.controller.abort()
  }

  abort(): void {
    if (this.done) return
    this.end()
    this.controller.abort()
  }

  private send(): Promise<Response> {
    const { body, headers, method, origin, path } = this.request
    const fetch = this.fetch ?? globalThis.fetch
    return fetch(origin + path, {
      method,
      headers,
      redirect: "manual",
      signal: this.controller.signal,
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> })
    })
  }

  private async read(response: Response, body: BodyBuffer): Promise<void> {
    const reader = response.body?.getReader()
    while (reader !== undefined) {
      const { done, value } = await reader.read()
      if (done || !body.add(value)) return
    }
  }

  private fail(error: TransportError): void {
    if (this.done) return
    this.end()
    this.listener.resume(Exit.fail(error))
  }

  private end(): void {
    this.done = true
    this.limits.clear()
  }
}

const startWith = (fetch: Fetch | undefined): Start => (request, listener) => {
  const invalid = invalidRequest(request.headers)
  if (invalid !== undefined) {
    listener.resume(Exit.fail(invalid))
    return nothing
  }
  const exchange = new FetchExchange(request, listener, fetch)
  void exchange.run()
  return exchange
}

/** A transport over a `fetch`. */
export const make = (fetch?: Fetch): Service => fromCallbacks(startWith(fetch))

/** A transport over the global `fetch`, looked up at each call. */
export const service: Service = make()
