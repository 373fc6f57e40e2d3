import { type RunningEmulator, signWebhook, startEmulator } from "@hookrail/emulator"
import { build } from "esbuild"
import { Miniflare } from "miniflare"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { connect } from "node:net"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it, vi } from "vitest"

const here = fileURLToPath(new URL("./runtimes", import.meta.url))
const require = createRequire(import.meta.url)

/** These run what is built: no runtime but ours reads TypeScript by the condition of this workspace. */
const built = ["hookrail", "promise"].every((name) => existsSync(join(here, `../../../${name}/dist/index.js`)))

/** A runtime with the app of `runtimes/app.mjs` in it. */
interface Running {
  readonly url: string
  readonly stop: () => Promise<unknown>
}

const bin = (name: string, path: string): string => join(dirname(require.resolve(`${name}/package.json`)), path)

/** Runs a program that prints its URL. */
const program = (command: string, ...args: ReadonlyArray<string>) => async (): Promise<Running> => {
  // A process group of its own: Deno's command is a program that starts another.
  const child: ChildProcess = spawn(command, args, { cwd: here, stdio: ["ignore", "pipe", "inherit"], detached: true })
  const exited = new Promise((resolve) => child.once("exit", resolve))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).once("line", resolve)
    void exited.then((code) => reject(new Error(`${command} ended with ${code}`)))
  })
  return {
    url,
    stop: () => {
      process.kill(-child.pid!, "SIGKILL")
      return exited
    }
  }
}

const workerd = async (): Promise<Running> => {
  const { outputFiles } = await build({
    entryPoints: [join(here, "worker.mjs")],
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "import"]
  })
  const miniflare = new Miniflare({
    modules: [{ type: "ESModule", path: "worker.js", contents: outputFiles[0]!.text }],
    compatibilityDate: "2026-04-01",
    host: "127.0.0.1",
    port: 0
  })
  return { url: (await miniflare.ready).origin, stop: () => miniflare.dispose() }
}

const runtimes: ReadonlyArray<readonly [name: string, start: () => Promise<Running>]> = [
  ["workerd", workerd],
  ["Bun", program(bin("bun", "bin/bun.exe"), "bun.mjs")],
  [
    "Deno",
    program(process.execPath, bin("deno", "bin.cjs"), "run", "-A", "--no-lock", "--node-modules-dir=manual", "deno.mjs")
  ]
]

describe.skipIf(!built).each(runtimes)("%s", (_, start) => {
  let running: Running
  let emulator: RunningEmulator

  beforeAll(async () => {
    running = await start()
    emulator = await startEmulator({ clock: "manual" })
  }, 60_000)

  afterAll(async () => {
    await Promise.all([running?.stop(), emulator?.close()])
  })

  const control = async (path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${running.url}/control/${path}`, {
      method: "POST",
      body: JSON.stringify(body ?? {})
    })
    assert.strictEqual(response.status, 200, await response.clone().text())
    return response.json()
  }

  const state = () =>
    control("state") as Promise<{ seen: Array<{ topic: string; payload: unknown }>; failures: number }>

  describe.each(["facade", "core"])("%s", (way) => {
    let endpoint: { readonly id: string; readonly secret: string }

    beforeAll(async () => {
      endpoint = emulator.addEndpoint({ url: `${running.url}/${way}` })
      emulator.subscribe({ endpointId: endpoint.id, topic: "orders.*" })
      await control("set", { secret: endpoint.secret, seen: [], failures: 0 })
    })

    afterAll(() => emulator.removeEndpoint(endpoint.id))

    const send = async (topic: string, payload: unknown) => {
      const sent = await control(`send/${way}`, { apiKey: emulator.apiKey, baseUrl: emulator.url, topic, payload })
      await emulator.idle()
      return (sent as { readonly eventId: string }).eventId
    }

    const attempts = (eventId: string) =>
      emulator.ledger().attempts.filter((attempt) => attempt.eventId === eventId).map(({ httpStatus }) => httpStatus)

    const signed = (given: Partial<Parameters<typeof signWebhook>[0]> = {}) =>
      signWebhook({ secret: endpoint.secret, topic: "orders.signed", payload: { n: 1 }, ...given })

    const post = (webhook: ReturnType<typeof signed>, init: RequestInit = {}) => {
      const { "content-length": _, ...headers } = webhook.headers
      return fetch(`${running.url}/${way}`, {
        method: "POST",
        body: webhook.body,
        ...init,
        headers: { ...headers, ...(init.headers as Record<string, string> | undefined) }
      })
    }

    it("sends an event and receives it", async () => {
      const eventId = await send("orders.created", { order_id: "o_1", name: "é😀" })
      assert.deepStrictEqual(attempts(eventId), [204])
      const { seen } = await state()
      assert.deepStrictEqual(seen.map(({ payload }) => payload), [{ order_id: "o_1", name: "é😀" }])
    })

    it("a failure comes again, a rejection does not", async () => {
      await control("set", { failures: 1 })
      const failed = await send("orders.failed", {})
      await emulator.advance(60_000)
      await emulator.idle()
      assert.deepStrictEqual(attempts(failed), [500, 204])
      assert.deepStrictEqual(attempts(await send("orders.rejected", {})), [422])
    })

    it("a rotated secret is read again", async () => {
      const secret = emulator.rotateSecret(endpoint.id)
      assert.notStrictEqual(secret, endpoint.secret)
      endpoint = { ...endpoint, secret }
      await control("set", { secret })
      // At most one reading per 5 seconds: until then the delivery is told to come again.
      await vi.waitFor(async () => assert.deepStrictEqual(attempts(await send("orders.rotated", {})), [204]), {
        timeout: 15_000,
        interval: 500
      })
    })

    it("a duplicate is acknowledged, and not handled", async () => {
      const webhook = signed()
      const before = (await state()).seen.length
      assert.deepStrictEqual([(await post(webhook)).status, (await post(webhook)).status], [204, 200])
      assert.lengthOf((await state()).seen, before + 1)
    })

    it("a body of 2 MB is refused, a forged one too, one of a wrong type or in pieces is not", async () => {
      assert.strictEqual((await post(signed({ payload: "x".repeat(2_000_000) }))).status, 413)
      assert.strictEqual((await post(signed({ secret: "whsec_other_0123456789" }))).status, 503)
      assert.strictEqual((await post(signed(), { headers: { "content-type": "text/plain" } })).status, 204)
      const webhook = signed({ payload: { text: "x".repeat(10_000) } })
      const bytes = Buffer.from(webhook.body)
      const pieces = new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0; at < bytes.length; at += 999) controller.enqueue(bytes.subarray(at, at + 999))
          controller.close()
        }
      })
      assert.strictEqual((await post(webhook, { body: pieces, duplex: "half" } as RequestInit)).status, 204)
    })

    it("an upload that is cut off runs nothing, and the next one is handled", async () => {
      const before = (await state()).seen.length
      const webhook = signed({ payload: { text: "x".repeat(10_000) } })
      const socket = connect(Number(new URL(running.url).port), "127.0.0.1")
      const lines = Object.entries(webhook.headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")
      await new Promise<void>((resolve) => {
        socket.write(
          `POST /${way} HTTP/1.1\r\nhost: localhost\r\n${lines}\r\n${webhook.body.slice(0, 5_000)}`,
          () => resolve()
        )
      })
      socket.destroy()
      assert.strictEqual((await post(webhook)).status, 204)
      assert.lengthOf((await state()).seen, before + 1)
    })
  })
})
