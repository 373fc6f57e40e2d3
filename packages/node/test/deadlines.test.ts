import { assert, describe, it } from "@effect/vitest"
import { vi } from "vitest"
import { Deadlines, type Limited } from "../src/transport/deadlines.js"

/** The time is the test's. */
const withTime = (test: () => void) => () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
  // There are no sockets to be read first.
  vi.stubGlobal("setImmediate", (then: () => void) => then())
  try {
    test()
  } finally {
    vi.unstubAllGlobals()
    vi.useRealTimers()
  }
}

class Item implements Limited {
  slot = -1
  firedAt = 0
  due: number

  constructor(private readonly deadlines: Deadlines, millis: number, private readonly onTime?: (item: Item) => void) {
    this.due = performance.now() + millis
    deadlines.add(this)
  }

  onDue(now: number): void {
    if (this.onTime !== undefined) return this.onTime(this)
    this.firedAt = now
    this.deadlines.delete(this)
  }
}

describe("deadlines", () => {
  it(
    "each comes in time, in whatever order they were set",
    withTime(() => {
      const deadlines = new Deadlines()
      const start = performance.now()
      const items = [50, 10, 30, 30, 90].map((millis) => new Item(deadlines, millis))
      vi.advanceTimersByTime(29)
      assert.deepStrictEqual(items.map(({ firedAt }) => firedAt > 0), [false, true, false, false, false])
      const late = new Item(deadlines, 5)
      vi.advanceTimersByTime(200)
      assert.deepStrictEqual(items.map(({ firedAt }) => firedAt - start), [50, 10, 30, 30, 90])
      assert.strictEqual(late.firedAt - start, 34)
      assert.strictEqual(vi.getTimerCount(), 0)
    })
  )

  it(
    "what has left is not fired, and what may stay is asked again",
    withTime(() => {
      const deadlines = new Deadlines()
      const start = performance.now()
      const gone = new Item(deadlines, 10)
      deadlines.delete(gone)
      let asked = 0
      const patient = new Item(deadlines, 20, (item) => {
        if (++asked < 3) item.due += 20
        else deadlines.delete(item)
      })
      vi.advanceTimersByTime(59)
      assert.strictEqual(asked, 2)
      vi.advanceTimersByTime(1)
      assert.deepStrictEqual([asked, patient.due - start, gone.firedAt, vi.getTimerCount()], [3, 60, 0, 0])
    })
  )

  it(
    "one that ends others, or sets new ones, confuses nobody",
    withTime(() => {
      const deadlines = new Deadlines()
      const start = performance.now()
      const items: Array<Item> = []
      let added: Item | undefined
      items.push(
        new Item(deadlines, 10, (item) => {
          for (const each of items) deadlines.delete(each)
          deadlines.delete(item)
          added = new Item(deadlines, 5)
        })
      )
      for (let n = 0; n < 4; n++) items.push(new Item(deadlines, 1_000))
      vi.advanceTimersByTime(5_000)
      assert.deepStrictEqual(items.map(({ firedAt }) => firedAt), [0, 0, 0, 0, 0])
      assert.strictEqual(added!.firedAt - start, 15)
    })
  )
})
