import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { assert, it } from "vitest"
import { call, postEvent } from "./utils/http.js"
import { startReceiver } from "./utils/receiver.js"

const bin = fileURLToPath(new URL("../src/bin.ts", import.meta.url))

const start = (...flags: ReadonlyArray<string>) => spawn(process.execPath, ["--import", "tsx", bin, ...flags])

it("tells that it is ready, logs what happens, and stops when told to", async () => {
  await using receiver = await startReceiver()
  const child = start(
    "--port",
    "0",
    "--admin-port",
    "0",
    "--api-key",
    "hk_x",
    "--subscribe",
    `orders.*=${receiver.url}`
  )
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => String((await lines.next()).value)
  const [, url = "", adminUrl = ""] =
    /^hookrail-emulator ready url=(\S+) admin=(\S+) api-key=hk_x /.exec(await next()) ?? []
  assert.strictEqual((await call("GET", `${adminUrl}/healthz`)).status, 200)
  assert.match(await next(), / admin GET \/healthz 200$/)
  assert.strictEqual((await postEvent({ url, apiKey: "hk_x" }, { topic: "orders.x", payload: {} })).status, 202)
  const log = [await next(), await next(), await next()].join("\n")
  assert.match(log, / event \w{26} topic="orders.x" deliveries=1/)
  assert.match(log, / producer POST \/v1\/events 202/)
  assert.match(log, / attempt \w{26} no=1 success 200 /)
  const ended = once(child, "exit")
  child.kill("SIGTERM")
  assert.deepStrictEqual(await ended, [0, null])
})

it("refuses flags that make no sense", async () => {
  const child = start("--port", "x")
  let text = ""
  child.stderr.on("data", (chunk: Buffer) => text += chunk.toString())
  assert.deepStrictEqual((await once(child, "close"))[0], 1)
  assert.strictEqual(text, "hookrail-emulator: --port must be a whole number, got x\n")
})
