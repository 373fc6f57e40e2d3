import { startEmulator } from "@hookrail/emulator"
import { createWebhookHandler } from "@hookrail/promise/webhooks"
import { readFile } from "node:fs/promises"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Home, lines, serve, variablesOf } from "./utils/command.js"

let home: Home

beforeAll(async () => {
  home = await Home.make()
})

afterAll(() => home[Symbol.asyncDispose]())

/** An emulator, and commands over it whose output is read as JSON. */
const over = async (options?: Parameters<typeof startEmulator>[0]) => {
  const emulator = await startEmulator(options)
  const env = variablesOf(emulator)
  return {
    emulator,
    env,
    start: (...args: ReadonlyArray<string>) => home.start([...args, "--format", "json"], { env }),
    run: async (...args: ReadonlyArray<string>) => {
      const ended = await home.run([...args, "--format", "json"], { env })
      return { ...ended, data: lines(ended.stdout) }
    },
    send: async (topic: string) => {
      const response = await fetch(`${emulator.url}/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${emulator.apiKey}` },
        body: JSON.stringify({ topic, payload: {} })
      })
      return await response.json() as { readonly event_id: string; readonly delivery_ids: ReadonlyArray<string> }
    },
    [Symbol.asyncDispose]: () => emulator.close()
  }
}

