import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import * as Errors from "../src/errors.js"
import { Hookrail, type HookrailOptions } from "../src/index.js"
import { createWebhookHandler, type WebhookHandlerOptions } from "../src/webhooks.js"

const thrownBy = (run: () => unknown): Error => {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  return assert.fail("it did not throw")
}

describe("a missing key or secret", () => {
  beforeEach(() => void vi.stubEnv("HOOKRAIL_API_KEY", undefined))
  afterEach(() => void vi.unstubAllEnvs())

  it("is told without a word about Effect", () => {
    const client = (apiKey: unknown) => () => new Hookrail({ apiKey } as HookrailOptions)
    const webhooks = (secrets: unknown) => () => createWebhookHandler({ secrets } as WebhookHandlerOptions)
    const cases: ReadonlyArray<[run: () => unknown, says: string]> = [
      [client(undefined), "pass apiKey, or set HOOKRAIL_API_KEY"],
      [client(null), "must be a text"],
      [client(5), "must be a text"],
      [client(""), "it is empty"],
      [webhooks(undefined), "environment variable"],
      [webhooks(null), "environment variable"],
      [webhooks([undefined]), "environment variable"],
      [webhooks(5), "not a text"],
      [webhooks([]), "give at least one secret"]
    ]
    for (const [run, says] of cases) {
      const { message } = thrownBy(run)
      assert.include(message, says)
      assert.notMatch(message, /redacted|effect/i)
    }
  })
})

describe("errors of another copy of this package", () => {
  // The same module once more, as a bundle or the other module format brings it along.
  const another = (): Promise<typeof Errors> => vi.importActual("../src/errors.js?another")

  it("are told by isHookrailError and isRetryable, where instanceof does not", async () => {
    const copy = await another()
    const mine = Errors.configError("apiKey", "reason")
    const theirs = copy.configError("apiKey", "reason")
    assert.isFalse((theirs as unknown) instanceof Errors.HookrailError)
    for (const { isHookrailError } of [Errors, copy]) {
      assert.isTrue(isHookrailError(mine))
      assert.isTrue(isHookrailError(theirs))
      for (const other of [undefined, null, "text", {}, new Error("other"), { _tag: "HookrailConfigError" }]) {
        assert.isFalse(isHookrailError(other))
      }
    }
    const late = new copy.HookrailTimeoutError("HookrailTimeoutError", "late", { phase: "connect", limitMs: 1 })
    const unexpected = (retryable: boolean) =>
      new copy.UnexpectedResponseError("UnexpectedResponseError", "odd", { retryable })
    const failed = new copy.RetryError("RetryError", "gave up", {}, late)
    assert.deepStrictEqual(
      [late, failed, unexpected(true), unexpected(false), theirs, { _tag: "ServerError" }].map(Errors.isRetryable),
      [true, true, true, false, false, false]
    )
    assert.deepInclude(new Errors.RetryError("RetryError", "m", {}, late).toJSON(), {
      cause: { _tag: "HookrailTimeoutError", phase: "connect", limitMs: 1, message: "late" }
    })
  })

  it("the mark of an error shows neither in its keys nor in its JSON", () => {
    const error = Errors.closedError()
    assert.deepStrictEqual(Object.keys(error), ["_tag"])
    assert.notInclude(JSON.stringify(error), "~")
  })
})

describe("the client", () => {
  let server: Server
  let baseUrl: string

  beforeEach(async () => {
    server = createServer((request, response) => {
      if (request.url?.startsWith("/wall") === true) response.writeHead(403).end("<h1>No entry</h1>")
      else response.writeHead(308, { location: `https://h.test${request.url}` }).end()
    })
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })

  afterEach(() => new Promise((resolve) => void server.close(resolve)))

  const failure = async (url: string): Promise<Errors.HookrailError> => {
    await using client = new Hookrail({ apiKey: "hk_canary", baseUrl: url, retry: false })
    try {
      await client.sendEvent("orders.created", 1)
    } catch (error) {
      return error as Errors.HookrailError
    }
    return assert.fail("it did not fail")
  }

  it("gives the messages and fields of the core", async () => {
    const wall = await failure(`${baseUrl}/wall`)
    assert.instanceOf(wall, Errors.ForbiddenError)
    assert.strictEqual((wall as Errors.ForbiddenError).body, "<h1>No entry</h1>")
    assert.include((wall as Errors.ForbiddenError).hint, "not how Hookrail answers")
    assert.include(wall.message, "not how Hookrail answers")
    const redirect = await failure(`${baseUrl}/a`)
    assert.instanceOf(redirect, Errors.UnexpectedResponseError)
    assert.include(redirect.message, "set the base URL to https://h.test/a.")
    const down = await failure("http://127.0.0.1:1")
    assert.instanceOf(down, Errors.RetryError)
    assert.include(
      (down as Errors.RetryError).cause.message,
      "The base URL is http://127.0.0.1:1, from baseUrl."
    )
    assert.strictEqual(down.message.split("orders.created").length, 2)
  })
})
