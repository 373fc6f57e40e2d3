import { type RunningEmulator, startEmulator } from "@hookrail/emulator"
import * as Facade from "@hookrail/promise"
import {
  AuthenticationError,
  ConflictError,
  HookrailAbortedError,
  HookrailAdmin,
  HookrailClosedError,
  HookrailConfigError,
  HookrailError,
  InsufficientRoleError,
  InvalidArgumentError,
  isHookrailError,
  NotFoundError,
  ReceiverCheckError,
  RetryError,
  Secret,
  SecretLostError,
  ServerError,
  UrlRejectedError
} from "@hookrail/promise/admin"
import { createWebhookHandler } from "@hookrail/promise/webhooks"
import { Schedule } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { inspect } from "node:util"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { HookrailAdmin as WebAdmin } from "../src/admin-web.js"

let emulator: RunningEmulator
let admin: HookrailAdmin

beforeAll(async () => {
  emulator = await startEmulator({ sweepIntervalMs: 0 })
  admin = new HookrailAdmin({ baseUrl: emulator.adminUrl, adminToken: emulator.adminToken, log: false })
})

afterEach(() => {
  emulator.clearFaults()
  emulator.setDatabase("up")
})

afterAll(async () => {
  await admin.close()
  await emulator.close()
})

const caught = (promise: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(promise).then((value) => assert.fail(`resolved to ${inspect(value)}`), (error: unknown) => error)

const all = async <A>(rows: AsyncIterable<A>): Promise<Array<A>> => {
  const out: Array<A> = []
  for await (const row of rows) out.push(row)
  return out
}

const failed = async (promise: PromiseLike<unknown>): Promise<HookrailError> => {
  const error = await caught(promise)
  if (!isHookrailError(error)) throw error
  return error
}

/** Sends an event, which is given up at once: its receiver is not there. */
const dead = async (count: number, topic = "dead") => {
  const { endpointId, id } = emulator.subscribe({ topic, url: `http://127.0.0.1:1/${topic}`, maxAttempts: 1 })
  for (let n = 0; n < count; n++) {
    await fetch(`${emulator.url}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${emulator.apiKey}` },
      body: JSON.stringify({ topic, payload: { n } })
    })
  }
  const isDead = async () => (await admin.deadLetters.page({ endpointId, replayed: false })).items.length === count
  while (!await isDead()) await new Promise((resolve) => setTimeout(resolve, 2))
  return { endpointId, subscriptionId: id }
}

