/**
 * Webhooks on Node's HTTP server, and on the frameworks based on it: Express, Fastify, Koa, Nest.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Webhooks from "hookrail/Webhooks"
import type { IncomingMessage, ServerResponse } from "node:http"
import { type Answer, Answers } from "./transport/answers.js"

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

/**
 * Runs a function in the async context in which it was created: what `AsyncLocalStorage` gives, such as the current span of a
 * tracer, is that of the request, not that of another one in the same batch.
 */
interface Scope {
  readonly runInAsyncScope: <Self>(run: (this: Self) => void, self: Self) => void
}

// Not an import: the promise facade contains this module, and also runs where there is no Node.
const Resource = (globalThis as Partial<typeof globalThis>).process?.getBuiltinModule?.("node:async_hooks")
  ?.AsyncResource

/** Without async contexts, nothing is put off. */
const hasBatches = Resource !== undefined && "setImmediate" in globalThis

const here: Scope = { runInAsyncScope: (run, self) => run.call(self) }

/** Requests that have been read in this turn of the event loop. */
const read = new Answers()

/**
 * Answers that have been given since the code that runs was called. The first one that is written wakes up the sender, which
 * costs more than writing; for the others it is already awake.
 */
const given = new Answers(queueMicrotask)

/** A body that is being read. */
class Reading implements Answer {
  next: Answer | undefined = undefined
  private isEnded = false

  constructor(readonly listener: Webhooks.BodyListener, private readonly scope: Scope) {}

  end(): void {
    this.isEnded = true
    if (hasBatches) read.add(this)
    else this.listener.onEnd()
  }

  /** A body that has ended is whole, even if it has not been handed over. */
  abort(): void {
    if (!this.isEnded) this.listener.onAbort()
  }

  handOver(): void {
    this.scope.runInAsyncScope(this.listener.onEnd, this.listener)
  }
}

/** The property of a request that holds its reading. With it, all requests can share the same functions. */
const reading = Symbol("@hookrail/node/reading")

interface BeingRead {
  [reading]: Reading
}

function onData(this: BeingRead, chunk: Buffer): void {
  this[reading].listener.onChunk(chunk)
}

function onEnd(this: BeingRead): void {
  this[reading].end()
}

function onAbort(this: BeingRead): void {
  this[reading].abort()
}

const streamed = (request: IncomingMessage, limit: number, scope: Scope): Body => {
  // A parser has read it, or is reading it: the rest would be incomplete.
  if (request.readableEnded || request.readableDidRead) return fail("consumed")
  if (request.destroyed) return fail("aborted")
  if (Number(request.headers["content-length"]) > limit) return fail("too-large")
  return Webhooks.streamedBody(limit, (listener) => {
    ;(request as unknown as BeingRead)[reading] = new Reading(listener, scope)
    request.on("data", onData).on("end", onEnd).on("error", onAbort).on("close", onAbort)
    return () => {
      // The error listener stays: without one, a late error would crash the process.
      request.off("data", onData).off("end", onEnd).off("close", onAbort)
    }
  })
}

/** A request and its response. */
class Exchange implements Webhooks.WebhookRequest, Answer {
  next: Answer | undefined = undefined
  readonly method: string
  readonly headers: IncomingMessage["headers"]
  readonly advice = advice
  private readonly scope: Scope = hasBatches ? new Resource("hookrail.webhook", { requireManualDestroy: true }) : here
  private answer: Webhooks.WebhookAnswer | undefined

  constructor(
    private readonly request: NodeRequest,
    private readonly parsed: unknown,
    private readonly response: ServerResponse,
    private readonly onWritten: () => void
  ) {
    this.method = request.method ?? ""
    this.headers = request.headers
  }

  body(limit: number): Body {
    const { parsed, request } = this
    return held(request.rawBody, limit) ?? held(parsed, limit) ??
      // Express 4 sets an empty object before it parses anything; the stream shows whether something was read.
      streamed(request, limit, this.scope)
  }

  onAnswer(answer: Webhooks.WebhookAnswer): void {
    this.answer = answer
    given.add(this)
  }

  handOver(): void {
    this.scope.runInAsyncScope(this.write, this)
    this.onWritten()
  }

  private write(): void {
    const { response } = this
    const { headers, outcome, status } = this.answer!
    if (outcome === "aborted" || response.destroyed || response.headersSent) return
    try {
      response.writeHead(status, headers).end()
    } catch (thrown) {
      // Some middleware has replaced these methods. The sender sees a broken connection, and delivers again.
      response.destroy(thrown as Error)
    }
  }
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
      const exchange = new Exchange(request, parsed, response, resolve)
      receive(exchange, (answer) => exchange.onAnswer(answer))
    })
  return (request: NodeRequest | FastifyRequest, response: ServerResponse | FastifyReply): Promise<void> => {
    if (!("raw" in Object(request))) {
      requireNode(request as NodeRequest, response as ServerResponse)
      return listen(request as NodeRequest, request.body, response as ServerResponse)
    }
    const { body, raw } = request as FastifyRequest
    const reply = response as FastifyReply
    reply.hijack()
    return listen(raw, body, reply.raw)
  }
}

/** An answer that cannot be written would be an uncaught exception. */
const requireNode = (request: NodeRequest | undefined, response: ServerResponse | undefined): void => {
  if (typeof request?.on === "function" && typeof response?.writeHead === "function") return
  throw new TypeError(
    "the listener takes the request and the response of node:http, Express, Fastify, Koa (ctx.req, ctx.res) or Nest; for a Request " +
      "there is a handler of its own"
  )
}
