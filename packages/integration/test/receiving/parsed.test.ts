import { HttpRouter, HttpServerRequest } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import { assertInclude, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { createAdaptorServer } from "@hono/node-server"
import { NodeWebhooks } from "@hookrail/node"
import { Effect } from "effect"
import express, { type RequestHandler } from "express"
import fastify from "fastify"
import { Hono } from "hono"
import { Webhooks } from "hookrail"
import Koa from "koa"
import { createServer, type IncomingMessage, type Server } from "node:http"
import { json } from "node:stream/consumers"
import { post } from "./http.js"
import { sign, startReceiver } from "./receiver.js"
import { apiGateway1, express4, gateway, listen, nextServer, path, type Serve, ways } from "./ways.js"

const expressAfter = (framework: typeof express, middleware: RequestHandler): Serve => (runtime) => {
  const app = framework()
  app.use(middleware)
  app.post(path, NodeWebhooks.listener(runtime))
  return listen(createServer(app))
}

const fastifyWith = (parser: "buffer" | "string" | undefined): Serve => async (runtime) => {
  const app = fastify({ forceCloseConnections: true })
  if (parser !== undefined) {
    app.addContentTypeParser("application/json", { parseAs: parser }, (_, body, done) => done(null, body))
  }
  app.post(path, NodeWebhooks.listener(runtime))
  const address = await app.listen({ port: 0, host: "127.0.0.1" })
  return { url: address + path, close: () => app.close() }
}

const koaAfterParser: Serve = (runtime) => {
  const listener = NodeWebhooks.listener(runtime)
  const app = new Koa()
  app.use(async (context, next) => {
    Object.assign(context.request, { body: await json(context.req) })
    await next()
  })
  app.use((context) => {
    context.respond = false
    return listener(context.req, context.res)
  })
  return listen(createServer(app.callback()))
}

const honoAfterJson: Serve = (runtime) => {
  const handler = Webhooks.toWebHandler(runtime)
  const app = new Hono()
  app.use(async (context, next) => {
    await context.req.json()
    await next()
  })
  app.post(path, (context) => handler(context.req.raw))
  return listen(createAdaptorServer({ fetch: app.fetch }) as Server)
}

const nextAfterJson: Serve = (runtime) => {
  const handler = Webhooks.toWebHandler(runtime)
  return nextServer(async (request) => {
    await request.json()
    return handler(request)
  })
}

const nextWithReader: Serve = (runtime) => {
  const handler = Webhooks.toWebHandler(runtime)
  return nextServer((request) => {
    request.body!.getReader()
    return handler(request)
  })
}

const platformAfterJson: Serve = async (runtime) => {
  const app = Effect.zipRight(
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.json),
    Webhooks.toHttpApp
  )
  const router = HttpRouter.empty.pipe(HttpRouter.post(path, app))
  return listen(createServer(await runtime.runPromise(NodeHttpServer.makeHandler(router))))
}

const lambdaAfterParser: Serve = (runtime) => {
  const handler = Webhooks.toLambdaHandler(runtime)
  return gateway((request, body) => {
    const event = { ...apiGateway1(request, body), body: JSON.parse(body.toString()) as never }
    return handler(event as Webhooks.LambdaEvent)
  })
}

const expressLine = "mount this route above app.use(express.json())"
const fastifyLine = "addContentTypeParser(\"*\", (_request, _payload, done) => done(null))"
const webLine = "give the handler the Request itself, and read its body nowhere else"

describe("a body that was parsed before is answered with 500, and the log names the line to change", () => {
  const answers500 = async (serve: Serve, line: string) => {
    await using receiver = await startReceiver(serve)
    const { body, status } = await post(receiver.url, sign())
    deepStrictEqual([status, body], [500, ""])
    assertInclude(receiver.log(), line)
    strictEqual(receiver.events.length, 0)
  }

  const cases: ReadonlyArray<readonly [name: string, serve: Serve, line: string]> = [
    ["Express 4 after express.json()", expressAfter(express4, express4.json()), expressLine],
    ["Express 5 after express.json()", expressAfter(express, express.json()), expressLine],
    ["Fastify without the parser", fastifyWith(undefined), fastifyLine],
    ["Koa after a body parser", koaAfterParser, "Koa: mount it above the body parser"],
    ["Hono after c.req.json()", honoAfterJson, webLine],
    ["Next.js after request.json()", nextAfterJson, webLine],
    ["Lambda after a middleware that parses", lambdaAfterParser, "pass the event of the Lambda on as it is"]
  ]
  it.each(cases)("%s", (_, serve, line) => answers500(serve, line))

  // The log does not name the line.
  it("Next.js while something else reads the body", () => answers500(nextWithReader, webLine))

  // The answer is 503, as for a forged one.
  it("@effect/platform after request.json", () => answers500(platformAfterJson, "read the body nowhere else"))
})

describe("a parser that keeps the bytes does no harm", () => {
  const keepRawBody = {
    verify: (request: IncomingMessage, _: unknown, bytes: Buffer) => void Object.assign(request, { rawBody: bytes })
  }
  const cases: ReadonlyArray<readonly [name: string, serve: Serve]> = [
    ["Express 4: express.json with rawBody", expressAfter(express4, express4.json(keepRawBody))],
    ["Express 5: express.json with rawBody", expressAfter(express, express.json(keepRawBody))],
    ["Express 4: express.raw", expressAfter(express4, express4.raw({ type: "*/*" }))],
    ["Express 5: express.raw", expressAfter(express, express.raw({ type: "*/*" }))],
    ["Express 4: express.text", expressAfter(express4, express4.text({ type: "*/*" }))],
    ["Express 5: express.text", expressAfter(express, express.text({ type: "*/*" }))],
    ["Express 5: express.json, and another content type", expressAfter(express, express.json({ type: "text/json" }))],
    ["Fastify: parseAs buffer", fastifyWith("buffer")],
    ["Fastify: parseAs string", fastifyWith("string")]
  ]
  it.each(cases)("%s", async (_, serve) => {
    await using receiver = await startReceiver(serve)
    strictEqual((await post(receiver.url, sign({ payload: { order_id: "o_é…" } }))).status, 204)
    strictEqual(receiver.events[0]!.payload.order_id, "o_é…")
  })
})

describe("routes beside the webhooks", () => {
  it("Fastify: JSON is still parsed outside of the plugin", async () => {
    const { serve } = ways.find(({ way }) => way === "Fastify 5")!
    await using receiver = await startReceiver(serve)
    const headers = { "content-type": "application/json" }
    const answer = await post(receiver.url.replace(path, "/json"), { headers, body: "{\"n\":1}" })
    deepStrictEqual([answer.status, answer.body], [200, "{\"n\":2}"])
    strictEqual((await post(receiver.url, sign())).status, 204)
  })
})
