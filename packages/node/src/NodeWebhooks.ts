/**
 * Webhooks on Node's HTTP server, and on the frameworks based on it: Express, Fastify, Koa, Nest.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Webhooks from "hookrail/Webhooks"
import type { IncomingMessage, ServerResponse } from "node:http"

/**
 * A request of Node, with the properties that frameworks add.
 *
 * @since 0.1.0
 * @category models
 */
export interface NodeRequest extends IncomingMessage {
  /** Set by Express, after a body parser. */
  readonly body?: unknown
  /** Set by Nest (`rawBody: true`) and by cloud functions. */
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
 * Handles a request and answers it. The promise resolves when the answer has been sent, and never rejects.
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
  " Fastify: removeAllContentTypeParsers(), addContentTypeParser(\"*\", (_request, _payload, done) => done(null));" +
  " Nest: NestFactory.create(AppModule, { rawBody: true }); Koa: mount it above the body parser)"

type Body = Effect.Effect<Uint8Array, Webhooks.UnreadableBody>

type BodyExit = Exit.Exit<Uint8Array, Webhooks.UnreadableBody>

const fail = (reason: Webhooks.UnreadableBody["reason"]): BodyExit => Exit.fail({ reason })

/** A body that was already read, if it is still raw bytes. */
const held = (body: unknown, limit: number): BodyExit | undefined => {
  const bytes = typeof body === "string" ? Buffer.from(body) : body
  if (!(bytes instanceof Uint8Array)) return undefined
  return bytes.length > limit ? fail("too-large") : Exit.succeed(bytes)
}

/** The property of a request that holds its body listener. With it, all requests can share the same functions. */
const listening = Symbol("@hookrail/node/listening")

interface Listened {
  readonly [listening]: Webhooks.BodyListener
}

function onData(this: Listened, chunk: Buffer): void {
  this[listening].onChunk(chunk)
}

function onEnd(this: Listened): void {
  this[listening].onEnd()
}

function onAbort(this: Listened): void {
  this[listening].onAbort()
}

const read = (request: IncomingMessage, limit: number): Body => {
  // A parser has read it, or is reading it: the rest would be incomplete.
  if (request.readableEnded || request.readableDidRead) return fail("consumed")
  if (request.destroyed) return fail("aborted")
  if (Number(request.headers["content-length"]) > limit) return fail("too-large")
  return Webhooks.streamedBody(limit, (listener) => {
    ;(request as unknown as { [listening]: Webhooks.BodyListener })[listening] = listener
    request.on("data", onData).on("end", onEnd).on("error", onAbort).on("close", onAbort)
    return () => {
      // The error listener stays: without one, a late error would crash the process.
      request.off("data", onData).off("end", onEnd).off("close", onAbort)
    }
  })
}

class WebhookRequest implements Webhooks.WebhookRequest {
  readonly method: string
  readonly headers: IncomingMessage["headers"]
  readonly advice = advice

  constructor(private readonly request: NodeRequest, private readonly parsed: unknown) {
    this.method = request.method ?? ""
    this.headers = request.headers
  }

  body(limit: number): Body {
    const { parsed, request } = this
    return held(request.rawBody, limit) ?? held(parsed, limit) ??
      // Express 4 sets an empty object before it parses anything; the stream shows whether something was read.
      read(request, limit)
  }
}

const write = (response: ServerResponse, { headers, outcome, status }: Webhooks.WebhookAnswer): void => {
  if (outcome !== "aborted" && !response.destroyed && !response.headersSent) response.writeHead(status, headers).end()
}

/**
 * A listener for `node:http`, Express 4 and 5, Fastify 5, Koa and Nest. It reads the raw body itself, so mount it before any
 * body parser. If a parser has kept the bytes (`req.rawBody`, `express.raw()`, a Fastify parser with `parseAs: "buffer"`),
 * it uses those.
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
  const receive = Webhooks.toCallback(runtime)
  const listen = (request: NodeRequest, parsed: unknown, response: ServerResponse): Promise<void> =>
    new Promise((resolve) => {
      receive(new WebhookRequest(request, parsed), (answer) => {
        write(response, answer)
        resolve()
      })
    })
  return (request: NodeRequest | FastifyRequest, response: ServerResponse | FastifyReply): Promise<void> => {
    if (!("raw" in request)) return listen(request, request.body, response as ServerResponse)
    const reply = response as FastifyReply
    reply.hijack()
    return listen(request.raw, request.body, reply.raw)
  }
}