describe("calls", () => {
  it("each method reaches its route", async () => {
    const { duplicateIds, id, secret } = await admin.endpoints.create({ url: "https://example.com/?x=1" })
    assert.isEmpty(duplicateIds)
    assert.match(secret.reveal(), /^whsec_/)
    await admin.endpoints.update(id, { description: "d" })
    const row = await admin.endpoints.get(id)
    assert.deepInclude(row, { id, url: "https://example.com/?x=1", description: "d" })
    assert.instanceOf(row.createdAt, Date)
    assert.notStrictEqual((await admin.endpoints.rotateSecret(id)).reveal(), secret.reveal())
    const subscription = await admin.subscriptions.create({ topic: "a.*", endpointId: id })
    await admin.subscriptions.update(subscription.id, { maxAttempts: 2 })
    assert.strictEqual((await admin.subscriptions.get(subscription.id)).maxAttempts, 2)
    await admin.subscriptions.delete(subscription.id)
    assert.instanceOf((await admin.subscriptions.get(subscription.id, { includeDeleted: true })).deletedAt, Date)
    await admin.endpoints.delete(id)
    assert.instanceOf((await admin.endpoints.get(id, { includeDeleted: true })).deletedAt, Date)
    const token = await admin.tokens.create({ role: "viewer", label: "l" })
    await admin.tokens.revoke(token.id)
    assert.isTrue((await all(admin.tokens.list())).some((row) => row.id === token.id))
    assert.deepStrictEqual(await admin.whoami(), { role: "admin" })
    assert.isEmpty((await admin.orderedKeys.page()).items)
    assert.isEmpty(await all(admin.orderedKeys.list()))
  })

  it("lists are read page by page, and no further than the loop", async () => {
    const { id: endpointId } = await admin.endpoints.create({ url: "https://example.com/" })
    const ids: Array<string> = []
    for (const topic of ["a", "b", "c"]) ids.unshift((await admin.subscriptions.create({ topic, endpointId })).id)
    for (const pageSize of [1, 2, 3, 4]) {
      assert.deepStrictEqual((await all(admin.subscriptions.list({ endpointId, pageSize }))).map(({ id }) => id), ids)
    }
    emulator.clearLedger()
    for await (const { id } of admin.subscriptions.list({ endpointId, pageSize: 1 })) {
      if (id === ids[1]) break
    }
    assert.lengthOf(emulator.ledger().requests, 2)
    const { items, nextCursor } = await admin.subscriptions.page({ endpointId, limit: 2 })
    const rest = await admin.subscriptions.page({ endpointId, cursor: nextCursor })
    assert.deepStrictEqual([...items, ...rest.items].map(({ id }) => id), ids)
  })

  it("errors are those of the package, for instanceof from every entry", async () => {
    const error = await failed(admin.endpoints.get("none"))
    assert.instanceOf(error, NotFoundError)
    assert.instanceOf(error, Facade.NotFoundError)
    assert.isTrue(error instanceof HookrailError)
    assert.deepInclude({ ...error }, { operation: "endpoints.get", target: "none", status: 404 })
    assert.match(error.stack ?? "", /admin\.test\.ts/)
    const { token } = await admin.tokens.create({ role: "viewer", label: "viewer" })
    await using viewer = new HookrailAdmin({ baseUrl: emulator.adminUrl, adminToken: token.reveal() })
    const refused = await failed(viewer.endpoints.delete("none"))
    assert.instanceOf(refused, InsufficientRoleError)
    assert.deepInclude({ ...refused }, { required: "admin", actual: "viewer", outcome: "refused" })
    await using stranger = new HookrailAdmin({ baseUrl: emulator.adminUrl, adminToken: emulator.apiKey })
    assert.instanceOf(await failed(all(stranger.deadLetters.list())), AuthenticationError)
    const argument = await failed(all(admin.deliveries.list({ state: "bogus" as "pending" })))
    assert.instanceOf(argument, InvalidArgumentError)
    assert.deepInclude({ ...argument }, { argument: "state", operation: "deliveries.list" })
    assert.match(argument.stack ?? "", /admin\.test\.ts/)
    emulator.setDatabase("down")
    const down = await failed(admin.endpoints.page({}, { retry: false }))
    assert.instanceOf(down, RetryError)
    assert.instanceOf(down.cause, ServerError)
  })

  it("a lost answer, and a rejected URL", async () => {
    emulator.fault({ on: "admin", kind: "reset", when: "after", nth: 2 })
    const error = await failed(admin.endpoints.create({ url: "https://lost.example.com/" }, { retry: { base: 1 } }))
    assert.instanceOf(error, SecretLostError)
    const rows = await all(admin.endpoints.list())
    assert.deepStrictEqual(error.ids, rows.filter(({ url }) => url.includes("lost")).map(({ id }) => id))
    emulator.clearFaults()
    emulator.fault({
      on: "admin",
      kind: "status",
      status: 422,
      problem: { title: "url rejected", detail: "url failed SSRF policy" },
      nth: 2
    })
    assert.instanceOf(await failed(admin.endpoints.create({ url: "https://10.0.0.1/" })), UrlRejectedError)
  })

  it("retries are told", async () => {
    const told: Array<Facade.RetryNotice> = []
    const lines: Array<Facade.LogEntry> = []
    await using client = new HookrailAdmin({
      baseUrl: emulator.adminUrl,
      adminToken: emulator.adminToken,
      retry: { base: 1 },
      onRetry: (notice) => told.push(notice),
      log: (line) => lines.push(line)
    })
    emulator.fault({ on: "admin", kind: "status", status: 503, nth: 1 })
    await client.whoami()
    assert.deepInclude({ ...told[0]?.error }, { _tag: "ServerError", operation: "whoami" })
    assert.deepInclude(lines[0]?.annotations, { "hookrail.admin.operation": "whoami" })
  })
})

