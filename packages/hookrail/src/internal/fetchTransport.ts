import * as Effect from "effect/Effect"
import type { Transport, TransportRequest, TransportResponse } from "../Transport.js"
import { BodyBuffer, Limits } from "./exchange.js"
import { connectionError, invalidRequest } from "./networkCodes.js"
import type { TransportError } from "./transportError.js"

class Exchange {
  private readonly controller = new AbortController()
  private readonly limits: Limits
  private done = false

  constructor(
    private readonly request: TransportRequest,
    private readonly resume: (exit: Effect.Effect<TransportResponse, TransportError>) => void
  ) {
    this.limits = new Limits(request, (error) => {
      this.settle(Effect.fail(error))
      this.controller.abort()
    })
  }

  async run(): Promise<void> {
    let response: Response
    try {
      response = await this.send()
    } catch (error) {
      return this.settle(Effect.fail(connectionError(error, false)))
    }
    if (this.done) return
    this.limits.answered()
    // Browsers hide what a redirect says, even its status.
    const status = response.type === "opaqueredirect" ? 302 : response.status
    const body = new BodyBuffer()
    try {
      await this.read(response, body)
    } catch (error) {
      // A server that answers before it has read the whole request may reset the connection right after. Its verdict is
      // in the status; only a success needs its body.
      if (status < 400) return this.settle(Effect.fail(connectionError(error, true)))
      body.truncated = true
    }
    if (this.done) return
    const { headers } = response
    this.settle(Effect.succeed({
      status,
      header: (name) => headers.get(name) ?? undefined,
      body: body.text(),
      truncated: body.truncated
    }))
    if (body.truncated) this.controller.abort()
  }

  interrupt(): void {
    if (this.done) return
    this.end()
    this.controller.abort()
  }

  private send(): Promise<Response> {
    const { body, headers, method, origin, path } = this.request
    return globalThis.fetch(origin + path, {
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

  private settle(exit: Effect.Effect<TransportResponse, TransportError>): void {
    if (this.done) return
    this.end()
    this.resume(exit)
  }

  private end(): void {
    this.done = true
    this.limits.clear()
  }
}

/** A transport over the global `fetch`, as it is at the time of the call. */
export const service: Transport.Service = {
  request: (request) =>
    Effect.async((resume) => {
      const invalid = invalidRequest(request.headers)
      if (invalid !== undefined) return resume(Effect.fail(invalid))
      const exchange = new Exchange(request, resume)
      // `run` settles the exchange whatever happens: it cannot reject.
      void exchange.run()
      return Effect.sync(() => exchange.interrupt())
    })
}
