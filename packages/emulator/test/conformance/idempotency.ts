import { randomBytes } from "node:crypto"
import { assert } from "vitest"
import { type Case, problemText } from "./case.js"

const conflict = problemText(409, "idempotency conflict", "Idempotency-Key was reused with a different body")
const key = { "Idempotency-Key": "k" }
const first = "{\"topic\":\"t\",\"payload\":{\"a\":1,\"b\":2}}"

/** A second request with the same key, and what becomes of it. */
const second = (
  id: string,
  title: string,
  body: string,
  expected: "conflict" | "replay",
  headers: Record<string, string> = {}
): Case => ({
  id,
  section: "1.6",
  title,
  needs: ["producer"],
  run: async ({ assertStored, post }) => {
    const before = await post(first, key)
    const after = await post(body, { ...key, ...headers })
    assert.strictEqual(after.body, expected === "conflict" ? conflict : before.body)
    assert.strictEqual(after.status, expected === "conflict" ? 409 : 202)
    assert.strictEqual(after.headers["idempotent-replay"], expected === "replay" ? "true" : undefined)
    assertStored(1)
  }
})

/** Cases of protocol section 8.2. */
export const idempotencyCases: ReadonlyArray<Case> = [
  second("E41", "the same request is replayed", first, "replay"),
  second("E42", "a blank inside the payload conflicts", first.replace(":1", ": 1"), "conflict"),
  second("E43", "another order of members conflicts", "{\"topic\":\"t\",\"payload\":{\"b\":2,\"a\":1}}", "conflict"),
  second(
    "X9",
    "another envelope around the same payload is replayed",
    "{ \"more\":1, \"payload\": {\"a\":1,\"b\":2} ,\"topic\":\"t\"}",
    "replay",
    { "Content-Type": "text/plain" }
  ),
  second("E45", "another topic conflicts", first.replace("\"t\"", "\"u\""), "conflict"),
  second("E46", "an added ordering header conflicts", first, "conflict", { "X-Hookrail-Ordering-Key": "o" }),
  {
    id: "X10",
    section: "1.6",
    needs: ["producer"],
    title: "an ordering header equal to the payload's key is replayed",
    run: async ({ post }) => {
      const body = { topic: "t", payload: { ordering_key: "o" } }
      await post(body, key)
      const reply = await post(body, { ...key, "X-Hookrail-Ordering-Key": "o" })
      assert.strictEqual(reply.headers["idempotent-replay"], "true")
    }
  },
  {
    id: "E48",
    section: "1.6",
    needs: ["producer", "options"],
    title: "the same key under two producers",
    options: { apiKeys: ["hk_a", "hk_b"] },
    run: async ({ emulator, post }) => {
      await post(first, key)
      await post(first, { ...key, Authorization: "Bearer hk_b" })
      assert.lengthOf(emulator.ledger().events, 2)
    }
  },
  {
    id: "E49",
    section: "1.6",
    needs: ["producer"],
    title: "an empty key is none",
    run: async ({ accept, assertStored }) => {
      const { event_id: id } = await accept(first, { "Idempotency-Key": "" })
      assert.notStrictEqual((await accept(first, { "Idempotency-Key": "" })).event_id, id)
      assertStored(2)
    }
  },
  {
    id: "E50",
    section: "1.6",
    needs: ["producer", "admin", "receiver"],
    title: "a replay knows no later subscriptions",
    run: async ({ accept, receiver, subscribe }) => {
      await accept(first, key)
      await subscribe({ topic: "*", url: receiver.url })
      assert.isNull((await accept(first, key)).delivery_ids)
    }
  },
  {
    id: "E51",
    section: "1.6",
    needs: ["producer", "admin", "receiver"],
    title: "twenty identical requests at once",
    run: async ({ post, receiver, settled, subscribe }) => {
      await subscribe({ topic: "*", url: receiver.url })
      const replies = await Promise.all(Array.from({ length: 20 }, () => post(first, key)))
      assert.deepStrictEqual([...new Set(replies.map(({ status }) => status))], [202])
      assert.strictEqual(new Set(replies.map(({ body }) => body)).size, 1)
      assert.lengthOf(replies.filter(({ headers }) => headers["idempotent-replay"] === undefined), 1)
      await settled((replies[0]?.json() as { event_id: string }).event_id)
      assert.lengthOf(receiver.received, 1)
    }
  },
  {
    id: "E52",
    section: "1.6",
    needs: ["producer"],
    title: "twenty different bodies at once",
    run: async ({ post }) => {
      const replies = await Promise.all(
        Array.from({ length: 20 }, (_, index) => post({ topic: "t", payload: index }, key))
      )
      assert.deepStrictEqual(replies.map(({ status }) => status).sort(), [202, ...Array<number>(19).fill(409)])
    }
  },
  {
    id: "E53",
    section: "1.6",
    needs: ["producer", "clock"],
    title: "an expired key is taken over",
    options: { clock: "manual" },
    run: async ({ emulator, post }) => {
      await post(first, key)
      await emulator.advance(24 * 60 * 60 * 1000 - 1)
      assert.strictEqual((await post(first, key)).headers["idempotent-replay"], "true")
      await emulator.advance(1)
      const reply = await post({ topic: "t", payload: "other" }, key)
      assert.strictEqual(reply.status, 202)
      assert.isUndefined(reply.headers["idempotent-replay"])
    }
  },
  {
    id: "X11",
    section: "1.2",
    needs: ["producer"],
    title: "a refused request leaves no record",
    run: async ({ post }) => {
      assert.strictEqual((await post({ topic: "t" }, key)).status, 400)
      assert.strictEqual((await post(first, key)).headers["idempotent-replay"], undefined)
    }
  },
  {
    id: "E55",
    section: "1.6",
    needs: ["producer"],
    title: "keys that PostgreSQL cannot index, and keys that are not UTF-8",
    run: async ({ post }) => {
      const long = randomBytes(1500).toString("hex")
      for (let turn = 0; turn < 2; turn++) {
        assert.strictEqual((await post(first, { "Idempotency-Key": long })).status, 503)
      }
      assert.strictEqual((await post(first, { "Idempotency-Key": "x".repeat(3000) })).status, 202)
      assert.strictEqual((await post(first, { "Idempotency-Key": "caf\u00e9" })).status, 503)
    }
  },
  {
    id: "E56",
    section: "1.7",
    needs: ["producer"],
    title: "header and payload name different ordering keys",
    run: async ({ post }) => {
      const reply = await post({ topic: "t", payload: { ordering_key: "b" } }, { "X-Hookrail-Ordering-Key": "a" })
      assert.strictEqual(
        reply.body,
        problemText(400, "ordering_key conflict", "X-Hookrail-Ordering-Key and body.ordering_key differ")
      )
    }
  },
  {
    id: "X12",
    section: "1.7",
    needs: ["producer"],
    title: "ordering keys that do not count: empty, other types, other names, nested",
    run: async ({ accept }) => {
      const header = { "X-Hookrail-Ordering-Key": "a" }
      for (
        const payload of [{ ordering_key: "" }, { ordering_key: 5 }, { Ordering_Key: "b" }, {
          a: { ordering_key: "b" }
        }]
      ) {
        await accept({ topic: "t", payload }, header)
      }
      await accept("{\"topic\":\"t\",\"payload\":{\"ordering_key\":\"b\",\"ordering\\u005fkey\":\"a\"}}", header)
    }
  },
  {
    id: "E59",
    section: "1.7",
    needs: ["producer"],
    title: "an ordering key in the envelope is ignored",
    run: async ({ accept }) => {
      await accept({ topic: "t", payload: {}, ordering_key: "x".repeat(300) }, { "X-Hookrail-Ordering-Key": "a" })
    }
  },
  {
    id: "E60",
    section: "1.7",
    needs: ["producer"],
    title: "ordering keys of 256 and 257 bytes",
    run: async ({ accept, post }) => {
      await accept(first, { "X-Hookrail-Ordering-Key": "x".repeat(256) })
      assert.strictEqual(
        (await post(first, { "X-Hookrail-Ordering-Key": "x".repeat(257) })).body,
        problemText(400, "ordering_key too long", "ordering_key exceeds 256 characters")
      )
    }
  },
  {
    id: "E61",
    section: "1.7",
    needs: ["producer"],
    title: "the length of an ordering key is in bytes",
    run: async ({ accept, post }) => {
      await accept({ topic: "t", payload: { ordering_key: "\u20ac".repeat(85) } })
      assert.strictEqual((await post({ topic: "t", payload: { ordering_key: "\u20ac".repeat(86) } })).status, 400)
    }
  },
  {
    id: "E62",
    section: "1.7",
    needs: ["producer", "options"],
    title: "the length is checked without ordered subscriptions too, by the configured number",
    options: { orderingKeyMaxBytes: 3 },
    run: async ({ post }) => {
      const reply = await post(first, { "X-Hookrail-Ordering-Key": "abcd" })
      assert.include(reply.body, "ordering_key exceeds 3 characters")
    }
  },
  {
    id: "E63",
    section: "1.7",
    needs: ["producer", "receiver", "options", "ledger"],
    title: "a full ordering key refuses the whole event",
    options: { orderedKeyBacklogMax: 3, clock: "manual" },
    run: async ({ accept, emulator, post, receiver }) => {
      receiver.reply(500)
      emulator.subscribe({ topic: "*", url: receiver.url, ordered: true })
      emulator.subscribe({ topic: "*", url: receiver.url })
      const ordered = { "X-Hookrail-Ordering-Key": "o" }
      for (let turn = 0; turn < 3; turn++) await accept(first, ordered)
      const reply = await post(first, { ...ordered, ...key })
      assert.strictEqual(reply.body, problemText(429, "backlog full", "ordered key backlog at capacity; retry later"))
      assert.strictEqual(reply.headers["retry-after"], "30")
      assert.lengthOf(emulator.ledger().events, 3)
      await accept(first, { "X-Hookrail-Ordering-Key": "another" })
      await accept("{\"topic\":\"t\",\"payload\":\"no record was left\"}", key)
    }
  },
  {
    id: "E66",
    section: "1.7",
    needs: ["producer", "receiver", "options"],
    title: "without a key an ordered subscription is never capped",
    options: { orderedKeyBacklogMax: 1, clock: "manual" },
    run: async ({ accept, emulator, receiver }) => {
      receiver.reply(500)
      emulator.subscribe({ topic: "*", url: receiver.url, ordered: true })
      for (let turn = 0; turn < 5; turn++) await accept(first)
      await emulator.idle()
      assert.lengthOf(receiver.received, 5)
    }
  }
]
