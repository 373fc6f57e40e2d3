import { assert } from "vitest"
import { call } from "../utils/http.js"
import { type Case, problemText, type World } from "./case.js"

const emptyPage = "{\"items\":null,\"next_cursor\":\"\"}\n"

const newEndpoint = async ({ admin }: World, url = "https://example.com/h"): Promise<string> =>
  ((await admin("POST", "/v1/endpoints", { url })).json() as { id: string }).id

const newToken = async ({ admin }: World, role: string): Promise<{ readonly id: string; readonly token: string }> =>
  (await admin("POST", "/v1/admin-tokens", { role, label: "l" })).json() as { id: string; token: string }

/** A dead delivery's id. */
const deadDelivery = async ({ accept, receiver, settled, subscribe }: World): Promise<string> => {
  receiver.reply(400)
  await subscribe({ topic: "*", url: receiver.url })
  const { delivery_ids: ids, event_id: id } = await accept({ topic: "t", payload: {} })
  await settled(id)
  return ids?.[0] ?? ""
}

/** Cases of protocol section 8.5. */
export const adminCases: ReadonlyArray<Case> = [
  {
    id: "E107",
    section: "5.1",
    needs: ["admin", "emptyServer"],
    title: "an empty list has null for its items",
    run: async ({ admin }) => {
      for (const path of ["endpoints", "subscriptions", "dlq", "deliveries", "ordered-keys?blocked=true"]) {
        assert.strictEqual((await admin("GET", `/v1/${path}`)).body, emptyPage)
      }
    }
  },
  {
    id: "E108",
    section: "5.1",
    needs: ["admin", "emptyServer"],
    title: "an empty list of admin tokens has an empty array",
    run: async ({ admin }) =>
      assert.strictEqual((await admin("GET", "/v1/admin-tokens")).body, "{\"items\":[],\"next_cursor\":\"\"}\n")
  },
  {
    id: "X23",
    section: "5.1",
    needs: ["admin"],
    title: "pages follow each other; a full one has a cursor",
    run: async (world) => {
      const ids: Array<string> = []
      for (let n = 0; n < 4; n++) ids.push(await newEndpoint(world))
      const seen: Array<string> = []
      const cursors: Array<string> = []
      for (let cursor = "?", turn = 0; turn < 3; turn++) {
        const page = (await world.admin("GET", `/v1/endpoints${cursor}&limit=2`)).json() as {
          readonly items: ReadonlyArray<{ readonly id: string }> | null
          readonly next_cursor: string
        }
        seen.push(...page.items?.map(({ id }) => id) ?? [])
        cursors.push(page.next_cursor)
        cursor = `?cursor=${page.next_cursor}`
      }
      assert.deepStrictEqual(seen, ids.sort().reverse())
      assert.deepStrictEqual(cursors.map((cursor) => /^[\w-]+$/.test(cursor)), [true, true, false])
    }
  },
  {
    id: "E110",
    section: "5.1",
    needs: ["admin", "directory"],
    title: "a bad limit is 50, a large one 200",
    run: async (world) => {
      for (let n = 0; n < 201; n++) world.emulator.addEndpoint({ url: "https://example.com/" })
      for (const [limit, size] of [["0", 50], ["-1", 50], ["abc", 50], ["9".repeat(19), 50], ["1000", 200]] as const) {
        const page = (await world.admin("GET", `/v1/endpoints?limit=${limit}`)).json() as { items: Array<unknown> }
        assert.lengthOf(page.items, size)
      }
    }
  },
  {
    id: "X24",
    section: "5.1",
    needs: ["admin"],
    title: "cursors that are none",
    run: async ({ admin }) => {
      const bad = problemText(400, "bad cursor", "cursor is not decodable")
      assert.strictEqual((await admin("GET", "/v1/endpoints?cursor=a%3D")).body, bad)
      assert.strictEqual(
        (await admin("GET", "/v1/endpoints?cursor=AA")).body,
        problemText(503, "list failed", "query error")
      )
      assert.strictEqual(
        (await admin("GET", "/v1/dlq?cursor=YWJj")).body,
        problemText(400, "bad cursor", "cursor is not a valid id")
      )
      const beyond = Buffer.from("9".repeat(19)).toString("base64url")
      assert.strictEqual((await admin("GET", `/v1/dlq?cursor=${beyond}`)).status, 400)
    }
  },
  {
    id: "X27",
    section: "5.1",
    needs: ["admin"],
    title: "a broken escape drops its pair of the query, a semicolon too",
    run: async (world) => {
      for (let n = 0; n < 2; n++) await newEndpoint(world)
      const page = async (query: string): Promise<unknown> =>
        (await world.admin("GET", `/v1/endpoints?${query}`)).json()
      const first = await page("limit=1")
      for (
        const query of [
          "cursor=%%%&limit=1",
          "cursor=a%3D%&limit=1",
          "%zz=1&limit=1",
          "cursor=a;&limit=1",
          "limit=2;&limit=1",
          "&&=&limit=1",
          "cursor=%0d%0a&limit=1",
          "li%6dit=%31"
        ]
      ) assert.deepStrictEqual(await page(query), first, query)
      assert.strictEqual((await world.admin("GET", "/v1/endpoints?cursor=+")).status, 400)
    }
  },
  {
    id: "X28",
    section: "5.1",
    needs: ["admin"],
    title: "a filter that PostgreSQL takes for no text is a failed query",
    run: async ({ admin }) => {
      for (
        const [path, title] of [
          ["deliveries?topic=%00", "list failed"],
          ["deliveries?event_id=%ff", "list failed"],
          ["subscriptions?endpoint_id=%c3", "list failed"],
          ["dlq?endpoint_id=%00", "dlq list failed"]
        ] as const
      ) assert.strictEqual((await admin("GET", `/v1/${path}`)).body, problemText(503, title, "query error"), path)
    }
  },
  {
    id: "E112",
    section: "3",
    needs: ["admin"],
    title: "the role is seen before the body",
    run: async (world) => {
      const { token } = await newToken(world, "viewer")
      const reply = await world.admin("POST", "/v1/endpoints", "{", { token, contentType: "text/plain" })
      assert.strictEqual(reply.body, problemText(403, "insufficient role", "requires role admin"))
      const skip = await world.admin("POST", "/v1/deliveries/x/skip", undefined, { token })
      assert.strictEqual(skip.body, problemText(403, "insufficient role", "requires role operator"))
      const operator = await newToken(world, "operator")
      assert.strictEqual(
        (await world.admin("POST", "/v1/deliveries/x/skip", undefined, { token: operator.token })).status,
        404
      )
    }
  },
  {
    id: "E113",
    section: "5.1",
    needs: ["admin"],
    title: "no or another content type",
    run: async ({ admin }) => {
      const expected = problemText(415, "bad content-type", "application/json required")
      const body = { url: "https://example.com/" }
      for (const contentType of ["", "text/json"]) {
        assert.strictEqual((await admin("POST", "/v1/endpoints", body, { contentType })).body, expected)
      }
      const reply = await admin("POST", "/v1/endpoints", body, { contentType: "application/json; charset=utf-8" })
      assert.strictEqual(reply.status, 201)
    }
  },
  {
    id: "E114",
    section: "5.1",
    needs: ["admin"],
    title: "a body of 65537 bytes, and one of 65536",
    run: async ({ admin }) => {
      const body = (size: number): string => {
        const head = "{\"url\":\"https://example.com/\",\"description\":\""
        return head + "x".repeat(size - head.length - 2) + "\"}"
      }
      assert.strictEqual(
        (await admin("POST", "/v1/endpoints", body(65_537))).body,
        problemText(413, "request too large", "request body exceeds limit")
      )
      assert.strictEqual((await admin("POST", "/v1/endpoints", body(65_536))).status, 201)
    }
  },
  {
    id: "X30",
    section: "5.1",
    needs: ["admin"],
    title: "beyond the cap: a syntax error before it is 400, a value that goes on is 413",
    run: async ({ admin }) => {
      const expected: ReadonlyArray<readonly [string, number]> = [
        [`{"url":x${" ".repeat(70_000)}`, 400],
        [`{"url":"${"x".repeat(70_000)}`, 413],
        [`{} x${" ".repeat(70_000)}`, 400],
        [`{}${" ".repeat(70_000)}`, 413]
      ]
      for (const [body, status] of expected) {
        assert.strictEqual((await admin("POST", "/v1/endpoints", body)).status, status, body.slice(0, 10))
      }
    }
  },
  {
    id: "E115",
    section: "5.1",
    needs: ["admin"],
    title: "exactly one JSON value of the right types",
    run: async ({ admin }) => {
      const expected = problemText(400, "invalid body", "expected exactly one JSON object")
      for (const body of ["{}{}", "{} x", "", "[]", "{\"url\":5}"]) {
        assert.strictEqual((await admin("POST", "/v1/endpoints", body)).body, expected)
      }
    }
  },
  {
    id: "E116",
    section: "5.4",
    needs: ["admin"],
    title: "max_attempts 0 is 8, 101 is refused, and so are odd rates and policies",
    run: async (world) => {
      const endpoint = await newEndpoint(world)
      const create = (more: Record<string, unknown>) =>
        world.admin("POST", "/v1/subscriptions", { topic_pattern: "t", endpoint_id: endpoint, ...more })
      const made = await create({ max_attempts: 0, backoff_policy: { base_ms: 5, cap_ms: 9 } })
      assert.strictEqual(made.status, 201)
      const { id } = made.json() as { id: string }
      assert.strictEqual(
        (await world.admin("GET", `/v1/subscriptions/${id}`)).body,
        JSON.stringify({
          id,
          topic_pattern: "t",
          endpoint_id: endpoint,
          max_attempts: 8,
          backoff_policy: { cap_ms: 9, base_ms: 5 },
          active: true,
          ordered: false
        }) + "\n"
      )
      for (const count of [101, -1]) {
        assert.strictEqual(
          (await create({ max_attempts: count })).body,
          problemText(
            422,
            "invalid subscription",
            "max_attempts must be 1..100 and rate_limit_rps must be 0.01..1000000"
          )
        )
      }
      assert.strictEqual((await create({ rate_limit_rps: 0 })).status, 422)
      for (const policy of [null, {}, { base_ms: 2, cap_ms: 1 }, { base_ms: 1, cap_ms: 2, more: 3 }, [1]]) {
        assert.include((await create({ backoff_policy: policy })).body, "invalid backoff_policy")
      }
    }
  },
  {
    id: "E117",
    section: "5.2",
    needs: ["admin"],
    title: "a subscription on a deleted endpoint",
    run: async (world) => {
      const endpoint = await newEndpoint(world)
      await world.admin("DELETE", `/v1/endpoints/${endpoint}`)
      const body = { topic_pattern: "t", endpoint_id: endpoint }
      assert.strictEqual(
        (await world.admin("POST", "/v1/subscriptions", body)).body,
        problemText(409, "endpoint not available", "endpoint is missing or soft-deleted")
      )
    }
  },
  {
    id: "X25",
    section: "5.2",
    needs: ["admin"],
    title: "an endpoint is made, shown without its secret, changed, rotated",
    run: async (world) => {
      const { admin } = world
      const made = await admin("POST", "/v1/endpoints", { url: "https://example.com/h" })
      assert.strictEqual(made.headers["cache-control"], "no-store")
      const { id, secret } = made.json() as { id: string; secret: string }
      assert.match(secret, /^whsec_[0-9a-f]{48}$/)
      assert.match(
        (await admin("GET", `/v1/endpoints/${id}`)).body,
        /^\{"id":"\w+","url":"https:\/\/example.com\/h","description":"","created_at":"[-\d]+T[:\d]+(\.\d*[1-9])?Z"\}\n$/
      )
      assert.strictEqual((await admin("PATCH", `/v1/endpoints/${id}`, { url: null, description: "d" })).status, 204)
      assert.strictEqual(
        (await admin("PATCH", `/v1/endpoints/${id}`, { url: "" })).body,
        problemText(400, "invalid body", "url must be non-empty when present")
      )
      assert.include((await admin("GET", `/v1/endpoints/${id}`)).body, "\"description\":\"d\"")
      const rotated = await admin("POST", `/v1/endpoints/${id}/rotate-secret`)
      assert.strictEqual(rotated.headers["cache-control"], "no-store")
      assert.notStrictEqual((rotated.json() as { secret: string }).secret, secret)
      assert.strictEqual((await admin("PATCH", "/v1/endpoints/x", {})).status, 404)
      if (world.external) return
      assert.lengthOf(world.emulator.ledger().requests.filter(({ surface }) => surface === "admin"), 7)
    }
  },
  {
    id: "E120",
    section: "5.2",
    needs: ["admin"],
    title: "PATCH of a subscription",
    run: async (world) => {
      const endpoint = await newEndpoint(world)
      const made = await world.admin("POST", "/v1/subscriptions", { topic_pattern: "t", endpoint_id: endpoint })
      const path = `/v1/subscriptions/${(made.json() as { id: string }).id}`
      assert.strictEqual(
        (await world.admin("PATCH", path, { ordered: true })).body,
        problemText(409, "ordered immutable", "ordered flag cannot be changed after creation")
      )
      assert.strictEqual((await world.admin("PATCH", path, { ordered: false, active: false })).status, 204)
      assert.include((await world.admin("GET", path)).body, "\"active\":false")
      assert.strictEqual((await world.admin("PATCH", path, { backoff_policy: null })).status, 422)
      assert.strictEqual((await world.admin("PATCH", "/v1/subscriptions/x", { ordered: true })).status, 503)
      assert.strictEqual((await world.admin("PATCH", "/v1/subscriptions/x", {})).status, 404)
      await world.admin("DELETE", path)
      assert.strictEqual(
        (await world.admin("PATCH", path, { active: true })).body,
        problemText(409, "subscription deleted", "cannot modify a soft-deleted subscription")
      )
      assert.strictEqual((await world.admin("GET", path)).status, 404)
      assert.include((await world.admin("GET", `${path}?include_deleted=true`)).body, "\"deleted_at\":\"")
    }
  },
  {
    id: "E121",
    section: "5.2",
    needs: ["admin"],
    title: "what a second DELETE is answered",
    run: async (world) => {
      const endpoint = await newEndpoint(world)
      const made = await world.admin("POST", "/v1/subscriptions", { topic_pattern: "t", endpoint_id: endpoint })
      const { id } = made.json() as { id: string }
      const token = await newToken(world, "viewer")
      const twice = async (path: string): Promise<ReadonlyArray<number>> => [
        (await world.admin("DELETE", path)).status,
        (await world.admin("DELETE", path)).status
      ]
      assert.deepStrictEqual(await twice(`/v1/subscriptions/${id}`), [204, 404])
      assert.deepStrictEqual(await twice(`/v1/endpoints/${endpoint}`), [204, 404])
      assert.deepStrictEqual(await twice(`/v1/admin-tokens/${token.id}`), [204, 204])
      assert.strictEqual((await world.admin("GET", "/v1/whoami", undefined, { token: token.token })).status, 401)
    }
  },
  {
    id: "E122",
    section: "5.2",
    needs: ["admin"],
    title: "whoami is JSON that says it is text",
    run: async (world) => {
      const { token } = await newToken(world, "operator")
      const reply = await world.admin("GET", "/v1/whoami", undefined, { token })
      assert.strictEqual(reply.body, "{\"role\":\"operator\"}\n")
      assert.strictEqual(reply.headers["content-type"], "text/plain; charset=utf-8")
      assert.strictEqual(reply.headers["cache-control"], "no-store")
    }
  },
  {
    id: "E123",
    section: "5.3",
    needs: ["admin"],
    title: "an active token shows revoked_at as null",
    run: async (world) => {
      await newToken(world, "viewer")
      assert.include((await world.admin("GET", "/v1/admin-tokens")).body, "\"revoked_at\":null")
      await newEndpoint(world)
      assert.notInclude((await world.admin("GET", "/v1/endpoints")).body, "deleted_at")
      for (
        const [body, title] of [[{ role: "root", label: "l" }, "invalid role"], [
          { role: "admin" },
          "invalid label"
        ]] as const
      ) {
        assert.include((await world.admin("POST", "/v1/admin-tokens", body)).body, title)
      }
    }
  },
  {
    id: "E124",
    section: "5.2",
    needs: ["producer", "admin", "receiver", "emptyServer"],
    title: "deliveries by state, topic and event",
    options: { clock: "manual" },
    run: async (world) => {
      const id = await deadDelivery(world)
      const list = async (query: string) => (await world.admin("GET", `/v1/deliveries?${query}`)).body
      assert.strictEqual(await list("state=bogus"), problemText(503, "list failed", "query error"))
      assert.strictEqual(await list("state=succeeded"), emptyPage)
      assert.strictEqual(await list("topic=other"), emptyPage)
      assert.include(await list("state=dead_lettered&topic=t"), `{"items":[{"id":"${id}","event_id":"`)
      assert.include(
        (await world.admin("GET", `/v1/deliveries/${id}`)).body,
        `{"delivery_id":"${id}","state":"dead_lettered","attempts_truncated":false,"attempts":[{"attempt_no":1,`
      )
      assert.strictEqual((await world.admin("GET", "/v1/deliveries/x")).status, 404)
    }
  },
  {
    id: "X26",
    section: "5.4",
    needs: ["producer", "admin", "receiver", "clock"],
    title: "dead letters by time and replay; a bad time is ignored",
    options: { clock: "manual", startAt: Date.UTC(2030, 0, 1) },
    run: async (world) => {
      const id = await deadDelivery(world)
      const count = async (query: string): Promise<number> =>
        ((await world.admin("GET", `/v1/dlq?${query}`)).json() as { items: Array<unknown> | null }).items?.length ?? 0
      const at = "2030-01-01T00:00:00Z"
      assert.include((await world.admin("GET", "/v1/dlq")).body, `"dead_at":"${at}"`)
      assert.include((await world.admin("GET", "/v1/dlq")).body, `"delivery_id":"${id}"`)
      assert.deepStrictEqual(
        await Promise.all(
          [`since=${at}`, `until=${at}`, "until=nonsense", "replayed=false", "replayed=true", "replayed=1"].map(count)
        ),
        [1, 0, 1, 1, 0, 1]
      )
    }
  },
  {
    id: "X29",
    section: "5.4",
    needs: ["producer", "admin", "receiver", "clock"],
    title: "times are RFC 3339 to the microsecond, as Go reads it",
    options: { clock: "manual", startAt: Date.UTC(2030, 0, 1) + 0.0005 },
    run: async (world) => {
      await world.emulator.advance(250.0007)
      await deadDelivery(world)
      assert.include((await world.admin("GET", "/v1/dlq")).body, "\"dead_at\":\"2030-01-01T00:00:00.250001Z\"")
      const count = async (query: string): Promise<number> =>
        ((await world.admin("GET", `/v1/dlq?${query}`)).json() as { items: Array<unknown> | null }).items?.length ?? 0
      const expected: ReadonlyArray<readonly [string, number]> = [
        ["since=2030-01-01T00:00:00.250001Z", 1],
        ["since=2030-01-01T00:00:00.2500019Z", 1],
        ["since=2030-01-01T00:00:00.250002Z", 0],
        ["until=2030-01-01T00:00:00.250001Z", 0],
        ["until=2030-01-01T00:00:00.250002Z", 1],
        ["since=2030-01-01T00:00:00,250002Z", 0],
        ["since=2030-01-01T0:00:00.250002Z", 0],
        ["since=2030-01-01T01:30:00.250002%2B01:30", 0],
        ["until=2029-12-31T22:30:00.250002-01:30", 1],
        // There are no such times, so there is no such filter.
        ["since=2031-02-29T00:00:00Z", 1],
        ["since=2031-04-31T00:00:00Z", 1],
        ["since=2031-00-01T00:00:00Z", 1],
        ["since=2031-13-01T00:00:00Z", 1],
        ["since=2031-01-00T00:00:00Z", 1],
        ["since=2031-01-01T24:00:00Z", 1],
        ["since=2031-01-01T00:60:00Z", 1],
        ["since=2031-01-01T00:00:60Z", 1],
        ["since=2031-01-01T00:00:00%2B25:00", 1],
        ["since=2031-01-01T00:00:00", 1],
        ["since=2031-01-01", 1],
        ["since=2031-01-01t00:00:00Z", 1],
        ["since=2032-02-29T00:00:00Z", 0],
        // A raw plus is a blank.
        ["since=2031-01-01T00:00:00+01:00", 1]
      ]
      for (const [query, rows] of expected) assert.strictEqual(await count(query), rows, query)
    }
  },
  {
    id: "E126",
    section: "5.2",
    needs: ["producer", "admin", "receiver"],
    title: "a second replay is refused",
    options: { clock: "manual" },
    run: async (world) => {
      const id = await deadDelivery(world)
      world.receiver.reply(200)
      assert.strictEqual((await world.admin("POST", `/v1/dlq/${id}/replay`)).status, 200)
      const again = await world.admin("POST", `/v1/dlq/${id}/replay`)
      assert.strictEqual(
        again.body,
        problemText(409, "not replayable", "delivery is live, already replayed, or its target is deleted")
      )
      assert.include((await world.admin("GET", "/v1/dlq?replayed=true")).body, "\"replayed_at\":\"")
      assert.strictEqual((await world.admin("POST", "/v1/dlq/x/replay")).status, 404)
    }
  },
  {
    id: "E127",
    section: "5.2",
    needs: ["producer", "admin", "receiver", "clock"],
    title: "a replay past 30 days; attempts that old are gone",
    options: { clock: "manual", sweepIntervalMs: 0 },
    run: async (world) => {
      const id = await deadDelivery(world)
      await world.emulator.advance(30 * 24 * 60 * 60 * 1000 + 1)
      const reply = await world.admin("POST", `/v1/dlq/${id}/replay`)
      assert.strictEqual(reply.body, problemText(410, "expired", "dead-letter is past the replay window"))
      assert.include(
        (await world.admin("GET", `/v1/deliveries/${id}`)).body,
        "\"attempts_truncated\":true,\"attempts\":[]"
      )
    }
  },
  {
    id: "E129",
    section: "5.2",
    needs: ["admin"],
    title: "ordered keys must be asked for as blocked",
    run: async ({ admin }) =>
      assert.strictEqual(
        (await admin("GET", "/v1/ordered-keys?blocked=1")).body,
        problemText(400, "bad request", "?blocked=true is required")
      )
  },
  {
    id: "E130",
    section: "3",
    needs: ["admin", "database"],
    title: "admin authentication without a database",
    run: async (world) => {
      const { token } = await newToken(world, "viewer")
      world.emulator.setDatabase("down")
      assert.strictEqual(
        (await world.admin("GET", "/v1/endpoints", undefined, { token })).body,
        problemText(503, "not ready", "could not verify credentials")
      )
      assert.strictEqual(
        (await world.admin("GET", "/v1/endpoints")).body,
        problemText(503, "list failed", "query error")
      )
      assert.strictEqual((await world.admin("GET", "/v1/endpoints/x")).status, 404)
      world.emulator.setDatabase("up")
      const refused = problemText(401, "invalid credentials", "Authorization: Bearer <admin token> required")
      for (const bad of ["hkadm_bad", world.emulator.apiKey]) {
        assert.strictEqual((await world.admin("GET", "/v1/endpoints", undefined, { token: bad })).body, refused)
      }
      assert.strictEqual((await call("GET", `${world.emulator.adminUrl}/v1/endpoints`)).body, refused)
    }
  },
  {
    id: "E131",
    section: "5.4",
    needs: ["admin", "options"],
    title: "URLs that the server's policy refuses",
    options: { urlPolicy: { allowHttp: false, allowCidrs: [] } },
    run: async ({ admin }) => {
      const refused = problemText(422, "url rejected", "url failed SSRF policy")
      const urls = [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://user@example.com/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://100.64.0.1/",
        "https://localhost/",
        "https://LOCALHOST:8443/",
        "nonsense"
      ]
      for (const url of urls) assert.strictEqual((await admin("POST", "/v1/endpoints", { url })).body, refused, url)
      assert.strictEqual((await admin("POST", "/v1/endpoints", { url: "https://example.com/" })).status, 201)
    }
  }
]
