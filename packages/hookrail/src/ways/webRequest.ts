import * as Effect from "effect/Effect"
import type { UnreadableBody, WebhookAnswer, WebhookRequest } from "../receive/model.js"
import { Collector } from "./body.js"
import type { Handle } from "./runtime.js"

const advice = "give the handler the Request itself, and read its body nowhere else (Hono: c.req.raw)"

/** The body of a fetch Request, read with a limit. Interruption cancels it. */
const read = (request: Request, limit: number): Effect.Effect<Uint8Array, UnreadableBody> => {
  if (request.bodyUsed || request.body?.locked === true) return Effect.fail({ reason: "consumed" })
  if (request.body === null) return Effect.succeed(new Uint8Array(0))
  if (Number(request.headers.get("content-length")) > limit) return Effect.fail({ reason: "too-large" })
  const reader = request.body.getReader()
  const readAll = async (): Promise<Uint8Array | undefined> => {
    const collector = new Collector()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return collector.joined()
      collector.add(value)
      if (collector.size > limit) return undefined
    }
  }
  return Effect.flatMap(
    Effect.onExit(
      Effect.tryPromise({ try: readAll, catch: (): UnreadableBody => ({ reason: "aborted" }) }),
      // Stops the sender if the body has not ended; harmless if it has.
      () => Effect.sync(() => void reader.cancel().catch(() => {}))
    ),
    (body) => body === undefined ? Effect.fail<UnreadableBody>({ reason: "too-large" }) : Effect.succeed(body)
  )
}

const requestOf = (request: Request): WebhookRequest => ({
  method: request.method,
  headers: request.headers,
  body: (limit) => Effect.suspend(() => read(request, limit)),
  advice
})

const responseOf = ({ headers, status }: WebhookAnswer): Response => new Response(null, { status, headers })

export const toWebHandler = (handle: Handle): (request: Request) => Promise<Response> => async (request) => {
  // Whatever answer it gave, the framework would send another one, such as 404, which dead-letters. An error becomes 500.
  if (typeof (request as Partial<Request> | undefined)?.headers?.get !== "function") throw new TypeError(noRequest)
  return responseOf(await handle(requestOf(request)))
}

const noRequest =
  "a webhook handler takes a Request: give it c.req.raw in Hono, event.request in SvelteKit and Remix; in node:http, " +
  "Express, Fastify, Koa and Nest use the listener for Node (webhooks.node, NodeWebhooks.listener)"
