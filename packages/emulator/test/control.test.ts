import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "vitest"
import type { State } from "../src/control/state.js"
import type { DeliveryView, EventSummary, EventView } from "../src/control/views.js"
import { type EmulatorOptions, type RunningEmulator, startEmulator } from "../src/index.js"
import { control, openFeed } from "./utils/control.js"
import { call, postEvent } from "./utils/http.js"
import { startReceiver } from "./utils/receiver.js"

interface Sent {
  readonly answer: { readonly status: number } | null
  readonly failure: string | null
  readonly eventId: string
  readonly replayed: boolean
}

interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly nextCursor: string | null
  readonly total: number
  readonly revision: number
}

const start = async (options: EmulatorOptions = {}) => {
  const emulator = await startEmulator({ page: true, clock: "manual", startAt: 1e12, sweepIntervalMs: 0, ...options })
  const { api, raw } = control(emulator)
  const send = (body: Record<string, unknown> = {}): Promise<Sent> =>
    api<Sent>("POST", "/api/events", { topic: "orders.created", payload: { n: 1 }, ...body })
  const event = (id: string): Promise<EventView> => api<EventView>("GET", `/api/events/${id}`)
  const state = (): Promise<State> => api<State>("GET", "/api/state")
  const refusal = async (method: string, path: string, body?: unknown): Promise<string> => {
    const { headers, json, status } = await raw(method, path, body)
    assert.strictEqual(headers["content-type"], "application/problem+json")
    const { detail, status: told } = json() as { readonly detail: string; readonly status: number }
    assert.strictEqual(told, status)
    return `${status} ${detail}`
  }
  return { emulator, api, raw, send, event, state, refusal, [Symbol.asyncDispose]: emulator.close }
}