describe.concurrent("administration", () => {
  it("makes, changes and deletes endpoints and subscriptions", async () => {
    await using it = await over()
    const created = await it.run("endpoints", "create", "http://127.0.0.1:1/x", "--topic", "orders.*")
    const [endpoint, subscription] = created.data
    assert.match(endpoint.secret, /^whsec_\w{48}$/)
    assert.deepInclude(subscription, { topic: "orders.*", endpointId: endpoint.id })
    const [rotated, updated, second] = await Promise.all([
      it.run("rotate", endpoint.id),
      it.run("endpoints", "update", endpoint.id, "--description", "shop"),
      it.run("subscriptions", "create", "users.*", "--endpoint", endpoint.id, "--max-attempts", "3", "--ordered")
    ])
    assert.match(rotated.data[0].secret, /^whsec_\w{48}$/)
    assert.notStrictEqual(rotated.data[0].secret, endpoint.secret)
    assert.deepStrictEqual([updated.code, second.code], [0, 0])
    await it.run("subscriptions", "update", subscription.subscriptionId, "--pause")
    const [endpoints, subscriptions, table] = await Promise.all([
      it.run("endpoints", "list"),
      it.run("subscriptions", "list"),
      home.run(["subscriptions", "list"], { env: it.env })
    ])
    assert.deepInclude(endpoints.data[0], { id: endpoint.id, description: "shop" })
    assert.notInclude(endpoints.stdout, "secret")
    assert.deepStrictEqual(
      subscriptions.data.map(({ active, maxAttempts, ordered, topic }) => [topic, active, ordered, maxAttempts]).sort(),
      [
        ["orders.*", false, false, 8],
        ["users.*", true, true, 3]
      ]
    )
    assert.match(table.stdout, /^id +topic +endpoint +active +ordered +max attempts +per second\n/)
    const ensure = () => it.run("subscriptions", "ensure", "bills.*", "http://127.0.0.1:1/x", "--max-attempts", "2")
    const [ensured, found] = [await ensure(), await ensure()]
    assert.deepInclude(ensured.data[0], { endpointWas: "found", subscriptionWas: "created" })
    assert.deepInclude(found.data[0], { endpointWas: "found", subscriptionWas: "found" })
    const [gone, again, unknown] = [
      await it.run("endpoints", "delete", endpoint.id),
      await it.run("endpoints", "show", endpoint.id),
      await it.run("subscriptions", "show", "nope")
    ]
    assert.deepStrictEqual([gone.code, again.code, unknown.code], [0, 0, 4])
    assert.property(again.data[0], "deletedAt")
  })

  it("rotates a secret together with the receiver, which loses nothing", async () => {
    await using it = await over()
    const current = `whsec_${"6".repeat(48)}`
    const file = `${home.path}/new-secret`
    const handler = createWebhookHandler({
      secrets: async () => [current, await readFile(file, "utf8").catch(() => current)],
      on: {},
      log: false
    })
    await using receiver = await serve((request, response) => handler.node(request, response))
    const { endpointId } = it.emulator.subscribe({ topic: "*", url: receiver.url, secret: current })
    const env = { ...it.env, HOOKRAIL_WEBHOOK_SECRET: current }
    const deploy = `printf %s "$HOOKRAIL_NEW_WEBHOOK_SECRET" > ${file}; echo deployed`
    const rotated = await home.run(["rotate", endpointId, "--deploy", deploy, "--format", "json"], { env })
    assert.deepStrictEqual([rotated.code, rotated.stderr], [0, "deployed\n"])
    assert.strictEqual(lines(rotated.stdout)[0].secret, await readFile(file, "utf8"))
    const failed = await home.run(["rotate", endpointId, "--deploy", "exit 3"], {
      env: { ...env, HOOKRAIL_WEBHOOK_SECRET: await readFile(file, "utf8") }
    })
    assert.strictEqual(failed.code, 1)
    assert.match(failed.stdout, /^whsec_\w{48}\n$/)
    assert.match(failed.stderr, /hookrail: the secret is rotated, and --deploy failed \(3\): [^\n]+\n$/)
  })

  it("makes tokens, whose roles are respected", async () => {
    await using it = await over()
    const created = await it.run("tokens", "create", "viewer", "board")
    const [{ id, token }] = created.data
    const viewer = { ...it.env, HOOKRAIL_ADMIN_TOKEN: token }
    const [who, refused] = await Promise.all([
      home.run(["whoami"], { env: viewer }),
      home.run(["endpoints", "create", "https://example.com/"], { env: viewer })
    ])
    assert.deepStrictEqual([who.stdout, who.code], ["viewer\n", 0])
    assert.strictEqual(refused.code, 3)
    assert.match(refused.stderr, /^hookrail: [^\n]*needs the role admin[^\n]*\n$/)
    await it.run("tokens", "revoke", id)
    const after = await home.run(["whoami"], { env: viewer })
    assert.strictEqual(after.code, 3)
    assert.match(after.stderr, /^hookrail: \S+ does not accept the admin token \(from the environment\): [^\n]+\n$/)
  })

  it("replays what is dead, one or all, and looks first", async () => {
    await using it = await over()
    let status = 410
    await using receiver = await serve((request, response) => {
      request.resume()
      response.writeHead(status).end()
    })
    it.emulator.subscribe({ topic: "*", url: receiver.url })
    const sent = [await it.send("a"), await it.send("b"), await it.send("c")].map(({ delivery_ids: [id] }) => id!)
    await it.emulator.idle()
    const list = await it.run("dlq", "list")
    assert.deepStrictEqual(list.data.map(({ deliveryId }) => deliveryId).sort(), [...sent].sort())
    assert.deepInclude(list.data[0], { finalError: "http_410" })
    const [none, unsure, dry, shown] = await Promise.all([
      it.run("dlq", "list", "--error", "timeout"),
      it.run("dlq", "replay", "--all"),
      it.run("dlq", "replay", "--all", "--dry-run", "--since", "1h"),
      it.run("deliveries", "show", sent[0]!)
    ])
    assert.deepStrictEqual([none.data, unsure.code, dry.data.length], [[], 2, 3])
    assert.deepInclude(shown.data[0], { state: "dead_lettered" })
    status = 204
    const one = await it.run("replay", sent[0]!)
    assert.deepStrictEqual(one.data, [{ deliveryId: sent[0], state: "pending" }])
    const all = await it.run("dlq", "replay", "--all", "--yes", "--rate", "100")
    assert.deepStrictEqual(
      all.data.map(({ deliveryId, replayed }) => [deliveryId, replayed]).sort(),
      sent.slice(1).map((id) => [id, true]).sort()
    )
    await it.emulator.idle()
    const [done, again] = await Promise.all([
      it.run("deliveries", "list", "--state", "succeeded"),
      it.run("replay", sent[0]!)
    ])
    assert.lengthOf(done.data, 3)
    assert.strictEqual(again.code, 1)
  })

  it("lists what blocks an ordering key, and skips it", async () => {
    await using it = await over()
    await using receiver = await serve((request, response) => {
      request.resume()
      response.writeHead(410).end()
    })
    it.emulator.subscribe({ topic: "*", url: receiver.url, ordered: true })
    const env = it.env
    await home.run(["send", "t", "1", "--ordering-key", "k"], { env })
    await it.emulator.idle()
    const blocked = await it.run("deliveries", "blocked")
    assert.deepInclude(blocked.data[0], { orderingKey: "k" })
    const skipped = await it.run("skip", blocked.data[0].headDeliveryId)
    assert.deepInclude(skipped.data[0], { state: "skipped" })
    assert.deepStrictEqual((await it.run("deliveries", "blocked")).data, [])
  })
})

