import { describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { FastCheck as fc } from "effect"
import { Bag, type Bagged } from "../src/internal/bag.js"
import { Queue, type Queued } from "../src/internal/queue.js"

class Item implements Bagged, Queued<Item> {
  slot = -1
  next: Item | undefined
  previous: Item | undefined
}

/** For each step, which of those that are in leaves; beyond them, another one comes. */
const steps = fc.array(fc.nat(12), { maxLength: 200 })

describe("what comes and goes", () => {
  it("a bag holds what a set would", () => {
    fc.assert(fc.property(steps, (steps) => {
      const bag = new Bag<Item>()
      const set = new Set<Item>()
      for (const step of steps) {
        const item = [...set][step] ?? new Item()
        if (set.delete(item)) {
          bag.delete(item)
          // Once more does nothing.
          bag.delete(item)
        } else {
          bag.add(item)
          set.add(item)
        }
        deepStrictEqual(new Set(bag), set)
      }
    }))
  })

  it("a bag can be emptied while it is gone through", () => {
    const bag = new Bag<Item>()
    for (let n = 0; n < 5; n++) bag.add(new Item())
    let seen = 0
    for (const item of bag) {
      bag.delete(item)
      seen++
    }
    deepStrictEqual([seen, [...bag].length], [5, 0])
  })

  it("a queue keeps the order of a list, and forgets who has left", () => {
    fc.assert(fc.property(steps, (steps) => {
      const queue = new Queue<Item>()
      const list: Array<Item> = []
      for (const step of steps) {
        const [item] = list.splice(step, 1)
        if (item === undefined) {
          list.push(new Item())
          queue.add(list.at(-1)!)
        } else {
          queue.delete(item)
          deepStrictEqual([item.next, item.previous], [undefined, undefined])
        }
        const queued: Array<Item> = []
        for (let next = queue.first; next !== undefined; next = next.next) queued.push(next)
        strictEqual(queue.size, list.length)
        strictEqual(queued.length, list.length)
        for (const [index, item] of list.entries()) strictEqual(queued[index], item)
      }
    }))
  })
})