describe("the documentation", () => {
  it("has every call, and no other", () => {
    const file = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8")
    const calls = /"((?:GET|POST|PATCH|DELETE) \/api\/[^"]*)"/g
    const written = /^(?:\| )?`((?:GET|POST|PATCH|DELETE) \/api\/[^`]*)`/gm
    const found = (text: string, pattern: RegExp): ReadonlyArray<string> =>
      [...new Set([...text.matchAll(pattern)].map(([, call]) => call!))].sort()
    assert.deepStrictEqual(
      found(file("../../../docs/emulator-api.md"), written),
      found(file("../src/control/app.ts"), calls)
    )
  })
})

describe("events", () => {
  it("shows the bytes sent beside those delivered, with headers, answer and signature", async () => {
    await using receiver = await startReceiver({ status: 200, headers: { "x-seen": "yes" } })
    await using it = await start({ subscriptions: [{ topic: "orders.*", url: receiver.url }] })
    const body = "{ \"topic\":\"orders.créé\", \"payload\" : {\"b\":1.50,\"a\":\"é\",\"b\":2} }"
    const reply = await postEvent(it.emulator, body, { "Idempotency-Key": "k1", "X-Extra": "1" })
    const { event_id: id } = reply.json() as { readonly event_id: string }
    await it.emulator.idle()
    const { delivered, deliveryViews, sent, topic } = await it.event(id)
    assert.strictEqual(topic, "orders.créé")
    assert.deepStrictEqual(sent?.body, { bytes: Buffer.byteLength(body), text: body })
    assert.deepStrictEqual(sent?.payload, { bytes: 25, text: "{\"b\":1.50,\"a\":\"é\",\"b\":2}" })
    assert.strictEqual(sent?.idempotencyKey, "k1")
    assert.strictEqual(sent?.headers["x-extra"], "1")
    assert.strictEqual(sent?.headers["authorization"], "[hidden]")
    const got = receiver.received[0]!
    assert.deepStrictEqual(delivered, { bytes: Buffer.byteLength(got.body), text: got.body })
    const { attempts, state, url } = deliveryViews[0]!
    assert.deepStrictEqual([state, url], ["succeeded", receiver.url])
    const { httpStatus, requestHeaders, response, signature } = attempts[0]!
    assert.strictEqual(httpStatus, 200)
    for (const [name, value] of Object.entries(requestHeaders ?? {})) {
      assert.strictEqual(got.headers[name.toLowerCase()], value, name)
    }
    assert.deepInclude(response!.headers, ["x-seen", "yes"])
    assert.strictEqual(signature?.sent, got.headers["hookrail-signature"])
    assert.strictEqual(signature?.recomputed, signature?.sent)
    assert.deepStrictEqual([signature?.verdict, signature?.rotatedSince], ["genuine", false])
  })

  it("says when the secret was rotated since, as the verifier would", async () => {
    await using receiver = await startReceiver()
    await using it = await start({ subscriptions: [{ topic: "*", url: receiver.url }] })
    const { eventId } = await it.send()
    await it.emulator.idle()
    const { endpointId } = (await it.event(eventId)).deliveryViews[0]!
    const before = await it.api("POST", `/api/endpoints/${endpointId}/reveal-secret`)
    const rotated = await it.api("POST", `/api/endpoints/${endpointId}/rotate-secret`)
    assert.notStrictEqual(before["secret"], rotated["secret"])
    const { signature } = (await it.event(eventId)).deliveryViews[0]!.attempts[0]!
    assert.deepStrictEqual(
      [signature?.verdict, signature?.mistake, signature?.rotatedSince],
      ["mismatch", "secret-other", true]
    )
    assert.notInclude(JSON.stringify([await it.state(), await it.event(eventId)]), String(rotated["secret"]))
  })

  it("keeps bytes that are not UTF-8", async () => {
    await using it = await start({ subscriptions: [] })
    const body = Buffer.concat([Buffer.from("{\"topic\":\"t\",\"payload\":{}} "), Buffer.from([0xff])])
    const reply = await postEvent(it.emulator, body)
    assert.strictEqual(reply.status, 202)
    const { sent } = await it.event((reply.json() as { readonly event_id: string }).event_id)
    assert.deepStrictEqual(sent?.body, { bytes: body.length, base64: body.toString("base64") })
  })

  it("keeps what receivers answer, up to a limit", async () => {
    await using receiver = await startReceiver("endless")
    await using it = await start({ subscriptions: [{ topic: "*", url: receiver.url }] })
    const { eventId } = await it.send()
    await it.emulator.idle()
    const { response } = (await it.event(eventId)).deliveryViews[0]!.attempts[0]!
    assert.strictEqual(response?.body.bytes, 16 * 1024)
    assert.isAtLeast(response?.bodyBytes ?? 0, 64 * 1024)
  })

  it("drops the oldest bytes beyond its bound, and the events stay", async () => {
    await using it = await start({ page: { historyBytes: 4096 }, eventLimit: 50 })
    const ids: Array<string> = []
    for (let n = 0; n < 20; n++) ids.push((await it.send({ payload: { n } })).eventId)
    const kept: Array<boolean> = []
    for (const id of ids) kept.push((await it.event(id)).sent !== null)
    assert.deepStrictEqual(kept, ids.map((_, index) => index >= ids.length - 3))
    await using none = await start({ page: { historyBytes: 0 } })
    assert.isNull((await none.event((await none.send()).eventId)).sent)
  })

  it("lists, filters and searches, with pages that do not overlap", async () => {
    await using receiver = await startReceiver(400)
    await using it = await start({ subscriptions: [{ topic: "orders.*", url: receiver.url }] })
    for (let n = 0; n < 25; n++) {
      await it.send({ topic: n % 5 === 0 ? "users.created" : "orders.created", payload: { n, name: `Näme-${n}` } })
    }
    await it.emulator.idle()
    const all: Array<EventSummary> = []
    let cursor: string | null = ""
    while (cursor !== null) {
      const query: string = cursor === "" ? "" : `&cursor=${cursor}`
      const page: Page<EventSummary> = await it.api("GET", `/api/events?limit=10${query}`)
      assert.strictEqual(page.total, 25)
      all.push(...page.items)
      cursor = page.nextCursor
    }
    assert.deepStrictEqual(all.map(({ ordinal }) => ordinal), Array.from({ length: 25 }, (_, index) => 25 - index))
    const count = async (query: string): Promise<number> =>
      (await it.api<Page<unknown>>("GET", `/api/events?${query}`)).total
    assert.strictEqual(await count("topic=users.*"), 5)
    assert.strictEqual(await count("state=dead_lettered"), 20)
    assert.strictEqual(await count("state=unrouted"), 5)
    assert.strictEqual(await count("state=unrouted,dead_lettered"), 25)
    assert.strictEqual(await count("state=succeeded"), 0)
    assert.strictEqual(await count(`q=${encodeURIComponent("nÄME-7")}`), 1)
    assert.strictEqual(await count("q=orders%20nonesuch"), 0)
    assert.strictEqual(await count(`q=orders%20${encodeURIComponent("näme-1")}`), 9)
    assert.strictEqual(await count(`q=${all[3]!.id.toLowerCase()}`), 1)
    const deliveries: Array<string> = []
    cursor = ""
    while (cursor !== null) {
      const query: string = cursor === "" ? "" : `&cursor=${cursor}`
      const page: Page<DeliveryView> = await it.api("GET", `/api/deliveries?limit=7&state=dead_lettered${query}`)
      assert.strictEqual(page.total, 20)
      deliveries.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor
    }
    assert.strictEqual(new Set(deliveries).size, 20)
    const { attempts, can } = await it.api<DeliveryView>("GET", `/api/deliveries/${deliveries[0]}`)
    assert.deepStrictEqual([attempts.length, can], [1, { replay: true, skip: false, retryNow: false }])
  })

  it("refuses wrong queries with what is valid", async () => {
    await using it = await start()
    assert.strictEqual(
      await it.refusal("GET", "/api/events?limt=1"),
      "400 there is no parameter \"limt\"; did you mean \"limit\"?"
    )
    assert.match(
      await it.refusal("GET", "/api/events?limit=0"),
      /^400 limit must be a whole number of 1\.\.1000, got "0"/
    )
    assert.match(await it.refusal("GET", "/api/events?limit=1&limit=2"), /^400 limit is given twice/)
    assert.match(await it.refusal("GET", "/api/events?state=ded_lettered"), /did you mean "dead_lettered"\?$/)
    assert.match(await it.refusal("GET", "/api/deliveries?cursor=x"), /^400 cursor must be/)
    assert.match(await it.refusal("GET", `/api/events?q=${"a+".repeat(20)}`), /^400 q must have at most 16 words/)
    assert.strictEqual(await it.refusal("GET", "/api/events/nope"), "404 there is no event with that id")
    assert.strictEqual(await it.refusal("GET", "/api/deliveries/nope"), "404 there is no delivery with that id")
  })
})

describe("sending", () => {
  it("goes over the producer side: idempotency, faults and limits apply", async () => {
    await using it = await start()
    const first = await it.send({ idempotencyKey: "k" })
    assert.deepStrictEqual(await it.send({ idempotencyKey: "k" }), {
      ...first,
      replayed: true,
      answer: (await it.send({ idempotencyKey: "k" })).answer
    })
    assert.strictEqual((await it.send({ idempotencyKey: "k", payload: 2 })).answer?.status, 409)
    await it.api("POST", "/api/faults", { kind: "status", status: 503, times: 1 })
    assert.strictEqual((await it.send()).answer?.status, 503)
    await it.api("POST", "/api/faults", { kind: "reset", times: 1 })
    const cut = await it.send()
    assert.isNull(cut.answer)
    assert.isString(cut.failure)
    assert.strictEqual((await it.send({ payload: undefined, payloadText: "{\"a\":" })).answer?.status, 400)
    assert.strictEqual((await it.api<Sent>("POST", "/api/events", { body: "nonsense" })).answer?.status, 400)
    const { items } = await it.api<Page<{ readonly path: string }>>("GET", "/api/requests?limit=2")
    assert.deepStrictEqual(items.map(({ path }) => path), ["/v1/events", "/v1/events"])
  })

  it("sends again: the same bytes, or changed ones", async () => {
    await using it = await start()
    const { eventId } = await it.send({ payload: undefined, payloadText: "{\"b\" :1}", orderingKey: "clé" })
    const again = await it.api<Sent>("POST", `/api/events/${eventId}/resend`)
    const changed = await it.api<Sent>("POST", `/api/events/${eventId}/resend`, { payloadText: "{\"b\":2}" })
    const [first, second, third] = [
      await it.event(eventId),
      await it.event(again.eventId),
      await it.event(changed.eventId)
    ]
    assert.deepStrictEqual(second.sent?.body, first.sent?.body)
    assert.deepStrictEqual([second.orderingKey, third.orderingKey], ["clé", "clé"])
    assert.deepStrictEqual([third.topic, third.delivered], ["orders.created", { bytes: 8, text: "{\"b\": 2}" }])
  })

  it("uses a key of its own when the first one is revoked or limited", async () => {
    await using it = await start({ apiKeys: [{ key: "hk_narrow", scopes: ["users.*"] }] })
    assert.strictEqual((await it.send()).answer?.status, 202)
  })

  it("refuses wrong input with what is valid", async () => {
    await using it = await start()
    assert.match(await it.refusal("POST", "/api/events"), /^400 topic must be/)
    assert.match(await it.refusal("POST", "/api/events", { topic: "t" }), /^400 payload or payloadText is required/)
    assert.match(
      await it.refusal("POST", "/api/events", { topic: "t", payload: 1, payloadText: "1" }),
      /^400 give either/
    )
    assert.match(await it.refusal("POST", "/api/events", { topc: "t" }), /^400 .*did you mean "topic"\?/)
    assert.match(
      await it.refusal("POST", "/api/events", { topic: "t", payload: 1, idempotencyKey: "a\r\nb: c" }),
      /^400 idempotencyKey must be one line/
    )
    // Nesting that is parsed, but not written again.
    const deep = `{"topic":"t","payload":${"[".repeat(20_000)}${"]".repeat(20_000)}}`
    assert.match(await it.refusal("POST", "/api/events", deep), /^400 payload is nested too deeply/)
    assert.strictEqual(await it.refusal("POST", "/api/events/nope/resend"), "404 there is no event with that id")
  })
})

describe("control", () => {
  it("fails the next deliveries, then retries them as the clock moves", async () => {
    await using receiver = await startReceiver()
    await using it = await start({ subscriptions: [{ topic: "*", url: receiver.url }] })
    const fault = await it.api("POST", "/api/faults", { on: "delivery", kind: "status", status: 500, times: 2 })
    const { eventId } = await it.send()
    await it.api("POST", "/api/idle")
    const { deliveries } = await it.event(eventId)
    assert.deepStrictEqual([deliveries[0]?.state, deliveries[0]?.httpStatus], ["retry_scheduled", 500])
    assert.strictEqual((await it.state()).nextAttemptAt, deliveries[0]?.nextAttemptAt)
    const { now } = await it.api<{ readonly now: number }>("POST", "/api/clock/advance", { to: "next-attempt" })
    assert.strictEqual(now, deliveries[0]?.nextAttemptAt)
    assert.strictEqual((await it.event(eventId)).deliveries[0]?.attemptNo, 2)
    await it.api("POST", "/api/clock/advance", { ms: 60_000 })
    assert.strictEqual((await it.event(eventId)).deliveries[0]?.state, "succeeded")
    assert.deepStrictEqual((await it.state()).faults.map(({ hits, id }) => [id, hits]), [[fault["id"], 2]])
    await it.api("DELETE", `/api/faults/${String(fault["id"])}`)
    assert.deepStrictEqual((await it.state()).faults, [])
    assert.strictEqual(
      await it.refusal("POST", "/api/clock/advance", { to: "next-attempt" }),
      "409 no delivery has a next attempt"
    )
    assert.match(await it.refusal("POST", "/api/clock/advance", {}), /^400 give either ms or to/)
    assert.match(await it.refusal("POST", "/api/clock/advance", { ms: -1 }), /^400 ms must be a number of at least 0/)
    assert.match(await it.refusal("DELETE", "/api/faults/999"), /^404 /)
    assert.match(
      await it.refusal("POST", "/api/faults", { on: "delivery", kind: "stall" }),
      /^400 kind "stall" is a fault of requests/
    )
    assert.strictEqual(receiver.received.length, 1)
  })

  it("says that the real clock cannot be moved, and retries at once instead", async () => {
    await using receiver = await startReceiver()
    receiver.reply((index) => index === 0 ? 503 : 200)
    await using it = await start({
      clock: "real",
      startAt: undefined,
      sweepIntervalMs: 30_000,
      subscriptions: [{ topic: "*", url: receiver.url }]
    })
    assert.match(await it.refusal("POST", "/api/clock/advance", { ms: 1 }), /^409 advance needs/)
    const feed = await openFeed(it.emulator)
    const { eventId } = await it.send()
    const settled = (state: string) =>
      feed.until(({ data }) =>
        (data as { readonly items?: ReadonlyArray<EventSummary> }).items?.[0]?.deliveries[0]?.state === state
      )
    await settled("retry_scheduled")
    const id = (await it.event(eventId)).deliveries[0]?.id
    await it.api("POST", `/api/deliveries/${id}/retry-now`)
    await settled("succeeded")
    assert.match(await it.refusal("POST", `/api/deliveries/${id}/retry-now`), /^409 only a delivery whose next/)
    feed.stop()
  })

  it("holds the workers and lets them go on", async () => {
    await using receiver = await startReceiver()
    await using it = await start({ subscriptions: [{ topic: "*", url: receiver.url }] })
    assert.deepStrictEqual(await it.api("POST", "/api/pause"), { paused: true })
    const { eventId } = await it.send()
    // Held deliveries do not count as under way.
    assert.deepStrictEqual(await it.api("POST", "/api/idle"), { idle: true })
    await it.api("POST", "/api/clock/advance", { ms: 60_000 })
    const held = (await it.event(eventId)).deliveries[0]
    assert.deepStrictEqual([held?.state, held?.waitsFor, receiver.received.length], ["pending", "resume", 0])
    assert.strictEqual((await it.state()).paused, true)
    await it.api("POST", "/api/resume")
    await it.emulator.idle()
    assert.strictEqual((await it.event(eventId)).deliveries[0]?.state, "succeeded")
  })

  it("replays a dead delivery and skips the head of an ordering key", async () => {
    await using receiver = await startReceiver(400)
    await using it = await start({ subscriptions: [{ topic: "*", url: receiver.url, ordered: true }] })
    const [first, second] = [await it.send({ orderingKey: "k" }), await it.send({ orderingKey: "k" })]
    await it.emulator.idle()
    const view = async ({ eventId }: Sent): Promise<DeliveryView> => (await it.event(eventId)).deliveryViews[0]!
    const dead = await view(first)
    assert.deepStrictEqual([dead.state, dead.can, dead.deadLetter?.finalError], ["dead_lettered", {
      replay: true,
      skip: true,
      retryNow: false
    }, "http_400"])
    const blocked = await view(second)
    assert.deepStrictEqual([blocked.state, blocked.waitsFor, blocked.blockedBy], ["pending", "ordering", dead.id])
    assert.match(await it.refusal("POST", `/api/deliveries/${blocked.id}/skip`), /^409 /)
    await it.api("POST", `/api/deliveries/${dead.id}/replay`)
    await it.emulator.idle()
    assert.strictEqual((await view(first)).attempts.length, 2)
    receiver.reply(200)
    assert.deepStrictEqual(await it.api("POST", `/api/deliveries/${dead.id}/skip`), {
      id: dead.id,
      state: "skipped",
      nextHeadDeliveryId: blocked.id
    })
    await it.emulator.idle()
    assert.deepStrictEqual([(await view(first)).state, (await view(second)).state], ["skipped", "succeeded"])
    assert.match(await it.refusal("POST", `/api/deliveries/${dead.id}/replay`), /^409 /)
    assert.match(await it.refusal("POST", "/api/deliveries/nope/replay"), /^404 /)
  })

  it("adds, pauses and removes subscriptions; breaks the database and Redis", async () => {
    await using receiver = await startReceiver()
    await using it = await start()
    const { id } = await it.api("POST", "/api/subscriptions", { topic: "orders.*", url: receiver.url, maxAttempts: 3 })
    await it.api("PATCH", `/api/subscriptions/${String(id)}`, { active: false })
    assert.strictEqual((await it.event((await it.send()).eventId)).deliveries.length, 0)
    await it.api("PATCH", `/api/subscriptions/${String(id)}`, { active: true })
    await it.api("PATCH", "/api/surroundings", { database: "down" })
    assert.strictEqual((await it.send()).answer?.status, 401)
    await it.api("PATCH", "/api/surroundings", { database: "up", redis: "down" })
    const { eventId } = await it.send()
    assert.isNumber((await it.event(eventId)).deliveries[0]?.nextAttemptAt)
    await it.api("DELETE", `/api/subscriptions/${String(id)}`)
    assert.strictEqual((await it.event(eventId)).deliveries[0]?.state, "cancelled")
    assert.match(await it.refusal("DELETE", `/api/subscriptions/${String(id)}`), /^404 /)
    assert.match(
      await it.refusal("PATCH", `/api/subscriptions/${String(id)}`, { active: 1 }),
      /^400 active must be true or false/
    )
    assert.match(
      await it.refusal("POST", "/api/subscriptions", { topic: "t" }),
      /^400 a subscription needs either url or endpointId/
    )
    assert.match(await it.refusal("POST", "/api/subscriptions", { topic: "t", url: "nonsense" }), /^422 /)
    assert.match(await it.refusal("PATCH", "/api/surroundings", { database: "gone" }), /^400 database must be/)
  })

  it("shows what a crash lost", async () => {
    await using receiver = await startReceiver()
    await using it = await start({ subscriptions: [{ topic: "*", url: receiver.url }] })
    await it.api("POST", "/api/faults", { on: "delivery", kind: "crash", times: 1 })
    const { eventId } = await it.send()
    await it.emulator.advance(60_000)
    const { attempts } = (await it.event(eventId)).deliveryViews[0]!
    assert.deepStrictEqual(attempts.map(({ fault, status }) => [status, fault]), [["crashed", "crash"], [
      "success",
      null
    ]])
  })

  it("tells when it is not idle in time", async () => {
    await using receiver = await startReceiver("hang")
    await using it = await start({ subscriptions: [{ topic: "*", url: receiver.url }] })
    await it.send()
    assert.deepStrictEqual(await it.api("POST", "/api/idle", { timeoutMs: 1 }), { idle: false })
  })

  it.each([
    ["genuine", "genuine", null, "identical"],
    ["parsed and written again", "mismatch", "body-parsed", "different"],
    ["late", "timestamp", null, "identical"],
    ["another secret", "mismatch", "secret-other", "identical"],
    ["without its prefix", "mismatch", "secret-prefix", "identical"],
    ["malformed", "malformed", null, "identical"]
  ])("examines a request as a receiver saw it: %s", async (name, verdict, mistake, body) => {
    await using receiver = await startReceiver()
    await using it = await start({ subscriptions: [{ topic: "*", url: receiver.url }] })
    await it.send({ payload: { b: 1, a: 2 } })
    await it.emulator.idle()
    const got = receiver.received[0]!
    const endpointId = (await it.state()).endpoints[0]!.id
    const { secret } = await it.api<{ readonly secret: string }>("POST", `/api/endpoints/${endpointId}/reveal-secret`)
    const changes: Readonly<Record<string, object>> = {
      "parsed and written again": { body: "{\"a\":2,\"b\":1}" },
      late: { at: 1e12 + 301_000 },
      "another secret": { secrets: ["whsec_of_someone_else"] },
      "without its prefix": { secrets: [secret.replace("whsec_", "")] },
      malformed: { signature: "v1=nonsense" }
    }
    const verified = await it.api("POST", "/api/verify", {
      headers: got.headers as Record<string, string>,
      body: got.body,
      ...changes[name]
    })
    assert.deepStrictEqual([verified["verdict"], verified["mistake"], verified["body"]], [verdict, mistake, body])
    if (verdict === "genuine") assert.strictEqual(verified["recomputed"], got.headers["hookrail-signature"])
    if (mistake !== null) assert.isString(verified["advice"])
    if (body === "different") assert.strictEqual(verified["differsAt"], 5)
  })

  it("refuses to examine without bytes or secret", async () => {
    await using it = await start()
    assert.match(await it.refusal("POST", "/api/verify", {}), /^400 give either body or bodyBase64/)
    assert.match(await it.refusal("POST", "/api/verify", { body: "" }), /^400 give secrets or endpointId/)
    assert.match(await it.refusal("POST", "/api/verify", { bodyBase64: "?" }), /^400 bodyBase64 must be base64/)
    assert.match(await it.refusal("POST", "/api/verify", { body: "", headers: { a: 1 } }), /^400 headers must be/)
    assert.match(await it.refusal("POST", "/api/verify", { body: "", endpointId: "x" }), /^404 /)
  })
})

interface Gone {
  readonly id: string
  readonly ordinal: number
  readonly gone: true
}

type Item = EventSummary | Gone

/** What someone who only reads the feed knows. */
class Model {
  readonly events = new Map<string, EventSummary>()

  apply(items: ReadonlyArray<Item>): void {
    for (const item of items) {
      if ("gone" in item) this.events.delete(item.id)
      else this.events.set(item.id, item)
    }
  }

  get list(): ReadonlyArray<EventSummary> {
    return [...this.events.values()].sort((a, b) => b.ordinal - a.ordinal)
  }
}

describe("revisions", () => {
  it("no event looks different without a new revision, whatever happens to it", async () => {
    await using receiver = await startReceiver("hang")
    await using it = await start({ backoff: { baseMs: 10_000, capMs: 10_000 } })
    const { emulator } = it
    const seen = new Map<string, string>()
    const looks: Array<string> = []
    /** Holds every event against what it looked like with the same revision. */
    const look = async (): Promise<void> => {
      for (const { revision, ...event } of (await it.api<Page<EventSummary>>("GET", "/api/events?limit=1000")).items) {
        const [key, now] = [`${event.id} at ${revision}`, JSON.stringify(event)]
        assert.strictEqual(seen.get(key) ?? now, now, key)
        if (!seen.has(key)) looks.push(...event.deliveries.map(({ state, waitsFor }) => `${state} ${waitsFor}`))
        seen.set(key, now)
      }
    }
    /** Waits until the receiver has a request that it has not answered. */
    const arrived = async (count: number): Promise<void> => {
      while (receiver.received.length < count) await new Promise(setImmediate)
    }
    const step = async (act: () => unknown): Promise<void> => {
      await look()
      await act()
      await look()
    }
    const plain = emulator.subscribe({ topic: "plain", url: receiver.url, maxAttempts: 5 })
    await step(() => emulator.pause())
    const { eventId } = await it.send({ topic: "plain" })
    const delivery = async (): Promise<string> => (await it.event(eventId)).deliveries[0]!.id
    await step(() => emulator.resume())
    await arrived(1)
    // This one stays in flight; the attempts of the next event fail.
    await step(async () => {
      emulator.fault({ on: "delivery", kind: "status", status: 503, times: 3 })
      receiver.reply(503)
    })
    const hanging = await it.send({ topic: "plain" })
    await emulator.idle({ timeoutMs: 1 }).catch(() => {})
    await look()
    const scheduled = (await it.event(hanging.eventId)).deliveries[0]!
    assert.strictEqual(scheduled.state, "retry_scheduled")
    await step(() => emulator.pause())
    await step(() => it.api("POST", `/api/deliveries/${scheduled.id}/retry-now`))
    await step(() => emulator.setDatabase("down"))
    await step(() => emulator.resume())
    await step(() => new Promise(setImmediate))
    await step(() => emulator.pause())
    await step(() => emulator.resume())
    await step(() => emulator.setDatabase("up"))
    receiver.reply(200)
    emulator.clearFaults()
    // A lane: the first one dies, is replayed, dies again, and is skipped.
    const lane = emulator.subscribe({ topic: "lane", url: `${receiver.url}/lane`, ordered: true })
    receiver.reply(400)
    await it.send({ topic: "lane", orderingKey: "k" })
    await it.send({ topic: "lane", orderingKey: "k" })
    while ((await it.state()).deliveries.dead_lettered === 0) await look()
    const dead = (await it.api<Page<DeliveryView>>("GET", "/api/deliveries?state=dead_lettered")).items[0]!
    await step(() => emulator.pause())
    await step(() => it.api("POST", `/api/deliveries/${dead.id}/replay`))
    await step(() => emulator.resume())
    while ((await it.state()).deliveries.dead_lettered === 0) await look()
    await step(() => emulator.pause())
    await step(() => it.api("POST", `/api/deliveries/${dead.id}/skip`))
    // Redis is down: what is new is planned.
    await step(() => emulator.setRedis("down"))
    await it.send({ topic: "lane", orderingKey: "other" })
    await step(() => emulator.removeSubscription(lane.id))
    await step(() => emulator.setRedis("up"))
    // A target that is deleted during an attempt leaves an orphan.
    receiver.reply("hang")
    const before = receiver.received.length
    const orphan = await it.send({ topic: "plain" })
    await step(() => emulator.resume())
    await arrived(before + 1)
    await step(() => emulator.removeSubscription(plain.id))
    const state = async (id: string) => (await it.event(id)).deliveries[0]!.state
    assert.strictEqual(await state(orphan.eventId), "in_flight")
    assert.include(["in_flight", "succeeded"], await state(eventId))
    assert.isString(await delivery())
    for (
      const expected of [
        "pending null",
        "pending resume",
        "in_flight null",
        "retry_scheduled null",
        "retry_scheduled resume",
        "retry_scheduled database",
        "pending ordering",
        "dead_lettered null",
        "skipped null",
        "cancelled null"
      ]
    ) assert.include(looks, expected)
  })

  it("each end of an attempt is told, and an attempt that waited for a worker", async () => {
    let answer: ((status: number) => void) | undefined
    const server = createServer((request, response) => {
      request.resume()
      answer = (status) => response.writeHead(status).end()
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    await using it = await start({ workers: 1 })
    const feed = await openFeed(it.emulator)
    const latest = new Map<string, EventSummary>()
    const told = async ({ eventId }: Sent, state: string): Promise<void> => {
      while (latest.get(eventId)?.deliveries[0]?.state !== state) {
        const { items = [] } = (await feed.next()).data as { readonly items?: ReadonlyArray<EventSummary> }
        for (const item of items) latest.set(item.id, item)
      }
      assert.isNull(latest.get(eventId)!.deliveries[0]!.nextAttemptAt)
    }
    const asked = async (): Promise<(status: number) => void> => {
      while (answer === undefined) await new Promise(setImmediate)
      const asked = answer
      answer = undefined
      return asked
    }
    const { id } = it.emulator.subscribe({ topic: "*", url })
    const first = await it.send()
    const reply = await asked()
    await told(first, "in_flight")
    const second = await it.send()
    await told(second, "pending")
    reply(200)
    await told(first, "succeeded")
    const again = await asked()
    await told(second, "in_flight")
    again(400)
    await told(second, "dead_lettered")
    const third = await it.send()
    const last = await asked()
    await told(third, "in_flight")
    it.emulator.removeSubscription(id)
    last(503)
    await told(third, "retry_scheduled")
    await it.emulator.advance(3_600_000)
    await told(third, "cancelled")
    feed.stop()
    server.close()
    server.closeAllConnections()
  })

  it("whatever changes the emulator itself is told", async () => {
    await using it = await start()
    const { emulator } = it
    const feed = await openFeed(emulator)
    const told = async (passes: (state: State) => boolean): Promise<void> => {
      await feed.until(({ data, kind }) => kind === "state" && passes(data as State))
    }
    const { endpointId, id } = emulator.subscribe({ topic: "t", url: "http://127.0.0.1:1/" })
    await told(({ endpoints, subscriptions }) => endpoints.length === 1 && subscriptions.length === 1)
    const { id: second } = emulator.subscribe({ topic: "u", endpointId })
    await told(({ subscriptions }) => subscriptions.length === 2)
    emulator.removeSubscription(second)
    emulator.setActive(id, false)
    await told(({ subscriptions }) => !subscriptions[0]!.active)
    await call("PATCH", `${emulator.adminUrl}/v1/subscriptions/${id}`, {
      headers: { Authorization: `Bearer ${emulator.adminToken}`, "Content-Type": "application/json" },
      body: "{\"active\": true}"
    })
    await told(({ subscriptions }) => subscriptions[0]!.active)
    emulator.addEndpoint({ url: "http://127.0.0.1:2/" })
    await told(({ endpoints }) => endpoints.length === 2)
    emulator.removeSubscription(id)
    await told(({ subscriptions }) => subscriptions[0]!.deleted)
    emulator.removeEndpoint(endpointId)
    await told(({ endpoints }) => endpoints[0]!.deleted)
    emulator.pause()
    await told(({ paused }) => paused)
    emulator.resume()
    await told(({ paused }) => !paused)
    const fault = emulator.fault({ kind: "status", status: 503, times: 1 })
    await told(({ faults }) => faults.length === 1)
    await it.send()
    await told(({ faults }) => faults[0]!.hits === 1)
    fault.remove()
    await told(({ faults }) => faults.length === 0)
    emulator.fault({ kind: "stall" })
    await told(({ faults }) => faults.length === 1)
    emulator.clearFaults()
    await told(({ faults }) => faults.length === 0)
    emulator.setRedis("down")
    await told(({ redis }) => redis === "down")
    emulator.setDatabase("readonly")
    await told(({ database }) => database === "readonly")
    await emulator.advance(5)
    await told(({ now }) => now === 1e12 + 5)
    feed.stop()
  })
})

describe("the feed", () => {
  const items = (data: unknown): ReadonlyArray<Item> => (data as { readonly items?: ReadonlyArray<Item> }).items ?? []

  /** Reads until everything up to the present revision has been told. */
  const catchUp = async (
    feed: Awaited<ReturnType<typeof openFeed>>,
    emulator: RunningEmulator,
    model: Model
  ): Promise<string> => {
    const { revision } = await control(emulator).api<State>("GET", "/api/state")
    // A change that concerns no event makes a message of its state.
    emulator.clearFaults()
    let last = ""
    let told = false
    while (!told) {
      const { data, id, kind } = await feed.next()
      if (kind === "events") {
        model.apply(items(data))
        last = id ?? ""
      }
      // The state comes first in each batch; what it announces follows before the next one.
      if (kind === "state") told = (data as State).revision > revision + 1
      if (kind === "state" && (data as State).revision > revision) emulator.clearFaults()
    }
    return last
  }

  it("leads to the same list, whatever happens", async () => {
    await using receiver = await startReceiver()
    const answers = [200, 503, 400, "reset", 429] as const
    receiver.reply((index) => answers[index % answers.length]!)
    await using it = await start({ eventLimit: 40, seed: 5 })
    const { emulator } = it
    const feed = await openFeed(emulator)
    const model = new Model()
    const plain = emulator.subscribe({ topic: "*", url: receiver.url, maxAttempts: 3 })
    const ordered = emulator.subscribe({ topic: "orders.*", url: `${receiver.url}/2`, ordered: true, maxAttempts: 2 })
    for (let n = 0; n < 60; n++) {
      await it.send({
        topic: n % 3 === 0 ? "orders.created" : "users.created",
        orderingKey: `k${n % 4}`,
        payload: { n }
      })
      if (n % 10 === 3) await emulator.advance(3000)
      if (n === 15) emulator.pause()
      if (n === 20) emulator.resume()
      if (n === 25) emulator.setDatabase("down")
      if (n === 27) emulator.setDatabase("up")
      if (n === 30) emulator.fault({ on: "delivery", kind: "crash", times: 2 })
      if (n === 35) emulator.setRedis("down")
      if (n === 40) emulator.setRedis("up")
      if (n === 45) emulator.removeSubscription(plain.id)
      if (n % 7 === 0) {
        const { items } = await it.api<Page<DeliveryView>>("GET", "/api/deliveries?state=dead_lettered&limit=2")
        if (items[0] !== undefined) await it.raw("POST", `/api/deliveries/${items[0].id}/replay`)
        if (items[1] !== undefined) await it.raw("POST", `/api/deliveries/${items[1].id}/skip`)
      }
    }
    await emulator.advance(60_000)
    emulator.removeEndpoint(ordered.endpointId)
    await emulator.advance(10_000_000)
    await catchUp(feed, emulator, model)
    feed.stop()
    const page = await it.api<Page<EventSummary>>("GET", "/api/events?limit=1000")
    const { firstOrdinal } = await it.state()
    assert.isAbove(page.items.length, 10)
    // Events that were dropped are not announced: `firstOrdinal` says where the list begins.
    assert.deepStrictEqual(model.list.filter(({ ordinal }) => ordinal >= firstOrdinal), page.items)
    const states = new Set(page.items.flatMap(({ deliveries }) => deliveries.map(({ state }) => state)))
    assert.isAbove(states.size, 2, [...states].join())
  })

  it("goes on where it was cut off, by Last-Event-ID or since", async () => {
    await using it = await start()
    const model = new Model()
    const first = await openFeed(it.emulator)
    await it.send({ payload: 1 })
    const { id } = await first.until(({ kind }) => kind === "events")
    first.stop()
    const missed = [(await it.send({ payload: 2 })).eventId, (await it.send({ payload: 3 })).eventId]
    const again = await openFeed(it.emulator, "", { "Last-Event-ID": id! })
    model.apply(items((await again.until(({ kind }) => kind === "events")).data))
    assert.deepStrictEqual(model.list.map((event) => event.id), missed.reverse())
    again.stop()
    const all = await openFeed(it.emulator, "?since=0")
    assert.lengthOf(items((await all.until(({ kind }) => kind === "events")).data), 3)
    all.stop()
  })

  it("says that it is another one after a restart", async () => {
    await using it = await start()
    const feed = await openFeed(it.emulator, "", { "Last-Event-ID": "another.7" })
    assert.strictEqual((await feed.next()).kind, "reset")
    feed.stop()
    assert.match(await it.refusal("GET", "/api/feed?since=x"), /^400 since must be/)
    assert.strictEqual((await openFeed(it.emulator, "", { "Last-Event-ID": "<b>" })).status, 400)
  })

  it("is filtered like the list; what no longer matches is gone", async () => {
    await using receiver = await startReceiver()
    await using it = await start({ subscriptions: [{ topic: "orders.*", url: receiver.url }] })
    it.emulator.pause()
    const feed = await openFeed(it.emulator, "?state=pending&topic=orders.*")
    const { eventId } = await it.send()
    const { eventId: other } = await it.send({ topic: "users.created" })
    const model = new Model()
    const gone = new Set<string>()
    const read = async (done: () => boolean): Promise<void> => {
      while (!done()) {
        const { data } = await feed.next()
        model.apply(items(data))
        for (const item of items(data)) if ("gone" in item) gone.add(item.id)
      }
    }
    await read(() => model.events.has(eventId) && gone.has(other))
    it.emulator.resume()
    await read(() => gone.has(eventId))
    assert.deepStrictEqual(model.list, [])
    feed.stop()
  })

  it("a slow reader gets what is, not what was: each event a few times at most", async () => {
    await using receiver = await startReceiver()
    await using it = await start({
      ingestRateLimit: false,
      deliveryRateLimit: false,
      subscriptions: [{ topic: "*", url: receiver.url }]
    })
    const feed = await openFeed(it.emulator)
    const filler = "x".repeat(400)
    const total = 1000
    for (let n = 0; n < total; n += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, index) => it.send({ payload: { n: n + index, filler } })))
    }
    await it.emulator.idle()
    const model = new Model()
    let told = 0
    while (model.events.size < total || model.list.some(({ deliveries }) => deliveries[0]?.state !== "succeeded")) {
      const found = items((await feed.next()).data)
      told += found.length
      model.apply(found)
    }
    feed.stop()
    // Each event changed at least four times.
    assert.isBelow(told, total * 3)
  }, 60_000)

  it("there are sixteen at most, and one that has gone makes room", async () => {
    await using it = await start()
    const feeds = await Promise.all(Array.from({ length: 16 }, () => openFeed(it.emulator)))
    assert.strictEqual((await openFeed(it.emulator)).status, 503)
    feeds[0]!.stop()
    for (;;) {
      const { status, stop } = await openFeed(it.emulator)
      stop()
      if (status === 200) break
    }
    for (const feed of feeds) feed.stop()
  })

  it("ends with the emulator", async () => {
    const it = await start()
    const feed = await openFeed(it.emulator)
    await it.emulator.close()
    const end = await feed.until(() => false).catch(String)
    assert.include(end, "Error")
  })
})
