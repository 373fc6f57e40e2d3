import { createHmac } from "node:crypto"
import dns from "node:dns"
import { syncBuiltinESMExports } from "node:module"
import { assert } from "vitest"
import type { AttemptTimeouts } from "../../src/index.js"
import type { Reply } from "../utils/receiver.js"
import { type Case, type World } from "./case.js"

const manual = { clock: "manual", sweepIntervalMs: 30_000 } as const

/** Sends one payload and gives the body that the receiver got. */
const delivered = async ({ accept, receiver, settled }: World, payload: string): Promise<string | undefined> => {
  await settled((await accept(`{"topic":"t","payload":${payload}}`)).event_id)
  return receiver.received.at(-1)?.body
}

/** Payloads with the bodies that receivers get for them. */
const rendering = (id: string, title: string, pairs: ReadonlyArray<readonly [string, string]>): Case => ({
  id,
  section: "4.2",
  title,
  needs: ["producer", "admin", "receiver"],
  run: async (world) => {
    await world.subscribe({ topic: "*", url: world.receiver.url })
    for (const [payload, body] of pairs) assert.strictEqual(await delivered(world, payload), body)
  }
})

/** What a receiver answers, and what the server makes of it after one attempt. */
const classified = (
  id: string,
  title: string,
  replies: ReadonlyArray<readonly [Reply, state: string, status: string, errorClass: string | undefined]>,
  attemptTimeouts?: AttemptTimeouts
): Case => ({
  id,
  section: "4.4",
  title,
  needs: attemptTimeouts === undefined ? ["producer", "admin", "receiver"] : ["producer", "receiver", "options"],
  options: { ...manual, attemptTimeouts },
  run: async ({ accept, receiver, settled, status, subscribe }) => {
    // Waits so long that no second attempt comes in between.
    await subscribe({ topic: "*", url: receiver.url, backoff: { baseMs: 21_600_000, capMs: 21_600_000 } })
    for (const [reply, state, attemptStatus, errorClass] of replies) {
      receiver.reply(reply)
      const { event_id: id } = await accept({ topic: "t", payload: {} })
      await settled(id)
      const [delivery] = (await status(id)).deliveries ?? []
      const [attempt] = delivery?.attempts ?? []
      assert.deepStrictEqual([delivery?.state, attempt?.["status"], attempt?.["error_class"]], [
        state,
        attemptStatus,
        errorClass
      ])
    }
  }
})

const retried = (reply: Reply, errorClass: string) =>
  [reply, "retry_scheduled", "retryable_failure", errorClass] as const
const buried = (reply: Reply, errorClass: string) => [reply, "dead_lettered", "permanent_failure", errorClass] as const

/** Lets a host name have an address, until disposed of. */
const resolving = (name: string, address: string): AsyncDisposable => {
  const real = dns.lookup
  const lookup = (host: string, options: dns.LookupOptions, callback: (...result: Array<unknown>) => void): void => {
    if (host !== name) return real(host, options, callback)
    const all = [{ address, family: 4 }]
    setImmediate(() => options.all === true ? callback(null, all) : callback(null, address, 4))
  }
  const install = (value: unknown): void => {
    Object.assign(dns, { lookup: value })
    syncBuiltinESMExports()
  }
  install(lookup)
  return { [Symbol.asyncDispose]: () => Promise.resolve(install(real)) }
}

