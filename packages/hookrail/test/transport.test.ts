import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Cause, Effect, Fiber, Layer } from "effect"
import { Transport } from "../src/index.js"

const request: Transport.TransportRequest = {
  method: "POST",
  origin: "http://h.test",
  path: "/v1/events?a=%20",
  headers: { "content-type": "application/json", "x-a": "1" },
  body: new TextEncoder().encode("{}"),
  responseTimeout: 5_000,
  timeout: 10_000
}

const run = (layer: Layer.Layer<Transport.Transport>, overrides: Partial<Transport.TransportRequest> = {}) =>
  Effect.provide(
    Effect.flatMap(Transport.Transport, (transport) => transport.request({ ...request, ...overrides })),
    layer
  )

type Executed = (
  request: HttpClientRequest.HttpClientRequest,
  signal: AbortSignal
) => Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

const over = (execute: Executed) =>
  Layer.provide(
    Transport.layerHttpClient,
    Layer.succeed(HttpClient.HttpClient, HttpClient.make((request, _url, signal) => execute(request, signal)))
  )

/** Over a client that gives this answer of fetch, or throws. */
const answering = (response: () => Response) =>
  over((request) => Effect.sync(() => HttpClientResponse.fromWeb(request, response())))

const failing = (reason: "Transport" | "InvalidUrl", cause: unknown) =>
  over((request) => Effect.fail(new HttpClientError.RequestError({ request, reason, cause })))

/** Over a fetch that does what it is told. */
const fetching = (answer: () => Response | Promise<Response>) => {
  vi.stubGlobal("fetch", () => Promise.resolve().then(answer))
  return Transport.layerFetch
}

const rejecting = (error: unknown) =>
  fetching(() => {
    throw error
  })

/** A body that comes in these pieces, and then ends or breaks. */
const body = (pieces: ReadonlyArray<Uint8Array>, end: "end" | "break" | "stall" = "end") => {
  let next = 0
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (next < pieces.length) controller.enqueue(pieces[next++]!)
      else if (end === "end") controller.close()
      else if (end === "break") controller.error(Object.assign(new Error("reset"), { code: "ECONNRESET" }))
      else await new Promise<void>(() => {})
    }
  }, { highWaterMark: 0 })
}

const bytes = (text: string) => new TextEncoder().encode(text)

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

