import { assert, describe, it } from "vitest"
import {
  blockedKeys,
  discardEvent,
  type Executor,
  fromPg,
  fromSqlite,
  listEvents,
  migrate,
  OutboxConfigError,
  retryEvent,
  RowError,
  SchemaError,
  startRelay
} from "../src/index.js"
import type { Relay } from "../src/relay/model.js"
import { postgresDatabase, server, sqliteFile } from "./utils/engines.js"
import { rejects } from "./utils/failures.js"
import {
  engines,
  eventually,
  failureOf,
  filled,
  ids,
  inMillis,
  logs,
  makeDue,
  put,
  relayOf,
  rows,
  serverError,
  set,
  Stub
} from "./utils/relays.js"

const isEmpty = async (executor: Executor): Promise<boolean> => (await ids(executor)).length === 0

for (const [name, open] of engines) {
  describe.skipIf(name === "Postgres" && server === undefined)(`a relay, in ${name}`, () => {
    it("sends the frozen bytes under their keys, in the order of each key, and forgets what was accepted", async () => {
      const names = ["a1", "b1", "a2", "u1", "a3", "b2", "u2"]
      const { executor } = await filled(open, names)
      const client = new Stub()
      const relay = await relayOf({ executor, client })
      await eventually(() => isEmpty(executor))
      assert.deepStrictEqual([...client.sent].sort(), [...names].sort())
      assert.deepStrictEqual(client.ofKey("a"), ["a1", "a2", "a3"])
      assert.deepStrictEqual(client.ofKey("b"), ["b1", "b2"])
      const [sent] = client.events.filter(({ idempotencyKey }) => idempotencyKey === "a1")
      assert.strictEqual(new TextDecoder().decode(sent!.body), `{"topic":"orders.created","payload":{"n":"a1"}}`)
      assert.deepInclude(sent, { topic: "orders.created", orderingKey: "a" })
      await eventually(() => relay.stats().acked === names.length)
      assert.deepInclude(relay.stats(), { accepted: 7, claimed: 7, replayed: 0, failed: 0, inFlight: 0, queued: 0 })
      assert.strictEqual(relay.stats().latency.count, 7)
    })

    it("an ordering key that is in the payload is not sent as a header too", async () => {
      const { executor } = await filled(open, [])
      const client = new Stub()
      const { enqueue } = await import("../src/index.js")
      await enqueue({ ...executor, inTransaction: () => undefined }, {
        topic: "t",
        payload: { ordering_key: "k" },
        traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`
      })
      await relayOf({ executor, client })
      await client.until(1)
      assert.deepInclude(client.events[0], {
        orderingKey: undefined,
        traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`
      })
    })

    it("sends only the events of its destination", async () => {
      const { executor } = await filled(open, ["a1"])
      await put(executor, ["a2"], { destination: "other" })
      const client = new Stub()
      await relayOf({ executor, client, destination: "other" })
      await eventually(async () => (await ids(executor)).length === 1)
      assert.deepStrictEqual(client.sent, ["a2"])
    })

    it("a failure holds its key, and no other; then it goes on in order", async () => {
      const { executor } = await filled(open, ["a1", "a2", "b1", "a3"])
      const client = new Stub((key, times) => key === "a1" && times === 1 ? serverError() : undefined)
      const relay = await relayOf({ executor, client, backoff: { baseMs: 3_600_000, capMs: 3_600_000 } })
      await eventually(() => relay.stats().failed === 1 && relay.stats().acked === 1 && relay.stats().released === 2)
      assert.deepStrictEqual(await ids(executor), ["a1", "a2", "a3"])
      const [first] = await rows(executor)
      assert.deepInclude(first, { lease_owner: null, last_error: "it failed: RetryError" })
      assert.strictEqual(Number(first!.last_status), 500)
      assert.isNotNull(first!.first_ambiguous_at)
      await makeDue(executor, "a1")
      relay.wake()
      await eventually(() => isEmpty(executor))
      assert.deepStrictEqual(client.ofKey("a"), ["a1", "a1", "a2", "a3"])
    })

    it("the delay is random below a ceiling that doubles, and never less than the server asked for", async () => {
      const { executor } = await filled(open, ["a1"])
      const client = new Stub((_, times) => serverError(times === 3 ? { retryAfterMs: 7_200_000 } : {}))
      const relay = await relayOf({
        executor,
        client,
        backoff: { baseMs: 1_000_000, capMs: 3_000_000 }
      }, { random: () => 0.999 })
      const delayAfter = async (failures: number): Promise<number> => {
        await eventually(() => relay.stats().failed === failures)
        await eventually(async () => (await rows(executor))[0]!.lease_owner === null)
        const [row] = await executor.execute(
          executor.dialect === "postgres"
            ? "select (extract(epoch from available_at - clock_timestamp()) * 1000)::float8 as ms from hookrail_outbox"
            : `select available_at - ${inMillis(executor, 0)} as ms from hookrail_outbox`,
          []
        )
        await makeDue(executor, "a1")
        relay.wake()
        return Number(row!.ms) / 1_000_000
      }
      assert.approximately(await delayAfter(1), 0.999, 0.02)
      assert.approximately(await delayAfter(2), 1.998, 0.02)
      assert.approximately(await delayAfter(3), 2.997 + 7.2, 0.02)
      assert.approximately(await delayAfter(4), 2.997, 0.02, "the cap")
    })

    it("what was certainly not accepted is not ambiguous", async () => {
      const { executor } = await filled(open, ["a1", "b1"])
      const client = new Stub((key) =>
        failureOf("RetryError", key === "a1" ? "not-sent" : "refused", {
          cause: { _tag: "RateLimitError", status: 429, problem: { title: "backlog full" } }
        })
      )
      const relay = await relayOf({ executor, client, backoff: { baseMs: 3_600_000 } })
      await eventually(() => relay.stats().failed === 2)
      await eventually(async () => (await rows(executor)).every((row) => row.lease_owner === null))
      for (const row of await rows(executor)) assert.isNull(row.first_ambiguous_at)
    })

    it("a refused event blocks its key until somebody decides", async () => {
      const { executor } = await filled(open, ["a1", "a2", "b1", "u1"])
      const client = new Stub((key, times) =>
        (key === "a1" || key === "u1") && times === 1
          ? failureOf("BadRequestError", "refused", { status: 400 })
          : undefined
      )
      const { entries, onLog } = logs()
      const relay = await relayOf({ executor, client, onLog })
      await eventually(() => relay.stats().parked === 2 && relay.stats().acked === 1)
      const [blocked] = await blockedKeys(executor)
      assert.deepInclude(blocked, { idempotencyKey: "a1", reason: "refused", lastStatus: 400, waiting: 1 })
      assert.deepStrictEqual(client.ofKey("a"), ["a1"])
      assert.deepStrictEqual(entries.map(({ fields }) => fields.idempotencyKey).sort(), ["a1", "u1"])
      assert.isTrue(await retryEvent(executor, "a1"))
      assert.isTrue(await discardEvent(executor, "u1"))
      relay.wake()
      await eventually(() => isEmpty(executor))
      assert.deepStrictEqual(client.ofKey("a"), ["a1", "a1", "a2"])
      assert.deepStrictEqual(client.ofKey("u"), ["u1"])
    })

    it("or it is skipped, by choice", async () => {
      const { executor } = await filled(open, ["a1", "a2", "a3"])
      const client = new Stub((key) =>
        key === "a2" ? failureOf("PayloadTooLargeError", "refused", { status: 413 }) : undefined
      )
      const relay = await relayOf({ executor, client, onDead: "skip" })
      await eventually(() => isEmpty(executor))
      assert.deepStrictEqual(client.sent, ["a1", "a2", "a3"])
      const [dead] = await listEvents(executor, { state: "dead" })
      assert.deepInclude(dead, { idempotencyKey: "a2", reason: "refused", lastStatus: 413, attempts: 1 })
      await eventually(() => relay.stats().acked === 2)
      assert.strictEqual(relay.stats().dead, 1)
    })

    it("an event that is skipped is never delivered too, whoever takes over at whatever moment", async () => {
      const { another, executor } = await filled(open, ["a1"])
      // It pauses after each statement that writes to the dead letters, for longer than its lease.
      const fast = new Stub()
      let pauses = 0
      const pausing: Executor = {
        ...executor,
        execute: async (sql, params) => {
          const rows = await executor.execute(sql, params)
          if (!/insert .*outbox_dead/s.test(sql)) return rows
          pauses++
          await makeDue(executor, "a1")
          const other = await relayOf({ executor: another(), client: fast })
          await eventually(() => other.stats().emptyClaims > 1)
          await other.drain()
          return rows
        }
      }
      const refusing = new Stub(() => failureOf("BadRequestError", "refused", { status: 400 }))
      const relay = await relayOf({ executor: pausing, client: refusing, onDead: "skip" })
      await eventually(() => relay.stats().dead + relay.stats().fenced === 1)
      assert.strictEqual(pauses, 1)
      assert.deepStrictEqual(fast.sent, [])
      assert.lengthOf(await listEvents(executor, { state: "dead" }), 1)
      assert.isTrue(await isEmpty(executor))
    })

    it("gives up after so many attempts", async () => {
      const { executor } = await filled(open, ["a1"])
      const client = new Stub(() => serverError())
      const relay = await relayOf({ executor, client, maxAttempts: 2, backoff: { baseMs: 1 } })
      await eventually(() => relay.stats().parked === 1)
      const [parked] = await listEvents(executor)
      assert.deepInclude(parked, { reason: "attempts_exhausted", attempts: 2, lastStatus: 500 })
      assert.lengthOf(client.sent, 2)
    })

    it("but not for a wrong key, or a server that is not there: the event is not at fault", async () => {
      const { executor } = await filled(open, ["u1"])
      let now = 0
      const client = new Stub((_, times) =>
        times === 1
          ? failureOf("AuthenticationError", "refused", { status: 401 })
          : times === 2
          ? failureOf("HookrailConnectionError", "not-sent")
          : undefined
      )
      const relay = await relayOf({ executor, client, maxAttempts: 1, backoff: { baseMs: 1 } }, {
        monotonic: () => now += 10_000
      })
      await eventually(() => relay.stats().acked === 1)
      assert.deepInclude(relay.stats(), { parked: 0, failed: 2 })
    })

    it("parks what may have been accepted too long ago, before it is sent again", async () => {
      const { executor } = await filled(open, ["a1", "a2", "b1"])
      const hours = (n: number): string => inMillis(executor, -n * 3_600_000)
      await set(executor, "a1", `first_ambiguous_at = ${hours(23.01)}`)
      await set(executor, "b1", `first_ambiguous_at = ${hours(22.9)}`)
      const client = new Stub()
      const relay = await relayOf({ executor, client })
      await eventually(() => relay.stats().parked === 1 && relay.stats().acked === 1)
      assert.deepStrictEqual(client.sent, ["b1"])
      const [parked] = await listEvents(executor)
      assert.deepInclude(parked, { idempotencyKey: "a1", reason: "idempotency_window" })
      assert.deepStrictEqual(await ids(executor), ["a1", "a2"])
    })

    it("parks what an owner took that vanished too long ago", async () => {
      const { executor } = await filled(open, ["u1"])
      await set(
        executor,
        "u1",
        `lease_owner = 'dead', attempts = 1, available_at = ${inMillis(executor, -23 * 3_600_000)}`
      )
      const client = new Stub()
      const relay = await relayOf({ executor, client })
      await eventually(() => relay.stats().parked === 1)
      assert.deepStrictEqual(client.sent, [])
    })

    it("parks a row that does not decode, with the reason", async () => {
      const { executor } = await filled(open, ["a1", "a2", "b1"])
      const odd: Executor = {
        ...executor,
        execute: async (sql, params) =>
          (await executor.execute(sql, params)).map((row) =>
            row.id === "a1" && "body" in row ? { ...row, body: 1 } : row
          )
      }
      const client = new Stub()
      const relay = await relayOf({ executor: odd, client })
      await eventually(() => relay.stats().acked === 1 && relay.stats().parked === 1)
      const [parked] = await listEvents(executor)
      assert.deepInclude(parked, { idempotencyKey: "a1", reason: "row_invalid" })
      assert.strictEqual(
        parked!.lastError,
        new RowError({ column: "body", reason: "a number instead of bytes" }).message
      )
      assert.deepStrictEqual(client.sent, ["b1"])
    })

    it("what the server has, although the call failed, is done", async () => {
      const { executor } = await filled(open, ["a1", "a2"])
      const client = new Stub((key) => key === "a1" ? failureOf("UnmatchedEventError", "accepted") : undefined)
      await relayOf({ executor, client })
      await eventually(() => isEmpty(executor))
      assert.deepStrictEqual(client.sent, ["a1", "a2"])
    })

    it("a relay that was too slow changes nothing of what another one has taken over", async () => {
      const { another, executor } = await filled(open, ["a1", "a2"])
      let release = (_: Error): void => {}
      const slow = new Stub(() => new Promise((resolve) => (release = resolve)))
      // It does not take them over itself.
      const first = await relayOf({ executor, client: slow, poll: { minMs: 50_000, maxMs: 60_000 } })
      await slow.until(1)
      await eventually(() => first.stats().emptyClaims > 0)
      await makeDue(executor, "a1")
      await makeDue(executor, "a2")
      let finish = (): void => {}
      const fast = new Stub((key) =>
        key === "a2" ? new Promise<void>((resolve) => (finish = () => resolve())) : undefined
      )
      await relayOf({ executor: another(), client: fast })
      await fast.until(2)
      // Its failure comes when a1 was accepted and a2 is being sent.
      release(serverError())
      await eventually(() => first.stats().fenced === 1 || first.stats().failed === 1)
      await first.drain({ timeoutMs: 1_000 })
      finish()
      await eventually(() => isEmpty(executor))
      assert.deepStrictEqual(fast.sent, ["a1", "a2"])
      assert.deepStrictEqual(slow.sent, ["a1"])
    })

    it("two relays side by side keep the order of each key, and send nothing twice", async () => {
      const names = ["a", "b", "c", "d"].flatMap((key) => Array.from({ length: 20 }, (_, n) => `${key}${n}`))
      const { another, executor } = await filled(open, names)
      const relays: Array<Relay> = []
      // Nothing is answered before both have events; neither can take more than two keys until then.
      const client = new Stub(() =>
        new Promise((resolve) => {
          const look = (): void => {
            const haveBoth = relays.length === 2 && relays.every((relay) => relay.stats().claimed > 0)
            setImmediate(haveBoth ? () => resolve(undefined) : look)
          }
          look()
        })
      )
      const size = { batch: 1, run: 3, concurrency: 1 }
      relays.push(await relayOf({ executor, client, ...size }), await relayOf({ executor: another(), client, ...size }))
      await eventually(() => isEmpty(executor))
      for (const key of ["a", "b", "c", "d"]) {
        assert.deepStrictEqual(client.ofKey(key), names.filter((name) => name.startsWith(key)))
      }
      for (const relay of relays) assert.isAbove(relay.stats().accepted, 0, "both worked")
    })

    it("sends at most so many at a time, and one of a key", async () => {
      const names = ["a1", "a2", "b1", "b2", "c1", "d1", "u1", "u2", "u3"]
      const { executor } = await filled(open, names)
      const client = new Stub(() => new Promise((resolve) => setImmediate(() => resolve(undefined))))
      await relayOf({ executor, client, concurrency: 3 })
      await eventually(() => isEmpty(executor))
      assert.strictEqual(client.maxInFlight, 3)
      assert.lengthOf(client.sent, names.length)
    })

    it("drains: finishes what is in flight, gives the rest back, takes nothing more", async () => {
      const { executor } = await filled(open, ["a1", "a2", "b1", "u1"])
      const finish: Array<() => void> = []
      const client = new Stub(() => new Promise<void>((resolve) => finish.push(resolve)))
      const relay = await relayOf({ executor, client, concurrency: 1 })
      await client.until(1)
      const drained = relay.drain()
      assert.strictEqual(relay.stats().state, "draining")
      finish[0]!()
      assert.isTrue(await drained)
      assert.deepStrictEqual(client.sent, ["a1"])
      assert.deepStrictEqual(await ids(executor), ["a2", "b1", "u1"])
      for (const { attempts, lease_owner } of await rows(executor)) {
        assert.deepStrictEqual([Number(attempts), lease_owner], [0, null])
      }
      assert.deepInclude(relay.stats(), { state: "stopped", inFlight: 0, queued: 0, released: 3 })
      assert.isTrue(await relay.drain(), "again")
    })

    it("drains within its time, and says if a send was given up", async () => {
      const { executor } = await filled(open, ["a1"])
      const client = new Stub((_, __, signal) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => resolve(failureOf("HookrailAbortedError", "unknown")))
        })
      )
      const relay = await relayOf({ executor, client, backoff: { baseMs: 3_600_000 } })
      await client.until(1)
      assert.isTrue(await relay.drain({ timeoutMs: 1 }))
      const [row] = await rows(executor)
      assert.isNull(row!.lease_owner)
      assert.isNotNull(row!.first_ambiguous_at)
    })

    it("aborts a send at the end of its lease", async () => {
      const { executor } = await filled(open, ["a1", "a2"])
      const client = new Stub((_, times, signal) =>
        times > 1 ? undefined : new Promise((resolve) => {
          signal.addEventListener("abort", () => resolve(failureOf("HookrailAbortedError", "unknown")))
        })
      )
      const relay = await relayOf({ executor, client, leaseMs: 1_001, sendTimeoutMs: 1, backoff: { baseMs: 1 } })
      await eventually(() => isEmpty(executor))
      assert.deepStrictEqual(client.sent.filter((key) => key === "a1"), ["a1", "a1"])
      assert.isAtLeast(relay.stats().failed + relay.stats().fenced, 1)
    })

    it("waits while the gate is closed by another relay, then asks with one event", async () => {
      const { executor } = await filled(open, ["a1", "b1", "c1", "d1"])
      await executor.execute(
        `insert into hookrail_gate (destination, closed_until, reason) values ('default', ${
          inMillis(executor, 3_600_000)
        }, 'r')`,
        []
      )
      let answer = (): void => {}
      let isAnswering = false
      const client = new Stub(() => isAnswering ? undefined : new Promise<void>((resolve) => (answer = resolve)))
      let now = 0
      const relay = await relayOf({ executor, client }, { monotonic: () => now })
      await eventually(() => relay.stats().gateClosedMs > 3_500_000)
      assert.deepStrictEqual(client.sent, [])
      await executor.execute(`update hookrail_gate set closed_until = ${inMillis(executor, -1)}`, [])
      now = 4_000_000
      await client.until(1)
      assert.strictEqual(relay.stats().claimed, 1, "a probe is alone")
      now += 1
      isAnswering = true
      answer()
      await client.until(4)
    })

    it("closes the gate for all when the server takes nothing", async () => {
      const names = Array.from({ length: 12 }, (_, n) => `u${n}`)
      const { another, executor } = await filled(open, names)
      const client = new Stub(() => serverError({ status: 503, retryAfterMs: 20_000 }))
      const { entries, onLog } = logs()
      const relay = await relayOf({ executor, client, concurrency: 1, onLog })
      await eventually(() => relay.stats().gateClosedMs > 10_000)
      await eventually(async () => (await executor.execute("select reason from hookrail_gate", [])).length === 1)
      assert.lengthOf(client.sent, 8)
      await eventually(() => relay.stats().queued === 0)
      const other = new Stub()
      const second = await relayOf({ executor: another(), client: other })
      await eventually(() => second.stats().gateClosedMs > 10_000)
      assert.deepStrictEqual(other.sent, [])
      assert.lengthOf(entries.filter(({ message }) => message.startsWith("The server takes nothing")), 1)
    })

    it("a wrong key, or no connection, pauses this relay alone and parks nothing", async () => {
      const { executor } = await filled(open, ["a1", "b1"])
      const client = new Stub(() => failureOf("AuthenticationError", "refused", { status: 401 }))
      const { entries, onLog } = logs()
      const relay = await relayOf({ executor, client, concurrency: 1, onLog })
      await eventually(() => relay.stats().gateClosedMs > 0)
      assert.lengthOf(client.sent, 1)
      assert.strictEqual(relay.stats().parked, 0)
      assert.lengthOf(await executor.execute("select * from hookrail_gate", []), 0)
      assert.include(entries.map(({ message }) => message).join(), "check the key")
    })

    it("a client that is closed does not make it spin", async () => {
      const { executor } = await filled(open, ["a1"])
      const client = new Stub(() => failureOf("HookrailClosedError", "not-sent"))
      const relay = await relayOf({ executor, client })
      await eventually(() => relay.stats().gateClosedMs > 0 && relay.stats().released === 1)
      assert.lengthOf(client.sent, 1)
      assert.strictEqual(Number((await rows(executor))[0]!.attempts), 0)
    })

    it("goes on when the database answers again, having lost and repeated nothing", async () => {
      const { executor } = await filled(open, ["a1", "a2", "b1"])
      let isAway = true
      let tries = 0
      const flaky: Executor = {
        ...executor,
        execute: (sql, params) => {
          if (!isAway) return executor.execute(sql, params)
          tries++
          return Promise.reject(new Error("connect ECONNREFUSED postgres://user:secret@host"))
        }
      }
      const { entries, onLog } = logs()
      const client = new Stub()
      const relay = await relayOf({ executor: flaky, client, onLog })
      await eventually(() => relay.stats().databaseErrors >= 2)
      assert.isDefined(relay.stats().databaseError)
      assert.isAtMost(tries, 10, "no spin")
      isAway = false
      await eventually(() => isEmpty(executor))
      assert.isUndefined(relay.stats().databaseError)
      assert.deepStrictEqual(client.ofKey("a"), ["a1", "a2"])
      assert.deepStrictEqual(entries.map(({ level }) => level), ["error", "info"])
      assert.notInclude(JSON.stringify(entries), "secret")
    })

    it("records acceptances until the database takes them", async () => {
      const { executor } = await filled(open, ["a1", "b1", "u1"])
      let failures = 2
      const flaky: Executor = {
        ...executor,
        execute: (sql, params) =>
          sql.startsWith("delete") && failures-- > 0
            ? Promise.reject(new Error("away"))
            : executor.execute(sql, params)
      }
      const client = new Stub()
      const relay = await relayOf({ executor: flaky, client })
      await eventually(() => relay.stats().acked === 3)
      assert.isTrue(await isEmpty(executor))
      assert.lengthOf(client.sent, 3)
      assert.strictEqual(relay.stats().databaseErrors, 2)
    })

    it("looks at once when it is woken", async () => {
      const { executor } = await filled(open, [])
      const client = new Stub()
      const relay = await relayOf({ executor, client, poll: { minMs: 50_000, maxMs: 60_000 } })
      await eventually(() => relay.stats().emptyClaims > 0)
      await put(executor, ["a1"])
      relay.wake()
      await client.until(1)
    })

    it("looks less and less often while there is nothing", async () => {
      const { executor } = await filled(open, [])
      const relay = await relayOf({ executor, client: new Stub(), poll: { minMs: 20, maxMs: 60_000 } })
      await eventually(() => relay.stats().claims >= 3)
      assert.isAtMost(relay.stats().claims, 12)
    })

    it("goes on with a busy key as soon as its events are recorded, not at the next look", async () => {
      const { executor } = await filled(open, ["a1", "a2", "a3", "a4", "a5", "b1"])
      const client = new Stub()
      await relayOf({ executor, client, run: 2, poll: { minMs: 50_000, maxMs: 60_000 } })
      await eventually(() => isEmpty(executor))
      assert.deepStrictEqual(client.ofKey("a"), ["a1", "a2", "a3", "a4", "a5"])
    })

    it("takes nothing more while too much is not recorded", async () => {
      const { executor } = await filled(open, [])
      await executor.execute(
        executor.dialect === "postgres"
          ? "insert into hookrail_outbox (id, topic, body) select n::text, 't', '\\x00' from generate_series(1, 4000) as n"
          : `with recursive s(n) as (select 1 union all select n + 1 from s where n < 4000)
            insert into hookrail_outbox (id, topic, body) select cast(n as text), 't', x'00' from s`,
        []
      )
      let isFull = true
      const flaky: Executor = {
        ...executor,
        execute: (sql, params) =>
          sql.startsWith("delete") && isFull ? Promise.reject(new Error("away")) : executor.execute(sql, params)
      }
      const relay = await relayOf({
        executor: flaky,
        client: { sendEncoded: async () => ({ replayed: false }) },
        batch: 500
      })
      await eventually(() => relay.stats().accepted > 2_000 && relay.stats().inFlight === 0)
      const { claimed } = relay.stats()
      await eventually(() => relay.stats().databaseErrors > 3)
      assert.strictEqual(relay.stats().claimed, claimed)
      assert.isAtMost(claimed, 3_000)
      isFull = false
      await eventually(() => relay.stats().acked === 4_000)
      assert.isTrue(await isEmpty(executor))
    })

    it("after a pause, an answer about a single event shows that the server works", async () => {
      const { executor } = await filled(open, ["u1", "u2", "u3", "u4"])
      let now = 0
      const client = new Stub((_, times) =>
        now === 0
          ? failureOf("AuthenticationError", "refused", { status: 401 })
          : times === 2
          ? failureOf("BadRequestError", "refused", { status: 400 })
          : undefined
      )
      const relay = await relayOf({ executor, client, concurrency: 1, backoff: { baseMs: 1 } }, {
        monotonic: () => now
      })
      await eventually(() => relay.stats().gateClosedMs > 0 && relay.stats().inFlight === 0)
      const busyClaims = (): number => relay.stats().claims - relay.stats().emptyClaims
      const before = busyClaims()
      now = 100_000
      await eventually(() => relay.stats().parked === 1)
      await eventually(async () => (await ids(executor)).length === 1)
      assert.strictEqual(busyClaims() - before, 2, "the probe, then all at once")
    })

    it("a topic that the key may not send to is tried again: its scope can be changed", async () => {
      const { executor } = await filled(open, ["a1", "a2"])
      const client = new Stub((_, times) =>
        times === 1 ? failureOf("ForbiddenError", "refused", { status: 403 }) : undefined
      )
      const relay = await relayOf({ executor, client, backoff: { baseMs: 1 } })
      await eventually(() => isEmpty(executor))
      assert.deepInclude(relay.stats(), { parked: 0, failed: 2, gateClosedMs: 0 })
    })

    it("a statement without an answer is tried again", async () => {
      const { executor } = await filled(open, ["a1"])
      let lost = 1
      const flaky: Executor = {
        ...executor,
        execute: (sql, params) =>
          sql.startsWith("with") && lost-- > 0 ? new Promise(() => {}) : executor.execute(sql, params)
      }
      const { entries, onLog } = logs()
      const client = new Stub()
      await relayOf({ executor: flaky, client, onLog }, { statementMs: 50 })
      await client.until(1)
      assert.include(String(entries[0]!.fields.error), "(ETIMEDOUT). There was no answer.")
    })

    it("what listens to its log may throw", async () => {
      const { executor } = await filled(open, ["a1", "u1"])
      const client = new Stub((key, times) => key === "a1" && times === 1 ? serverError() : undefined)
      await relayOf({
        executor,
        client,
        backoff: { baseMs: 1 },
        onLog: () => {
          throw new Error("no")
        }
      })
      await eventually(() => isEmpty(executor))
    })

    it("the latency contains the time in the relay", async () => {
      const { executor } = await filled(open, ["u1", "u2"])
      let now = 0
      const client = new Stub(() => void (now += 20_000))
      const relay = await relayOf({ executor, client, concurrency: 1 }, { monotonic: () => now })
      await eventually(() => relay.stats().latency.count === 2)
      assert.isAtLeast(relay.stats().latency.sumMs, 60_000)
    })

    it("refuses a driver that gives values as other types", async () => {
      const { executor } = await filled(open, ["a1"])
      const odd: Executor = {
        ...executor,
        execute: async (sql, params) =>
          (await executor.execute(sql, params)).map((row) =>
            "body" in row ? { ...row, body: Buffer.from(row.body as Uint8Array).toString("base64") } : row
          )
      }
      const error = await rejects(startRelay({ executor: odd, client: new Stub() }), RowError)
      assert.strictEqual(error.column, "body")
      const [row] = await rows(executor)
      assert.isNull(row!.lease_owner)
    })

    it("says so when a database that was away has no tables, and goes on when they are there", async () => {
      const { executor } = await open()
      let isAway = true
      const flaky: Executor = {
        ...executor,
        execute: (sql, params) => isAway ? Promise.reject(new Error("away")) : executor.execute(sql, params)
      }
      const { entries, onLog } = logs()
      const client = new Stub()
      const relay = await relayOf({ executor: flaky, client, onLog })
      isAway = false
      await eventually(() => relay.stats().databaseError?.startsWith("SchemaError: There is no table") === true)
      assert.strictEqual(relay.stats().claims, 0)
      await migrate(executor)
      await put(executor, ["a1"])
      await client.until(1)
      assert.isAtMost(entries.length, 3)
    })

    it("refuses to start in an unknown schema, and with tables of another version", async () => {
      const { executor } = await filled(open, [])
      const problemOf = async (options: object = {}) =>
        (await rejects(startRelay({ executor, client: new Stub(), ...options }), SchemaError)).problem
      assert.strictEqual(await problemOf({ schema: "nowhere" }), "missing")
      await executor.execute("update hookrail_schema set version = 0", [])
      assert.strictEqual(await problemOf(), "older")
      await executor.execute("update hookrail_schema set version = 99", [])
      assert.strictEqual(await problemOf(), "newer")
    })

    it("a table that goes away does not make it spin; it goes on when it is there again", async () => {
      const { executor } = await filled(open, [])
      const client = new Stub()
      const { entries, onLog } = logs()
      const relay = await relayOf({ executor, client, onLog })
      await executor.execute("alter table hookrail_outbox rename to away", [])
      await eventually(() => relay.stats().databaseError !== undefined)
      assert.include(relay.stats().databaseError, "Run the migrations")
      await eventually(() => relay.stats().databaseErrors >= 3)
      assert.isAtMost(relay.stats().databaseErrors, 6)
      await executor.execute("alter table away rename to hookrail_outbox", [])
      await put(executor, ["a1"])
      await client.until(1)
      await eventually(() => relay.stats().databaseError === undefined)
      assert.deepStrictEqual(entries.map(({ level }) => level), ["error", "info"])
    })

    it("another event under the same key is parked, not sent again and again", async () => {
      const { executor } = await filled(open, ["a1", "a2", "b1"])
      const client = new Stub((key) =>
        key === "a1"
          ? failureOf("ConflictError", "refused", { status: 409, problem: { title: "idempotency conflict" } })
          : undefined
      )
      const relay = await relayOf({ executor, client })
      await eventually(() => relay.stats().parked === 1 && relay.stats().acked === 1)
      const [parked] = await listEvents(executor)
      assert.deepInclude(parked, { idempotencyKey: "a1", reason: "refused", lastStatus: 409 })
      assert.deepStrictEqual([...client.sent].sort(), ["a1", "b1"])
    })

    it("refuses to start without its tables", async () => {
      const { executor } = await open()
      const error = await rejects(startRelay({ executor, client: new Stub() }), SchemaError)
      assert.strictEqual(error.problem, "missing")
      await migrate(executor)
      await rejects(startRelay({ executor, client: new Stub(), prefix: "other_" }), SchemaError)
    })
  })
}

