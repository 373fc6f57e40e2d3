/** What the messages say, beyond the names and fields of the errors. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Layer, Redacted } from "effect"
import { HookrailClient, HookrailConfig, HookrailError, SignatureVerifier, Transport } from "../src/index.js"
import { shorten } from "../src/wire/shorten.js"
import { type Answer, apiKey, brokenConnection, problem, refusedConnection, scripted } from "./utils/memoryTransport.js"

interface Setting {
  readonly environment?: Readonly<Record<string, string>>
  readonly options?: HookrailConfig.Options
}

const provided = (answer: Answer, { environment = {}, options = {} }: Setting) =>
  Effect.provide(
    HookrailClient.layer({ apiKey: Redacted.make(apiKey), retry: false, ...options }).pipe(
      Layer.provide(Layer.succeed(Transport.Transport, scripted([answer]))),
      Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment)))))
    )
  )

const send = (answer: Answer, setting: Setting = {}, topic = "orders.created") =>
  HookrailClient.sendEvent(topic, { n: 1 }, { idempotencyKey: "key-1" }).pipe(
    provided(answer, setting),
    Effect.flip,
    Effect.map((error) => error as HookrailError.HookrailError)
  )

const read = (answer: Answer, setting: Setting = {}, eventId = "e1") =>
  HookrailClient.getEvent(eventId).pipe(
    provided(answer, setting),
    Effect.flip,
    Effect.map((error) => error as HookrailError.HookrailError)
  )

const at = (baseUrl: string): Setting => ({ options: { baseUrl } })

describe("a server that is not there", () => {
  const timedOut = new Transport.TransportError({
    reason: "timeout",
    phase: "connect",
    limit: 5_000,
    description: "late"
  })

  it.effect("the base URL, and where it is from", () =>
    Effect.gen(function*() {
      for (const failure of [refusedConnection, brokenConnection, timedOut]) {
        const byDefault = yield* send(failure)
        assert.include(
          byDefault.message,
          "The base URL is http://localhost:8080, the default: HOOKRAIL_BASE_URL is not set."
        )
        const fromEnvironment = yield* send(failure, { environment: { HOOKRAIL_BASE_URL: "https://h.test/a/" } })
        assert.include(fromEnvironment.message, "The base URL is https://h.test/a, from HOOKRAIL_BASE_URL.")
        const given = yield* send(failure, {
          options: { baseUrl: "http://given.test:81" },
          environment: { HOOKRAIL_BASE_URL: "https://h.test" }
        })
        assert.include(given.message, "The base URL is http://given.test:81, from baseUrl.")
      }
    }))

  it.effect("no secret in a base URL is shown", () =>
    Effect.gen(function*() {
      const error = yield* send(refusedConnection, at(`http://h.test/${apiKey}/whsec_0123abc`))
      assert.include(error.message, "http://h.test/***/whsec_***")
      assert.notInclude(JSON.stringify(error), apiKey)
    }))
})

