import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { configured } from "hookrail/HookrailConfig"
import { HookrailConfigError } from "hookrail/HookrailError"
import type { TransportError } from "hookrail/Transport"
import { inspect } from "node:util"
import * as NodeTransport from "../src/NodeTransport.js"
import { proxyOf } from "../src/transport/proxy.js"
import { closedOrigin, FaultServer } from "./faultServer.js"
import { type Behaviour, ProxyServer } from "./proxyServer.js"
import { tls } from "./tls.js"
import { request, secret, send, sendFails } from "./transportSuite.js"

const password = "p4ss:w/rd é"
const credentials = `hook%20rail:${encodeURIComponent(password)}@`
const authorization = `Basic ${Buffer.from(`hook rail:${password}`).toString("base64")}`

const withOptions = (options: NodeTransport.Options) => Effect.provide(Layer.orDie(NodeTransport.layer(options)))

const withEnvironment = (variables: Record<string, string>) =>
  Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

const assertHidden = (error: unknown) => {
  const printed = `${inspect(error, { depth: null, showHidden: true })} ${JSON.stringify(error)} ${String(error)}`
  for (const part of [password, encodeURIComponent(password), authorization.slice("Basic ".length), secret]) {
    assert.notInclude(printed, part)
  }
}

const expectNotSent = (error: TransportError, fields: Partial<TransportError>) => {
  assert.deepInclude(error, { phase: "connect", ...fields })
  assertHidden(error)
}

