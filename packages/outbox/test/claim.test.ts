import { assert, describe, it } from "vitest"
import type { Executor } from "../src/index.js"
import { settingsOf } from "../src/relay/options.js"
import { type Claimed, Store } from "../src/relay/store.js"
import { server } from "./utils/engines.js"
import { engines, filled, inMillis, makeDue, put, rows, set, Stub } from "./utils/relays.js"

const storeOf = (executor: Executor, options: object = {}): Store =>
  new Store(executor, settingsOf({ executor, client: new Stub(), ...options }))

const namesOf = ({ taken }: Claimed): ReadonlyArray<string> =>
  taken.map(({ event }) => event instanceof Error ? event.message : event.idempotencyKey)

const all = { lanes: 64, run: 8 }

for (const [name, open] of engines) {
  describe.skipIf(name === "Postgres" && server === undefined)(`claims, in ${name}`, () => {
    it("takes the oldest events of each key and those without a key, in order", async () => {
      const { executor } = await filled(open, ["b1", "a1", "u1", "b2", "a2", "u2", "c1"])
      await put(executor, ["a9"], { destination: "other" })
      const store = storeOf(executor)
      assert.deepStrictEqual(namesOf(await store.claim("me", "", 0, all)), ["b1", "a1", "u1", "b2", "a2", "u2", "c1"])
      assert.deepStrictEqual(namesOf(await store.claim("me", "", 0, all)), [], "they are taken")
      for (const { attempts, destination, lease_owner } of await rows(executor)) {
        assert.deepStrictEqual([Number(attempts), lease_owner], destination === "other" ? [0, null] : [1, "me"])
      }
    })

    it("leaves a key alone whose oldest event is taken, delayed or parked", async () => {
      const { executor } = await filled(open, ["a1", "a2", "b1", "b2", "c1", "c2", "d1"])
      const store = storeOf(executor)
      const never = executor.dialect === "postgres" ? "'infinity'" : "9007199254740991"
      await set(executor, "a1", `available_at = ${inMillis(executor, 60_000)}, lease_owner = 'other'`)
      await set(executor, "b1", `available_at = ${inMillis(executor, 60_000)}`)
      await set(executor, "c1", `available_at = ${never}, parked_reason = 'refused'`)
      assert.deepStrictEqual(namesOf(await store.claim("me", "", 0, all)), ["d1"])
    })

    it("takes followers without a gap", async () => {
      const { executor } = await filled(open, ["a1", "a2", "a3", "a4"])
      await set(executor, "a3", `available_at = ${inMillis(executor, 60_000)}`)
      assert.deepStrictEqual(namesOf(await storeOf(executor).claim("me", "", 0, all)), ["a1", "a2"])
    })

    it("takes at most a run of a key, and so many keys, and goes on after them", async () => {
      const { executor } = await filled(open, ["a1", "a2", "a3", "b1", "b2", "c1", "d1", "u1", "u2", "u3"])
      const store = storeOf(executor)
      const first = await store.claim("me", "", 0, { lanes: 2, run: 2 })
      assert.deepStrictEqual(namesOf(first), ["a1", "a2", "b1", "b2", "u1", "u2"])
      assert.strictEqual(first.nextKey, "b")
      const second = await store.claim("me", first.nextKey!, first.nextSeq!, { lanes: 2, run: 2 })
      assert.deepStrictEqual(namesOf(second), ["c1", "d1", "u3"])
      assert.isUndefined(second.nextSeq)
      await store.ack(first.taken.map(({ seq }) => seq))
      const third = await store.claim("me", "", 0, { lanes: 2, run: 2 })
      assert.deepStrictEqual(namesOf(third), ["a3"])
      assert.isUndefined(third.nextKey)
    })

    it("looks at no more keys than it says, and where to go on", async () => {
      const { executor } = await filled(open, [])
      const keys = Array.from({ length: 30 }, (_, n) => String.fromCharCode(65 + n))
      await put(executor, keys.map((key) => `${key}1`))
      for (const key of keys.slice(0, 29)) {
        await set(executor, `${key}1`, `available_at = ${inMillis(executor, 60_000)}`)
      }
      const store = storeOf(executor)
      let after: string | undefined = ""
      let found: ReadonlyArray<string> = []
      for (let claims = 0; claims < 4 && after !== undefined; claims++) {
        const claimed: Claimed = await store.claim("me", after, 0, { lanes: 1, run: 8 })
        found = [...found, ...namesOf(claimed)]
        after = claimed.nextKey
        if (found.length > 0) break
      }
      assert.deepStrictEqual(found, [`${keys[29]}1`])
    })

    it("an event whose owner vanished may have been sent, and by how long ago at most", async () => {
      const { executor } = await filled(open, ["a1", "u1"])
      const store = storeOf(executor)
      await store.claim("dead", "", 0, all)
      await makeDue(executor, "a1")
      await makeDue(executor, "u1")
      const { taken } = await store.claim("me", "", 0, all)
      assert.lengthOf(taken, 2)
      for (const { ambiguousForMs, attempts } of taken) {
        assert.isAtLeast(ambiguousForMs!, 600_000)
        assert.isBelow(ambiguousForMs!, 700_000)
        assert.strictEqual(attempts, 2)
      }
    })

    it("one that was given back was not", async () => {
      const { executor } = await filled(open, ["a1"])
      const store = storeOf(executor)
      const { taken: [first] } = await store.claim("me", "", 0, all)
      assert.strictEqual(await store.stop("me", undefined, [first!.seq]), 1)
      const { taken: [second] } = await store.claim("me", "", 0, all)
      assert.isUndefined(second!.ambiguousForMs)
      assert.strictEqual(second!.attempts, 1)
    })

    it("what stops a lane is written for its owner only, and the rest is given back", async () => {
      const { executor } = await filled(open, ["a1", "a2", "a3"])
      const store = storeOf(executor)
      const { taken } = await store.claim("me", "", 0, all)
      const [a1, a2, a3] = taken.map(({ seq }) => seq) as [number, number, number]
      const failed = { seq: a1, delayMs: 60_000, isAmbiguous: true, status: 503, text: "no", reason: undefined }
      assert.strictEqual(await store.stop("other", failed, [a2, a3]), 0)
      assert.strictEqual(await store.stop("me", failed, [a2, a3]), 3)
      const [first, second] = await rows(executor)
      assert.deepInclude(first, { last_error: "no", lease_owner: null, parked_reason: null })
      assert.strictEqual(Number(first!.last_status), 503)
      assert.isNotNull(first!.first_ambiguous_at)
      assert.isNull(second!.first_ambiguous_at)
      assert.isNull(second!.last_error)
      assert.strictEqual(Number(second!.attempts), 0)
      assert.deepStrictEqual(namesOf(await store.claim("me", "", 0, all)), [], "the delay blocks the key")
      const since = String(first!.first_ambiguous_at)
      await makeDue(executor, "a1")
      const again = await store.claim("me2", "", 0, all)
      assert.deepStrictEqual(namesOf(again), ["a1", "a2", "a3"])
      await store.stop("me2", failed, [])
      assert.strictEqual(String((await rows(executor))[0]!.first_ambiguous_at), since, "the first time counts")
    })

    it("takes nothing while the gate is closed, and the longest closure wins", async () => {
      const { another, executor } = await filled(open, ["a1", "u1"])
      const store = storeOf(executor)
      await store.closeGate(60_000, "first")
      await store.closeGate(1_000, "second")
      assert.deepStrictEqual(namesOf(await storeOf(another()).claim("me", "", 0, all)), [])
      const millis = await store.gateClosedFor()
      assert.isAbove(millis, 10_000)
      assert.isAtMost(millis, 60_000)
      await store.closeGate(120_000, "third")
      assert.isAbove(await store.gateClosedFor(), 60_000)
      await executor.execute(`update hookrail_gate set closed_until = ${inMillis(executor, -1)}`, [])
      assert.strictEqual(await store.gateClosedFor(), 0)
      assert.deepStrictEqual(namesOf(await store.claim("me", "", 0, all)), ["a1", "u1"])
    })

    it("claims at the same time share no key", async () => {
      const keys = ["a", "b", "c", "d", "e", "f"]
      const { another, executor } = await filled(open, keys.flatMap((key) => [1, 2, 3].map((n) => `${key}${n}`)))
      const stores = [executor, another(), another(), another()].map((it) => storeOf(it))
      const claims = await Promise.all(stores.map((store, n) => store.claim(`r${n}`, "", 0, { lanes: 2, run: 2 })))
      const owners = new Map<string, number>()
      claims.forEach(({ taken }, n) => {
        for (const { orderingKey } of taken) {
          assert.include([undefined, n], owners.get(orderingKey!))
          owners.set(orderingKey!, n)
        }
      })
      const names = claims.flatMap(namesOf)
      assert.strictEqual(new Set(names).size, names.length)
      assert.isAtLeast(owners.size, 2)
    })

    it("a row that does not decode is told apart, with its number", async () => {
      const { executor } = await filled(open, ["a1"])
      // What a driver with other type settings would give.
      const odd: Executor = {
        ...executor,
        execute: async (sql, params) =>
          (await executor.execute(sql, params)).map((row) => "body" in row ? { ...row, body: 42 } : row)
      }
      const { taken } = await storeOf(odd).claim("me", "", 0, all)
      assert.deepInclude(taken[0]!.event, { _tag: "RowError", column: "body" })
    })
  })
}