/** Cases of protocol section 8.4. */
export const deliveryCases: ReadonlyArray<Case> = [
  rendering("E80", "keys are sorted, spaces inserted, decimals kept", [
    ["{\"b\":1,\"aa\":2,\"a\":1.00}", "{\"a\": 1.00, \"b\": 1, \"aa\": 2}"]
  ]),
  rendering("E81", "keys by length of UTF-8, then bytes", [
    [
      "{\"\u00e9\":1,\"zz\":2,\"b\":3,\"\":4,\"aaa\":5,\"B\":6}",
      "{\"\": 4, \"B\": 6, \"b\": 3, \"zz\": 2, \"\u00e9\": 1, \"aaa\": 5}"
    ]
  ]),
  rendering("E83", "numbers keep their digits", [["12345678901234567890.10", "12345678901234567890.10"]]),
  rendering("E84", "of duplicate keys the last", [["{\"a\":1,\"a\":2}", "{\"a\": 2}"]]),
  rendering("E85", "escapes become characters", [["\"\\u00e9\\/\\ud83d\\ude00\"", "\"\u00e9/\ud83d\ude00\""]]),
  {
    id: "E87",
    section: "4.1",
    needs: ["producer", "admin", "receiver"],
    title: "the headers of a delivery",
    run: async ({ accept, receiver, settled, subscribe }) => {
      await subscribe({ topic: "*", url: receiver.url })
      const { delivery_ids: ids, event_id: id } = await accept({ topic: "caf\u00e9", payload: {} })
      await settled(id)
      const { headers, rawHeaders } = receiver.received[0]!
      assert.strictEqual(headers["content-type"], "application/json")
      assert.strictEqual(headers["user-agent"], "hookrail/0.1")
      assert.strictEqual(headers["hookrail-event-id"], id)
      assert.strictEqual(headers["hookrail-delivery-id"], ids?.[0])
      assert.strictEqual(Buffer.from(String(headers["hookrail-topic"]), "latin1").toString(), "caf\u00e9")
      assert.match(String(headers["hookrail-signature"]), /^t=\d+,v1=[0-9a-f]{64}$/)
      const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()).sort()
      assert.deepStrictEqual(names, [
        "accept-encoding",
        "content-length",
        "content-type",
        "hookrail-delivery-id",
        "hookrail-event-id",
        "hookrail-signature",
        "hookrail-topic",
        "host",
        "user-agent"
      ])
    }
  },
  {
    id: "X33",
    section: "4.1",
    needs: ["producer", "receiver", "directory"],
    title: "deliveries share a connection without saying so",
    run: async ({ accept, receiver, settled, subscribe }) => {
      await subscribe({ topic: "*", url: receiver.url })
      for (let n = 0; n < 3; n++) await settled((await accept({ topic: "t", payload: n })).event_id)
      assert.lengthOf(receiver.received, 3)
      assert.lengthOf(new Set(receiver.received.map(({ port }) => port)), 1)
    }
  },
  {
    id: "X34",
    section: "4.4",
    needs: ["producer", "admin", "receiver"],
    title: "30 KiB of response headers do no harm",
    run: async ({ accept, receiver, settled, status, subscribe }) => {
      await subscribe({ topic: "*", url: receiver.url })
      const headers = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`X-${n}`, "x".repeat(1024)]))
      receiver.reply({ status: 200, headers })
      const { event_id: id } = await accept({ topic: "t", payload: {} })
      await settled(id)
      const [delivery] = (await status(id)).deliveries ?? []
      assert.deepStrictEqual([delivery?.state, delivery?.attempts[0]?.["http_status"]], ["succeeded", 200])
    }
  },
  {
    id: "E88",
    section: "4.3",
    needs: ["producer", "receiver", "clock", "directory"],
    title: "the signature covers the rendered body, with the whole secret as key",
    options: { ...manual, startAt: 1_781_092_800_999 },
    run: async ({ accept, emulator, receiver }) => {
      emulator.subscribe({ topic: "*", url: receiver.url, secret: "whsec_test_secret" })
      const { delivery_ids: ids } = await accept("{\"topic\":\"t\",\"payload\":{\"b\":1e1,\"a\":2}}")
      await emulator.idle()
      const body = "{\"a\": 2, \"b\": 10}"
      const mac = createHmac("sha256", "whsec_test_secret").update(`1781092800.${ids?.[0]}.${body}`).digest("hex")
      assert.strictEqual(receiver.received[0]?.headers["hookrail-signature"], `t=1781092800,v1=${mac}`)
    }
  },
  {
    id: "E89",
    section: "4.3",
    needs: ["producer", "receiver", "clock"],
    title: "the second attempt has the same id and another signature",
    options: manual,
    run: async ({ accept, emulator, receiver }) => {
      receiver.reply((index) => index === 0 ? 500 : 200)
      emulator.subscribe({ topic: "*", url: receiver.url })
      await accept({ topic: "t", payload: {} })
      await emulator.advance(60_000)
      const [first, second] = receiver.received.map(({ headers }) => headers)
      assert.strictEqual(first?.["hookrail-delivery-id"], second?.["hookrail-delivery-id"])
      assert.notStrictEqual(first?.["hookrail-signature"], second?.["hookrail-signature"])
      assert.lengthOf(receiver.received, 2)
    }
  },
  classified("E90", "redirects are not followed", [
    buried({ status: 302, headers: { Location: "/elsewhere" } }, "redirect_rejected"),
    buried(304, "redirect_rejected"),
    retried({ status: 302, headers: { Location: "/%zz" } }, "connection")
  ]),
  classified("E91", "permanent answers", [400, 401, 404, 410, 422].map((status) => buried(status, `http_${status}`))),
  classified(
    "E92",
    "retryable answers",
    [408, 425, 429, 500, 503, 599, 600, 999].map((status) => retried(status, `http_${status}`))
  ),
  classified("E93", "successes", [200, 204, 299].map((status) => [status, "succeeded", "success", undefined] as const)),
  classified("E94", "an endless body does not matter", [["endless", "succeeded", "success", undefined]]),
  classified("E95", "a silent receiver", [retried("hang", "timeout")], { headersMs: 20 }),
  {
    id: "E96",
    section: "4.5",
    needs: ["producer", "receiver", "clock"],
    title: "Retry-After of a retryable answer is waited for",
    options: manual,
    run: async ({ accept, emulator, receiver }) => {
      receiver.reply({ status: 429, headers: { "Retry-After": "120" } })
      emulator.subscribe({ topic: "*", url: receiver.url })
      await accept({ topic: "t", payload: {} })
      await emulator.advance(119_999)
      assert.lengthOf(receiver.received, 1)
      await emulator.advance(30_001)
      assert.lengthOf(receiver.received, 2)
    }
  },
  {
    id: "E97",
    section: "4.5",
    needs: ["producer", "receiver", "clock"],
    title: "Retry-After of a permanent answer is not",
    options: manual,
    run: async ({ accept, emulator, receiver, status }) => {
      receiver.reply({ status: 400, headers: { "Retry-After": "1" } })
      emulator.subscribe({ topic: "*", url: receiver.url })
      const { event_id: id } = await accept({ topic: "t", payload: {} })
      await emulator.advance(60_000)
      assert.strictEqual((await status(id)).deliveries?.[0]?.state, "dead_lettered")
      assert.lengthOf(receiver.received, 1)
    }
  },
  {
    id: "X15",
    section: "4.5",
    needs: ["producer", "receiver", "clock"],
    title: "Retry-After is clipped to the cap",
    options: { ...manual, sweepIntervalMs: 0 },
    run: async ({ accept, emulator, receiver }) => {
      receiver.reply({ status: 503, headers: { "Retry-After": "999999" } })
      emulator.subscribe({ topic: "*", url: receiver.url, backoff: { baseMs: 1, capMs: 2000 } })
      await accept({ topic: "t", payload: {} })
      await emulator.advance(1999)
      assert.lengthOf(receiver.received, 1)
      await emulator.advance(1)
      assert.lengthOf(receiver.received, 2)
    }
  },
  {
    id: "E99",
    section: "4.5",
    needs: ["producer", "receiver", "clock"],
    title: "after the last attempt a delivery is dead",
    options: manual,
    run: async ({ accept, emulator, receiver, status }) => {
      receiver.reply(500)
      emulator.subscribe({ topic: "*", url: receiver.url, maxAttempts: 3 })
      const { event_id: id } = await accept({ topic: "t", payload: {} })
      await emulator.advance(600_000)
      assert.lengthOf(receiver.received, 3)
      assert.strictEqual((await status(id)).deliveries?.[0]?.state, "dead_lettered")
    }
  },
  {
    id: "E100",
    section: "4.5",
    needs: ["producer", "receiver", "clock"],
    title: "a delivery over the rate limit is put back without an attempt",
    options: { ...manual, sweepIntervalMs: 0 },
    run: async ({ accept, emulator, receiver, status }) => {
      emulator.subscribe({ topic: "*", url: receiver.url, rateLimitRps: 0.5 })
      await accept({ topic: "t", payload: 1 })
      const { event_id: id } = await accept({ topic: "t", payload: 2 })
      await emulator.idle()
      const [waiting] = (await status(id)).deliveries ?? []
      assert.deepStrictEqual([waiting?.state, waiting?.attempts], ["retry_scheduled", []])
      await emulator.advance(2000)
      const [sent] = (await status(id)).deliveries ?? []
      assert.deepStrictEqual(sent?.attempts.map((attempt) => [attempt["attempt_no"], attempt["claim_version"]]), [[
        1,
        3
      ]])
    }
  },
  {
    id: "X16",
    section: "4.6",
    needs: ["producer", "receiver", "admin", "clock"],
    title: "every attempt after a rotation signs with the new secret",
    options: manual,
    run: async ({ accept, emulator, receiver }) => {
      receiver.reply(500)
      const { endpointId } = emulator.subscribe({ topic: "*", url: receiver.url })
      await accept({ topic: "t", payload: {} })
      await emulator.idle()
      const secret = emulator.rotateSecret(endpointId)
      await emulator.advance(60_000)
      const { body, headers } = receiver.received[1]!
      const [, time, mac] = /^t=(\d+),v1=(.*)$/.exec(String(headers["hookrail-signature"])) ?? []
      const message = `${time}.${String(headers["hookrail-delivery-id"])}.${body}`
      assert.strictEqual(mac, createHmac("sha256", secret).update(message).digest("hex"))
    }
  },
  {
    id: "E102",
    section: "4.6",
    needs: ["producer", "receiver", "admin", "clock"],
    title: "changed settings hold for deliveries that exist",
    options: manual,
    run: async ({ accept, admin, emulator, receiver, status }) => {
      receiver.reply(500)
      const { endpointId, id: subscriptionId } = emulator.subscribe({ topic: "*", url: receiver.url })
      const { event_id: id } = await accept({ topic: "t", payload: {} })
      await emulator.idle()
      const url = receiver.url.replace("/hook", "/moved")
      assert.strictEqual((await admin("PATCH", `/v1/endpoints/${endpointId}`, { url })).status, 204)
      assert.strictEqual((await admin("PATCH", `/v1/subscriptions/${subscriptionId}`, { max_attempts: 2 })).status, 204)
      await emulator.advance(600_000)
      assert.deepStrictEqual(receiver.received.map(({ path }) => path), ["/hook", "/moved"])
      assert.strictEqual((await status(id)).deliveries?.[0]?.state, "dead_lettered")
    }
  },
  {
    id: "X17",
    section: "4.5",
    needs: ["producer", "receiver", "admin", "clock"],
    title: "a budget that was lowered below the attempts made ends without another",
    options: manual,
    run: async ({ accept, admin, emulator, receiver }) => {
      receiver.reply(500)
      const { id: subscriptionId } = emulator.subscribe({ topic: "*", url: receiver.url })
      await accept({ topic: "t", payload: {} })
      await emulator.idle()
      await admin("PATCH", `/v1/subscriptions/${subscriptionId}`, { max_attempts: 1 })
      await emulator.advance(600_000)
      assert.lengthOf(receiver.received, 1)
      assert.include((await admin("GET", "/v1/dlq")).body, "\"final_error\":\"attempts_exhausted\"")
    }
  },
  {
    id: "E104",
    section: "4.6",
    needs: ["producer", "receiver", "admin", "clock"],
    title: "deleting an endpoint cancels what is planned",
    options: manual,
    run: async ({ accept, admin, emulator, receiver, status }) => {
      receiver.reply(500)
      const { endpointId } = emulator.subscribe({ topic: "*", url: receiver.url })
      const { event_id: id } = await accept({ topic: "t", payload: {} })
      await emulator.idle()
      assert.strictEqual((await admin("DELETE", `/v1/endpoints/${endpointId}`)).status, 204)
      assert.strictEqual((await status(id)).deliveries?.[0]?.state, "cancelled")
      await emulator.advance(600_000)
      assert.lengthOf(receiver.received, 1)
    }
  },
  {
    id: "E105",
    section: "4.7",
    needs: ["producer", "receiver", "clock"],
    title: "of an ordering key only the head is sent",
    options: manual,
    run: async ({ accept, emulator, receiver }) => {
      receiver.reply((index) => index === 0 ? 500 : 200)
      emulator.subscribe({ topic: "*", url: receiver.url, ordered: true })
      for (const n of [1, 2, 3]) await accept({ topic: "t", payload: n }, { "X-Hookrail-Ordering-Key": "o" })
      await accept({ topic: "t", payload: "other key" }, { "X-Hookrail-Ordering-Key": "p" })
      await emulator.idle()
      assert.sameMembers(receiver.received.map(({ body }) => body), ["1", "\"other key\""])
      await emulator.advance(60_000)
      assert.deepStrictEqual(receiver.received.map(({ body }) => body).filter((body) => body.length === 1), [
        "1",
        "1",
        "2",
        "3"
      ])
    }
  },
  {
    id: "E106",
    section: "4.7",
    needs: ["producer", "receiver", "admin", "clock", "ledger"],
    title: "a dead head blocks its key until it is skipped or replayed",
    options: manual,
    run: async ({ accept, admin, emulator, receiver }) => {
      receiver.reply(400)
      const { id: subscriptionId } = emulator.subscribe({ topic: "*", url: receiver.url, ordered: true })
      const ids: Array<string> = []
      for (const n of [1, 2, 3]) {
        const { delivery_ids: made } = await accept({ topic: "t", payload: { ordering_key: "o", n } })
        ids.push(...made ?? [])
      }
      await emulator.advance(5000)
      assert.lengthOf(receiver.received, 1)
      const blocked = (await admin("GET", "/v1/ordered-keys?blocked=true")).json() as {
        readonly items: ReadonlyArray<Record<string, unknown>>
      }
      assert.deepInclude(blocked.items[0], {
        subscription_id: subscriptionId,
        ordering_key: "o",
        head_delivery_id: ids[0],
        backlog_count: 3,
        oldest_successor_age_sec: 5
      })
      const skipped = `{"delivery_id":"${ids[0]}","state":"skipped","next_head_delivery_id":"${ids[1]}"}\n`
      assert.strictEqual((await admin("POST", `/v1/deliveries/${ids[1]}/skip`)).status, 409)
      assert.strictEqual((await admin("POST", `/v1/deliveries/${ids[0]}/skip`)).body, skipped)
      assert.strictEqual((await admin("POST", `/v1/deliveries/${ids[0]}/skip`)).body, skipped)
      await emulator.idle()
      receiver.reply(200)
      assert.strictEqual((await admin("POST", `/v1/dlq/${ids[1]}/replay`)).status, 200)
      await emulator.idle()
      assert.deepStrictEqual(emulator.ledger().attempts.map(({ deliveryId }) => deliveryId), [
        ids[0],
        ids[1],
        ids[1],
        ids[2]
      ])
      assert.strictEqual(
        (await admin("GET", "/v1/ordered-keys?blocked=true")).body,
        "{\"items\":null,\"next_cursor\":\"\"}\n"
      )
    }
  },
  {
    id: "X18",
    section: "4.5",
    needs: ["producer", "receiver", "faults", "clock"],
    title: "a crashed worker's delivery is sent again after its lease",
    options: manual,
    run: async ({ accept, emulator, receiver, status }) => {
      emulator.subscribe({ topic: "*", url: receiver.url })
      emulator.fault({ on: "delivery", kind: "crash", times: 1 })
      const { event_id: id } = await accept({ topic: "t", payload: {} })
      await emulator.idle()
      assert.strictEqual((await status(id)).deliveries?.[0]?.state, "in_flight")
      await emulator.advance(60_000)
      assert.lengthOf(receiver.received, 2)
      const [delivery] = (await status(id)).deliveries ?? []
      assert.deepStrictEqual(delivery?.attempts.map((attempt) => attempt["claim_version"]), [2])
    }
  },
  {
    id: "X19",
    section: "4.1",
    needs: ["producer", "receiver", "ledger"],
    title: "a topic that cannot stand in a header fails as a connection",
    options: manual,
    run: async ({ accept, emulator, receiver }) => {
      emulator.subscribe({ topic: "*", url: receiver.url })
      await accept({ topic: "a\r\nb", payload: {} })
      await emulator.idle()
      assert.lengthOf(receiver.received, 0)
      assert.deepStrictEqual(emulator.ledger().attempts.map(({ errorClass }) => errorClass), ["connection"])
    }
  },
  {
    id: "X20",
    section: "6",
    needs: ["producer", "receiver", "redis", "database", "clock"],
    title: "without Redis the first delivery waits for the sweeper; without the database nothing is taken up",
    options: manual,
    run: async ({ accept, emulator, receiver }) => {
      emulator.subscribe({ topic: "*", url: receiver.url })
      emulator.setRedis("down")
      await accept({ topic: "t", payload: {} })
      await emulator.idle()
      assert.lengthOf(receiver.received, 0)
      emulator.setDatabase("down")
      await emulator.advance(60_000)
      assert.lengthOf(receiver.received, 0)
      emulator.setDatabase("up")
      await emulator.advance(30_000)
      assert.lengthOf(receiver.received, 1)
    }
  },
  {
    id: "X21",
    section: "4.6",
    needs: ["producer", "receiver", "directory", "clock"],
    title: "a failure after the deletion of its target waits for the janitor",
    options: manual,
    run: async ({ accept, emulator, receiver, status }) => {
      const { id: subscriptionId } = emulator.subscribe({ topic: "*", url: receiver.url })
      receiver.reply(() => {
        emulator.removeSubscription(subscriptionId)
        return 500
      })
      const { event_id: id } = await accept({ topic: "t", payload: {} })
      await emulator.idle()
      assert.strictEqual((await status(id)).deliveries?.[0]?.state, "retry_scheduled")
      await emulator.advance(60 * 60 * 1000)
      assert.strictEqual((await status(id)).deliveries?.[0]?.state, "cancelled")
    }
  },
  {
    id: "X22",
    section: "4.4",
    needs: ["producer", "receiver", "options", "ledger"],
    title: "an address that policy refuses is a permanent failure",
    options: { ...manual, urlPolicy: { allowHttp: true, allowCidrs: [] } },
    run: async ({ accept, emulator, receiver }) => {
      await using _ = resolving("receiver.test", "127.0.0.1")
      emulator.subscribe({ topic: "*", url: receiver.url.replace("127.0.0.1", "receiver.test") })
      await accept({ topic: "t", payload: {} })
      await emulator.idle()
      assert.deepStrictEqual(emulator.ledger().attempts.map(({ errorClass, status }) => [status, errorClass]), [
        ["permanent_failure", "policy"]
      ])
    }
  }
]
