import { assert } from "vitest"
import type { EmulatorOptions } from "../../src/index.js"
import { call, type Reply } from "../utils/http.js"
import { type Case, problemText, type World } from "./case.js"

const expectedDetail = "expected {\"topic\": string, \"payload\": object}"
const requiredDetail = "topic and payload are required"

/** The exact bytes of every refusal of ingest, protocol section 1.4. */
const refusals = {
  expected: problemText(400, "invalid body", expectedDetail),
  required: problemText(400, "invalid body", requiredDetail),
  missing: problemText(401, "missing credentials", "Authorization: Bearer <producer key> required"),
  invalid: problemText(401, "invalid credentials", "unknown or revoked producer key"),
  forbidden: problemText(
    403,
    "topic not permitted",
    "this producer key is not authorized to publish to this topic"
  ),
  tooLarge: problemText(413, "payload too large", "payload is capped at 256KB"),
  rateLimited: problemText(429, "rate limited", "per-key ingest rate exceeded"),
  notAuthorizable: problemText(503, "ingest unavailable", "could not authorize the event"),
  notRecorded: problemText(503, "ingest unavailable", "could not durably record the event")
} as const

type Refusal = keyof typeof refusals

const assertRefused = (reply: Reply, refusal: Refusal): void => {
  assert.strictEqual(reply.body, refusals[refusal])
  assert.strictEqual(reply.status, (reply.json() as { status: number }).status)
  assert.strictEqual(reply.headers["content-type"], "application/problem+json")
  assert.isUndefined(reply.headers["www-authenticate"])
  assert.isUndefined(reply.headers["retry-after"])
}

/** A body (and headers) with what ingest answers to it: a refusal, or the topic that is stored. */
interface Table {
  readonly id: string
  readonly section: string
  readonly title: string
  readonly needs: Case["needs"]
  readonly options?: EmulatorOptions
  readonly inputs: ReadonlyArray<{
    readonly body: string | Buffer | Record<string, unknown>
    readonly headers?: Record<string, string>
    readonly expected: Refusal | { readonly topic: string }
  }>
}

const fromTable = ({ id, inputs, needs, options, section, title }: Table): Case => ({
  id,
  section,
  title,
  needs,
  options,
  run: async ({ accept, post, status }: World) => {
    for (const { body, expected, headers } of inputs) {
      if (typeof expected === "string") assertRefused(await post(body, headers), expected)
      else assert.strictEqual((await status((await accept(body, headers)).event_id)).topic, expected.topic)
    }
  }
})

const t = { topic: "t" }
const scoped = { apiKeys: [{ key: "hk_scoped", scopes: ["orders.*", "exact"] }] }
const nested = (depth: number): string => `{"topic":"t","payload":${"[".repeat(depth)}${"]".repeat(depth)}}`

const cap = 266_240

/** A body whose last bytes within the cap are these, and which goes on beyond it. */
const upTo = (end: string, expected: Refusal): Table["inputs"][number] => {
  const start = "{\"topic\":\"t\",\"payload\":"
  return { body: start + " ".repeat(cap - start.length - end.length) + end + "e".repeat(100), expected }
}