describe("a relay over an attached database", () => {
  it("moves an event to its dead letters", async () => {
    const executor = fromSqlite(sqliteFile().db)
    await executor.execute("attach ':memory:' as events", [])
    await migrate(executor, { schema: "events" })
    await put(executor, ["a1", "a2"], { schema: "events" })
    const client = new Stub((key) => key === "a1" ? failureOf("BadRequestError", "refused") : undefined)
    const relay = await relayOf({ executor, client, schema: "events", onDead: "skip" })
    await eventually(() => relay.stats().acked === 1)
    const states = await Promise.all(
      (["dead", "waiting"] as const).map((state) => listEvents(executor, { schema: "events", state }))
    )
    assert.deepStrictEqual(states.map((events) => events.map((it) => it.idempotencyKey)), [["a1"], []])
  })
})

describe.skipIf(server === undefined)("a relay over a single connection", () => {
  it("is refused while it is in a transaction", async () => {
    const { pool } = await postgresDatabase()
    await migrate(fromPg(pool))
    const client = await pool.connect()
    try {
      await client.query("begin")
      const error = await rejects(startRelay({ executor: fromPg(client), client: new Stub() }), OutboxConfigError)
      assert.include(error.message, "must be in no transaction")
    } finally {
      client.release(true)
    }
  })
})

