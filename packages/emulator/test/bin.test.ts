import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { assert, it } from "vitest"
import { signature } from "../src/delivery/signing.js"
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
    /^hookrail-emulator ready url=(\S+) admin=(\S+) api-key=hk_x admin-token=\S+ secret=whsec_\w{48}$/.exec(
      await next()
    ) ?? []
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

it("prints the secret that it drew, which signs for every receiver, and none that it was given", async () => {
  await using first = await startReceiver()
  await using second = await startReceiver()
  const ready = async (...flags: ReadonlyArray<string>) => {
    const child = start("--port", "0", "--admin-port", "0", "--api-key", "hk_x", "--quiet", ...flags)
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return { child, line: String((await lines.next()).value) }
  }
  const drawn = await ready("--subscribe", `*=${first.url}`, "--subscribe", `*=${second.url}`)
  const url = / url=(\S+)/.exec(drawn.line)?.[1] ?? ""
  const secret = / secret=(\S+)/.exec(drawn.line)?.[1] ?? ""
  await postEvent({ url, apiKey: "hk_x" }, { topic: "t", payload: 1 })
  for (const { received } of [first, second]) {
    while (received.length === 0) await new Promise(setImmediate)
    const { body, headers } = received[0]!
    const signed = String(headers["hookrail-signature"])
    const time = Number(/^t=(\d+),/.exec(signed)?.[1])
    assert.strictEqual(signed, signature(secret, time, String(headers["hookrail-delivery-id"]), body))
  }
  drawn.child.kill("SIGTERM")
  const given = await ready("--subscribe", `*=${first.url}`, "--secret", "whsec_given")
  assert.notInclude(given.line, "secret")
  given.child.kill("SIGTERM")
})

it("serves the page when told to, and says where", async () => {
  const ready = async (...flags: ReadonlyArray<string>): Promise<string> => {
    const child = start("--port", "0", "--admin-port", "0", "--quiet", ...flags)
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const line = String((await lines.next()).value)
    child.kill("SIGTERM")
    return line
  }
  assert.match(await ready("--page"), / page=http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]{32}$/)
  assert.match(
    await ready("--page-token", "a_token_of_my_own"),
    / page=http:\/\/127\.0\.0\.1:\d+\/#token=a_token_of_my_own$/
  )
  assert.notInclude(await ready(), "page=")
})

it.each([
  [["--page-port", "x"], "--page-port must be a whole number, got x"],
  [["--page-token", "short"], "--page-token must be 16 to 256 letters, digits, \"_\" or \"-\""],
  [["--port", "x"], "--port must be a whole number, got x"],
  [["--port", "99999"], "--port must be a whole number of 0..65535, got 99999"],
  [
    ["--subscribe", "t=nonsense"],
    "--subscribe must be a URL that urlPolicy allows, such as \"http://127.0.0.1:3000/\", got \"nonsense\""
  ],
  [["--subscribe", "nonsense"], "--subscribe must be <topic=url>, got nonsense"],
  [["--prot", "1"], "there is no option --prot; did you mean --port?"],
  [["--port"], "--port needs a value"],
  [["8080"], "takes no argument 8080; see --help"]
])("refuses %j", async (flags, message) => {
  const child = start(...flags)
  let text = ""
  child.stderr.on("data", (chunk: Buffer) => text += chunk.toString())
  assert.deepStrictEqual((await once(child, "close"))[0], 1)
  assert.strictEqual(text, `hookrail-emulator: ${message}\n`)
})
