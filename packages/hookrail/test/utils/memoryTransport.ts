import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { HookrailClient, type HookrailConfig, Transport } from "../../src/index.js"

export const apiKey = "secret-0123456789"

export type Answer = Transport.TransportError | {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export const refusedConnection = new Transport.TransportError({
  reason: "connection",
  phase: "connect",
  code: "ECONNREFUSED",
  description: "refused"
})

export const brokenConnection = new Transport.TransportError({
  reason: "connection",
  phase: "response",
  code: "ECONNRESET",
  description: "reset"
})

export const accepted = { status: 202, body: { event_id: "e1", delivery_ids: ["d1"] } }

export const problem = (status: number, headers: Record<string, string> = {}) => ({
  status,
  headers,
  body: { type: "about:blank", title: `title ${status}`, detail: `detail ${status}`, status }
})

export const responseOf = (answer: Exclude<Answer, Transport.TransportError>): Transport.TransportResponse => ({
  status: answer.status,
  header: (name) => answer.headers?.[name],
  body: typeof answer.body === "string" ? answer.body : answer.body === undefined ? "" : JSON.stringify(answer.body),
  truncated: false
})

/** Gives the answers in turn, the last one for ever, and keeps what it was asked. */
export const scripted = (answers: ReadonlyArray<Answer>, ready = 200) => {
  const requests: Array<Transport.TransportRequest> = []
  const probes: Array<Transport.TransportRequest> = []
  const { request } = Transport.fromCallbacks((request, listener) => {
    const probe = request.path.endsWith("/readyz")
    const list = probe ? probes : requests
    list.push({ ...request, body: request.body?.slice() })
    const answer: Answer = probe ? { status: ready } : answers[Math.min(requests.length, answers.length) - 1]!
    listener.resume("_tag" in answer ? Effect.fail(answer) : Effect.succeed(responseOf(answer)))
    return { abort: () => {} }
  })
  return { requests, probes, request }
}

export const layer = (transport: Transport.Service, options: HookrailConfig.Options = {}) =>
  HookrailClient.layer({ apiKey: Redacted.make(apiKey), baseUrl: "http://h.test", ...options }).pipe(
    Layer.provide(Layer.succeed(Transport.Transport, transport))
  )
