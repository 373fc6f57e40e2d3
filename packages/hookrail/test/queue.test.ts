import { describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { FastCheck as fc } from "effect"
import { Queue, type Queued } from "../src/gate/queue.js"

class Item implements Queued<Item> {
  next: Item | undefined
  previous: Item | undefined
}

/** For each step, which of those that are in leaves; beyond them, another one comes. */
const steps = fc.array(fc.nat(12), { maxLength: 200 })

describe("what comes and goes", () => {
  it("a queue can be emptied while it is gone through", () => {
    const queue = new Queue<Item>()
    for (let n = 0; n < 5; n++) queue.add(new Item())
    let seen = 0
    for (const item of queue) {
      queue.delete(item)
      seen++
    }
    deepStrictEqual([seen, [...queue].length, queue.size], [5, 0, 0])
  })

  it("a queue keeps the order of a list, and forgets who has left", () => {
    fc.assert(
      fc.property(steps, (steps) => {
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
          const queued = [...queue]
          strictEqual(queue.first, list[0])
          strictEqual(queue.size, list.length)
          strictEqual(queued.length, list.length)
          for (const [index, item] of list.entries()) strictEqual(queued[index], item)
        }
      }),
      { seed: 9, numRuns: 300 }
    )
  })
})