describe("the options of a relay", () => {
  const executor: Executor = { dialect: "sqlite", inTransaction: () => undefined, execute: async () => [] }
  const client = new Stub()

  it.each([
    ["executor", { executor: {} }],
    ["executor", { executor: { ...executor, dialect: "mysql" } }],
    ["executor", { executor: { ...executor, inTransaction: () => true } }],
    ["client", { client: {} }],
    ["destination", { destination: "a b" }],
    ["batch", { batch: 0 }],
    ["run", { run: 1.5 }],
    ["concurrency", { concurrency: "many" }],
    ["leaseMs", { leaseMs: 600_001 }],
    ["leaseMs", { leaseMs: 15_000 }],
    ["sendTimeoutMs", { sendTimeoutMs: -1 }],
    ["poll.maxMs", { poll: { minMs: 100, maxMs: 99 } }],
    ["poll.every", { poll: { every: 1 } }],
    ["backoff", { backoff: 5 }],
    ["onDead", { onDead: "drop" }],
    ["ambiguousWindowMs", { ambiguousWindowMs: 24 * 3_600_000 }],
    ["onLog", { onLog: "console" }],
    ["prefix", { prefix: "A" }],
    ["batchSize", { batchSize: 5 }]
  ])("%s is checked: %o", async (option, options) => {
    const error = await rejects(startRelay({ executor, client, ...options } as never), OutboxConfigError)
    assert.strictEqual(error.option, option)
  })
})
