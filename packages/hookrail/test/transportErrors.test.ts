import { assert, describe, it } from "@effect/vitest"
import { runInNewContext } from "node:vm"
import { Transport } from "../src/index.js"

const { connectionError, invalidRequest, timeoutError } = Transport

const coded = (fields: object, message = "broken") => Object.assign(new Error(message), fields)

describe("connectionError", () => {
  it.each([
    "ECONNREFUSED",
    "ENOTFOUND",
    "EAI_AGAIN",
    "EAI_NODATA",
    "CERT_HAS_EXPIRED",
    "CERT_UNTRUSTED",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "HOSTNAME_MISMATCH",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "UNABLE_TO_GET_ISSUER_CERT",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UND_ERR_CONNECT_TIMEOUT",
    "ConnectionRefused"
  ])("%s can only happen before a request has left", (code) => {
    assert.deepInclude(connectionError(coded({ code })), { reason: "connection", phase: "connect", code })
  })

  it.each(["ECONNRESET", "EPIPE", "EHOSTUNREACH", "ETIMEDOUT", "UND_ERR_SOCKET", "EAI", "NO_CERT_"])(
    "after %s the request may have arrived",
    (code) => {
      assert.deepInclude(connectionError(coded({ code })), { phase: "response", code })
    }
  )

  it("the system call tells where the code does not", () => {
    assert.strictEqual(connectionError(coded({ code: "EHOSTUNREACH", syscall: "connect" })).phase, "connect")
    assert.strictEqual(connectionError(coded({ code: "ESERVFAIL", syscall: "getaddrinfo" })).phase, "connect")
    assert.strictEqual(connectionError(coded({ code: "ECONNRESET", syscall: "read" })).phase, "response")
  })

  it("whoever knows the phase says so, and it counts", () => {
    const error = coded({ code: "ECONNREFUSED", syscall: "connect" })
    for (const phase of ["connect", "response", "body"] as const) {
      assert.strictEqual(connectionError(error, { phase }).phase, phase)
    }
    assert.strictEqual(connectionError(coded({ code: "ECONNRESET" }), { phase: "connect" }).phase, "connect")
    assert.strictEqual(connectionError(error, {}).phase, "connect")
  })

  it("takes the innermost cause that has a code", () => {
    const inner = coded({ code: "ECONNREFUSED" }, "connect ECONNREFUSED 127.0.0.1:1")
    const bare = new Error("bare")
    inner.cause = bare
    const error = connectionError(new TypeError("fetch failed", { cause: new Error("wrapped", { cause: inner }) }))
    assert.deepInclude(error, { phase: "connect", code: "ECONNREFUSED", description: inner.message })
    assert.strictEqual(error.cause, inner)
    assert.deepInclude(connectionError(new TypeError("fetch failed", { cause: bare })), { description: "fetch failed" })
  })

  it("of an error of another realm, as Node's are in Jest, too", () => {
    const foreign: unknown = runInNewContext(
      "Object.assign(new Error('outer', { cause: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }) }), { n: 1 })"
    )
    assert.isFalse(foreign instanceof Error)
    assert.deepInclude(connectionError(foreign), { phase: "connect", code: "ECONNREFUSED", description: "no" })
  })

  it("ends where causes form a circle", () => {
    const circle = coded({ code: "ECONNRESET" })
    circle.cause = circle
    assert.strictEqual(connectionError(circle).code, "ECONNRESET")
  })

  it("has a description whatever it is given", () => {
    assert.strictEqual(connectionError(coded({ code: "ECONNRESET" }, "")).description, "ECONNRESET")
    assert.strictEqual(connectionError(new RangeError("")).description, "RangeError")
    for (const thrown of [undefined, null, "text", {}]) {
      const error = connectionError(thrown)
      assert.deepInclude(error, { phase: "response", description: "unknown failure" })
      assert.isUndefined(error.code)
    }
  })

  it("drops the cause of an answer that was not HTTP: it holds what the server sent", () => {
    const parser = coded({ code: "HPE_INVALID_CONSTANT", data: "Bearer secret" })
    const named = Object.assign(new Error("Parse Error"), { name: "HTTPParserError", data: "Bearer secret" })
    for (const cause of [parser, named, new TypeError("fetch failed", { cause: named })]) {
      const error = connectionError(cause)
      assert.notProperty(error, "cause")
      assert.notInclude(JSON.stringify(error), "secret")
    }
  })
})

describe("timeoutError", () => {
  it("names what has not happened, and the limit", () => {
    assert.deepInclude(timeoutError("connect", 5), { reason: "timeout", phase: "connect", limit: 5 })
    assert.strictEqual(timeoutError("connect", 5).message, "timeout (connect): no connection within 5 ms")
    assert.strictEqual(timeoutError("response", 5).message, "timeout (response): no answer within 5 ms")
    assert.strictEqual(timeoutError("body", 5).message, "timeout (body): no complete answer within 5 ms")
  })
})

describe("invalidRequest", () => {
  it("names the header and never its value", () => {
    assert.isUndefined(
      invalidRequest({ authorization: "Bearer x", "x-latin": "caf\u00e9", "x-empty": "", "x-tab": "a\tb" })
    )
    for (const value of ["secret\r\n", "secret\u0000", "secret \u20ac"]) {
      const error = invalidRequest({ accept: "a", authorization: value })
      assert.deepInclude(error, { reason: "connection", phase: "connect", description: "invalid authorization header" })
      assert.notInclude(JSON.stringify(error), "secret")
    }
    assert.strictEqual(invalidRequest({ "a b": "" })?.description, "invalid a b header")
  })
})