describe("an answer that is not Hookrail's", () => {
  const page = (status: number, body = "<html><head><title>Blocked</title></head></html>"): Answer => ({ status, body })

  for (const status of [400, 401, 403, 409, 413, 429, 500, 502]) {
    it.effect(`${status}: says so, and shows its start`, () =>
      Effect.gen(function*() {
        const { message } = yield* send(page(status), at("https://h.test"))
        assert.include(message, `${status}`)
        assert.include(message, "not how Hookrail answers")
        assert.include(message, "The answer begins with \"<html><head><title>Blocked</title>")
        assert.include(message, "The base URL is https://h.test")
        for (const advice of ["HOOKRAIL_API_KEY", "scopes", "in trouble", "Change the request"]) {
          assert.notInclude(message, advice)
        }
      }))
  }

  for (const status of [400, 401, 403, 404, 409, 413, 429, 500, 503]) {
    it.effect(`${status} with a problem document is Hookrail's`, () =>
      Effect.gen(function*() {
        const { message } = yield* send(problem(status))
        assert.include(message, `${status} (title ${status}: detail ${status})`)
        assert.notInclude(message, "not how Hookrail answers")
        assert.notInclude(message, "begins with")
      }))
  }

  it.effect("JSON of another kind is not Hookrail's either; what is empty begins with nothing", () =>
    Effect.gen(function*() {
      const json = yield* send({ status: 403, body: { message: "Forbidden" } })
      assert.include(json.message, "The answer begins with \"{\\\"message\\\":\\\"Forbidden\\\"}\"")
      const empty = yield* send({ status: 403 })
      assert.include(empty.message, "not how Hookrail answers")
      assert.notInclude(empty.message, "begins with")
    }))

  it.effect("one that is not whole may be Hookrail's", () =>
    Effect.gen(function*() {
      const transport = Transport.fromCallbacks((_, listener) => {
        listener.resume(
          Effect.succeed({ status: 403, header: () => undefined, body: "{\"title\":\"forb", truncated: true })
        )
        return { abort: () => {} }
      })
      const error = yield* HookrailClient.sendEvent("t", 1).pipe(
        Effect.provide(HookrailClient.layer({ apiKey: Redacted.make(apiKey), baseUrl: "http://h.test" })),
        Effect.provideService(Transport.Transport, transport),
        Effect.flip
      )
      assert.include(error.message, "scopes")
      assert.notInclude(error.message, "not how Hookrail answers")
    }))

  it.effect("its start is bounded, on one line and without secrets", () =>
    Effect.gen(function*() {
      const error = yield* send(page(401, `<html>\n\u0000${apiKey} whsec_0123abc ${"x".repeat(100_000)}`))
      assert.include(error.message, "<html> *** whsec_*** xxx")
      assert.isBelow(error.message.length, 800)
      assert.isBelow(JSON.stringify(error).length, 2_000)
      assert.notInclude(JSON.stringify(error), apiKey)
    }))

  it.effect("a success that is a page", () =>
    Effect.gen(function*() {
      const { message } = yield* send(page(200), at("https://h.test"))
      assert.include(
        message,
        "not how Hookrail answers: a proxy or firewall did, or another server. The base URL is https://h.test"
      )
      assert.include(message, "The answer begins with \"<html>")
    }))

  it.effect("plain HTTP that a server for TLS answers", () =>
    Effect.gen(function*() {
      for (
        const body of [
          "Client sent an HTTP request to an HTTPS server.\n",
          "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>",
          "Reason: You're speaking plain HTTP to an SSL-enabled server port."
        ]
      ) {
        const { message } = yield* send(page(400, body), at("http://h.test:8443"))
        assert.include(message, "The server speaks TLS on this port: begin the base URL with https://.")
      }
    }))
})

describe("a base URL with a part of the path", () => {
  const notFound = { status: 404, body: "404 page not found\n" }

  for (const end of ["/v1", "/v1/events"]) {
    it.effect(`404 and 405 say that ${end} is to be left out`, () =>
      Effect.gen(function*() {
        for (
          const error of [
            yield* send(notFound, at(`http://h.test/hooks${end}/`)),
            yield* read(notFound, at(`http://h.test${end}`)),
            yield* send({ status: 405, body: "Method Not Allowed\n" }, at(`http://h.test${end}`))
          ]
        ) {
          assert.include(error.message, `Leave out ${end}: the client adds it.`)
        }
      }))
  }

  it.effect("a 404 elsewhere names the base URL, and Hookrail's own one does not", () =>
    Effect.gen(function*() {
      const other = yield* send(notFound, at("http://h.test/v10"))
      assert.include(
        other.message,
        "no Hookrail at this path. The base URL is http://h.test/v10, from baseUrl."
      )
      assert.notInclude(other.message, "Leave out")
      const unknown = yield* read(problem(404), at("http://h.test/v1"))
      assert.include(unknown.message, "Check the event id.")
      assert.notInclude(unknown.message, "Leave out")
    }))
})