describe.concurrent("tail", () => {
  it("shows deliveries as they change, says when the server goes and comes, and ends by Ctrl-C", async () => {
    const adminToken = `hkadm_${"4".repeat(48)}`
    let status = 410
    await using receiver = await serve((request, response) => {
      request.resume()
      response.writeHead(status).end()
    })
    const first = await over({ adminToken, subscriptions: [{ topic: "*", url: receiver.url }] })
    const old = await first.send("old")
    await first.emulator.idle()
    await using tail = first.start("tail", "--interval", "100ms", "--last", "1")
    await tail.until(new RegExp(`${old.delivery_ids[0]}.*"dead_lettered".*"httpStatus":410`))
    status = 204
    const fresh = await first.send("fresh")
    await tail.until(new RegExp(`${fresh.delivery_ids[0]}.*"succeeded"`))
    const adminPort = Number(new URL(first.emulator.adminUrl).port)
    await first.emulator.close()
    await tail.until(/"type":"gone"/)
    await using second = await over({ adminToken, adminPort, subscriptions: [{ topic: "*", url: receiver.url }] })
    await tail.until(/"type":"back"/)
    const later = await second.send("later")
    await tail.until(new RegExp(`${later.delivery_ids[0]}.*"succeeded"`))
    tail.child.kill("SIGINT")
    const ended = await tail.ended
    assert.deepStrictEqual([ended.code, ended.stderr], [130, ""])
  })

  it("ends when the token is refused, or nobody reads", async () => {
    await using it = await over()
    const refused = await home.run(["tail"], { env: { ...it.env, HOOKRAIL_ADMIN_TOKEN: "hkadm_x" } })
    assert.deepStrictEqual([refused.code, refused.stdout], [3, ""])
    await using tail = it.start("tail", "--interval", "100ms")
    it.emulator.subscribe({ topic: "*", url: "http://127.0.0.1:1/" })
    await it.send("one")
    await tail.until(/one|delivery/)
    tail.child.stdout.destroy()
    await it.send("two")
    const ended = await tail.ended
    assert.deepStrictEqual([ended.code, ended.stderr], [141, ""])
  })

  it("needs a server", async () => {
    const ended = await home.run(["tail"], {
      env: { HOOKRAIL_ADMIN_URL: "http://127.0.0.1:1", HOOKRAIL_ADMIN_TOKEN: "hkadm_x" }
    })
    assert.strictEqual(ended.code, 6)
    assert.match(
      ended.stderr,
      /^hookrail: there is no admin API at http:\/\/127.0.0.1:1 \(from the environment\): [^\n]+\n$/
    )
  })
})

it("endpoints create makes nothing for a topic that would match nothing", async () => {
  await using home = await Home.make()
  const ended = await home.run(["endpoints", "create", "http://a.test/", "--topic", "*.created"], {
    env: { HOOKRAIL_ADMIN_URL: "http://127.0.0.1:1", HOOKRAIL_ADMIN_TOKEN: "hkadm_x" }
  })
  assert.deepStrictEqual([ended.code, ended.stdout], [2, ""])
  assert.match(ended.stderr, /^hookrail: --topic must be a topic, a prefix followed by [^\n]+, but is "\*.created"\n$/)
})

it("says where the default URL is from", async () => {
  await using home = await Home.make()
  const ended = await home.run(["whoami"], { env: { HOOKRAIL_ADMIN_TOKEN: "hkadm_x", HOOKRAIL_ADMIN_URL: "" } })
  assert.match(ended.stderr, /localhost:8082 \(the default: HOOKRAIL_ADMIN_URL is not set\)/)
})
