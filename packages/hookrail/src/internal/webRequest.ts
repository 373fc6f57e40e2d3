import * as Effect from "effect/Effect"
import type { UnreadableBody, WebhookAnswer, WebhookRequest } from "../Webhooks.js"
import type { Handle } from "./runtime.js"

const advice = "give the handler the Request itself, and read its body nowhere else (Hono: c.req.raw)"

/** The body of a fetch Request, read with a limit. Interruption cancels it. */
const read = (request: Request, limit: number): Effect.Effect<Uint8Array, UnreadableBody> => {
  if (request.bodyUsed || request.body?.locked === true) return Effect.fail({ reason: "consumed", advice })
  if (request.body === null) return Effect.succeed(new Uint8Array(0))
  if (Number(request.headers.get("content-length")) > limit) return Effect.fail({ reason: "too-large", advice })
  const reader = request.body.getReader()
  const readAll = async (): Promise<Uint8Array | undefined> => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      size += value.length
      if (size > limit) return undefined
      chunks.push(value)
    }
    return concat(chunks, size)
  }
  return Effect.flatMap(
    Effect.onExit(
      Effect.tryPromise({ try: readAll, catch: (): UnreadableBody => ({ reason: "aborted", advice }) }),
      // Of no use after the end, and what stops the sender before it.
      () => Effect.sync(() => void reader.cancel().catch(() => {}))
    ),
    (body) => body === undefined ? Effect.fail<UnreadableBody>({ reason: "too-large", advice }) : Effect.succeed(body)
  )
}

/** The chunks as one; the only chunk itself. */
export const concat = (chunks: ReadonlyArray<Uint8Array>, size: number): Uint8Array => {
  if (chunks.length === 1) return chunks[0]!
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}

const requestOf = (request: Request): WebhookRequest => ({
  method: request.method,
  headers: request.headers,
  body: (limit) => Effect.suspend(() => read(request, limit)),
  advice
})

const responseOf = ({ headers, status }: WebhookAnswer): Response => new Response(null, { status, headers })

export const toWebHandler = (handle: Handle): (request: Request) => Promise<Response> => async (request) =>
  responseOf(await handle(requestOf(request)))
