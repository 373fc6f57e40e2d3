import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { Claims, isDone, isRunning } from "../src/claims/claims.js"

const make = (capacity = 1000, ttl = 1000) => new Claims(capacity, ttl, 7)

/** Handles a delivery from beginning to end. */
const handle = (claims: Claims, key: string, now: number): void => {
  const token = claims.claim(key, now, 10)
  assert.isAbove(token, 0)
  claims.done(key, token, now)
}

describe("claims in memory", () => {
  it("forget the oldest beyond the capacity, and no others", () => {
    const claims = make(100)
    for (let index = 0; index < 1000; index++) handle(claims, `d${index}`, 0)
    assert.strictEqual(claims.size, 100)
    assert.strictEqual(claims.claim("d900", 0, 10), isDone)
    assert.strictEqual(claims.claim("d999", 0, 10), isDone)
    assert.isAbove(claims.claim("d899", 0, 10), 0)
  })

  it("take a few steps each, also when 300,000 expire at once", () => {
    const claims = make(300_000, 1000)
    for (let index = 0; index < 300_000; index++) handle(claims, `d${index}`, 0)
    for (let index = 0; index < 10; index++) {
      const before = claims.size
      claims.release("new", claims.claim("new", 5000, 10))
      assert.isAtLeast(claims.size, before - 4)
      assert.isBelow(claims.size, before)
    }
    // Not swept yet, but over.
    assert.isAbove(claims.claim("d299999", 5000, 10), 0)
  })

  it("are swept when they are abandoned", () => {
    const claims = make()
    for (let index = 0; index < 10_000; index++) assert.isAbove(claims.claim(`d${index}`, index, 10), 0)
    for (let index = 0; index < 20_000; index++) {
      const now = 1_000_000 + index
      claims.release("new", claims.claim("new", now, 10))
    }
    assert.strictEqual(claims.size, 0)
  })

  it("hold for a lease from their last renewal", () => {
    const claims = make()
    const token = claims.claim("a", 0, 10)
    assert.isTrue(claims.renew("a", token, 9, 10))
    assert.strictEqual(claims.claim("a", 18, 10), isRunning)
    const next = claims.claim("a", 19, 10)
    assert.isAbove(next, 0)
    assert.isFalse(claims.renew("a", token, 20, 10))
    assert.isTrue(claims.renew("a", next, 20, 10))
    claims.done("a", next, 21)
    assert.isFalse(claims.renew("a", next, 22, 10))
  })

  it("do as a plain model of them, whatever comes in whatever order", () => {
    const step = fc.record({
      kind: fc.constantFrom("claim", "renew", "done", "release"),
      key: fc.integer({ min: 0, max: 12 }).map((key) => `d${key}`),
      after: fc.integer({ min: 0, max: 40 })
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer(), (steps, seed) => {
        const capacity = 4
        const ttl = 100
        const claims = new Claims(capacity, ttl, seed)
        const tokens = new Map<string, number>()
        const running = new Map<string, number>()
        const done: Array<{ readonly key: string; readonly at: number }> = []
        let now = 0
        for (const { after, key, kind } of steps) {
          now += after
          const token = tokens.get(key) ?? 0
          if (kind === "claim") {
            const found = done.findIndex((entry) => entry.key === key)
            const isOver = found >= 0 && done[found]!.at + ttl <= now
            const answer = claims.claim(key, now, 50)
            if (found >= 0 && !isOver) assert.strictEqual(answer, isDone)
            else if ((running.get(key) ?? -1) > now) assert.strictEqual(answer, isRunning)
            else {
              assert.isAbove(answer, 0)
              if (found >= 0) done.splice(found, 1)
              running.set(key, now + 50)
              tokens.set(key, answer)
            }
          } else if (kind === "renew") {
            // One that is over may have been swept meanwhile.
            if ((running.get(key) ?? -1) <= now) continue
            assert.isTrue(claims.renew(key, token, now, 50))
            running.set(key, now + 50)
          } else {
            if ((running.get(key) ?? -1) <= now) continue
            running.delete(key)
            if (kind === "release") claims.release(key, token)
            else {
              claims.done(key, token, now)
              done.push({ key, at: now })
              if (done.length > capacity) done.shift()
            }
          }
        }
      }),
      { seed: 3, numRuns: 500 }
    )
  })
})
