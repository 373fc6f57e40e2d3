import { startEmulator } from "@hookrail/emulator"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { assert, it } from "vitest"
import { bin, environment, Home, serve, variablesOf } from "./utils/command.js"

const secret = `whsec_${"5".repeat(48)}`

/** A coding agent. */
const agent = (home: Home, args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) => {
  const child = spawn(process.execPath, [bin, "mcp", ...args], { env: environment(home.path, env) })
  const waiting = new Map<unknown, (answer: any) => void>() // eslint-disable-line @typescript-eslint/no-explicit-any
  createInterface({ input: child.stdout }).on("line", (line) => {
    const answer = JSON.parse(line)
    waiting.get(answer.id)?.(answer)
  })
  let stderr = ""
  child.stderr.on("data", (chunk: Buffer) => stderr += chunk.toString())
  let last = 0
  const raw = (message: unknown, id: unknown = null) =>
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    new Promise<any>((resolve) => {
      waiting.set(id, resolve)
      child.stdin.write(typeof message === "string" ? `${message}\n` : `${JSON.stringify(message)}\n`)
    })
  const ask = (method: string, params: object = {}) => {
    const id = ++last
    return raw({ jsonrpc: "2.0", id, method, params }, id)
  }
  return {
    child,
    raw,
    ask,
    notify: (method: string, params: object) =>
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method, params })}\n`),
    call: async (name: string, args: object = {}) => (await ask("tools/call", { name, arguments: args })).result,
    end: async () => {
      const ended = once(child, "close")
      child.stdin.end()
      return { code: (await ended)[0], stderr }
    }
  }
}

it("mcp lets an agent send an event, wait for its delivery, and find out why it failed", async () => {
  await using home = await Home.make()
  await using emulator = await startEmulator()
  await using receiver = await serve((request, response) => {
    request.resume()
    response.writeHead(request.url === "/good" ? 204 : 410).end()
  })
  emulator.subscribe({ topic: "good", url: `${receiver.url}/good`, secret })
  emulator.subscribe({ topic: "bad", url: `${receiver.url}/bad`, secret })
  const it = agent(home, ["--allow-writes"], { ...variablesOf(emulator), HOOKRAIL_WEBHOOK_SECRET: secret })
  const { result } = await it.ask("initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: {} })
  assert.deepInclude(result, { protocolVersion: "2025-06-18", serverInfo: { name: "hookrail", version: "0.0.0" } })
  it.notify("notifications/initialized", {})
  const { tools } = (await it.ask("tools/list")).result
  const names = tools.map(({ name }: { name: string }) => name)
  assert.includeMembers(names, ["send_event", "wait_for_delivery", "verify_webhook", "replay_delivery", "doctor"])

  const good = await it.call("send_event", { topic: "good", payload: { a: 1 }, waitSeconds: 20 })
  const [accepted, status] = good.structuredContent.results
  assert.strictEqual(status.deliveries[0].state, "succeeded")
  assert.deepStrictEqual(
    good.content.map(({ text }: { text: string }) => text.split("\n").map((line) => JSON.parse(line))),
    [[
      accepted,
      status
    ]]
  )

  const bad = await it.call("send_event", { topic: "bad", payload: "{\"a\":1}", waitSeconds: 20 })
  const [sent, , why] = bad.structuredContent.results
  assert.match(why.failed, /1 of 1 deliveries did not succeed: \w{26} dead_lettered \(http_410\)/)
  assert.isUndefined(bad.isError)
  assert.deepStrictEqual(emulator.ledger().events.map(({ payload }) => payload), ["{\"a\": 1}", "{\"a\": 1}"])
  const [dead, list, replayed, wrong, unknown, doctor] = await Promise.all([
    it.call("list_dead_letters"),
    it.call("list_deliveries", { topic: "bad" }),
    it.call("replay_delivery", { deliveryId: sent.deliveryIds[0] }),
    it.call("get_event", { id: "x" }),
    it.call("get_event", { eventId: "x" }),
    it.call("doctor")
  ])
  assert.deepInclude(dead.structuredContent.results[0], { deliveryId: sent.deliveryIds[0], finalError: "http_410" })
  assert.lengthOf(list.structuredContent.results, 1)
  assert.deepInclude(replayed.structuredContent.results[0], { state: "pending" })
  assert.deepInclude(wrong, { isError: true, content: [{ type: "text", text: "wrong arguments: eventId is missing" }] })
  assert.isTrue(unknown.isError)
  assert.notInclude(JSON.stringify(doctor), emulator.apiKey)
  emulator.subscribe({ topic: "never", url: "http://127.0.0.1:1/", secret })
  const never = await it.call("send_event", { topic: "never", payload: 1 })
  const { eventId } = never.structuredContent.results[0]
  let answers = 0
  const count = () => answers++
  void it.raw({
    jsonrpc: "2.0",
    id: "w",
    method: "tools/call",
    params: { name: "wait_for_delivery", arguments: { eventId } }
  }, "w").then(count)
  it.notify("notifications/cancelled", { requestId: "w" })
  await it.ask("ping")
  // The end gives up what is in progress, and does not wait for it.
  void it.raw({
    jsonrpc: "2.0",
    id: "x",
    method: "tools/call",
    params: { name: "wait_for_delivery", arguments: { eventId } }
  }, "x")
  assert.deepStrictEqual(await it.end(), { code: 0, stderr: "" })
  assert.strictEqual(answers, 0)
})

it("mcp only looks unless it may do more, and keeps to its protocol", async () => {
  await using home = await Home.make()
  const it = agent(home, ["--emulator"], { HOOKRAIL_WEBHOOK_SECRET: secret })
  const { tools } = (await it.ask("tools/list")).result
  assert.isTrue(tools.every(({ annotations }: { annotations: { readOnlyHint: boolean } }) => annotations.readOnlyHint))
  const [refused, method, garbage, old, listed] = await Promise.all([
    it.ask("tools/call", { name: "send_event", arguments: { topic: "t", payload: 1 } }),
    it.ask("resources/list"),
    it.raw("{"),
    it.ask("initialize", { protocolVersion: "1999-01-01" }),
    it.call("list_endpoints")
  ])
  assert.strictEqual(refused.error.code, -32602)
  assert.strictEqual(method.error.code, -32601)
  assert.strictEqual(garbage.error.code, -32700)
  assert.strictEqual(old.result.protocolVersion, "2025-11-25")
  assert.deepStrictEqual(listed.content, [{ type: "text", text: "none" }])
  const verified = await it.call("verify_webhook", {
    request: `hookrail-signature: t=1700000000,v1=${"0".repeat(64)}\nhookrail-delivery-id: d\n\n{"a": 1}`
  })
  assert.deepInclude(verified.structuredContent.results[0], { valid: false, mistake: "secret-other" })
  assert.deepStrictEqual(await it.end(), { code: 0, stderr: "" })
})

it("mcp forwards to what --forward of dev takes, and refuses the rest", async () => {
  await using home = await Home.make()
  const it = agent(home, ["--emulator", "--forward", "3000", "--forward", "users.*=localhost:4000/users"], {
    HOOKRAIL_WEBHOOK_SECRET: secret
  })
  const { results: endpoints } = (await it.call("list_endpoints")).structuredContent
  const { results: subscriptions } = (await it.call("list_subscriptions")).structuredContent
  assert.deepStrictEqual(
    subscriptions.map(({ endpointId, topic }: { endpointId: string; topic: string }) => [
      topic,
      endpoints.find(({ id }: { id: string }) => id === endpointId).url
    ]).sort(),
    [["*", "http://localhost:3000"], ["users.*", "http://localhost:4000/users"]]
  )
  assert.deepStrictEqual(await it.end(), { code: 0, stderr: "" })

  const { code, stderr } = await agent(home, ["--emulator", "--forward", "ftp://x"], {}).end()
  assert.strictEqual(code, 2)
  assert.include(stderr, "--forward must be a URL such as http://localhost:3000/webhooks, but is \"ftp://x\"")
})