describe("a redirect", () => {
  const to = (location: string, status = 301): Answer => ({ status, headers: { location } })

  it.effect("to the same path elsewhere says which base URL it means", () =>
    Effect.gen(function*() {
      const { message } = yield* send(to("https://h.test/hooks/v1/events", 308), at("http://h.test/hooks"))
      assert.include(message, "A redirect to https://h.test/hooks/v1/events is never followed")
      assert.include(message, "set the base URL to https://h.test/hooks.")
      assert.include((yield* read(to("https://h.test/v1/events/e1"))).message, "set the base URL to https://h.test.")
    }))

  it.effect("to somewhere else says where, without what may be a credential", () =>
    Effect.gen(function*() {
      const { message } = yield* send(
        to(`https://user:password@sso.test/login/${apiKey}?state=canary#canary`),
        at("https://h.test")
      )
      assert.include(message, "A redirect to https://sso.test/login/*** is never followed")
      for (const hidden of ["user", "password", "canary", apiKey]) assert.notInclude(message, hidden)
      assert.include(
        (yield* send(to("/login"), at("https://h.test"))).message,
        "A redirect to /login is never followed."
      )
    }))

  it.effect("is bounded, and says what it can of any Location", () =>
    Effect.gen(function*() {
      const long = yield* send(to(`https://h.test/${"x".repeat(50_000)}`))
      assert.include(long.message, "A redirect to https://h.test/xxx")
      assert.isBelow(long.message.length, 800)
      for (const location of ["http://[", "data:text/html,canary", "javascript:canary", ""]) {
        const { message } = yield* send(to(location))
        assert.include(message, "A redirect")
        assert.isBelow(message.length, 800)
      }
      assert.include((yield* send({ status: 302 })).message, "A redirect is never followed")
    }))
})

describe("RetryError", () => {
  const count = (text: string, part: string) => text.split(part).length - 1

  it.effect("says topic, key, base URL and advice once", () =>
    Effect.gen(function*() {
      const reset = new Transport.TransportError({ reason: "connection", phase: "response", description: "reset" })
      const late = new Transport.TransportError({ reason: "timeout", phase: "body", limit: 10, description: "late" })
      const answers: ReadonlyArray<Answer> = [
        refusedConnection,
        reset,
        late,
        problem(429, { "retry-after": "7" }),
        problem(503),
        problem(408),
        { status: 202, body: "no" }
      ]
      for (const answer of answers) {
        const error = yield* send(answer, at("http://h.test"))
        assert.instanceOf(error, HookrailError.RetryError)
        const { cause, message, outcome } = error
        assert.strictEqual(count(message, "orders.created"), 1, message)
        assert.strictEqual(count(message, "key-1"), 1, message)
        assert.isAtMost(count(message, "The base URL is"), 1, message)
        assert.include(message, "gave up after 1 attempt")
        const verdict = {
          "not-sent": "Nothing was sent.",
          refused: "The server did not store the event.",
          unknown: "The event may be stored: to be sure, send it again with the same idempotency key and payload."
        }[outcome!]
        assert.isTrue(message.endsWith(` ${verdict}`), message)
        assert.strictEqual(count(message, verdict), 1, message)
        // By itself it still says all of it.
        assert.strictEqual(count(cause.message, "orders.created"), 1, cause.message)
        assert.isTrue(cause.message.endsWith(` ${verdict}`), cause.message)
      }
    }))

  it("tells the time in whole milliseconds", () => {
    const { message } = new HookrailError.RetryError({
      cause: new HookrailError.ServerError({ status: 503 }),
      attempts: 2,
      elapsed: Duration.millis(1234.567891)
    })
    assert.include(message, "gave up after 2 attempts in 1s 235ms.")
  })
})

