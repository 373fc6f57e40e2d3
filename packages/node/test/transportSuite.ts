import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Either, Fiber, type Layer } from "effect"
import { maxBodyBytes, Transport, type TransportError, type TransportRequest } from "hookrail/Transport"
import { setImmediate } from "node:timers/promises"
import { inspect } from "node:util"
import { closedOrigin, FaultServer } from "./faultServer.js"
import * as StoppedProcess from "./stoppedProcess.js"

/** In every request, and never in an error. */
export const secret = "hk_5ecre7c0ffee"

export const request = (
  server: FaultServer | string,
  path: string,
  overrides: Partial<TransportRequest> = {}
): TransportRequest => ({
  method: "POST",
  origin: typeof server === "string" ? server : server.origin,
  path,
  headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
  body: Buffer.from("{\"hello\":\"wörld\"}"),
  responseTimeout: 5_000,
  timeout: 10_000,
  ...overrides
})

export const get: Partial<TransportRequest> = {
  method: "GET",
  headers: { authorization: `Bearer ${secret}` },
  body: undefined
}

export const send = (
  server: FaultServer | string,
  path: string,
  overrides?: Partial<TransportRequest>
) => Effect.flatMap(Transport, (transport) => transport.request(request(server, path, overrides)))

/** What a program could print of an error. */
const printed = (error: TransportError): string =>
  [
    inspect(error, { depth: null, showHidden: true }),
    JSON.stringify(error),
    String(error),
    error.stack,
    Cause.pretty(Cause.fail(error), { renderErrorCause: true })
  ].join("\n")

/** Sends, and expects it to fail, without spilling credentials. */
export const sendFails = (
  server: FaultServer | string,
  path: string,
  overrides?: Partial<TransportRequest>
) =>
  Effect.map(Effect.flip(send(server, path, overrides)), (error) => {
    assert.strictEqual(error._tag, "TransportError")
    assert.notInclude(printed(error), secret)
    // Parser errors hold bytes rather than text.
    assert.notInclude(printed(error), Buffer.from(secret).toString("hex").replace(/(..)/g, "$1 ").trim())
    return error
  })

const expectError = (
  error: TransportError,
  reason: TransportError["reason"],
  phase: TransportError["phase"],
  limit?: number
) => assert.deepStrictEqual({ reason: error.reason, phase: error.phase, limit: error.limit }, { reason, phase, limit })

/** What tells one transport from another. */
export interface Traits {
  /** How many connections 256 requests at once may open. */
  readonly maxConnections?: number
  /** Whether connections are kept for the next request. Default: true. */
  readonly keepsConnections?: boolean
  /** Whether an answer is seen before the request is written. Default: true. */
  readonly answersEarly?: boolean
  /** Whether `100 Continue` that nobody asked for is surely skipped, and does not end the exchange. Default: true. */
  readonly skipsContinue?: boolean
}

