import { describe, it } from "@effect/vitest"
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Fiber } from "effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { type Fault, type Faults, seededFaults } from "../src/soak/faults.js"
import { startProxy } from "../src/soak/proxy.js"

/** A server that answers everything alike, and the bodies it got. */
const server = Effect.acquireRelease(
  Effect.async<{ readonly url: string; readonly bodies: Array<string>; readonly close: () => void }>((resume) => {
    const bodies: Array<string> = []
    const server = Http.createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8").on("data", (chunk: string) => body += chunk).on("end", () => {
        bodies.push(`${request.method} ${request.url} ${request.headers["idempotency-key"]} ${body}`)
        response.writeHead(202, { "X-Answer": "yes", "Content-Length": 8 }).end("accepted")
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      resume(Effect.succeed({ url, bodies, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const setup = (fault: Fault, ofConnection: Faults["ofConnection"] = () => "none") =>
  Effect.gen(function*() {
    const { bodies, url } = yield* server
    const proxy = yield* Effect.acquireRelease(
      Effect.promise(() => startProxy({ target: url, faults: { ofConnection, ofRequest: () => fault } })),
      (proxy) => Effect.promise(() => proxy.close())
    )
    return { bodies, proxy }
  })

interface Seen {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

/** Sends one request on a connection of its own; an error becomes its code. */
const post = (url: string) =>
  Effect.async<Seen | string>((resume) => {
    const give = (seen: Seen | string) => resume(Effect.succeed(seen))
    const failed = (error: NodeJS.ErrnoException) => give(error.code ?? error.message)
    const headers = { "Idempotency-Key": "k1" }
    const request = Http.request(`${url}/v1/events`, { method: "POST", headers, agent: false }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (chunk: string) => body += chunk).on("error", failed)
      response.on("end", () => give({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    request.on("error", failed).end("event")
    return Effect.sync(() => request.destroy())
  })

/** Looks again with each turn of the event loop. */
const until = (condition: () => boolean) =>
  Effect.promise(async () => {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve))
  })

const forwarded = "POST /v1/events k1 event"

describe("the proxy", () => {
  it.scoped("forwards a request and its answer as they are", () =>
    Effect.gen(function*() {
      const { bodies, proxy } = yield* setup({ kind: "none" })
      const seen = yield* post(proxy.url)
      assertTrue(typeof seen === "object")
      deepStrictEqual([seen.status, seen.headers["x-answer"], seen.body], [202, "yes", "accepted"])
      deepStrictEqual(bodies, [forwarded])
      deepStrictEqual([...proxy.injected], [["none", 1]])
      deepStrictEqual([proxy.connections(), proxy.requests()], [1, 1])
    }))

  it.scoped("forwards a request twice", () =>
    Effect.gen(function*() {
      const { bodies, proxy } = yield* setup({ kind: "duplicate" })
      assertTrue(typeof (yield* post(proxy.url)) === "object")
      deepStrictEqual(bodies, [forwarded, forwarded])
    }))

  it.scoped("resets before the request is forwarded, after it, or within the answer", () =>
    Effect.gen(function*() {
      const faults: ReadonlyArray<readonly [Fault, reached: number]> = [
        [{ kind: "reset-before" }, 0],
        [{ kind: "reset-after" }, 1],
        [{ kind: "reset-within", part: 0.9 }, 1]
      ]
      for (const [fault, reached] of faults) {
        const { bodies, proxy } = yield* setup(fault)
        strictEqual(yield* post(proxy.url), "ECONNRESET")
        strictEqual(bodies.length, reached)
      }
    }))

  it.scoped("truncates an answer", () =>
    Effect.gen(function*() {
      const { bodies, proxy } = yield* setup({ kind: "truncate", part: 0.99 })
      // Node calls an answer that ends too early a reset.
      strictEqual(yield* post(proxy.url), "ECONNRESET")
      deepStrictEqual(bodies, [forwarded])
    }))

  it.scoped("answers itself", () =>
    Effect.gen(function*() {
      const { bodies, proxy } = yield* setup({ kind: "status", status: 503, retryAfter: 1 })
      const seen = yield* post(proxy.url)
      assertTrue(typeof seen === "object")
      deepStrictEqual([seen.status, seen.headers["retry-after"]], [503, "1"])
      deepStrictEqual(bodies, [])
      deepStrictEqual([...proxy.injected], [["status 503 with Retry-After", 1]])
    }))

  it.scoped("forwards what is late although the client has gone", () =>
    Effect.gen(function*() {
      const { bodies, proxy } = yield* setup({ kind: "late", ms: 300 })
      const client = yield* Effect.fork(post(proxy.url))
      yield* until(() => proxy.requests() === 1)
      yield* Fiber.interrupt(client)
      yield* until(() => proxy.openConnections() === 0)
      deepStrictEqual(bodies, [])
      yield* Effect.promise(proxy.idle)
      deepStrictEqual(bodies, [forwarded])
    }))

  it.scoped("stalls until the client has gone", () =>
    Effect.gen(function*() {
      const faults: ReadonlyArray<readonly [Fault, reached: number]> = [
        [{ kind: "stall-before" }, 0],
        [{ kind: "stall-after" }, 1]
      ]
      for (const [fault, reached] of faults) {
        const { bodies, proxy } = yield* setup(fault)
        const client = yield* Effect.fork(post(proxy.url))
        yield* until(() => proxy.requests() === 1 && bodies.length === reached)
        strictEqual(proxy.openConnections(), 1)
        strictEqual(yield* Fiber.poll(client).pipe(Effect.map((exit) => exit._tag)), "None")
        yield* Fiber.interrupt(client)
        yield* Effect.promise(proxy.idle)
        strictEqual(bodies.length, reached)
      }
    }))

  it.scoped("resets new connections, and stays away for a while", () =>
    Effect.gen(function*() {
      const { bodies, proxy } = yield* setup(
        { kind: "none" },
        (connection) => connection === 0 ? "reset-connection" : connection === 1 ? "outage" : "none"
      )
      strictEqual(yield* post(proxy.url), "ECONNRESET")
      // The last connection before the outage is served.
      assertTrue(typeof (yield* post(proxy.url)) === "object")
      strictEqual(yield* post(proxy.url), "ECONNREFUSED")
      deepStrictEqual([...proxy.injected], [["reset-connection", 1], ["outage", 1], ["none", 1]])
      strictEqual(bodies.length, 1)
    }))
})

describe("seeded faults", () => {
  const sequence = (seed: number) => {
    const faults = seededFaults(seed, 1_000)
    return Array.from({ length: 400 }, (_, place) => faults.ofRequest(place >> 3, place & 7))
  }

  it("repeat with their seed, and differ with another", () => {
    deepStrictEqual(sequence(1), sequence(1))
    assertTrue(JSON.stringify(sequence(1)) !== JSON.stringify(sequence(2)))
  })

  it("are of every kind, and each request has its own", () => {
    const kinds = new Set(sequence(3).map((fault) => fault.kind))
    strictEqual(kinds.size, 11)
  })

  it("keep to the patience of the client", () => {
    for (const fault of sequence(4)) {
      if (fault.kind === "delay") assertTrue(fault.ms < 500)
      if (fault.kind === "late") assertTrue(fault.ms >= 1_000)
    }
  })
})
