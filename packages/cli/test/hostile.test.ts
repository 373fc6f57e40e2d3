/** What breaks commands: bytes that are no text, settings that are no URLs, a user who gives up. In this process. */
import { startEmulator } from "@hookrail/emulator"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Context } from "../src/base/context.js"
import { Stopped } from "../src/base/exit.js"
import { type Format, Output } from "../src/base/output.js"
import { jsonOf, readJson, withSettings } from "../src/base/payload.js"
import { Settings } from "../src/base/settings.js"
import { examine, type Finding } from "../src/commands/doctor.js"
import { parseCaptured, sign, verification } from "../src/commands/webhook.js"
import { serve, variablesOf } from "./utils/command.js"

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hookrail-hostile-"))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const contextOf = (env: Record<string, string>, format: Format = "json", signal = new AbortController().signal) => {
  const written: Array<Buffer> = []
  const stdout = { write: (chunk: string | Uint8Array) => written.push(Buffer.from(chunk)) > 0, isTTY: false }
  const out = new Output(format, { stdout, stderr: stdout, env: {} } as never)
  const all = { HOOKRAIL_CONFIG: join(folder, "none.json"), XDG_STATE_HOME: folder, ...env }
  const settings = new Settings({ env: all, profile: undefined, envFile: undefined })
  const context: Context = { out, settings, signal, env: all, version: "0" }
  return { context, output: () => Buffer.concat(written) }
}

const fileOf = async (name: string, bytes: Uint8Array): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, bytes)
  return path
}

describe("bytes that are no text", () => {
  const bytes = Buffer.from([0x22, 0x00, 0xff, 0xfe, 0x22])

  it("are no payload: none of them is replaced without a word", async () => {
    const path = await fileOf("payload.json", bytes)
    const error = await readJson(path).catch((error: unknown) => error)
    assert.strictEqual((error as Error).message, `${path} is not UTF-8: convert it first, as by iconv`)
    assert.strictEqual(await readJson(await fileOf("bom.json", Buffer.from("\ufeff\"é\""))), "é")
  })

  it.each(["text", "json"] as const)(
    "are signed as they are by --raw, and verified from its output as %s",
    async (format) => {
      const secret = `whsec_${"0a".repeat(24)}`
      const { context, output } = contextOf({ HOOKRAIL_WEBHOOK_SECRET: secret }, format)
      const from = await fileOf("raw.bin", bytes)
      const none = {
        payload: undefined,
        set: [],
        setString: [],
        deliveryId: undefined,
        eventId: undefined,
        to: undefined
      }
      assert.strictEqual(await sign({ ...none, topic: "t", from, raw: true }, context), 0)
      const captured = parseCaptured(output(), [])
      assert.deepStrictEqual(Buffer.from(captured.body), bytes)
      assert.isTrue((await verification(captured, [secret], undefined)).valid)
    }
  )

  it("a payload that is nested too deeply is told, and sent as it is otherwise", () => {
    const deep = JSON.parse("[".repeat(20_000) + "]".repeat(20_000))
    assert.strictEqual(withSettings(deep, [], []), deep)
    assert.throws(() => withSettings(deep, ["[0]=1"], []), "the payload is nested too deeply")
    assert.throws(() => jsonOf(deep, 2), "the payload is nested too deeply")
  })
})

describe("what a captured request, or a header, may hold", () => {
  it("a list of headers with anything in it is read as far as it goes", () => {
    const headers = [null, 5, "x", { name: "A", value: "1" }, ["B", "2"]]
    const captured = parseCaptured(Buffer.from(JSON.stringify({ headers, body: "" })), [])
    assert.deepInclude(captured.headers, { a: "1", b: "2" })
  })

  it("a line break in an id or a topic makes no other header", async () => {
    const { context, output } = contextOf({ HOOKRAIL_WEBHOOK_SECRET: `whsec_${"0a".repeat(24)}` }, "text")
    const none = { payload: "1", from: undefined, set: [], setString: [], to: undefined, raw: false }
    for (
      const input of [
        { topic: "t", deliveryId: "a\r\nhost: evil", eventId: undefined },
        { topic: "t", deliveryId: undefined, eventId: "a\nb" },
        { topic: "a\nb", deliveryId: undefined, eventId: undefined }
      ]
    ) {
      const error = await sign({ ...none, ...input }, context).catch((error: unknown) => error)
      assert.match((error as Error).message, /^the header hookrail-[a-z-]+ cannot hold "a\\/)
    }
    assert.lengthOf(output(), 0)
  })
})

describe("doctor", () => {
  const examined = async (env: Record<string, string>, signal?: AbortSignal, url?: string) => {
    const findings: Array<Finding> = []
    const { context } = contextOf(env, "json", signal)
    await examine({ url, topic: "t" }, context, (finding) => findings.push(finding))
    return findings
  }
  const statusOf = (findings: ReadonlyArray<Finding>) =>
    findings.filter(({ status }) => status !== "ok").map(({ check, status }) => `${check} ${status}`)

  it("takes URLs that are none, and keys that cannot be sent, for findings", async () => {
    await using emulator = await startEmulator()
    const good = variablesOf(emulator)
    const odd = async (env: Record<string, string>) => statusOf(await examined({ ...good, ...env }))
    assert.deepStrictEqual(await odd({}), [])
    assert.deepStrictEqual(await odd({ HOOKRAIL_BASE_URL: "no url" }), ["server failed", "key skipped"])
    assert.deepStrictEqual(await odd({ HOOKRAIL_BASE_URL: "file:///etc" }), ["server failed", "key skipped"])
    assert.deepStrictEqual(await odd({ HOOKRAIL_ADMIN_URL: "no url" }), ["admin failed"])
    for (const key of ["hk_a\nb", "hk_é", "hk_ a"]) {
      const findings = await examined({ ...good, HOOKRAIL_API_KEY: key, HOOKRAIL_ADMIN_TOKEN: key })
      assert.deepStrictEqual(statusOf(findings), ["key failed", "admin failed"])
      assert.notInclude(JSON.stringify(findings), "hk_")
    }
  })

  it("asks a server that does not answer nothing more", async () => {
    await using gone = await serve((request) => request.socket.destroy())
    const findings = await examined({ HOOKRAIL_BASE_URL: gone.url, HOOKRAIL_API_KEY: "hk_x" })
    assert.deepStrictEqual(statusOf(findings), ["server failed", "key skipped", "admin skipped"])
  })

  it("finds nothing wrong with what was interrupted", async () => {
    for (const url of [undefined, "http://127.0.0.1:1/"]) {
      const stop = new AbortController()
      const reason = new Stopped(130)
      await using stalled = await serve(() => stop.abort(reason))
      const env = { HOOKRAIL_BASE_URL: stalled.url, HOOKRAIL_API_KEY: "hk_x" }
      const findings = await examined(env, stop.signal, url).catch((error: unknown) => error)
      assert.strictEqual(findings, reason)
    }
  })
})
