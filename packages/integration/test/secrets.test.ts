import { startEmulator } from "@hookrail/emulator"
import { build } from "esbuild"
import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const canary = `hk_${"c0ffee".repeat(8)}`

/** Fails in one way, and prints all that a careless program could print about it. */
const program = `
  import { NodeHookrail } from "@hookrail/node"
  import { Cause, Effect, Logger, Redacted, Tracer } from "effect"
  import { HookrailClient } from "hookrail"
  import { inspect } from "node:util"

  const spans = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map()
      const span = { _tag: "Span", spanId: "s", traceId: "t", sampled: true, name, parent, context, links, kind,
        status: { _tag: "Started", startTime }, attributes,
        attribute: (key, value) => attributes.set(key, value), event: () => {}, addLinks: () => {},
        end(endTime, exit) { this.status = { _tag: "Ended", startTime, endTime, exit } } }
      spans.push(span)
      return span
    },
    context: (f) => f()
  })
  const options = {
    apiKey: Redacted.make(process.env.CANARY),
    baseUrl: process.env.BASE_URL,
    timeout: "300 millis",
    retry: { maxRetries: 1, base: "1 millis" }
  }
  const send = HookrailClient.sendEvent("orders", { n: 1 }).pipe(
    Effect.tapErrorCause((cause) => Effect.logError("the send failed", cause, options)),
    Effect.provide(NodeHookrail.layer(options))
  )
  const main = async () => {
    for (const logger of [Logger.pretty, Logger.json, Logger.structured, Logger.logFmt]) {
      const exit = await Effect.runPromiseExit(send.pipe(Effect.provide(logger), Effect.withTracer(tracer)))
      const error = Cause.squash(exit.cause)
      console.log(exit, Cause.pretty(exit.cause), String(error), error.stack, JSON.stringify(error), JSON.stringify(exit))
      console.log(inspect(error, { depth: Infinity, showHidden: true }))
      console.error(error)
    }
    console.log(inspect(spans, { depth: 12 }), "spans:", spans.length)
    await Effect.runPromise(send)
  }
  void main()
`

let directory: string

// One file, made once from the sources: each run would compile and load all of them for itself.
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hookrail-secrets-"))
  await build({
    stdin: { contents: program, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
    outfile: join(directory, "program.cjs"),
    bundle: true,
    format: "cjs",
    platform: "node",
    conditions: ["@hookrail/source"],
    logLevel: "error"
  })
})

afterAll(() => rm(directory, { recursive: true, force: true }))

const run = async (baseUrl: string) => {
  const failed = await promisify(execFile)(
    process.execPath,
    [join(directory, "program.cjs")],
    {
      env: { ...process.env, CANARY: canary, BASE_URL: baseUrl },
      maxBuffer: 64 * 1024 * 1024
    }
  ).then(() => assert.fail("the program must fail"), (error: { code: number; stdout: string; stderr: string }) => error)
  assert.strictEqual(failed.code, 1, failed.stderr)
  return failed.stdout + failed.stderr
}

describe("the API key shows up nowhere", { timeout: 60_000 }, () => {
  it.concurrent("with no server", async () => {
    const output = await run("http://127.0.0.1:1")
    assert.include(output, "ECONNREFUSED")
    assert.notInclude(output, "spans: 0")
    assert.notInclude(output, canary)
  })

  for (
    const [title, fault, seen] of [
      ["refused", { kind: "status", status: 401 }, "AuthenticationError"],
      ["echoed by a proxy", { kind: "garbage", body: `Authorization: Bearer ${canary}` }, "UnexpectedResponseError"],
      [
        "echoed in a problem",
        { kind: "status", status: 400, problem: { title: "Bad Request", detail: `Bearer ${canary}` } },
        "BadRequestError"
      ],
      ["met by a reset", { kind: "reset" }, "HookrailConnectionError"],
      ["met by silence", { kind: "stall" }, "HookrailTimeoutError"]
    ] as const
  ) {
    it.concurrent(title, async () => {
      await using emulator = await startEmulator({ apiKeys: [canary], faults: [fault] })
      const output = await run(emulator.url)
      assert.include(output, seen)
      assert.notInclude(output, canary)
    })
  }
})
