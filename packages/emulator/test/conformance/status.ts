import { assert } from "vitest"
import { call } from "../utils/http.js"
import { type Case, problemText, type World } from "./case.js"

const getEvent = ({ server }: World, id: string, key = server.apiKey): ReturnType<typeof call> =>
  call("GET", `${server.url}/v1/events/${id}`, { headers: { Authorization: `Bearer ${key}` } })

/** The status as text; where the clock runs, latencies count as 0. */
const bodyOf = async (world: World, id: string): Promise<string> => {
  const { body } = await getEvent(world, id)
  return world.external ? body.replace(/"latency_ms":\d+/g, "\"latency_ms\":0") : body
}

const notFound = problemText(404, "event not found", "no event with that id")
const failed = problemText(500, "internal error", "failed to load event status")

/** Cases of protocol section 8.3. */
export const statusCases: ReadonlyArray<Case> = [
  {
    id: "E67",
    section: "2",
    needs: ["producer"],
    title: "an event without deliveries",
    run: async (world) => {
      const { event_id: id } = await world.accept({ topic: "a<b", payload: {} })
      const reply = await getEvent(world, id)
      assert.strictEqual(reply.body, `{"event_id":"${id}","topic":"a\\u003cb","deliveries":null}\n`)
      assert.strictEqual(reply.headers["content-type"], "application/json")
    }
  },
  {
    id: "E68",
    section: "2",
    needs: ["producer", "receiver", "faults", "redis"],
    title: "a delivery without attempts",
    run: async (world) => {
      const { emulator, receiver } = world
      emulator.setRedis("down")
      emulator.subscribe({ topic: "*", url: receiver.url })
      emulator.fault({ on: "delivery", kind: "crash", when: "before" })
      const { delivery_ids: ids, event_id: id } = await world.accept({ topic: "t", payload: {} })
      assert.strictEqual(
        (await getEvent(world, id)).body.replace("in_flight", "pending"),
        `{"event_id":"${id}","topic":"t","deliveries":[{"delivery_id":"${ids?.[0]}","state":"pending",` +
          "\"attempts_truncated\":false,\"attempts\":[]}]}\n"
      )
    }
  },
  {
    id: "E69",
    section: "2",
    needs: ["producer", "admin", "receiver"],
    title: "a successful attempt has no error class",
    options: { clock: "manual" },
    run: async (world) => {
      await world.subscribe({ topic: "*", url: world.receiver.url })
      const { event_id: id } = await world.accept({ topic: "t", payload: {} })
      await world.settled(id)
      assert.include(
        await bodyOf(world, id),
        "\"attempts\":[{\"attempt_no\":1,\"claim_version\":1,\"status\":\"success\",\"http_status\":200,\"latency_ms\":0}]"
      )
    }
  },
  {
    id: "E70",
    section: "2",
    needs: ["producer", "admin", "receiver"],
    title: "a failed connection has no status",
    options: { clock: "manual" },
    run: async (world) => {
      world.receiver.reply("reset")
      await world.subscribe({ topic: "*", url: world.receiver.url, backoff: { baseMs: 3_600_000, capMs: 3_600_000 } })
      const { event_id: id } = await world.accept({ topic: "t", payload: {} })
      await world.settled(id)
      assert.include(
        await bodyOf(world, id),
        "\"state\":\"retry_scheduled\",\"attempts_truncated\":false,\"attempts\":[{\"attempt_no\":1,\"claim_version\":1," +
          "\"status\":\"retryable_failure\",\"error_class\":\"connection\",\"latency_ms\":0}]"
      )
    }
  },
  {
    id: "E71",
    section: "2",
    needs: ["producer", "options"],
    title: "any key may read any event",
    options: { apiKeys: [{ key: "hk_a", scopes: ["a"] }, { key: "hk_b", scopes: ["b"] }] },
    run: async (world) => {
      const { event_id: id } = await world.accept({ topic: "a", payload: {} })
      assert.strictEqual((await getEvent(world, id, "hk_b")).status, 200)
    }
  },
  {
    id: "E72",
    section: "2",
    needs: ["producer"],
    title: "an unknown id",
    run: async (world) => {
      assert.strictEqual((await getEvent(world, "nope")).body, notFound)
      assert.strictEqual((await getEvent(world, "a%2Fb")).body, notFound)
      assert.strictEqual((await getEvent(world, "x", "hk_no")).status, 401)
    }
  },
  {
    id: "E73",
    section: "2",
    needs: ["producer", "database"],
    title: "a database failure after authentication, and an id with NUL",
    run: async (world) => {
      const { event_id: id } = await world.accept({ topic: "a", payload: {} })
      assert.strictEqual((await getEvent(world, "%00")).body, failed)
      world.emulator.setDatabase("failing")
      assert.strictEqual((await getEvent(world, id)).body, failed)
    }
  },
  {
    id: "X13",
    section: "2",
    needs: ["producer", "options", "database"],
    title: "an older server calls every failure 404",
    options: { legacy: { statusErrorsAre404: true } },
    run: async (world) => {
      const { event_id: id } = await world.accept({ topic: "a", payload: {} })
      world.emulator.setDatabase("failing")
      assert.strictEqual((await getEvent(world, id)).body, notFound)
    }
  },
  {
    id: "E74",
    section: "1.1",
    needs: ["producer"],
    title: "an empty id is no route",
    run: async (world) => assert.strictEqual((await getEvent(world, "")).body, "404 page not found\n")
  },
  {
    id: "E76",
    section: "1.2",
    needs: ["producer", "options"],
    title: "reading is not limited",
    options: { clock: "manual", ingestRateLimit: { rps: 1, burst: 1 } },
    run: async (world) => {
      const { event_id: id } = await world.accept({ topic: "a", payload: {} })
      for (let turn = 0; turn < 50; turn++) assert.strictEqual((await getEvent(world, id)).status, 200)
    }
  },
  {
    id: "E77",
    section: "2",
    needs: ["producer", "admin", "receiver"],
    title: "after a replay attempts count from 1 and claim versions go on",
    options: { clock: "manual" },
    run: async ({ accept, admin, receiver, settled, status, subscribe }) => {
      receiver.reply(400)
      await subscribe({ topic: "*", url: receiver.url })
      const { delivery_ids: ids, event_id: id } = await accept({ topic: "t", payload: {} })
      await settled(id)
      receiver.reply(200)
      assert.strictEqual(
        (await admin("POST", `/v1/dlq/${ids?.[0]}/replay`)).body,
        `{"delivery_id":"${ids?.[0]}","state":"pending"}\n`
      )
      await settled(id)
      const [delivery] = (await status(id)).deliveries ?? []
      assert.strictEqual(delivery?.state, "succeeded")
      assert.deepStrictEqual(delivery?.attempts.map((attempt) => [attempt["attempt_no"], attempt["claim_version"]]), [
        [1, 1],
        [1, 2]
      ])
    }
  },
  {
    id: "E78",
    section: "6",
    needs: ["producer"],
    title: "health, readiness and metrics need no key",
    run: async (world) => {
      for (const base of [world.server.url, world.server.adminUrl]) {
        if (base === undefined) continue
        const health = await call("GET", `${base}/healthz`)
        assert.deepStrictEqual([health.status, health.body, health.headers["content-type"]], [200, "", undefined])
        assert.strictEqual((await call("GET", `${base}/metrics`)).status, 200)
        const ready = await call("GET", `${base}/readyz`)
        assert.deepStrictEqual([ready.status, ready.body, ready.headers["x-hookrail-redis"]], [200, "", undefined])
        // An external server's Redis is left alone.
        if (world.external) continue
        const { emulator } = world
        emulator.setRedis("down")
        assert.strictEqual((await call("GET", `${base}/readyz`)).headers["x-hookrail-redis"], "degraded")
        emulator.setDatabase("down")
        assert.strictEqual(
          (await call("GET", `${base}/readyz`)).body,
          problemText(503, "not ready", "postgres unreachable")
        )
        emulator.setRedis("up")
        emulator.setDatabase("up")
      }
    }
  },
  {
    id: "X14",
    section: "1.1",
    needs: ["producer"],
    title: "HEAD is answered like GET, without a body",
    run: async ({ accept, server }) => {
      const { event_id: id } = await accept({ topic: "t", payload: {} })
      const reply = await call("HEAD", `${server.url}/v1/events/${id}`, {
        headers: { Authorization: `Bearer ${server.apiKey}` }
      })
      assert.deepStrictEqual([reply.status, reply.body], [200, ""])
    }
  }
]
