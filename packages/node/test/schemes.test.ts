/** https to a port for http, and the reverse: explained, whatever sends the request. */
import { FetchHttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { connectionError, layerFetch, layerHttpClient, type Transport } from "hookrail/Transport"
import { createServer as createHttpServer } from "node:http"
import { type AddressInfo, createServer, type Server } from "node:net"
import * as NodeTransport from "../src/NodeTransport.js"
import { sendFails } from "./transportSuite.js"

const transports: Readonly<Record<string, Layer.Layer<Transport>>> = {
  NodeTransport: Layer.orDie(NodeTransport.layer()),
  layerFetch,
  "layerHttpClient over fetch": Layer.provide(layerHttpClient, FetchHttpClient.layer),
  "layerHttpClient over node:http": Layer.provide(layerHttpClient, NodeHttpClient.layer)
}

const listening = (server: Server): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<string>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(`127.0.0.1:${(server.address() as AddressInfo).port}`)))
    }),
    () => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  )

const http = createHttpServer((_, response) => response.end("{}"))

/** What OpenSSL answers a request that is no handshake: an alert, and the end. */
const tlsAlert = () =>
  createServer((socket) => void socket.once("data", () => socket.end(Buffer.from("15030100020246", "hex"))))

for (const [name, layer] of Object.entries(transports)) {
  describe(name, () => {
    it.scoped("https to a server for http", () =>
      Effect.gen(function*() {
        const error = yield* sendFails(`https://${yield* listening(http)}`, "/")
        assert.include(error.description, "the server does not speak TLS on this port")
        assert.include(error.description, "begin the base URL with http://")
        assert.notMatch(error.description, /[0-9A-F]{8}:|openssl|SSL routines|\n/)
      }).pipe(Effect.provide(layer)))

    it.scoped("http to a server for https", () =>
      Effect.gen(function*() {
        const error = yield* sendFails(`http://${yield* listening(tlsAlert())}`, "/")
        assert.include(error.description, "the server speaks TLS on this port: begin the base URL with https://")
      }).pipe(Effect.provide(layer)))
  })
}

describe("what TLS libraries dump into a message", () => {
  const of = (message: string, fields: object = {}) =>
    connectionError(Object.assign(new Error(message), fields)).description

  it("OpenSSL 1, OpenSSL 3 and BoringSSL: a server without TLS", () => {
    for (
      const message of [
        "write EPROTO 140735:error:1408F10B:SSL routines:ssl3_get_record:wrong version number:../deps/openssl/ssl3_record.c:332:\n",
        "80CC2515747F0000:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/openssl/ssl3_record.c:350:\n",
        "C0A7:error:0A0000C6:SSL routines:tls_get_more_records:packet length too long:../deps/openssl/rec_method.c:662:\n",
        "write EPROTO 1:error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:../ssl/tls_record.cc:242:\n"
      ]
    ) {
      assert.match(of(message), /^the server does not speak TLS on this port: begin the base URL with http:\/\/$/)
    }
  })

  it("of anything else only the reason remains", () => {
    const dump = ":SSL alert number 40\n"
    const message =
      `write EPROTO 80CB:error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:../a.c:1605${dump}`
    assert.strictEqual(of(message, { code: "EPROTO" }), "write EPROTO sslv3 alert handshake failure")
  })

  it("a proxy that speaks no TLS is not taken for the server", () => {
    const message =
      "no connection to the proxy https://p:1: 80CC:error:0A00010B:SSL routines:f:wrong version number:../a.c:1:\n"
    assert.strictEqual(of(message), "no connection to the proxy https://p:1: wrong version number")
  })

  it("other messages stay as they are", () => {
    for (const message of ["connect ECONNREFUSED 127.0.0.1:1", "error: wrong version number", "unable to verify"]) {
      assert.strictEqual(of(message), message)
    }
  })
})