const tables: ReadonlyArray<Table> = [
  {
    id: "E4",
    section: "3",
    needs: ["producer"],
    title: "the scheme is case-sensitive",
    inputs: [{ body: {}, headers: { Authorization: "bearer x" }, expected: "missing" }]
  },
  {
    id: "E8",
    section: "1.2",
    needs: ["producer"],
    title: "a bad key is seen before a bad body",
    inputs: [{ body: "{", headers: { Authorization: "Bearer hk_no" }, expected: "invalid" }]
  },
  {
    id: "X1",
    section: "3",
    needs: ["producer"],
    title: "Bearer with nothing after it is no credential",
    inputs: [{ body: {}, headers: { Authorization: "Bearer " }, expected: "missing" }]
  },
  {
    id: "E10",
    section: "1.3",
    needs: ["producer"],
    title: "an empty body",
    inputs: [{ body: "", expected: "expected" }]
  },
  {
    id: "X2",
    section: "1.3",
    needs: ["producer"],
    title: "a byte-order mark; null",
    inputs: [
      { body: "\ufeff{\"topic\":\"t\",\"payload\":1}", expected: "expected" },
      { body: "null", expected: "required" }
    ]
  },
  {
    id: "E12",
    section: "1.3",
    needs: ["producer"],
    title: "bodies that are no object",
    inputs: ["[]", "\"x\"", "1", "true"].map((body) => ({ body, expected: "expected" as const }))
  },
  {
    id: "E13",
    section: "1.3",
    needs: ["producer"],
    title: "no payload",
    inputs: [{ body: { topic: "t" }, expected: "required" }]
  },
  {
    id: "E15",
    section: "1.3",
    needs: ["producer"],
    title: "payloads that are no object",
    inputs: [[1], "s", 3, true].map((payload) => ({ body: { topic: "t", payload }, expected: t }))
  },
  {
    id: "E16",
    section: "1.3",
    needs: ["producer"],
    title: "an empty or null topic",
    inputs: ["", null].map((topic) => ({ body: { topic, payload: {} }, expected: "required" as const }))
  },
  {
    id: "E17",
    section: "1.3",
    needs: ["producer"],
    title: "a topic that is no string",
    inputs: [5, [], {}, false].map((topic) => ({ body: { topic, payload: {} }, expected: "expected" as const }))
  },
  {
    id: "X3",
    section: "1.3",
    needs: ["producer"],
    title: "envelope names in any case",
    inputs: [{ body: "{\"Topic\":\"t\",\"PAYLOAD\":{}}", expected: t }]
  },
  {
    id: "E19",
    section: "1.3",
    needs: ["producer"],
    title: "of duplicate members the last wins",
    inputs: [{ body: "{\"topic\":\"a\",\"topic\":\"b\",\"payload\":{}}", expected: { topic: "b" } }]
  },
  {
    id: "E20",
    section: "1.3",
    needs: ["producer"],
    title: "what follows the first value is ignored",
    inputs: ["garbage", "{}", " \n"].map((rest) => ({ body: `{"topic":"t","payload":{}}${rest}`, expected: t }))
  },
  {
    id: "E21",
    section: "1.3",
    needs: ["producer"],
    title: "unknown members and wrong or absent content types",
    inputs: [
      { body: { topic: "t", payload: {}, more: 1 }, expected: t },
      { body: { topic: "t", payload: {} }, headers: { "Content-Type": "text/html" }, expected: t }
    ]
  },
  {
    id: "E22",
    section: "1.3",
    needs: ["producer"],
    title: "a payload of exactly 262144 bytes, blanks around it not counted",
    inputs: [{ body: `{"topic":"t","payload":  "${"x".repeat(262_142)}"  }`, expected: t }]
  },
  {
    id: "E23",
    section: "1.3",
    needs: ["producer"],
    title: "a payload of 262145 bytes",
    inputs: [{ body: `{"topic":"t","payload":"${"x".repeat(262_143)}"}`, expected: "tooLarge" }]
  },
  {
    id: "X4",
    section: "1.3",
    needs: ["producer"],
    title: "padding after the value may be as long as it likes; bad JSON is seen before the cap",
    inputs: [
      { body: `{"topic":"t","payload":{}}${" ".repeat(280_000)}`, expected: t },
      { body: `{"topic":nonsense${" ".repeat(280_000)}`, expected: "expected" }
    ]
  },
  {
    id: "E25",
    section: "1.3",
    needs: ["producer"],
    title: "a body over 266240 bytes for its topic",
    inputs: [{ body: { topic: "t".repeat(270_000), payload: {} }, expected: "tooLarge" }]
  },
  {
    id: "X31",
    section: "1.3",
    needs: ["producer"],
    title: "a body over 266240 bytes: a syntax error before the cap is 400, a value that goes on is 413",
    inputs: [
      ...["x", "trx", "-x", "1.x", "\"\\x", "\"\\u12x", "\"\t"].map((end) => upTo(end, "expected")),
      ...["tru", "-", "1.", "1e", "1", "\"", "\"\\", "\"\\u12", "[", "[1,", "{\"a\"", " "].map((end) =>
        upTo(end, "tooLarge")
      ),
      // At the top only the next character ends a number or a string; an object ends by itself.
      { body: " ".repeat(cap - 1) + "12", expected: "tooLarge" },
      { body: " ".repeat(cap - 3) + "\"a\" ", expected: "tooLarge" },
      { body: " ".repeat(cap - 2) + "1 2", expected: "expected" },
      { body: " ".repeat(cap - 2) + "[] ", expected: "expected" },
      { body: " ".repeat(cap + 1), expected: "tooLarge" }
    ]
  },
  {
    id: "X5",
    section: "1.3",
    needs: ["producer"],
    title: "bytes that are not UTF-8: replaced in the topic, refused in the payload",
    inputs: [
      {
        body: Buffer.from("{\"topic\":\"a\xe2\x82b\",\"payload\":{}}", "latin1"),
        expected: { topic: "a\ufffd\ufffdb" }
      },
      { body: Buffer.from("{\"topic\":\"a\",\"payload\":\"\xff\"}", "latin1"), expected: "notRecorded" }
    ]
  },
  {
    id: "E27",
    section: "1.8",
    needs: ["producer"],
    title: "U+0000 in the payload or topic, every time",
    inputs: [
      { body: "{\"topic\":\"t\",\"payload\":{\"a\":\"\\u0000\"}}", expected: "notRecorded" },
      { body: "{\"topic\":\"t\",\"payload\":{\"a\":\"\\u0000\"}}", expected: "notRecorded" },
      { body: "{\"topic\":\"t\\u0000\",\"payload\":{}}", expected: "notRecorded" }
    ]
  },
  {
    id: "E28",
    section: "1.8",
    needs: ["producer"],
    title: "a lone surrogate escape",
    inputs: [{ body: "{\"topic\":\"t\",\"payload\":{\"a\":\"\\ud800\"}}", expected: "notRecorded" }]
  },
  {
    id: "E29",
    section: "1.8",
    needs: ["producer"],
    title: "numbers at the limit of PostgreSQL",
    inputs: [
      { body: "{\"topic\":\"t\",\"payload\":1e131072}", expected: "notRecorded" },
      { body: "{\"topic\":\"t\",\"payload\":1e131071}", expected: t },
      { body: "{\"topic\":\"t\",\"payload\":1e-16384}", expected: "notRecorded" },
      { body: "{\"topic\":\"t\",\"payload\":1e-16383}", expected: t }
    ]
  },
  {
    id: "E30",
    section: "1.3",
    needs: ["producer"],
    title: "containers 10001 deep, the envelope counted",
    inputs: [
      { body: nested(10_000), expected: "expected" },
      { body: nested(9_999), expected: t }
    ]
  },
  {
    id: "E31",
    section: "1.3",
    needs: ["producer"],
    title: "a compressed body",
    inputs: [{
      body: Buffer.from("1f8b0800000000000003ab56ca2f", "hex"),
      headers: { "Content-Encoding": "gzip" },
      expected: "expected"
    }]
  },
  {
    id: "E35",
    section: "1.5",
    needs: ["producer", "options"],
    title: "a prefix scope covers what is below it",
    options: scoped,
    inputs: [{ body: { topic: "orders.a.b", payload: {} }, expected: { topic: "orders.a.b" } }]
  },
  {
    id: "E36",
    section: "1.5",
    needs: ["producer", "options"],
    title: "a prefix scope does not cover its stem",
    options: scoped,
    inputs: [{ body: { topic: "orders", payload: {} }, expected: "forbidden" }]
  },
  {
    id: "E37",
    section: "1.5",
    needs: ["producer", "options"],
    title: "a prefix scope covers the empty rest",
    options: scoped,
    inputs: [{ body: { topic: "orders.", payload: {} }, expected: { topic: "orders." } }]
  }
]