describe("through a proxy", () => {
  const server = FaultServer.makeWith(tls.server)

  it.scoped("an https server is reached by a tunnel, of which the proxy reads nothing", () =>
    Effect.gen(function*() {
      const { port } = yield* server
      const proxy = yield* ProxyServer.make(port, { authorization })
      const { ca } = tls
      const options = { ca, proxy: Redacted.make(proxy.url(credentials)) }
      yield* Effect.gen(function*() {
        for (let i = 0; i < 10; i++) {
          const echo = JSON.parse((yield* send(`https://hooks.test:${port}`, `/echo/${i}`)).body)
          assert.strictEqual(echo.path, `/echo/${i}`)
          assert.strictEqual(echo.headers.host, `hooks.test:${port}`)
          assert.strictEqual(echo.headers["proxy-authorization"], undefined)
        }
      }).pipe(withOptions(options))
      assert.isAtMost(proxy.accepted, 2)
      assert.deepStrictEqual(proxy.asked[0], {
        line: `CONNECT hooks.test:${port} HTTP/1.1`,
        headers: { host: `hooks.test:${port}`, "proxy-authorization": authorization }
      })
      assert.notInclude(proxy.read, secret)
      yield* Effect.promise(() => proxy.allClosed())
    }))

  it.scoped("the port of https is named in full", () =>
    Effect.gen(function*() {
      const { port } = yield* server
      const proxy = yield* ProxyServer.make(port)
      yield* Effect.provide(
        Effect.zip(send("https://hooks.test", "/echo"), send("https://[::1]", "/status/204/0").pipe(Effect.ignore)),
        Layer.orDie(NodeTransport.layer({ ca: tls.ca, proxy: proxy.url() }))
      )
      assert.deepStrictEqual(proxy.asked.map(({ line }) => line), [
        "CONNECT hooks.test:443 HTTP/1.1",
        "CONNECT [::1]:443 HTTP/1.1"
      ])
    }))

  it.scoped("the certificate of the server is verified within the tunnel", () =>
    Effect.gen(function*() {
      const { port } = yield* server
      const proxy = yield* ProxyServer.make(port)
      const misnamed = yield* sendFails(`https://other.test:${port}`, "/echo").pipe(
        withOptions({ ca: tls.ca, proxy: proxy.url() })
      )
      expectNotSent(misnamed, { reason: "connection", code: "ERR_TLS_CERT_ALTNAME_INVALID" })
      const unknown = yield* sendFails(`https://hooks.test:${port}`, "/echo").pipe(withOptions({ proxy: proxy.url() }))
      expectNotSent(unknown, { reason: "connection", code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" })
      yield* Effect.promise(() => proxy.allClosed())
    }))

  it.scoped("an http server is reached by a request to the proxy", () =>
    Effect.gen(function*() {
      const plain = yield* FaultServer.make
      const proxy = yield* ProxyServer.make(plain.port, { authorization })
      yield* Effect.gen(function*() {
        for (let i = 0; i < 10; i++) {
          const echo = JSON.parse((yield* send(`http://hooks.test:${plain.port}`, `/echo/${i}?a=b`)).body)
          assert.strictEqual(echo.path, `/echo/${i}?a=b`)
          assert.strictEqual(echo.headers.host, `hooks.test:${plain.port}`)
          assert.strictEqual(echo.headers.authorization, `Bearer ${secret}`)
        }
      }).pipe(withOptions({ proxy: new URL(proxy.url(credentials)) }))
      assert.isAtMost(proxy.accepted, 2)
      assert.strictEqual(proxy.asked[3]!.line, `POST http://hooks.test:${plain.port}/echo/3?a=b HTTP/1.1`)
      assert.strictEqual(proxy.asked[3]!.headers["proxy-authorization"], authorization)
    }))

  it.scoped("that speaks TLS itself", () =>
    Effect.gen(function*() {
      const secure = yield* server
      const plain = yield* FaultServer.make
      for (const [origin, { port }] of [["https://hooks.test", secure], ["http://hooks.test", plain]] as const) {
        const proxy = yield* ProxyServer.make(port, { authorization, tls: tls.server })
        const response = yield* send(`${origin}:${port}`, "/echo").pipe(
          withOptions({ ca: tls.ca, proxy: proxy.url(credentials) })
        )
        assert.strictEqual(response.status, 200)
        yield* Effect.promise(() => proxy.allClosed())
      }
    }))

  it.scoped("whose certificate is for another name", () =>
    Effect.gen(function*() {
      const proxy = yield* ProxyServer.make(1, { tls: tls.other })
      for (const origin of ["https://hooks.test", "http://hooks.test"]) {
        const error = yield* sendFails(origin, "/echo").pipe(
          withOptions({ ca: tls.ca, proxy: proxy.url(credentials) })
        )
        expectNotSent(error, { reason: "connection", code: "ERR_PROXY_TUNNEL" })
        assert.include(error.message, `no connection to the proxy ${proxy.url()}`)
      }
    }))

  it.scoped("a client certificate is shown to the server", () =>
    Effect.gen(function*() {
      const strict = yield* FaultServer.makeWith({ ...tls.server, ca: tls.ca, requestCert: true })
      const proxy = yield* ProxyServer.make(strict.port)
      const response = yield* send(`https://hooks.test:${strict.port}`, "/echo").pipe(
        withOptions({ ca: tls.ca, ...tls.client, proxy: proxy.url() })
      )
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(strict.peers, ["Hookrail test client"])
    }))

  describe("that does not do what it should, nothing is sent", () => {
    const answers: Record<string, [behaviour: Behaviour, description: string]> = {
      "403": [
        { answer: "HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\nsome" },
        "refused a tunnel to hooks.test:443 (403)"
      ],
      "502, in pieces, after 100": [{ answer: "HTTP/1.0 100 Continue\r\n\r\nHTTP/1.0 502 Bad\r\n\r\n" }, "(502)"],
      "200, and bytes of its own": [{ answer: "HTTP/1.1 200 OK\r\n\r\nHello" }, "sent something of its own"],
      "another protocol": [{ answer: "SSH-2.0-OpenSSH_9.6 Debian\r\n" }, "does not answer as an HTTP proxy does"],
      "a head without end": [
        { answer: `HTTP/1.1 200 OK\r\na: ${"a".repeat(20_000)}` },
        "does not answer as an HTTP proxy"
      ],
      "an end": [{ answer: "", ends: true }, "closed the connection instead of opening a tunnel"],
      "an end within the head": [{ answer: "HTTP/1.1 200 OK\r\nvia:", ends: true }, "closed the connection instead"]
    }
    for (const [title, [behaviour, description]] of Object.entries(answers)) {
      it.scoped(title, () =>
        Effect.gen(function*() {
          const proxy = yield* ProxyServer.make(1, behaviour)
          yield* Effect.gen(function*() {
            const error = yield* sendFails("https://hooks.test", "/echo")
            expectNotSent(error, { reason: "connection", code: "ERR_PROXY_TUNNEL" })
            assert.include(error.description, `the proxy ${proxy.url()}`)
            assert.include(error.description, description)
            // Not only when the transport closes.
            yield* Effect.promise(() => proxy.allClosed())
          }).pipe(withOptions({ proxy: proxy.url(credentials) }))
          assert.notInclude(proxy.read, secret)
        }))
    }

    it.scoped("407", () =>
      Effect.gen(function*() {
        const plain = yield* FaultServer.make
        const proxy = yield* ProxyServer.make(plain.port, { authorization })
        for (const origin of ["https://hooks.test", "http://hooks.test"]) {
          const missing = yield* sendFails(origin, "/echo").pipe(withOptions({ proxy: proxy.url() }))
          expectNotSent(missing, { reason: "connection", code: "ERR_PROXY_TUNNEL" })
          assert.include(missing.description, "(407): it wants a user name and a password")
          const wrong = yield* sendFails(origin, "/echo").pipe(withOptions({ proxy: proxy.url("hook:nonsense@") }))
          expectNotSent(wrong, { reason: "connection", code: "ERR_PROXY_TUNNEL" })
          assert.include(wrong.description, "(407): it does not accept the user name and password")
          assert.notInclude(inspect(wrong, { depth: null }), "nonsense")
          yield* Effect.promise(() => proxy.allClosed())
        }
        assert.deepStrictEqual(plain.requests, [])
      }))

    it.scoped("407 of the server, within the tunnel, is its answer", () =>
      Effect.gen(function*() {
        const { port } = yield* server
        const proxy = yield* ProxyServer.make(port)
        const response = yield* send(`https://hooks.test:${port}`, "/status/407/3").pipe(
          withOptions({ ca: tls.ca, proxy: proxy.url() })
        )
        assert.strictEqual(response.status, 407)
      }))

    it.scoped("nobody listens there", () =>
      Effect.gen(function*() {
        const proxy = yield* closedOrigin
        for (const origin of ["https://hooks.test", "http://hooks.test"]) {
          const error = yield* sendFails(origin, "/echo").pipe(
            withOptions({ proxy: proxy.replace("//", `//${credentials}`) })
          )
          expectNotSent(error, { reason: "connection", code: "ECONNREFUSED" })
          assert.include(error.description, `no connection to the proxy ${proxy}`)
        }
      }))

    it.scoped("it hangs: the connect timeout covers the tunnel, and the handshakes", () =>
      Effect.gen(function*() {
        const silent = yield* ProxyServer.make(1, { answer: "" })
        // It opens the tunnel, and nobody at its end speaks TLS.
        const mute = yield* FaultServer.make
        const open = yield* ProxyServer.make(mute.port)
        const cases = [silent.url(), open.url(), mute.origin.replace("http:", "https:")]
        for (const proxy of cases) {
          yield* Effect.gen(function*() {
            const error = yield* sendFails("https://hooks.test", "/echo")
            expectNotSent(error, { reason: "timeout", limit: 60 })
            assert.include(error.description, `no connection through the proxy ${proxy} within 60 ms`)
            yield* Effect.promise(() => Promise.all([silent.allClosed(), open.allClosed()]))
          }).pipe(withOptions({ connectTimeout: 60, proxy }))
        }
      }))
  })

  it.scoped("an interrupted exchange frees its sockets", () =>
    Effect.gen(function*() {
      const target = yield* server
      const proxy = yield* ProxyServer.make(target.port)
      yield* Effect.gen(function*() {
        const arrival = target.arrival("/stall")
        const fiber = yield* Effect.fork(send(`https://hooks.test:${target.port}`, "/stall"))
        const { closed } = yield* Effect.promise(() => arrival)
        const exit = yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
        yield* Effect.promise(() => Promise.all([closed, proxy.allClosed()]))
        assert.strictEqual((yield* send(`https://hooks.test:${target.port}`, "/echo")).status, 200)
      }).pipe(withOptions({ ca: tls.ca, proxy: proxy.url() }))
    }))

  it.scoped("closing the scope frees every socket, whatever it waits for", () =>
    Effect.gen(function*() {
      const target = yield* server
      const mute = yield* FaultServer.make
      const proxies = [
        yield* ProxyServer.make(1, { answer: "" }),
        yield* ProxyServer.make(mute.port),
        yield* ProxyServer.make(target.port)
      ]
      const scope = yield* Scope.make()
      const running: Array<Fiber.RuntimeFiber<TransportError, unknown>> = []
      const stalled = target.arrival("/stall")
      const handshake = mute.connection()
      for (const proxy of proxies) {
        const asked = proxy.nextRequest()
        const transport = yield* Scope.extend(NodeTransport.make({ ca: tls.ca, proxy: proxy.url() }), scope)
        running.push(yield* Effect.fork(Effect.flip(transport.request(request(`https://hooks.test`, "/stall")))))
        yield* Effect.promise(() => asked)
      }
      yield* Effect.promise(() => Promise.all([stalled, handshake]))
      yield* Scope.close(scope, Exit.void)
      const errors = yield* Fiber.join(Fiber.all(running))
      assert.deepStrictEqual(errors.map(({ phase, reason }) => [reason, phase]), [
        ["connection", "connect"],
        ["connection", "connect"],
        ["connection", "response"]
      ])
      yield* Effect.promise(() => Promise.all(proxies.map((proxy) => proxy.allClosed())))
    }))
})

describe("the proxy of the environment", () => {
  it.scoped("is the one of the scheme, and is read when the transport is made", () =>
    Effect.gen(function*() {
      const plain = yield* FaultServer.make
      const secure = yield* FaultServer.makeWith(tls.server)
      const http = yield* ProxyServer.make(plain.port)
      const https = yield* ProxyServer.make(secure.port)
      yield* Effect.acquireUseRelease(
        Effect.sync(() => {
          process.env["http_proxy"] = http.url().replace("http://", "")
          process.env["HTTPS_PROXY"] = https.url()
        }),
        () =>
          Effect.gen(function*() {
            const transport = yield* NodeTransport.make({ ca: tls.ca })
            delete process.env["http_proxy"]
            delete process.env["HTTPS_PROXY"]
            yield* transport.request(request("http://hooks.test", "/echo"))
            yield* transport.request(request("https://hooks.test", "/echo"))
          }),
        () =>
          Effect.sync(() => {
            delete process.env["http_proxy"]
            delete process.env["HTTPS_PROXY"]
          })
      )
      assert.deepStrictEqual([http.accepted, https.accepted], [1, 1])
    }))

  it.scoped("is not for this machine, nor where the option says otherwise", () =>
    Effect.gen(function*() {
      const plain = yield* FaultServer.make
      const proxy = yield* ProxyServer.make(plain.port)
      const environment = withEnvironment({ HTTP_PROXY: proxy.url() })
      yield* send(plain, "/echo").pipe(withOptions({}), environment)
      yield* send(plain, "/echo").pipe(withOptions({ proxy: false }), environment)
      assert.strictEqual(proxy.accepted, 0)
      // An option is for every request.
      yield* send(plain, "/echo").pipe(withOptions({ proxy: proxy.url() }), withEnvironment({ NO_PROXY: "*" }))
      assert.strictEqual(proxy.accepted, 1)
    }))

  const a = "http://a.test:1"
  const b = "http://b.test:2"
  const cases: ReadonlyArray<[variables: Record<string, string>, origin: string, proxy: string | undefined]> = [
    [{}, "https://hooks.test", undefined],
    [{ HTTPS_PROXY: a }, "https://hooks.test", a],
    [{ HTTPS_PROXY: a }, "http://hooks.test", undefined],
    [{ HTTP_PROXY: a }, "https://hooks.test", undefined],
    [{ HTTP_PROXY: a, http_proxy: b }, "http://hooks.test", b],
    [{ HTTP_PROXY: a, http_proxy: "" }, "http://hooks.test", undefined],
    [{ HTTP_PROXY: "  " }, "http://hooks.test", undefined],
    [{ https_proxy: "a.test:1" }, "https://hooks.test", a],
    // In a CGI program it comes from whoever sends a request.
    [{ HTTP_PROXY: a, REQUEST_METHOD: "GET" }, "http://hooks.test", undefined],
    [{ http_proxy: a, REQUEST_METHOD: "GET" }, "http://hooks.test", a],
    [{ HTTPS_PROXY: a }, "https://localhost:8443", undefined],
    [{ HTTPS_PROXY: a }, "https://api.localhost", undefined],
    [{ HTTPS_PROXY: a }, "https://127.3.2.1", undefined],
    [{ HTTPS_PROXY: a }, "https://[::1]:8443", undefined],
    [{ HTTPS_PROXY: a }, "https://128.0.0.1", a]
  ]
  const noProxy: ReadonlyArray<[noProxy: string, origin: string, isDirect: boolean]> = [
    ["*", "https://hooks.test", true],
    ["other.test, *", "https://hooks.test", true],
    ["hooks.test", "https://hooks.test", true],
    ["HOOKS.test", "https://hooks.TEST.", true],
    ["hooks.test", "https://eu.hooks.test:8443", true],
    ["hooks.test", "https://myhooks.test", false],
    [".hooks.test", "https://eu.hooks.test", true],
    [".hooks.test", "https://hooks.test", true],
    ["*.hooks.test", "https://eu.hooks.test", true],
    ["ks.test", "https://hooks.test", false],
    ["hooks.test:443", "https://hooks.test", true],
    ["hooks.test:8443", "https://hooks.test", false],
    ["hooks.test:8443", "https://hooks.test:8443", true],
    ["a.test b.test,,hooks.test", "https://hooks.test", true],
    ["10.1.2.3", "https://10.1.2.3", true],
    ["10.0.0.0/8", "https://10.1.2.3", true],
    ["10.0.0.0/8", "https://11.1.2.3", false],
    ["10.0.0.0/8", "https://hooks.test", false],
    ["10.0.0.0/99", "https://10.1.2.3", false],
    ["fd00::1", "https://[fd00::1]", true],
    ["[fd00::1]:8443", "https://[fd00::1]:8443", true],
    ["[fd00::1]:8443", "https://[fd00::1]", false],
    ["fd00::/8", "https://[fd12::1]", true],
    ["fd00::/8", "https://[fe80::1]", false]
  ]
  const all = [
    ...cases,
    ...noProxy.map(([NO_PROXY, origin, isDirect]) =>
      [{ HTTPS_PROXY: a, NO_PROXY }, origin, isDirect ? undefined : a] as const
    ),
    [{ HTTPS_PROXY: a, NO_PROXY: "hooks.test", no_proxy: "other.test" }, "https://hooks.test", a] as const
  ]
  for (const [variables, origin, expected] of all) {
    it.effect(`${inspect(variables)}: ${origin} ${expected === undefined ? "directly" : `by ${expected}`}`, () =>
      Effect.gen(function*() {
        const find = yield* proxyOf(undefined, configured)
        assert.strictEqual(find(new URL(origin))?.name, expected)
      }).pipe(withEnvironment(variables)))
  }

  it.effect("the object that stands for it shows no credentials", () =>
    Effect.gen(function*() {
      const find = yield* proxyOf(`http://${credentials}proxy.test:3128`, configured)
      const proxy = find(new URL("https://hooks.test"))!
      assert.strictEqual(proxy.authorization(), authorization)
      assertHidden(proxy)
    }))
})

describe("what is wrong is said when the transport is made", () => {
  const refused = (
    options: NodeTransport.Options,
    variables: Record<string, string> = {}
  ): Effect.Effect<HookrailConfigError> =>
    Effect.map(Effect.flip(Effect.scoped(NodeTransport.make(options)).pipe(withEnvironment(variables))), (error) => {
      assert.instanceOf(error, HookrailConfigError)
      assertHidden(error)
      assert.notInclude(inspect(error, { depth: null }), "garbage")
      return error
    }) as Effect.Effect<HookrailConfigError>

  const proxies: ReadonlyArray<[proxy: unknown, reason: string]> = [
    ["", "must be a URL"],
    ["http://", "must be a URL"],
    [`socks5://${credentials}garbage.test`, "socks5:// is not supported"],
    ["http://garbage%zz:pass@proxy.test", "percent-encode"],
    ["http://user:1234/garbage@proxy.test", "percent-encode"],
    ["http://proxy.test/?garbage", "without a path"],
    [true, "or false"],
    [42, "or false"]
  ]
  for (const [proxy, reason] of proxies) {
    it.effect(`proxy: ${inspect(proxy)}`, () =>
      Effect.gen(function*() {
        const error = yield* refused({ proxy: proxy as string })
        assert.strictEqual(error.option, "proxy")
        assert.include(error.reason, reason)
      }))
  }

  it.effect("in the environment", () =>
    Effect.gen(function*() {
      const error = yield* refused({}, { https_proxy: "socks5://garbage.test" })
      assert.strictEqual(error.option, "https_proxy")
      assert.strictEqual((yield* refused({}, { HTTP_PROXY: "http://a b" })).option, "HTTP_PROXY")
    }))

  const { ca, client, encryptedKey, other, passphrase, pfx } = tls
  const half = ca.slice(0, 200).replace(/\n$/, "") + "\n-----END CERTIFICATE-----\n"
  const certificates: ReadonlyArray<[title: string, option: string, options: NodeTransport.Options]> = [
    ["a garbage ca", "ca", { ca: "garbage" }],
    ["the name of a file", "ca", { ca: "/etc/ssl/garbage.pem" }],
    ["half a certificate", "ca", { ca: half }],
    ["one good ca and one that is none", "ca", { ca: [ca, "garbage"] }],
    ["a good ca and half of one", "ca", { ca: ca + half }],
    ["no ca at all", "ca", { ca: [] }],
    ["a ca that is no text", "ca", { ca: 42 as unknown as string }],
    ["a key as ca", "ca", { ca: client.key }],
    ["cert without key", "key", { cert: client.cert }],
    ["key without cert", "cert", { key: client.key }],
    ["a garbage cert", "cert", { cert: "garbage", key: client.key }],
    ["a garbage key", "key", { cert: client.cert, key: "garbage" }],
    ["a key of another certificate", "key", { cert: client.cert, key: other.key }],
    ["an encrypted key alone", "passphrase", { cert: client.cert, key: encryptedKey }],
    ["the wrong passphrase", "passphrase", { cert: client.cert, key: encryptedKey, passphrase: "garbage" }],
    ["a passphrase for nothing", "passphrase", { passphrase }],
    ["a garbage pfx", "pfx", { pfx: new TextEncoder().encode("garbage") }],
    ["the wrong passphrase of a pfx", "pfx", { pfx, passphrase: Redacted.make("garbage") }],
    ["a pfx that is text", "pfx", { pfx: "garbage" as unknown as Uint8Array }]
  ]
  for (const [title, option, options] of certificates) {
    it.effect(title, () =>
      Effect.gen(function*() {
        const error = yield* refused(options)
        assert.strictEqual(error.option, option)
        assert.notInclude(inspect(error, { depth: null }), client.key.split("\n")[1]!)
      }))
  }
})

describe("client certificates", () => {
  const { ca, client, encryptedKey, passphrase, pfx } = tls
  const strict = FaultServer.makeWith({ ...tls.server, ca, requestCert: true })
  const ways: Record<string, NodeTransport.Options> = {
    "as text": client,
    "as bytes": { cert: Buffer.from(client.cert), key: Buffer.from(client.key) },
    "with an encrypted key": {
      cert: client.cert,
      key: Redacted.make(encryptedKey),
      passphrase: Redacted.make(passphrase)
    },
    "as PKCS #12": { pfx, passphrase }
  }
  for (const [title, options] of Object.entries(ways)) {
    it.scoped(title, () =>
      Effect.gen(function*() {
        const server = yield* strict
        const response = yield* send(server, "/echo").pipe(withOptions({ ca: [Buffer.from(ca)], ...options }))
        assert.strictEqual(response.status, 200)
        assert.deepStrictEqual(server.peers, ["Hookrail test client"])
      }))
  }

  it.scoped("none: the server ends the connection", () =>
    Effect.gen(function*() {
      const server = yield* strict
      const error = yield* sendFails(server, "/echo").pipe(withOptions({ ca }))
      assert.strictEqual(error.reason, "connection")
      assert.deepStrictEqual(server.requests, [])
    }))

  it.scoped("a proxy does not get to see one", () =>
    Effect.gen(function*() {
      const plain = yield* FaultServer.make
      const proxy = yield* ProxyServer.make(plain.port, {
        tls: { ...tls.server, ca, requestCert: true, rejectUnauthorized: false }
      })
      yield* send("http://hooks.test", "/echo").pipe(withOptions({ ca, ...client, proxy: proxy.url() }))
      assert.deepStrictEqual(proxy.peers, [undefined])
    }))
})