describe("messages are bounded", () => {
  const long = `orders.${"x".repeat(2_000)}.created`

  it.effect("whatever topic, key, event id and problem: the fields keep all of it", () =>
    Effect.gen(function*() {
      for (const answer of [refusedConnection, problem(403), problem(429), problem(503), { status: 302 }]) {
        const error = yield* send(answer, {}, long)
        assert.isBelow(error.message.length, 700)
        assert.match(error.message, /"orders\.x+\[\.\.\.\]x+\.created"/)
        assert.strictEqual((error as HookrailError.SendContext).topic, long)
      }
      const key = "k".repeat(2_048)
      const sent = yield* HookrailClient.sendEvent("t", 1, { idempotencyKey: key }).pipe(
        provided(problem(409), {}),
        Effect.flip
      )
      assert.isBelow(sent.message.length, 700)
      assert.strictEqual((sent as HookrailError.SendContext).idempotencyKey, key)
      assert.isBelow((yield* read(problem(404), {}, "e".repeat(5_000))).message.length, 700)
      const wordy = { status: 400, body: { title: "t".repeat(9_000), detail: "d".repeat(9_000) } }
      const { message } = yield* send(wordy)
      assert.isBelow(message.length, 700)
    }))

  it.effect("of what never went out, too", () =>
    Effect.gen(function*() {
      const refuse = (topic: string, payload: {}) =>
        HookrailClient.sendEvent(topic, payload).pipe(provided(problem(400), {}), Effect.flip)
      const tooLong = yield* refuse("t".repeat(100_000), {})
      assert.isBelow(tooLong.message.length, 700)
      const deep = yield* refuse(long, { ["n".repeat(50_000)]: Number.NaN })
      assert.isBelow(deep.message.length, 900)
      const held = new HookrailError.OrderingKeyHeldError({
        topic: long,
        idempotencyKey: long,
        outcome: "not-sent",
        orderingKey: long
      })
      assert.isBelow(held.message.length, 700)
    }))

  it("what is cut keeps both ends", () => {
    assert.strictEqual(shorten("a".repeat(120)), "a".repeat(120))
    const cut = shorten(`begin${"-".repeat(200)}end`)
    assert.strictEqual(cut.length, 119)
    assert.match(cut, /^begin-+\[\.\.\.\]-+end$/)
  })

  it.effect("an event id is quoted", () =>
    Effect.gen(function*() {
      const { message } = yield* read(problem(404), {}, "e1: all is well\n2026 ERROR")
      assert.include(message, "status of event \"e1: all is well\\n2026 ERROR\": ")
    }))
})

describe("a secret that is missing, or not Redacted", () => {
  it.effect("of the client", () =>
    Effect.gen(function*() {
      const plain = yield* Effect.flip(HookrailConfig.make({ apiKey: "hk_canary" as never }))
      assert.include(plain.message, "Redacted.make")
      assert.notInclude(plain.message, "canary")
      const none = yield* Effect.flip(
        Effect.withConfigProvider(HookrailConfig.make(), ConfigProvider.fromMap(new Map()))
      )
      assert.include(none.message, "HOOKRAIL_API_KEY")
      assert.notInclude(none.message, "Redacted")
    }))

  it.effect("of webhooks", () =>
    Effect.gen(function*() {
      const refused = (secrets: unknown) =>
        Effect.map(
          Effect.flip(SignatureVerifier.make({ secrets: secrets as SignatureVerifier.Secrets })),
          ({ message }) => message
        )
      for (
        const plain of ["whsec_canary", ["whsec_canary"], [Redacted.make("whsec_0123456789abcdef"), "whsec_canary"]]
      ) {
        const message = yield* refused(plain)
        assert.include(message, "is not a Redacted text: wrap it in Redacted.make")
        assert.notInclude(message, "canary")
      }
      for (const missing of [undefined, null, [undefined], Redacted.make(undefined), [Redacted.make(null)]]) {
        const message = yield* refused(missing)
        assert.include(message, "is missing: is the environment variable that holds it set?")
        assert.notInclude(message, "Redacted")
      }
      assert.include(yield* refused(Redacted.make(5)), "the secret is not a text")
      assert.include(yield* refused([]), "give at least one secret")
    }))
})
