import { HttpRouter } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { createAdaptorServer } from "@hono/node-server"
import { NodeWebhooks } from "@hookrail/node"
import type { ManagedRuntime } from "effect"
import express from "express"
// @ts-expect-error there are no types of version 4
import express4Untyped from "express4"
import fastify from "fastify"
import { Hono } from "hono"
import { Webhooks } from "hookrail"
import Koa from "koa"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { buffer } from "node:stream/consumers"

export type WebhooksRuntime = ManagedRuntime.ManagedRuntime<Webhooks.Webhooks, unknown>

export interface Served {
  readonly url: string
  readonly close: () => Promise<void>
}

/** Starts a server that takes webhooks at its URL. */
export type Serve = (runtime: WebhooksRuntime) => Promise<Served>

/** What is used here is the same in both versions. */
export const express4 = express4Untyped as typeof express

export const path = "/webhooks"

export const listen = async (server: Server): Promise<Served> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

const nodeHttp: Serve = (runtime) => listen(createServer(NodeWebhooks.listener(runtime)))

const expressOf = (framework: typeof express): Serve => (runtime) => {
  const app = framework()
  app.post(path, NodeWebhooks.listener(runtime))
  app.use(framework.json())
  return listen(createServer(app))
}

const fastifyPlugin: Serve = async (runtime) => {
  const app = fastify({ forceCloseConnections: true })
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null))
    scope.post(path, NodeWebhooks.listener(runtime))
  })
  app.post<{ Body: { readonly n: number } }>("/json", async (request) => ({ n: request.body.n + 1 }))
  const address = await app.listen({ port: 0, host: "127.0.0.1" })
  return { url: address + path, close: () => app.close() }
}

const koa: Serve = (runtime) => {
  const listener = NodeWebhooks.listener(runtime)
  const app = new Koa()
  app.use((context) => {
    context.respond = false
    return listener(context.req, context.res)
  })
  return listen(createServer(app.callback()))
}

const hono: Serve = (runtime) => {
  const handler = Webhooks.toWebHandler(runtime)
  const app = new Hono()
  app.post(path, (context) => handler(context.req.raw))
  return listen(createAdaptorServer({ fetch: app.fetch }) as Server)
}

/** Taken now: the adapter of Hono replaces it for the whole process. */
const NativeRequest = Request

/** A Next.js server around one route handler, which gets a `Request` made of Node's message. */
export const nextServer = (post: (request: Request) => Promise<Response>): Promise<Served> =>
  listen(createServer(async (message, response) => {
    const init: RequestInit & { readonly duplex: "half" } = {
      method: message.method!,
      headers: Object.entries(message.headers).map(([name, value]) => [name, String(value)] as [string, string]),
      body: Readable.toWeb(message) as ReadableStream<Uint8Array>,
      duplex: "half"
    }
    const { headers, status } = await post(new NativeRequest(`http://${message.headers.host}${message.url}`, init))
    response.writeHead(status, Object.fromEntries(headers)).end()
  }))

const next: Serve = (runtime) => {
  // app/webhooks/route.ts
  const POST = Webhooks.toWebHandler(runtime)
  return nextServer(POST)
}

const platform: Serve = async (runtime) => {
  const router = HttpRouter.empty.pipe(HttpRouter.post(path, Webhooks.toHttpApp))
  return listen(createServer(await runtime.runPromise(NodeHttpServer.makeHandler(router))))
}

/** A gateway in front of a Lambda. It calls for whole requests only. */
export const gateway = (invoke: (request: IncomingMessage, body: Buffer) => Promise<Webhooks.LambdaResult>) =>
  listen(createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const body = await buffer(request).catch(() => undefined)
    if (body === undefined) return
    const result = await invoke(request, body)
    response.writeHead(result.statusCode, result.headers).end(result.body)
  }))

/** What a gateway makes of a request. */
type EventOf = (request: IncomingMessage, body: Buffer) => Webhooks.LambdaEvent

const lambda = (eventOf: EventOf): Serve => (runtime) => {
  const handler = Webhooks.toLambdaHandler(runtime)
  return gateway((request, body) => handler(eventOf(request, body)))
}

/** Names as they came, and of a header that comes several times the last. */
const headersOfVersion1 = ({ rawHeaders }: IncomingMessage): Record<string, string> => {
  const headers: Record<string, string> = {}
  for (let index = 0; index < rawHeaders.length; index += 2) headers[rawHeaders[index]!] = rawHeaders[index + 1]!
  return headers
}

/** Names in lower case, and a header that comes several times joined by commas. */
const headersOfVersion2 = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))

const bodyOf = (body: Buffer, isBase64Encoded: boolean) => ({
  body: body.toString(isBase64Encoded ? "base64" : "utf8"),
  isBase64Encoded
})

export const apiGateway1 = (request: IncomingMessage, body: Buffer) => ({
  version: "1.0",
  httpMethod: request.method,
  path: request.url,
  headers: headersOfVersion1(request),
  multiValueHeaders: request.headersDistinct,
  requestContext: { stage: "$default", httpMethod: request.method },
  ...bodyOf(body, false)
})

const version2 = (request: IncomingMessage) => ({
  version: "2.0",
  rawPath: request.url,
  headers: headersOfVersion2(request),
  requestContext: { stage: "$default", http: { method: request.method!, path: request.url } }
})

const isText = (contentType = ""): boolean => /^(text\/|application\/json)/.test(contentType)

const apiGateway2 = (request: IncomingMessage, body: Buffer) => ({
  ...version2(request),
  ...bodyOf(body, !isText(request.headers["content-type"]))
})

const functionUrl = (request: IncomingMessage, body: Buffer) => ({ ...version2(request), ...bodyOf(body, true) })

/** Every way in, as its documentation sets it up. */
export const ways: ReadonlyArray<{ readonly way: string; readonly serve: Serve }> = [
  { way: "node:http", serve: nodeHttp },
  { way: "Express 4", serve: expressOf(express4) },
  { way: "Express 5", serve: expressOf(express) },
  { way: "Fastify 5", serve: fastifyPlugin },
  { way: "Koa", serve: koa },
  { way: "Hono", serve: hono },
  { way: "Next.js", serve: next },
  { way: "@effect/platform", serve: platform },
  { way: "Lambda behind API Gateway 1.0", serve: lambda(apiGateway1) },
  { way: "Lambda behind API Gateway 2.0", serve: lambda(apiGateway2) },
  { way: "Lambda behind a function URL", serve: lambda(functionUrl) }
]
