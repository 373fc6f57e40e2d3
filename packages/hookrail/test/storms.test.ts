import { assert, describe, it } from "@effect/vitest"
import { strictEqual } from "@effect/vitest/utils"
import { Effect, Layer } from "effect"
import { SendGate } from "../src/index.js"
import { seeded } from "./utils/simulation.js"
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

describe("503s at random", { timeout: 60_000 }, () => {
  const at = (share: number, senders: number, eventsPerSender: number) => {
    const limiter = (random: () => number) => () => random() >= share
    const load = { senders, eventsPerSender, latency: [5, 5] as const, refusal: 503 as const }
    const program = (seed: number) => storm({ ...load, limiter: limiter(seeded(seed)) })
    const sum = (gate: Layer.Layer<never> | Layer.Layer<SendGate.SendGate>) =>
      [1, 2, 3].map((seed) => run(Effect.provide(program(seed), gate), `scattered ${seed}`))
        .reduce((a, b) => ({ ...a, lost: a.lost + b.lost, seconds: a.seconds + b.seconds }))
    return { gated: sum(Layer.empty), alone: sum(SendGate.layerNone) }
  }

  for (const [share, part] of [[0.001, 0.95], [0.01, 0.95], [0.1, 0.9]] as const) {
    it(`${100 * share} %, 64 at a time: at least ${100 * part} % of the throughput without a gate`, () => {
      const { alone, gated } = at(share, 64, 100)
      assert.isAtMost(gated.seconds, alone.seconds / part)
      assert.isAtMost(gated.lost, alone.lost + 5)
    })
  }

  it("1 %, 3,000 at once: none is lost", () => {
    const { gated } = at(0.01, 3_000, 1)
    strictEqual(gated.lost, 0)
    // 3 runs of 3,000, 64 at a time, 10 ms each, and the last retries.
    assert.isAtMost(gated.seconds, 3 * (0.48 + 0.8))
  })
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