describe("the error of a connection", () => {
  const coded = (code: unknown, more: object = {}) => Object.assign(new Error("low"), { code, ...more })

  const errorOf = (error: unknown) => Effect.flip(run(rejecting(error)))

  it.effect("says that nothing was sent where that is certain", () =>
    Effect.gen(function*() {
      for (
        const error of [
          coded("ECONNREFUSED"),
          coded("ENOTFOUND"),
          coded("EAI_AGAIN"),
          coded("EAI_FAIL"),
          coded("CERT_HAS_EXPIRED"),
          coded("CERT_NOT_YET_VALID"),
          coded("DEPTH_ZERO_SELF_SIGNED_CERT"),
          coded("ERR_TLS_CERT_ALTNAME_INVALID"),
          coded("HOSTNAME_MISMATCH"),
          coded("SELF_SIGNED_CERT_IN_CHAIN"),
          coded("UNABLE_TO_GET_ISSUER_CERT"),
          coded("UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
          coded("UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
          coded("UND_ERR_CONNECT_TIMEOUT"),
          coded("ConnectionRefused"),
          coded("EHOSTUNREACH", { syscall: "connect" }),
          coded("ETIMEDOUT", { syscall: "connect" }),
          coded(undefined, { syscall: "getaddrinfo" })
        ]
      ) {
        const found = yield* errorOf(error)
        deepStrictEqual([found.reason, found.phase], ["connection", "connect"], String(error.code))
        strictEqual(found.code, error.code)
      }
    }))

  it.effect("does not say so anywhere else", () =>
    Effect.gen(function*() {
      for (
        const error of [
          coded("ECONNRESET"),
          coded("EPIPE"),
          coded("EHOSTUNREACH"),
          coded("ETIMEDOUT", { syscall: "read" }),
          coded("UND_ERR_SOCKET"),
          coded("XEAI_AGAIN"),
          coded("MY_CERT_"),
          coded("CONN_EAI_"),
          coded(""),
          coded(7),
          coded(undefined, { syscall: 1 }),
          new Error("low"),
          "a text"
        ]
      ) {
        strictEqual((yield* errorOf(error)).phase, "response", String(error))
      }
    }))

  it.effect("is told by the innermost error that has a code", () =>
    Effect.gen(function*() {
      const inner = coded("ECONNREFUSED", { cause: new Error("lower") })
      const middle = Object.assign(new Error("middle", { cause: inner }), { code: "OUTER" })
      const found = yield* errorOf(new TypeError("fetch failed", { cause: middle }))
      deepStrictEqual([found.code, found.description, found.phase], ["ECONNREFUSED", "low", "connect"])
      strictEqual(found.cause, inner)

      const plain = new TypeError("fetch failed", { cause: new Error("lower") })
      const other = yield* errorOf(plain)
      deepStrictEqual([other.code, other.description], [undefined, "fetch failed"])
      assert.notProperty(other, "code")
      strictEqual(other.cause, plain)
    }))

  it.effect("looks for it eight errors deep, and not for ever", () =>
    Effect.gen(function*() {
      const behind = (levels: number) => {
        let error: Error = coded("ECONNREFUSED")
        for (let level = 0; level < levels; level++) error = new Error("outer", { cause: error })
        return error
      }
      strictEqual((yield* errorOf(behind(7))).code, "ECONNREFUSED")
      strictEqual((yield* errorOf(behind(8))).code, undefined)
      const circle = coded("ECONNRESET")
      circle.cause = circle
      strictEqual((yield* errorOf(circle)).code, "ECONNRESET")
    }))

  it.effect("has a description, whatever there is of one", () =>
    Effect.gen(function*() {
      const description = (error: unknown) => Effect.map(errorOf(error), (found) => found.description)
      strictEqual(yield* description(Object.assign(new Error(""), { code: "ECONNRESET" })), "ECONNRESET")
      strictEqual(yield* description(new TypeError("")), "TypeError")
      strictEqual(yield* description("a text"), "unknown failure")
      strictEqual(yield* description(undefined), "unknown failure")
    }))

  it.effect("keeps nothing of an answer that is not HTTP: it may hold our own credentials", () =>
    Effect.gen(function*() {
      const named = Object.assign(new Error("bad"), { name: "HTTPParserError" })
      for (const parser of [named, coded("HPE_INVALID_CONSTANT")]) {
        const found = yield* errorOf(new TypeError("fetch failed", { cause: parser }))
        assert.notProperty(found, "cause")
        strictEqual(found.description, parser.message)
      }
      assert.property(yield* errorOf(coded("XHPE_")), "cause")
    }))
})

describe("a header that cannot be sent", () => {
  it.effect("is refused before anything is, by its name alone", () =>
    Effect.gen(function*() {
      let calls = 0
      const counted = () => {
        calls++
        return new Response("")
      }
      for (const layer of [fetching(counted), answering(counted)]) {
        for (
          const headers of [{ "x-a": "1", "x-b": "se\ncret" }, { "x-b": "a\u0000" }, { "x-b": "語" }, {
            "x-b": "\u007f"
          }]
        ) {
          const error = yield* Effect.flip(run(layer, { headers }))
          deepStrictEqual([error.phase, error.description], ["connect", "invalid x-b header"])
        }
        for (const name of ["a b", "X-A", "", "a:", "é"]) {
          strictEqual(
            (yield* Effect.flip(run(layer, { headers: { [name]: "1" } }))).description,
            `invalid ${name} header`
          )
        }
        strictEqual(calls, 0)
        yield* run(layer, { headers: { "a!#$%&'*+-.^_`|~9z": "\t ~\u00ff\u0080", "x-empty": "" } })
        strictEqual(calls, 1)
        calls = 0
      }
    }))
})

describe("the limits", () => {
  /** Timers of these lengths go off when told, all others as usual. */
  const manualTimers = (...lengths: ReadonlyArray<number>) => {
    const armed = new Map<object, { readonly length: number; readonly fire: () => void }>()
    let count = 0
    const { clearTimeout, setTimeout } = globalThis
    vi.stubGlobal("setTimeout", (callback: () => void, length?: number, ...rest: ReadonlyArray<unknown>) => {
      if (length === undefined || !lengths.includes(length)) return setTimeout(callback, length, ...rest)
      const timer = {}
      count++
      armed.set(timer, { length, fire: callback })
      return timer
    })
    vi.stubGlobal("clearTimeout", (timer: object | undefined) => {
      if (timer === undefined || !armed.delete(timer)) clearTimeout(timer as never)
    })
    return {
      /** How many have been set so far. */
      count: () => count,
      armed: () => [...armed.values()].map(({ length }) => length).sort((a, b) => a - b),
      fire: (length: number) => {
        const [timer, { fire }] = [...armed].find(([, timer]) => timer.length === length)!
        armed.delete(timer)
        fire()
      }
    }
  }

  const never = new Promise<never>(() => {})

  /** Waits until something is so, turn by turn of the event loop. */
  const until = (condition: () => boolean) =>
    Effect.repeat(Effect.promise(() => new Promise((resolve) => setImmediate(resolve))), { until: condition })

  const layers = {
    layerFetch: (answer: () => Response | Promise<never>) => fetching(answer),
    layerHttpClient: (answer: () => Response | Promise<never>) =>
      over((request) =>
        Effect.map(Effect.promise(async () => answer()), (web) => HttpClientResponse.fromWeb(request, web))
      )
  }

  for (const [name, layer] of Object.entries(layers)) {
    describe(name, () => {
      it.live("of the answer counts until the answer begins", () =>
        Effect.gen(function*() {
          const timers = manualTimers(1_111, 2_222)
          const fiber = yield* Effect.fork(
            Effect.flip(run(layer(() => never), { responseTimeout: 1_111, timeout: 2_222 }))
          )
          yield* until(() => timers.armed().length === 2)
          timers.fire(1_111)
          const error = yield* Fiber.join(fiber)
          deepStrictEqual([error.reason, error.phase, error.limit], ["timeout", "response", 1_111])
          deepStrictEqual(timers.armed(), [])
        }))

      it.live("of the whole counts on, up to the end of the body", () =>
        Effect.gen(function*() {
          const timers = manualTimers(1_111, 2_222)
          const answer = () => new Response(body([bytes("a")], "stall"))
          const fiber = yield* Effect.fork(Effect.flip(run(layer(answer), { responseTimeout: 1_111, timeout: 2_222 })))
          yield* until(() => timers.count() === 2 && timers.armed().length === 1)
          deepStrictEqual(timers.armed(), [2_222])
          timers.fire(2_222)
          const error = yield* Fiber.join(fiber)
          deepStrictEqual([error.reason, error.phase, error.limit], ["timeout", "body", 2_222])
          assert.match(error.message, /no complete answer within 2222 ms/)
        }))

      it.live("of the whole is the only one where the other is not shorter", () =>
        Effect.gen(function*() {
          const timers = manualTimers(2_222)
          const fiber = yield* Effect.fork(
            Effect.flip(run(layer(() => never), { responseTimeout: 2_222, timeout: 2_222 }))
          )
          yield* until(() => timers.armed().length > 0)
          deepStrictEqual(timers.armed(), [2_222])
          timers.fire(2_222)
          const error = yield* Fiber.join(fiber)
          deepStrictEqual([error.reason, error.phase, error.limit], ["timeout", "response", 2_222])
          assert.match(error.message, /no answer within 2222 ms/)
        }))

      it.live("longer than a timer can be do not go off at once", () =>
        Effect.gen(function*() {
          const timers = manualTimers(2 ** 31 - 1)
          const limits = { responseTimeout: 2 ** 31, timeout: 2 ** 32 }
          const fiber = yield* Effect.fork(Effect.flip(run(layer(() => never), limits)))
          yield* until(() => timers.armed().length === 2)
          timers.fire(2 ** 31 - 1)
          strictEqual((yield* Fiber.join(fiber)).reason, "timeout")
        }))

      it.live("leave no timer behind, however it ends", () =>
        Effect.gen(function*() {
          const timers = manualTimers(1_111, 2_222)
          const limits = { responseTimeout: 1_111, timeout: 2_222 }
          yield* run(layer(() => new Response("ok")), limits)
          deepStrictEqual(timers.armed(), [])
          yield* Effect.ignore(run(layer(() => new Response(body([], "break"))), limits))
          deepStrictEqual(timers.armed(), [])
          const fiber = yield* Effect.fork(run(layer(() => never), limits))
          yield* until(() => timers.armed().length === 2)
          yield* Fiber.interrupt(fiber)
          deepStrictEqual(timers.armed(), [])
        }))
    })
  }
})

describe("a body", () => {
  const max = Transport.maxBodyBytes
  const half = new Uint8Array(max / 2).fill(97)

  for (
    const [name, layer] of [
      ["layerFetch", (answer: () => Response) => fetching(answer)],
      ["layerHttpClient", answering]
    ] as const
  ) {
    describe(name, () => {
      it.effect("of 4 MiB is whole, and one byte more is cut off", () =>
        Effect.gen(function*() {
          strictEqual(max, 4_194_304)
          const whole = yield* run(layer(() => new Response(body([half, half]))))
          deepStrictEqual([whole.body.length, whole.truncated], [max, false])
          const cut = yield* run(layer(() => new Response(body([half, half, bytes("b")], "stall"))))
          deepStrictEqual([cut.body.length, cut.truncated, cut.body.at(-1)], [max, true, "a"])
          const within = yield* run(layer(() => new Response(body([half, bytes("b"), half], "stall"))))
          deepStrictEqual([within.body.length, within.truncated], [max, true])
        }))

      it.effect("is decoded as a whole", () =>
        Effect.gen(function*() {
          const pieces = [...bytes("\ufeffé語😀")].map((byte) => Uint8Array.of(byte))
          strictEqual((yield* run(layer(() => new Response(body(pieces))))).body, "é語😀")
          strictEqual((yield* run(layer(() => new Response(null, { status: 204 })))).body, "")
        }))

      it.effect("that breaks is an error after a success, and cut off after an error", () =>
        Effect.gen(function*() {
          for (const status of [200, 399]) {
            const error = yield* Effect.flip(run(layer(() => new Response(body([bytes("a")], "break"), { status }))))
            deepStrictEqual([error.reason, error.phase, error.code], ["connection", "body", "ECONNRESET"])
          }
          for (const status of [400, 503]) {
            const answer = yield* run(layer(() => new Response(body([bytes("a")], "break"), { status })))
            deepStrictEqual([answer.status, answer.body, answer.truncated], [status, "a", true])
          }
        }))

      it.effect("has headers by their lower-case names, and a redirect is an answer", () =>
        Effect.gen(function*() {
          const answer = yield* run(
            layer(() => new Response("x", { status: 301, headers: { "Retry-After": "1", location: "/" } }))
          )
          deepStrictEqual([answer.status, answer.header("retry-after"), answer.header("x")], [301, "1", undefined])
        }))
    })
  }

  it.effect("behind a redirect that a browser hides is a 302", () =>
    Effect.gen(function*() {
      const hidden = () => Object.defineProperty(new Response(null), "type", { value: "opaqueredirect" })
      strictEqual((yield* run(fetching(hidden))).status, 302)
      strictEqual((yield* run(answering(() => Response.error()))).status, 302)
    }))

  it.effect("that is too long ends the exchange", () =>
    Effect.gen(function*() {
      const signals: Array<AbortSignal> = []
      const abortable = (stream: () => ReadableStream<Uint8Array>) =>
        over((request, signal) =>
          Effect.sync(() => {
            signals.push(signal)
            return HttpClientResponse.fromWeb(request, new Response(stream()))
          })
        )
      yield* run(abortable(() => body([half, half, half], "stall")))
      yield* run(abortable(() => body([half])))
      deepStrictEqual(signals.map(({ aborted }) => aborted), [true, false])
    }))
})

describe("layerHttpClient", () => {
  it.effect("hands the request on as it is", () =>
    Effect.gen(function*() {
      const seen: Array<HttpClientRequest.HttpClientRequest> = []
      const layer = over((request) => {
        seen.push(request)
        return Effect.succeed(HttpClientResponse.fromWeb(request, new Response("ok")))
      })
      yield* run(layer)
      yield* run(layer, { method: "GET", body: undefined })
      deepStrictEqual(
        seen.map(({ body, headers, method, url }) => [method, url, headers["content-type"], headers["x-a"], body._tag]),
        [
          ["POST", "http://h.test/v1/events?a=%20", "application/json", "1", "Uint8Array"],
          ["GET", "http://h.test/v1/events?a=%20", "application/json", "1", "Empty"]
        ]
      )
    }))

  it.effect("reads a body in one go if it is known to fit, and by pieces if not", () =>
    Effect.gen(function*() {
      const isReadWhole = (status: number, headers: Record<string, string>) => {
        const web = new Response(body([bytes("x")]), { status, headers })
        const text = vi.spyOn(web, "text")
        return Effect.map(run(answering(() => web)), (answer) => {
          strictEqual(answer.body, "x")
          return text.mock.calls.length === 1
        })
      }
      const cap = String(Transport.maxBodyBytes)
      deepStrictEqual([
        yield* isReadWhole(200, { "content-length": "1" }),
        yield* isReadWhole(299, { "content-length": "0" }),
        yield* isReadWhole(200, { "content-length": cap }),
        yield* isReadWhole(200, { "content-length": String(Transport.maxBodyBytes + 1) }),
        yield* isReadWhole(200, { "content-length": "1", "content-encoding": "gzip" }),
        yield* isReadWhole(200, {}),
        yield* isReadWhole(300, { "content-length": "1" }),
        yield* isReadWhole(404, { "content-length": "1" })
      ], [true, true, true, false, false, false, false, false])
    }))

  it.effect("drops the byte-order mark that a client has left, and only that", () =>
    Effect.gen(function*() {
      const reading = (text: string) => {
        const web = new Response("", { headers: { "content-length": "1" } })
        vi.spyOn(web, "text").mockResolvedValue(text)
        return Effect.map(run(answering(() => web)), (answer) => [answer.body, answer.truncated])
      }
      deepStrictEqual(yield* reading("\ufeffx"), ["x", false])
      deepStrictEqual(yield* reading("x\ufeff"), ["x\ufeff", false])
    }))

  it.effect("a whole body that breaks is an error of the body", () =>
    Effect.gen(function*() {
      const web = new Response("", { headers: { "content-length": "1" } })
      vi.spyOn(web, "text").mockRejectedValue(Object.assign(new Error("reset"), { code: "ECONNRESET" }))
      const error = yield* Effect.flip(run(answering(() => web)))
      deepStrictEqual([error.phase, error.code], ["body", "ECONNRESET"])
    }))

  it.effect("an error status that the client takes for an error is an answer", () =>
    Effect.gen(function*() {
      const failing = (reason: "StatusCode" | "Decode") =>
        over((request) => {
          const response = HttpClientResponse.fromWeb(request, new Response("no", { status: 400 }))
          return Effect.fail(new HttpClientError.ResponseError({ request, response, reason }))
        })
      strictEqual((yield* run(failing("StatusCode"))).status, 400)
      strictEqual((yield* Effect.flip(run(failing("Decode")))).phase, "body")
    }))

  it.effect("an error of the request says what it is, without the request", () =>
    Effect.gen(function*() {
      const url = yield* Effect.flip(run(failing("InvalidUrl", new TypeError("http://u:p@h"))))
      deepStrictEqual([url.phase, url.description, url.cause], ["connect", "invalid URL", undefined])
      const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED" })
      const refused = yield* Effect.flip(run(failing("Transport", cause)))
      deepStrictEqual([refused.phase, refused.description, refused.cause], ["connect", "refused", cause])
    }))

  it.effect("a defect of the client is a defect, and interruption reaches it", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(run(over(() => Effect.die("defect"))))
      assert(exit._tag === "Failure" && Cause.isDie(exit.cause))
      const signals: Array<AbortSignal> = []
      const layer = over((_, signal) => {
        signals.push(signal)
        return Effect.never
      })
      const fiber = yield* Effect.fork(run(layer))
      while (signals.length === 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Fiber.interrupt(fiber)
      strictEqual(signals[0]!.aborted, true)
    }))
})
