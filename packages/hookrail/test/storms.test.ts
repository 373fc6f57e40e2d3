import { assert, describe, it } from "@effect/vitest"
import { strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { SendGate } from "../src/index.js"
import { fixedWindow, storm, tokenBucket } from "./utils/storm.js"
import { run } from "./utils/virtualTime.js"

const limiters = {
  "a fixed window": (seed: number) => fixedWindow(200, seed * 330),
  "a token bucket": () => tokenBucket(200, 200)
}

describe("1,000 senders at once against 200 requests per second", { timeout: 60_000 }, () => {
  for (const [name, limiter] of Object.entries(limiters)) {
    for (const [eventsPerSender, seeds] of [[1, [1, 2, 3]], [5, [1, 2]]] as const) {
      it(`${name}, events per sender: ${eventsPerSender}`, () => {
        for (const seed of seeds) {
          const result = run(storm({ limiter: limiter(seed), senders: 1_000, eventsPerSender }), `storm ${seed}`)
          strictEqual(result.lost, 0)
          assert.isAtMost(result.requestsPerEvent, 1.1)
          assert.isAtMost(result.makespan, 1.3)
        }
      })
    }

    it(`${name}, each fiber on its own, is far worse`, () => {
      const alone = storm({ limiter: limiter(1), senders: 1_000, eventsPerSender: 1 })
      const result = run(Effect.provide(alone, SendGate.layerNone), "storm 1")
      assert.isAtLeast(result.requestsPerEvent, 2)
      assert.isAtLeast(result.lost, 100)
    })
  }
})

describe("other storms", () => {
  it("a far server: the pace holds with 100 ms there and back", () => {
    const limiter = tokenBucket(200, 200)
    const result = run(storm({ limiter, senders: 1_000, eventsPerSender: 1, latency: [40, 60] }), "far")
    strictEqual(result.lost, 0)
    assert.isAtMost(result.requestsPerEvent, 1.1)
  })

  it("an outage of 20 seconds: few requests while it lasts, nothing lost", () => {
    const during = { requests: 0 }
    const limiter = (now: number) => {
      if (now < 20_000) during.requests++
      return now >= 20_000
    }
    const result = run(storm({ limiter, senders: 500, eventsPerSender: 1 }), "outage")
    strictEqual(result.lost, 0)
    // Those under way when it began, and a probe after each pause.
    assert.isAtMost(during.requests, 64 + 10)
  })
})