const cases: ReadonlyArray<Case> = [
  {
    id: "E1",
    section: "1.4",
    needs: ["producer", "admin", "receiver"],
    title: "an event with one subscription",
    run: async ({ post, receiver, subscribe }) => {
      await subscribe({ topic: "orders.*", url: receiver.url })
      const reply = await post({ topic: "orders.created", payload: { a: 1 } })
      assert.strictEqual(reply.status, 202)
      assert.strictEqual(reply.headers["content-type"], "application/json")
      assert.isUndefined(reply.headers["idempotent-replay"])
      const ulid = "[0-9A-HJKMNP-TV-Z]{26}"
      assert.match(reply.body, new RegExp(`^\\{"event_id":"${ulid}","delivery_ids":\\["${ulid}"\\]\\}\n$`))
    }
  },
  {
    id: "E2",
    section: "1.5",
    needs: ["producer"],
    title: "no subscription matches",
    run: async ({ post, status }) => {
      const reply = await post({ topic: "t", payload: {} })
      assert.match(reply.body, /^\{"event_id":"\w{26}","delivery_ids":null\}\n$/)
      const { event_id: id } = reply.json() as { event_id: string }
      assert.deepStrictEqual(await status(id), { event_id: id, topic: "t", deliveries: null })
    }
  },
  {
    id: "E3",
    section: "3",
    needs: ["producer"],
    title: "no Authorization",
    run: async ({ server }) => assertRefused(await call("POST", `${server.url}/v1/events`, { body: "{}" }), "missing")
  },
  {
    id: "E5",
    section: "3",
    needs: ["producer"],
    title: "a second blank belongs to the credential",
    run: async ({ post, server }) =>
      assertRefused(await post({}, { Authorization: `Bearer  ${server.apiKey}` }), "invalid")
  },
  {
    id: "E6",
    section: "3",
    needs: ["producer", "keys"],
    title: "an unknown and a revoked key",
    run: async ({ emulator, post }) => {
      assertRefused(await post({}, { Authorization: "Bearer hk_unknown" }), "invalid")
      emulator.revokeApiKey(emulator.apiKey)
      assertRefused(await post({ topic: "t", payload: {} }), "invalid")
    }
  },
  {
    id: "E7",
    section: "3",
    needs: ["producer", "database"],
    title: "a good key while the database is down",
    run: async ({ emulator, post }) => {
      emulator.setDatabase("down")
      assertRefused(await post({ topic: "t", payload: {} }), "invalid")
      emulator.setDatabase("failing")
      assertRefused(await post({ topic: "t", payload: {} }), "notAuthorizable")
      emulator.setDatabase("readonly")
      assertRefused(await post({ topic: "t", payload: {} }), "notRecorded")
      emulator.setDatabase("up")
      assert.strictEqual((await post({ topic: "t", payload: {} })).status, 202)
    }
  },
  {
    id: "E14",
    section: "1.3",
    needs: ["producer", "admin", "receiver"],
    title: "a null payload is accepted and delivered as null",
    run: async ({ accept, receiver, settled, subscribe }) => {
      await subscribe({ topic: "t", url: receiver.url })
      await settled((await accept({ topic: "t", payload: null })).event_id)
      assert.deepStrictEqual(receiver.received.map(({ body }) => body), ["null"])
    }
  },
  {
    id: "E32",
    section: "1.1",
    needs: ["producer"],
    title: "OPTIONS is 405 with or without a key",
    run: async ({ server }) => {
      for (const headers of [{}, { Authorization: `Bearer ${server.apiKey}` }]) {
        const reply = await call("OPTIONS", `${server.url}/v1/events`, { headers })
        assert.strictEqual(reply.status, 405)
        assert.strictEqual(reply.body, "Method Not Allowed\n")
        assert.strictEqual(reply.headers["content-type"], "text/plain; charset=utf-8")
        assert.strictEqual(reply.headers["allow"], "POST")
        assert.isUndefined(reply.headers["access-control-allow-origin"])
      }
      const other = await call("DELETE", `${server.url}/v1/events/x`)
      assert.strictEqual(other.headers["allow"], "GET, HEAD")
    }
  },
  {
    id: "X32",
    section: "1.1",
    needs: ["producer"],
    title: "a method that nobody knows is 405 on a known path, 404 on another",
    run: async ({ server }) => {
      for (const method of ["FOO", "X-Y", "DESCRIBE"]) {
        const reply = await call(method, `${server.url}/v1/events?a=b`)
        assert.strictEqual(reply.status, 405)
        assert.strictEqual(reply.body, "Method Not Allowed\n")
        assert.strictEqual(reply.headers["content-type"], "text/plain; charset=utf-8")
        assert.strictEqual(reply.headers["allow"], "POST")
        assert.strictEqual((await call(method, `${server.url}/v1/events/x`)).headers["allow"], "GET, HEAD")
        assert.strictEqual((await call(method, `${server.url}/nope`)).body, "404 page not found\n")
      }
      assert.strictEqual((await call("FOO", `${server.url}/v1/events`, { body: "x".repeat(9999) })).status, 405)
    }
  },
  {
    id: "E33",
    section: "1.1",
    needs: ["producer"],
    title: "an unknown path is 404 without a key",
    run: async ({ server }) => {
      const reply = await call("GET", `${server.url}/nope`)
      assert.strictEqual(reply.status, 404)
      assert.strictEqual(reply.body, "404 page not found\n")
      assert.strictEqual(reply.headers["content-type"], "text/plain; charset=utf-8")
    }
  },
  {
    id: "X6",
    section: "1.1",
    needs: ["producer"],
    title: "a path with a double slash is redirected",
    run: async ({ server }) => {
      const reply = await call("POST", `${server.url}//v1/events?a=b`, { body: "{}" })
      assert.strictEqual(reply.status, 307)
      assert.strictEqual(reply.headers["location"], "/v1/events?a=b")
      assert.strictEqual(
        (await call("GET", `${server.url}/v1/./events/../events/x`)).headers["location"],
        "/v1/events/x"
      )
    }
  },
  {
    id: "E38",
    section: "1.5",
    needs: ["producer", "admin", "receiver"],
    title: "a star that is not a final segment is a letter",
    run: async ({ accept, admin, receiver }) => {
      // Over the wire: in code the emulator refuses such a pattern.
      const endpoint = (await admin("POST", "/v1/endpoints", { url: receiver.url })).json() as { readonly id: string }
      await admin("POST", "/v1/subscriptions", { topic_pattern: "a*", endpoint_id: endpoint.id })
      assert.isNull((await accept({ topic: "ab", payload: {} })).delivery_ids)
      assert.lengthOf((await accept({ topic: "a*", payload: {} })).delivery_ids ?? [], 1)
    }
  },
  {
    id: "X7",
    section: "1.5",
    needs: ["producer", "options"],
    title: "a key without scopes may publish nothing",
    options: { apiKeys: [{ key: "hk_none", scopes: [] }] },
    run: async ({ post }) => assertRefused(await post({ topic: "t", payload: {} }), "forbidden")
  },
  {
    id: "E40",
    section: "1.2",
    needs: ["producer", "keys"],
    title: "a replay outside of the scope is refused",
    run: async ({ emulator, post }) => {
      const key = { "Idempotency-Key": "k" }
      assert.strictEqual((await post({ topic: "t", payload: {} }, key)).status, 202)
      emulator.addApiKey({ key: emulator.apiKey, scopes: ["other"] })
      assertRefused(await post({ topic: "t", payload: {} }, key), "forbidden")
    }
  },
  {
    id: "X8",
    section: "1.2",
    needs: ["producer", "options", "clock"],
    title: "the limit comes before the body, and a replay costs a token",
    options: { clock: "manual", ingestRateLimit: { rps: 1, burst: 2 } },
    run: async ({ emulator, post }) => {
      const key = { "Idempotency-Key": "k" }
      await post({ topic: "t", payload: {} }, key)
      await post({ topic: "t", payload: {} }, key)
      assertRefused(await post("{", key), "rateLimited")
      await emulator.advance(1000)
      assertRefused(await post("{", key), "expected")
    }
  }
]

/** Cases of protocol section 8.1. */
export const ingestCases: ReadonlyArray<Case> = [...tables.map(fromTable), ...cases]