/** What every transport does, whatever is under it. */
export const transportSuite = (name: string, layer: Layer.Layer<Transport>, traits: Traits = {}): void => {
  // All cases run under the test clock: a clock that stands still must not stop the network.
  const test = (title: string, body: (server: FaultServer) => Effect.Effect<void, unknown, Transport>) =>
    it.scoped(title, () => Effect.provide(Effect.flatMap(FaultServer.make, body), layer))

  const { answersEarly = true, keepsConnections = true, maxConnections = Infinity, skipsContinue = true } = traits

  describe(name, () => {
    describe("answers", () => {
      for (const method of ["GET", "POST", "PATCH", "DELETE"] as const) {
        test(`${method} goes out as such`, (server) =>
          Effect.gen(function*() {
            const response = yield* send(server, "/echo", { method, body: undefined })
            assert.strictEqual(JSON.parse(response.body).method, method)
          }))
      }

      test("POST: the bytes, headers and path arrive as they are", (server) =>
        Effect.gen(function*() {
          const body = Buffer.from([0, 1, 0x7f, 0x80, 0xff, ...Buffer.from("héllo")])
          // A view into a larger buffer: only its own bytes are the body.
          const padded = new Uint8Array(body.length + 20)
          padded.set(body, 7)
          const response = yield* send(server, "/echo/v1%2Fx?a=%20b", {
            headers: {
              authorization: `Bearer ${secret}`,
              "content-type": "application/json",
              "idempotency-key": "k 1",
              "x-hookrail-ordering-key": "~!@"
            },
            body: padded.subarray(7, 7 + body.length)
          })
          const echo = JSON.parse(response.body)
          assert.strictEqual(response.status, 200)
          assert.isFalse(response.truncated)
          assert.strictEqual(echo.method, "POST")
          assert.strictEqual(echo.path, "/echo/v1%2Fx?a=%20b")
          assert.strictEqual(echo.body, body.toString("base64"))
          assert.strictEqual(echo.headers.authorization, `Bearer ${secret}`)
          assert.strictEqual(echo.headers["content-type"], "application/json")
          assert.strictEqual(echo.headers["idempotency-key"], "k 1")
          assert.strictEqual(echo.headers["x-hookrail-ordering-key"], "~!@")
          assert.strictEqual(echo.headers["content-length"], String(body.length))
          assert.strictEqual(echo.headers["transfer-encoding"], undefined)
        }))

      it.scopedLive("that came while the process was stopped count, though their time was up meanwhile", () =>
        Effect.gen(function*() {
          const { hasRequest, origin, stop } = yield* StoppedProcess.make
          const fiber = yield* Effect.fork(send(origin, "/", { responseTimeout: 300, timeout: 400 }))
          // The event loop turns, and no more.
          while (!hasRequest()) yield* Effect.promise(() => setImmediate())
          stop(500)
          assert.strictEqual((yield* Fiber.join(fiber)).body, "answer")
        }).pipe(Effect.provide(layer)))

      test("GET: without a body", (server) =>
        Effect.gen(function*() {
          const echo = JSON.parse((yield* send(server, "/echo", get)).body)
          assert.strictEqual(echo.method, "GET")
          assert.strictEqual(echo.body, "")
          assert.strictEqual(echo.headers["content-type"], undefined)
          assert.strictEqual(echo.headers["content-length"], undefined)
        }))

      test("error statuses are answers", (server) =>
        Effect.gen(function*() {
          for (const status of [400, 401, 404, 409, 413, 429, 500, 503]) {
            const response = yield* send(server, `/status/${status}/300`)
            assert.strictEqual(response.status, status)
            assert.strictEqual(response.body.length, 300)
            assert.strictEqual(response.header("retry-after"), "7")
            assert.strictEqual(response.header("x-absent"), undefined)
          }
        }))

      test("header names are found whatever their case on the wire", (server) =>
        Effect.gen(function*() {
          const { header } = yield* send(server, "/repeated")
          assert.strictEqual(header("x-cased"), "First")
          assert.strictEqual(header("x-other"), "other")
        }))

      test("a redirect is not followed", (server) =>
        Effect.gen(function*() {
          for (const overrides of [{}, get]) {
            const response = yield* send(server, "/redirect", overrides)
            assert.strictEqual(response.status, 307)
            assert.strictEqual(response.header("location"), "/echo")
          }
          assert.deepStrictEqual(server.requests, ["/redirect", "/redirect"])
        }))

      test("a character split between chunks survives", (server) =>
        Effect.gen(function*() {
          const response = yield* send(server, "/split")
          assert.strictEqual(response.body, "né…")
        }))

      test("a byte-order mark is dropped", (server) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* send(server, "/bom")).body, "{}")
        }))

      test("an empty body is empty text", (server) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* send(server, "/empty")).body, "")
          const response = yield* send(server, "/no-content")
          assert.strictEqual(response.status, 204)
          assert.strictEqual(response.body, "")
          assert.strictEqual((yield* send(server, "/empty", { body: new Uint8Array(0) })).status, 200)
        }))

      test("early hints are not the answer", (server) =>
        Effect.gen(function*() {
          const response = yield* send(server, "/hints")
          assert.strictEqual(response.status, 200)
          assert.strictEqual(response.body, "after hints")
          assert.strictEqual(response.header("link"), undefined)
        }))

      test("100 Continue that nobody asked for", (server) =>
        Effect.gen(function*() {
          if (skipsContinue) {
            for (let i = 0; i < 5; i++) {
              const response = yield* send(server, "/continue")
              assert.strictEqual(response.status, 200)
              assert.strictEqual(response.body, "after continue")
            }
            if (keepsConnections) assert.isAtMost(server.accepted, 2)
          } else {
            const result = yield* Effect.either(send(server, "/continue"))
            if (Either.isLeft(result)) expectError(result.left, "connection", "response")
            else assert.strictEqual(result.right.body, "after continue")
          }
          assert.strictEqual((yield* send(server, "/echo")).status, 200)
        }))

      for (const encoding of ["gzip", "x-gzip", "deflate", "raw-deflate", "br"]) {
        test(`${encoding}: a compressed answer is read`, (server) =>
          Effect.gen(function*() {
            for (const status of [200, 503]) {
              const response = yield* send(server, `/compressed/${encoding}/${status}`)
              assert.strictEqual(response.status, status)
              assert.strictEqual(response.body, "{\"wörld\":true}")
              assert.isFalse(response.truncated)
            }
          }))
      }

      for (const encoding of ["gzip", "deflate", "br"]) {
        test(`${encoding}: what grows beyond the largest size is cut`, (server) =>
          Effect.gen(function*() {
            const response = yield* send(server, `/bomb/${encoding}`)
            assert.isTrue(response.truncated)
            assert.isAtMost(response.body.length, maxBodyBytes)
            assert.strictEqual((yield* send(server, "/echo")).status, 200)
          }))
      }

      test("compressed, and not whole", (server) =>
        Effect.gen(function*() {
          const success = yield* Effect.either(send(server, "/compressed-half/200"))
          if (Either.isLeft(success)) expectError(success.left, "connection", "body")
          // `fetch` does not notice.
          else assert.isTrue("{\"half\":true}".repeat(50).startsWith(success.right.body))
          const response = yield* send(server, "/compressed-half/503")
          assert.strictEqual(response.status, 503)
          if (Either.isLeft(success)) assert.isTrue(response.truncated)
          assert.strictEqual((yield* send(server, "/compressed-nothing")).body, "")
          assert.strictEqual((yield* send(server, "/echo")).status, 200)
        }))

      test("a body of the largest size is whole; one byte more is cut, and its connection ends", (server) =>
        Effect.gen(function*() {
          const whole = yield* send(server, `/status/200/${maxBodyBytes}`)
          assert.isFalse(whole.truncated)
          assert.strictEqual(whole.body.length, maxBodyBytes)
          const path = `/status/200/${maxBodyBytes * 4}`
          const arrival = server.arrival(path)
          const cut = yield* send(server, path)
          assert.isTrue(cut.truncated)
          assert.strictEqual(cut.body.length, maxBodyBytes)
          yield* Effect.promise(async () => (await arrival).closed)
          assert.strictEqual((yield* send(server, "/echo")).status, 200)
        }))

      if (answersEarly) {
        test("an answer that comes before the request is written is kept", (server) =>
          Effect.gen(function*() {
            const response = yield* send(server, "/early", { body: new Uint8Array(32 * 1024 * 1024) })
            assert.strictEqual(response.status, 413)
            assert.strictEqual(response.body, "too large")
          }))
      }
    })

    describe("failures", () => {
      test("connection refused: nothing was sent", () =>
        Effect.gen(function*() {
          const origin = yield* closedOrigin
          const error = yield* sendFails(origin, "/echo")
          expectError(error, "connection", "connect")
          assert.strictEqual(error.code, "ECONNREFUSED")
        }))

      test("a header that cannot be sent: nothing was sent", (server) =>
        Effect.gen(function*() {
          for (const value of [`Bearer ${secret}\r\nx: y`, `Bearer ${secret}€`, `Bearer ${secret}\0`]) {
            const error = yield* sendFails(server, "/echo", { headers: { authorization: value } })
            expectError(error, "connection", "connect")
            assert.include(error.message, "invalid authorization header")
          }
          assert.strictEqual((yield* send(server, "/echo")).status, 200)
        }))

      for (const path of ["/reset", "/fin"]) {
        test(`${path} before the answer: the outcome is unknown`, (server) =>
          Effect.gen(function*() {
            const error = yield* sendFails(server, path)
            expectError(error, "connection", "response")
            assert.strictEqual((yield* send(server, "/echo")).status, 200)
          }))
      }

      test("something else than HTTP", (server) =>
        Effect.gen(function*() {
          expectError(yield* sendFails(server, "/garbage"), "connection", "response")
          expectError(yield* sendFails(server, "/garbage-chunk"), "connection", "body")
        }))

      for (const path of ["/reset-body/200", "/truncated", "/truncated-chunks"]) {
        test(`${path}: half a success is none`, (server) =>
          Effect.gen(function*() {
            expectError(yield* sendFails(server, path), "connection", "body")
            assert.strictEqual((yield* send(server, "/echo")).status, 200)
          }))
      }

      test("half an error is one: its status is the verdict", (server) =>
        Effect.gen(function*() {
          const response = yield* send(server, "/reset-body/413")
          assert.strictEqual(response.status, 413)
          assert.isTrue(response.truncated)
        }))
    })

    describe("limits", () => {
      test("no answer", (server) =>
        Effect.gen(function*() {
          const arrival = server.arrival("/stall")
          const error = yield* sendFails(server, "/stall", { responseTimeout: 60 })
          expectError(error, "timeout", "response", 60)
          yield* Effect.promise(async () => (await arrival).closed)
          assert.strictEqual((yield* send(server, "/echo")).status, 200)
        }))

      test("no answer, with the whole limit the shorter one", (server) =>
        Effect.gen(function*() {
          expectError(yield* sendFails(server, "/stall", { timeout: 60 }), "timeout", "response", 60)
        }))

      test("a body that stops", (server) =>
        Effect.gen(function*() {
          const arrival = server.arrival("/stall-body")
          // Long enough for the headers to come, however busy the machine is.
          const error = yield* sendFails(server, "/stall-body", { responseTimeout: 2_000, timeout: 2_000 })
          expectError(error, "timeout", "body", 2_000)
          yield* Effect.promise(async () => (await arrival).closed)
          assert.strictEqual((yield* send(server, "/echo")).status, 200)
        }))

      test("a body that drips on and on", (server) =>
        Effect.gen(function*() {
          const error = yield* sendFails(server, "/drip", { responseTimeout: 2_000, timeout: 2_000 })
          expectError(error, "timeout", "body", 2_000)
        }))

      test("limits beyond what a timer can hold do not fire at once", (server) =>
        Effect.gen(function*() {
          const limits = { responseTimeout: Number.MAX_SAFE_INTEGER, timeout: Infinity }
          assert.strictEqual((yield* send(server, "/echo", limits)).status, 200)
        }))
    })

    describe("interruption", () => {
      for (const path of ["/stall", "/stall-body"]) {
        test(`${path}: the socket is freed, and the next request works`, (server) =>
          Effect.gen(function*() {
            const arrival = server.arrival(path)
            const fiber = yield* Effect.fork(send(server, path))
            const { closed } = yield* Effect.promise(() => arrival)
            const exit = yield* Fiber.interrupt(fiber)
            assert.isTrue(exit._tag === "Failure" && Cause.isInterruptedOnly(exit.cause))
            yield* Effect.promise(() => closed)
            assert.strictEqual((yield* send(server, "/echo")).status, 200)
          }))
      }

      test("before anything happened", (server) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(send(server, "/echo"))
          yield* Effect.yieldNow()
          yield* Fiber.interrupt(fiber)
          assert.strictEqual((yield* send(server, "/echo")).status, 200)
        }))
    })

    describe("connections", () => {
      if (keepsConnections) {
        test("are kept", (server) =>
          Effect.gen(function*() {
            for (let i = 0; i < 20; i++) yield* send(server, "/echo")
            assert.isAtMost(server.accepted, 2)
          }))

        test("survive error answers with large bodies", (server) =>
          Effect.gen(function*() {
            for (let i = 0; i < 200; i++) {
              const response = yield* send(server, "/status/503/100000")
              assert.strictEqual(response.status, 503)
              assert.strictEqual(response.body.length, 100_000)
            }
            assert.isAtMost(server.accepted, 2)
          }))
      }

      test("256 requests at once each get their own answer", (server) =>
        Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 256 }, (_, i) => i), (i) =>
            Effect.map(send(server, `/echo/${i}`, { body: Buffer.from(`body ${i}`) }), (response) => {
              const echo = JSON.parse(response.body)
              assert.strictEqual(echo.path, `/echo/${i}`)
              assert.strictEqual(Buffer.from(echo.body, "base64").toString(), `body ${i}`)
            }), { concurrency: "unbounded", discard: true })
          assert.strictEqual(server.requests.length, 256)
          assert.isAtMost(server.accepted, maxConnections)
        }))

      test("that the server closed while idle do no harm", (server) =>
        Effect.gen(function*() {
          yield* send(server, "/echo")
          const ended = server.endConnections()
          // Sent while the end of the connection is on its way: it may be lost, but then the error says so.
          const either = yield* Effect.either(send(server, "/echo"))
          if (Either.isLeft(either)) assert.strictEqual(either.left.reason, "connection")
          yield* Effect.promise(() => ended)
          assert.strictEqual((yield* send(server, "/echo")).status, 200)
        }))
    })
  })
}
