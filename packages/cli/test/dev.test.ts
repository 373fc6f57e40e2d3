import { createWebhookHandler } from "@hookrail/promise/webhooks"
import { spawn } from "node:child_process"
import { readdir, readFile, stat, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { assert, describe, it } from "vitest"
import { bin, environment, Home, lines, serve } from "./utils/command.js"

const receiverOf = (secret: () => string) => {
  const received: Array<unknown> = []
  const handler = createWebhookHandler({
    secrets: () => secret(),
    on: {
      "orders.created": ({ payload }) => {
        received.push(payload)
      }
    },
    log: false
  })
  return { received, handler }
}

const isListening = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

const free = ["--port", "0", "--admin-port", "0"]

describe.concurrent("dev", () => {
  it("forwards verified webhooks, tells what happens, and leaves nothing behind", async () => {
    await using home = await Home.make()
    const envFile = `${home.path}/.env`
    await writeFile(envFile, "A=1\nexport HOOKRAIL_API_KEY = old\n# kept\nHOOKRAIL_BASE_URL=http://localhost:1\n")
    let secret = ""
    const { handler, received } = receiverOf(() => secret)
    await using receiver = await serve((request, response) => handler.node(request, response))
    await using dev = home.start([
      "dev",
      "--forward",
      `${receiver.url}/hooks`,
      ...free,
      "--dotenv",
      ".env",
      "--format",
      "json"
    ])
    await dev.until(/"ready"/)
    const [ready] = lines(dev.stdout)
    const page = await (await fetch(ready.pageUrl)).text()
    assert.match(page, /^<!doctype html>/i)
    const text = await readFile(envFile, "utf8")
    const [, key, found] =
      /^A=1\nexport HOOKRAIL_API_KEY=(hk_\w{48})\n# kept\nHOOKRAIL_BASE_URL=http:\S+\nHOOKRAIL_WEBHOOK_SECRET=(whsec_\w{48})\n$/
        .exec(text) ?? []
    secret = found!
    assert.include(text, `HOOKRAIL_BASE_URL=${ready.url}\n`)
    assert.strictEqual((await home.run(["dev", "--print-secret"])).stdout, `${secret}\n`)

    // Without any setting, commands find it.
    const triggered = await home.run([
      "trigger",
      "orders.created",
      "--set",
      "order_id=o_9",
      "--wait",
      "--format",
      "json"
    ])
    assert.strictEqual(triggered.code, 0, triggered.stderr)
    assert.deepStrictEqual(received, [{ order_id: "o_9" }])
    await dev.until(/"delivery"/)
    const [, event, attempt, delivery] = lines(dev.stdout)
    const { deliveryIds: [deliveryId], eventId } = lines(triggered.stdout)[0]
    assert.deepInclude(event, { type: "event", topic: "orders.created", eventId, deliveryIds: [deliveryId] })
    assert.deepInclude(attempt, { type: "attempt", deliveryId, status: "success", httpStatus: 204, attemptNo: 1 })
    assert.deepInclude(delivery, { type: "delivery", deliveryId, state: "succeeded" })
    for (const one of [secret, key!]) assert.notInclude(dev.stdout + dev.stderr, one)

    dev.child.kill("SIGINT")
    const ended = await dev.ended
    assert.deepStrictEqual([ended.code, ended.signal], [130, null])
    assert.isFalse(await isListening(ready.url))
    assert.isFalse(await isListening(ready.adminUrl))
    assert.deepStrictEqual(await readdir(`${home.path}/state/hookrail`), ["dev-keys.json"])
    assert.strictEqual((await stat(`${home.path}/state/hookrail/dev-keys.json`)).mode & 0o777, 0o600)
    assert.strictEqual((await home.run(["send", "t", "1"])).code, 3)
  })

  it("leaves a file of another server alone", async () => {
    await using home = await Home.make()
    const text = "HOOKRAIL_BASE_URL=https://hookrail.example.com\nHOOKRAIL_API_KEY=hk_production\n"
    await writeFile(`${home.path}/.env`, text)
    const ended = await home.run(["dev", ...free, "--dotenv", ".env"])
    assert.deepStrictEqual([ended.code, ended.stdout], [2, ""])
    assert.match(
      ended.stderr,
      /^hookrail: .env is for the server https:\/\/hookrail.example.com, so it is not changed: .*\n$/
    )
    assert.strictEqual(await readFile(`${home.path}/.env`, "utf8"), text)
  })

  it("says once what to do when the receiver is away, or a program has another key", async () => {
    await using home = await Home.make()
    await using dev = home.start(["dev", "--forward", "orders.*=127.0.0.1:1/x", ...free])
    const [, url = ""] = await dev.until(/server\s+(\S+)/)
    await home.run(["trigger", "orders.created"])
    await dev.until(/attempt {3}connection {2}POST http:\/\/127.0.0.1:1\/x/)
    await home.run(["trigger", "orders.created"])
    await home.run(["send", "t", "1"], { env: { HOOKRAIL_API_KEY: "hk_x", HOOKRAIL_BASE_URL: url } })
    await dev.until(/the program that sent this has another key/, "stderr")
    assert.lengthOf(dev.stderr.match(/nothing answers at http:\/\/127.0.0.1:1\/x/g)!, 1)
    assert.match(dev.stdout, /refused {3}401 {2}POST \/v1\/events {2}unknown or revoked producer key/)
    assert.notInclude(dev.stdout, "\u001b")
    dev.child.kill("SIGTERM")
    assert.strictEqual((await dev.ended).code, 143)
  })

  it("ends when nobody reads its output any more", async () => {
    await using home = await Home.make()
    const child = spawn(process.execPath, [bin, "dev", ...free], {
      env: environment(home.path),
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stderr = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text)
    await new Promise((resolve) => child.stdout.once("data", resolve))
    const { url } = JSON.parse(await readFile(`${home.path}/state/hookrail/dev-${child.pid}.json`, "utf8"))
    child.stdout.destroy()
    const ended = new Promise((resolve) => child.once("close", (code) => resolve(code)))
    // Its next line is the first that cannot be written.
    await home.run(["send", "t", "1"])
    assert.strictEqual(await ended, 141)
    assert.notInclude(stderr, "EPIPE")
    assert.isFalse(await isListening(url))
  })

  it("refuses a port that is taken", async () => {
    await using home = await Home.make()
    await using other = await serve(() => {})
    const port = new URL(other.url).port
    const ended = await home.run(["dev", "--port", port, "--admin-port", "0"])
    assert.strictEqual(ended.code, 2)
    assert.match(
      ended.stderr,
      /^hookrail: the server does not start: .*EADDRINUSE.*: choose others with --port and --admin-port\n$/
    )
  })
})
