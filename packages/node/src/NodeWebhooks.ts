/**
 * Webhooks on Node's own server, and on the frameworks over it: Express, Fastify, Koa, Nest.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Webhooks from "hookrail/Webhooks"
import type { IncomingMessage, ServerResponse } from "node:http"

/**
 * A request of Node, with what frameworks put on it.
 *
 * @since 0.1.0
 * @category models
 */
export interface NodeRequest extends IncomingMessage {
  /** Of Express, after a body parser. */
  readonly body?: unknown
  /** Of Nest (`rawBody: true`) and of cloud functions. */
  readonly rawBody?: unknown
}

/**
 * The parts of a Fastify request that are used.
 *
 * @since 0.1.0
 * @category models
 */
export interface FastifyRequest {
  readonly raw: IncomingMessage
  readonly body?: unknown
}

/**
 * The parts of a Fastify reply that are used.
 *
 * @since 0.1.0
 * @category models
 */
export interface FastifyReply {
  readonly raw: ServerResponse
  readonly hijack: () => unknown
}

/**
 * Handles a request and answers it. The promise is fulfilled when the answer has been given, and never rejects.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listener {
  (request: IncomingMessage, response: ServerResponse): Promise<void>
  (request: FastifyRequest, reply: FastifyReply): Promise<void>
}

const advice = "take the body before a parser does" +
  " (Express: mount this route above app.use(express.json());" +
  " Fastify: addContentTypeParser(\"application/json\", { parseAs: \"buffer\" }, (_, body, done) => done(null, body));" +
  " Nest: NestFactory.create(AppModule, { rawBody: true }); Koa: mount it above the body parser)"

type Body = Effect.Effect<Uint8Array, Webhooks.UnreadableBody>

const fail = (reason: Webhooks.UnreadableBody["reason"]): Body => Effect.fail({ reason })

/** Bytes that somebody has read, if they are still bytes. */
const held = (body: unknown, limit: number): Body | undefined => {
  const bytes = typeof body === "string" ? Buffer.from(body) : body
  if (!(bytes instanceof Uint8Array)) return undefined
  return bytes.length > limit ? fail("too-large") : Effect.succeed(bytes)
}

const read = (request: IncomingMessage, limit: number): Body => {
  // A parser has read it, or is about to: what is left would be no whole body.
  if (request.readableEnded || request.readableDidRead) return fail("consumed")
  if (request.destroyed) return fail("aborted")
  if (Number(request.headers["content-length"]) > limit) return fail("too-large")
  return Effect.async<Uint8Array, Webhooks.UnreadableBody>((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > limit) return end(fail("too-large"))
      chunks.push(chunk)
    }
    const onEnd = (): void => end(Effect.succeed(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)))
    const onAbort = (): void => end(fail("aborted"))
    const leave = (): void => {
      request.off("data", onData).off("end", onEnd).off("error", onAbort).off("close", onAbort)
      // An error after the end of interest would have no listener, and end the process.
      request.on("error", () => {})
    }
    const end = (body: Body): void => {
      leave()
      resume(body)
    }
    request.on("data", onData).on("end", onEnd).on("error", onAbort).on("close", onAbort)
    return Effect.sync(leave)
  })
}

const requestOf = (request: NodeRequest, parsed: unknown): Webhooks.WebhookRequest => ({
  method: request.method ?? "",
  headers: request.headers,
  body: (limit) =>
    Effect.suspend(() =>
      held(request.rawBody, limit) ?? held(parsed, limit) ??
        // Express 4 sets an empty object before it parses anything; the stream tells whether somebody did.
        read(request, limit)
    ),
  advice
})

const write = (response: ServerResponse, { headers, outcome, status }: Webhooks.WebhookAnswer): void => {
  if (outcome !== "aborted" && !response.destroyed && !response.headersSent) response.writeHead(status, headers).end()
}

/**
 * A listener for `node:http`, Express 4 and 5, Fastify 5, Koa and Nest. It reads the raw body itself, so nothing may have
 * parsed it before; where a parser has kept the bytes (`req.rawBody`, `express.raw()`, a Fastify parser with `parseAs:
 * "buffer"`), it takes those.
 *
 * @example
 * import { NodeWebhooks } from "@hookrail/node"
 * import type { ManagedRuntime } from "effect"
 * import type { Webhooks } from "hookrail"
 * import { createServer } from "node:http"
 *
 * declare const runtime: ManagedRuntime.ManagedRuntime<Webhooks.Webhooks, never>
 *
 * const server = createServer(NodeWebhooks.listener(runtime))
 *
 * @since 0.1.0
 * @category ways in
 */
export const listener = (runtime: Webhooks.WebhooksRuntime): Listener => {
  const handle = Webhooks.toPromise(runtime)
  return async (request: NodeRequest | FastifyRequest, response: ServerResponse | FastifyReply): Promise<void> => {
    if ("raw" in request) {
      const reply = response as FastifyReply
      reply.hijack()
      return write(reply.raw, await handle(requestOf(request.raw, request.body)))
    }
    return write(response as ServerResponse, await handle(requestOf(request, request.body)))
  }
}