describe("ends", () => {
  it("a signal aborts a call, and a list", async () => {
    emulator.fault({ on: "admin", kind: "stall" })
    const controller = new AbortController()
    const reading = failed(admin.endpoints.get("e", { signal: controller.signal }))
    const writing = failed(admin.endpoints.delete("e", { signal: controller.signal }))
    const listing = failed(all(admin.endpoints.list({}, { signal: controller.signal })))
    while (emulator.ledger().requests.filter(({ outcome }) => outcome === "stalled" || outcome === "open").length < 3) {
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    controller.abort()
    for (const error of await Promise.all([reading, writing, listing])) {
      assert.instanceOf(error, HookrailAbortedError)
      assert.strictEqual(error.name, "AbortError")
    }
    assert.strictEqual((await writing as HookrailAbortedError).outcome, "unknown")
    assert.isUndefined((await reading as HookrailAbortedError).outcome)
    const before = await failed(admin.endpoints.delete("e", { signal: AbortSignal.abort() }))
    assert.strictEqual((before as HookrailAbortedError).outcome, "not-sent")
  })

  it("close ends what is under way; drain waits for it", async () => {
    const client = new HookrailAdmin({ baseUrl: emulator.adminUrl, adminToken: emulator.adminToken })
    const call = client.whoami()
    await client.close({ drain: true })
    assert.deepStrictEqual(await call, { role: "admin" })
    assert.instanceOf(await failed(client.whoami()), HookrailClosedError)
    assert.instanceOf(await failed(all(client.endpoints.list())), HookrailClosedError)
    const other = new HookrailAdmin({ baseUrl: emulator.adminUrl, adminToken: emulator.adminToken })
    emulator.fault({ on: "admin", kind: "stall" })
    const stalled = failed(other.endpoints.delete("e"))
    await new Promise((resolve) => setImmediate(resolve))
    await other.close()
    assert.instanceOf(await stalled, HookrailClosedError)
  })

  it("wrong options throw at once", () => {
    const wrong: ReadonlyArray<readonly [object, string]> = [
      [{ adminToken: 5 }, "adminToken"],
      [{ adminToken: "a b" }, "adminToken"],
      [{ adminToken: "a", baseUrl: "ftp://x" }, "baseUrl"],
      [{ adminToken: "a", apiKey: "k" }, "apiKey"],
      [{ adminToken: "a", retry: { maxRetries: -1 } }, "retry.maxRetries"],
      [{ adminToken: "a", fetch }, "fetch"]
    ]
    for (const [options, option] of wrong) {
      try {
        new HookrailAdmin(options)
        assert.fail(option)
      } catch (error) {
        assert.instanceOf(error, HookrailConfigError)
        assert.strictEqual(error.option, option)
      }
    }
  })
})

describe("secrets", () => {
  it("are shown by nothing but reveal", async () => {
    const made = await admin.endpoints.create({ url: "https://example.com/" })
    const { token } = await admin.tokens.create({ role: "viewer", label: "l" })
    for (const secret of [made.secret, token]) {
      assert.instanceOf(secret, Secret)
      const text = [
        inspect(made, { depth: 9, showHidden: true }),
        inspect(secret, { showHidden: true }),
        JSON.stringify({ made, token }),
        `${secret}`,
        JSON.stringify({ ...secret }),
        inspect(admin, { depth: 9, showHidden: true })
      ].join()
      assert.notInclude(text, secret.reveal())
      assert.notInclude(text, emulator.adminToken)
    }
  })

  it("are in no error, log line, nor in what retries tell, whatever a server answers", async () => {
    const hidden = `whsec_${"cd".repeat(24)}`
    const seen: Array<string> = []
    const see = (value: unknown) => {
      const cause = value instanceof Error ? [value.stack, inspect(value.cause, { depth: 9, showHidden: true })] : []
      seen.push(
        inspect(value, { depth: 9, showHidden: true }),
        JSON.stringify(value),
        String(value),
        ...cause.map(String)
      )
    }
    await using watched = new HookrailAdmin({
      baseUrl: emulator.adminUrl,
      adminToken: emulator.adminToken,
      retry: { maxRetries: 1, base: 1 },
      log: see,
      onRetry: see
    })
    const { id } = await watched.endpoints.create({ url: "http://127.0.0.1:1/" })
    const calls = [
      () => watched.endpoints.create({ url: "https://example.com/hidden" }),
      () => watched.endpoints.rotateSecret(id),
      () => watched.tokens.create({ role: "viewer", label: "hidden" }),
      () => watched.ensureSubscription({ topic: "t", url: "https://example.com/ensured" }),
      () => watched.rotateWithReceiver(id, { current: hidden, deploy: () => {} }),
      () => watched.checkReceiver({ url: emulator.url, secrets: [hidden] })
    ]
    const body = JSON.stringify({ id: 5, secret: hidden, token: hidden })
    const faults: ReadonlyArray<Parameters<typeof emulator.fault>[0]> = [
      { kind: "garbage", body },
      { kind: "garbage", body: body.slice(0, -1) },
      { kind: "status", status: 500, problem: { title: hidden, detail: `Bearer ${emulator.adminToken}` } },
      { kind: "status", status: 409, problem: { title: hidden, detail: hidden } },
      { kind: "reset", when: "after" },
      { kind: "truncate", bytes: 40 }
    ]
    let failures = 0
    for (const call of calls) {
      for (const fault of faults) {
        // The answer to the write, and to what comes after it.
        emulator.fault({ on: "admin", nth: 2, times: 3, ...fault })
        await call().then(see, (error) => {
          failures++
          see(error)
        })
        emulator.clearFaults()
      }
    }
    assert.isAbove(failures, 10)
    const text = seen.join("\n")
    assert.include(text, "Attempt 2 begins")
    for (const secret of [hidden, emulator.adminToken]) assert.notInclude(text, secret)
    assert.notMatch(text, /whsec_[0-9a-f]/)
    assert.notMatch(text, /hkadm_[0-9a-f]/)
  })
})

describe("compound operations", () => {
  it("ensureSubscription makes once, and finds", async () => {
    const input = { topic: "t", url: "https://ensured.example.com/" }
    const first = await admin.ensureSubscription(input)
    assert.instanceOf(first.secret, Secret)
    const second = await admin.ensureSubscription(input)
    assert.deepStrictEqual(second, {
      endpoint: first.endpoint,
      subscription: first.subscription,
      endpointWas: "found",
      subscriptionWas: "found",
      duplicateIds: []
    })
  })

  it("ensureSubscription of several programs at the same moment settles on one endpoint", async () => {
    const url = "https://at-once.example.com/"
    const programs = 4
    // All have seen that there is none before the first one makes it, and all have made one before the first one looks again.
    const gates = [0, 0].map(() => {
      let missing = programs
      let open = () => {}
      const opened = new Promise<void>((resolve) => open = resolve)
      return () => {
        if (--missing === 0) open()
        return opened
      }
    })
    const { fetch } = globalThis
    const racing: typeof fetch = async (input, init) => {
      const isCreation = init?.method === "POST" && String(input).endsWith("/v1/endpoints")
      if (isCreation) await gates[0]!()
      const response = await fetch(input, init)
      if (isCreation) await gates[1]!()
      return response
    }
    const ensured = await Promise.all(Array.from({ length: programs }, async () => {
      await using program = new WebAdmin({
        adminToken: emulator.adminToken,
        baseUrl: emulator.adminUrl,
        fetch: racing
      })
      return program.ensureSubscription({ topic: "t", url }, { retry: false })
    }))
    assert.lengthOf(new Set(ensured.map((it) => it.endpoint.id)), 1)
    const [{ endpoint: { id: endpointId } }] = ensured as [(typeof ensured)[0]]
    const made = ensured.filter((it) => it.secret !== undefined)
    assert.deepStrictEqual(made.map((it) => [it.endpointWas, it.endpoint.id]), [["created", endpointId]])
    // Those made too many get nothing, and are named.
    assert.lengthOf(new Set(ensured.flatMap((it) => it.duplicateIds)), programs - 1)
    const subscriptions = []
    for await (const row of admin.subscriptions.list()) subscriptions.push(row)
    for (const { duplicateIds } of ensured) {
      assert.isEmpty(subscriptions.filter((row) => duplicateIds.includes(row.endpointId)))
    }
  })

  it("replayAll: a dry run, a loop, a count; nothing without one of them", async () => {
    const { endpointId, subscriptionId } = await dead(4)
    emulator.clearLedger()
    const unused = admin.replayAll({ endpointId })
    assert.isDefined(unused)
    assert.isEmpty(emulator.ledger().requests)
    assert.deepStrictEqual(await admin.replayAll({ endpointId }, { dryRun: true }), {
      total: 4,
      replayed: 0,
      wouldReplay: 4,
      notReplayed: 0
    })
    let taken = 0
    for await (const { _tag } of admin.replayAll({ endpointId }, { rate: 1000, concurrency: 1 })) {
      assert.strictEqual(_tag, "Replayed")
      if (++taken === 2) break
    }
    const error = await failed(admin.replayAll({ endpointId }, { rate: 0 }))
    assert.instanceOf(error, InvalidArgumentError)
    await admin.subscriptions.delete(subscriptionId)
    const results = await all(admin.replayAll({ endpointId }, { rate: 1000 }))
    for (const result of results) {
      assert.strictEqual(result._tag, "NotReplayed")
      if (result._tag === "NotReplayed") assert.instanceOf(result.error, ConflictError)
    }
    const both = admin.replayAll({ endpointId }, { rate: 1000 })
    await both
    assert.instanceOf(await failed(all(both)), InvalidArgumentError)
  })

  it("rotateWithReceiver: our own handler loses nothing, one that rejects is not begun with", async () => {
    let secrets: ReadonlyArray<string> = []
    let onUnverified: "retry" | "reject" = "reject"
    const handler = () =>
      createWebhookHandler({
        secrets: () => secrets,
        on: { "hookrail.check": () => {} },
        onUnverified,
        log: false
      })
    let webhooks = handler()
    const server = createServer((request, response) => void webhooks.node(request, response))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    try {
      const { id, secret: current } = await admin.endpoints.create({ url })
      secrets = [current.reveal()]
      const rotate = () =>
        admin.rotateWithReceiver(id, {
          current,
          pause: 5,
          deploy: async (secret) => {
            secrets = [secret.reveal(), current.reveal()]
            webhooks = handler()
          }
        })
      const error = await failed(rotate())
      assert.instanceOf(error, ReceiverCheckError)
      assert.isFalse(error.isRotated)
      assert.include(error.message, "would be lost")
      onUnverified = "retry"
      webhooks = handler()
      const secret = await rotate()
      assert.deepStrictEqual(secrets, [secret.reveal(), current.reveal()])
      const check = await admin.checkReceiver({ url, secrets: [secret, current.reveal()] })
      assert.isTrue(check.takesAll && check.isPatient)
      const mine = new Error("mine")
      const thrown = await caught(
        admin.rotateWithReceiver(id, { current: secret, deploy: () => Promise.reject(mine) })
      )
      assert.strictEqual(thrown, mine)
    } finally {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })
})

/** Mistakes of untyped callers. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const untyped = () => admin as any

describe("mistakes", () => {
  it("a method that was taken off its client", async () => {
    const { checkReceiver, close, endpoints, ensureSubscription, replayAll, rotateWithReceiver, whoami } = untyped()
    const calls = { checkReceiver, close, ensureSubscription, replayAll, rotateWithReceiver, whoami }
    for (const [name, call] of Object.entries(calls)) {
      const { message } = await failed((async () => await call({}, {}))())
      assert.include(message, `call it as admin.${name}(...)`)
    }
    // These have no `this`.
    const { page } = endpoints
    assert.isArray((await page()).items)
  })

  it("what is missing is named, and so are the names that exist", async () => {
    const id = "01JXENDPOINT00000000000000"
    const deploy = () => {}
    const calls: ReadonlyArray<readonly [call: () => PromiseLike<unknown>, says: string]> = [
      [() => untyped().rotateWithReceiver(), "current: must be the present secret"],
      [() => untyped().rotateWithReceiver(id), "current: must be the present secret"],
      [() => untyped().rotateWithReceiver(id, { deploy }), "current: must be the present secret"],
      [() => untyped().rotateWithReceiver(id, { current: "whsec_1" }), "deploy: must be a function"],
      [() => untyped().checkReceiver(), "url"],
      [() => untyped().checkReceiver({ url: "http://127.0.0.1:1/", secret: "whsec_1" }), "did you mean secrets?"],
      [
        () => untyped().checkReceiver({ url: "http://127.0.0.1:1/", secrets: [undefined] }),
        "secrets: must be a list of texts"
      ],
      [() => untyped().ensureSubscription({ topics: "a.b", url: "http://a.test/" }), "did you mean topic?"],
      [() => untyped().ensureSubscription({ topic: "a.b", url: "http://a.test/", retries: 1 }), "there are topic, url"],
      [() => untyped().ensureSubscription("a.b", "http://a.test/"), "input: it must be an object"],
      [() => untyped().ensureSubscription(), "input: it must be an object"]
    ]
    for (const [call, says] of calls) assert.include((await failed(call())).message, says)
  })

  it("a condition that is a promise does not replay everything", async () => {
    const { endpointId } = await dead(2, "conditional")
    const filter = { endpointId, where: () => Promise.resolve(false) }
    assert.include(
      (await failed(untyped().replayAll(filter))).message,
      "invalid where: it must return true or false at once"
    )
    const { total } = await admin.replayAll({ endpointId, where: () => false }, { dryRun: true })
    assert.strictEqual(total, 0)
  })

  it("a Schedule of Effect: this package would retry nothing by it", async () => {
    const retry = Schedule.recurs(3) as never
    assert.include((await failed(admin.whoami({ retry }))).message, "{ maxRetries: 5 }")
    assert.throws(() => new HookrailAdmin({ adminToken: "t", retry }), /\{ maxRetries: 5 \}/)
  })

  it("replayAll that nobody uses is told when the client is closed", async () => {
    const lines: Array<string> = []
    const own = new HookrailAdmin({ adminToken: "t", log: ({ message }) => lines.push(message) })
    void own.replayAll()
    await own.close()
    assert.match(lines.join(), /^replayAll has replayed nothing.*await admin\.replayAll\(\.\.\.\).*admin\.test\.ts/)
  })
})
