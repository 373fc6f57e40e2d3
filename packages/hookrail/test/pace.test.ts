import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { FastCheck as fc } from "effect"
import { Pace } from "../src/gate/pace.js"
import {
  fixedWindow,
  type Load,
  loadShedder,
  outage,
  type Outcome,
  scattered,
  type Server,
  simulate,
  tokenBucket
} from "./utils/simulation.js"

const maxPause = 30_000

/** Requests that begin and are answered at once, one per millisecond; an overload for each 1. */
const feed = (pace: Pace, from: number, answers: ReadonlyArray<0 | 1>, status = 503): number => {
  let now = from
  for (const answer of answers) {
    now += 1
    if (answer === 1) pace.overloaded(now, pace.era, status, 0)
    else if (pace.answered(pace.era)) pace.look(now)
  }
  return now
}

const times = (count: number, answers: ReadonlyArray<0 | 1>) => Array.from({ length: count }, () => answers).flat()
const allRight = times(2_000, [0])
const nothing = times(8, [1])
/** A third of the requests is refused. */
const third = times(20, [1, 0, 0])

describe("an open pace", () => {
  it("holds nobody up, and reads the clock for one answer of many", () => {
    const pace = new Pace(maxPause)
    let looks = 0
    for (let n = 0; n < 1_000; n++) if (pace.answered(pace.era)) looks++
    strictEqual(pace.delay(0), 0)
    assert.isAtMost(looks, 1_000 / 32)
  })

  it("takes an overload now and then for chance", () => {
    const pace = new Pace(maxPause)
    feed(pace, 0, times(100, [...times(30, [0]), 1]))
    deepStrictEqual([pace.state, pace.rate, pace.era], ["open", Infinity, 0])
  })

  it("becomes paced below what was accepted when too large a share is refused", () => {
    const pace = new Pace(maxPause)
    const now = feed(pace, 0, [...allRight, ...third])
    strictEqual(pace.state, "paced")
    // 1,000 per second were accepted, and then two thirds of that for a moment.
    assert.closeTo(pace.rate, 850, 60)
    assert.isAtMost(pace.delay(now), 1)
  })

  it("is met in its first half second: what was accepted by then is where a slow start begins", () => {
    const pace = new Pace(maxPause)
    const now = feed(pace, 0, [...times(200, [0]), ...third], 429)
    strictEqual(pace.state, "paced")
    assert.isAbove(pace.rate, 100)
    assert.isBelow(pace.rate, 300)
    const idle = new Pace(maxPause)
    feed(idle, 0, third, 429)
    assert.isBelow(idle.rate, 60)
    assert.isBelow(now, 500)
  })

  it("does not take one burst for two: requests from before a cut say nothing about it", () => {
    const pace = new Pace(maxPause)
    const { era } = pace
    const now = feed(pace, 0, [...allRight, ...third])
    const { rate } = pace
    for (let n = 0; n < 64; n++) pace.overloaded(now + n, era, 429, 60_000)
    deepStrictEqual([pace.state, pace.rate], ["paced", rate])
  })
})

describe("a pace in doubt", () => {
  it("lets few more go until it is clear whether anything gets through", () => {
    const pace = new Pace(maxPause)
    const now = feed(pace, 0, [...allRight, 1])
    strictEqual(pace.room(64), 64)
    pace.overloaded(now, pace.era, 503, 0)
    deepStrictEqual([pace.room(64), pace.room(3)], [8, 3])
    if (pace.answered(pace.era)) pace.look(now)
    strictEqual(pace.room(64), 64)
    feed(pace, now, nothing)
    deepStrictEqual([pace.state, pace.room(64)], ["probing", 64])
  })
})

describe("a pace that nothing gets through", () => {
  it("tries one request after each pause, and the pauses get longer up to 5 seconds", () => {
    const pace = new Pace(maxPause)
    let now = feed(pace, 0, [...allRight, ...nothing])
    strictEqual(pace.state, "probing")
    const pauses = []
    for (let n = 0; n < 8; n++) {
      const pause = pace.delay(now)
      pauses.push(pause)
      now += pause
      pace.start(now)
      // A second one has to wait for the next pause, whether there is an answer by then or not.
      assert.isAbove(pace.delay(now), 0)
      pace.overloaded(now, pace.era, 503, 0)
    }
    deepStrictEqual(pauses, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  })

  it("waits as long as Retry-After asks, up to the longest pause, and only then", () => {
    for (const [retryAfter, pause] of [[7_000, 7_000], [50, 100], [120_000, maxPause], [Infinity, maxPause]] as const) {
      const pace = new Pace(maxPause)
      const now = feed(pace, 0, allRight)
      for (let n = 0; n < 7; n++) pace.overloaded(now, pace.era, 503, retryAfter)
      strictEqual(pace.delay(now), 0)
      pace.overloaded(now, pace.era, 503, retryAfter)
      strictEqual(pace.delay(now), pause)
    }
  })

  it("goes on with most of its rate after a short outage, and with an eighth after a long one", () => {
    for (const [millis, rate] of [[1_000, 850], [5_000, 125]] as const) {
      const pace = new Pace(maxPause)
      const now = feed(pace, 0, [...allRight, ...nothing]) + millis
      pace.start(now)
      assert.isTrue(pace.answered(pace.era))
      pace.look(now)
      strictEqual(pace.state, "paced")
      assert.closeTo(pace.rate, rate, rate / 10)
    }
  })
})

describe("a paced pace", () => {
  const paced = () => {
    const pace = new Pace(maxPause)
    const now = feed(pace, 0, [...allRight, ...third], 429)
    strictEqual(pace.state, "paced")
    return { pace, now }
  }

  it("is back at what was accepted after 4 seconds, and 15 % above it after 8", () => {
    const { now, pace } = paced()
    const limit = pace.rate / 0.85
    for (let t = now; t <= now + 4_000; t += pace.delay(t) || 1) pace.start(t)
    assert.closeTo(pace.rate, limit, limit / 100)
    for (let t = now + 4_000; t <= now + 8_000; t += pace.delay(t) || 1) pace.start(t)
    assert.closeTo(pace.rate, 1.15 * limit, limit / 100)
  })

  it("opens when it has held up nobody for 2 seconds", () => {
    const { now, pace } = paced()
    pace.start(now + 1_900)
    strictEqual(pace.state, "paced")
    const later = paced()
    later.pace.start(later.now + 2_100)
    strictEqual(later.pace.state, "open")
  })

  it("catches up with a late timer, and not with a long silence", () => {
    const { now, pace } = paced()
    pace.start(now)
    let late = 0
    for (; pace.delay(now + 40) === 0; late++) pace.start(now + 40)
    assert.isAtLeast(late, 20)
    let silent = 0
    for (; pace.delay(now + 1_040) === 0; silent++) pace.start(now + 1_040)
    assert.isAtMost(silent, 60)
  })

  it("opens when a cut does not help against 503s, and tolerates as many from then on", () => {
    const pace = new Pace(maxPause)
    const tenth = times(40, [1, ...times(9, [0])])
    const now = feed(pace, 0, [...allRight, ...tenth])
    strictEqual(pace.state, "open")
    const { era } = pace
    assert.isAbove(era, 0)
    feed(pace, now, times(10, tenth))
    deepStrictEqual([pace.state, pace.era], ["open", era])
  })

  it("does not open for 429s, which are never chance", () => {
    const pace = new Pace(maxPause)
    feed(pace, 0, [...allRight, ...times(100, [1, ...times(9, [0])])], 429)
    strictEqual(pace.state, "paced")
  })
})

describe("whatever is answered", () => {
  const step = fc.record({
    millis: fc.oneof(fc.nat(20), fc.nat(10_000)),
    answer: fc.constantFrom("accepted", "overloaded", "overloaded", "lost", "old"),
    status: fc.constantFrom(429, 503),
    retryAfter: fc.oneof(fc.constant(0), fc.nat(1_000_000), fc.constant(Infinity)),
    times: fc.integer({ min: 1, max: 40 })
  })

  it("a pace is a positive number, no wait is longer than the longest pause, and it opens again", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pace = new Pace(maxPause)
        let now = 0
        const check = () => {
          const delay = pace.delay(now)
          assert.isTrue(delay >= 0 && delay < maxPause + 0.001, `${delay} ms`)
          if (pace.state === "paced") assert.isTrue(pace.rate >= 1 && pace.rate < Infinity, `${pace.rate}/s`)
        }
        for (const { answer, millis, retryAfter, status, times } of steps) {
          for (let n = 0; n < times; n++) {
            now += pace.delay(now) > millis ? pace.delay(now) : millis
            const { era } = pace
            pace.start(now)
            if (answer === "overloaded") pace.overloaded(now, era, status, retryAfter)
            if (answer === "accepted" && pace.answered(era)) pace.look(now)
            if (answer === "old" && pace.answered(era - 1)) pace.look(now)
            check()
          }
        }
        // From now on all is well.
        const end = now + 120_000
        while (pace.state !== "open" && now < end) {
          now += Math.max(1, pace.delay(now))
          const { era } = pace
          pace.start(now)
          if (pace.answered(era)) pace.look(now)
          check()
        }
        strictEqual(pace.state, "open")
      }),
      { seed: 23, numRuns: 300 }
    )
  })
})

// -----------------------------------------------------------------------------------------------------------------
// what it comes to
// -----------------------------------------------------------------------------------------------------------------

const seeds = [1, 2, 3]
/** 64 senders that never stop, 10 ms there and back. */
const steady = { senders: 64, eventsPerSender: Infinity, latency: [5, 5] } as const

/** Per second, between two times. */
const rateOf = ({ times }: Outcome, from: number, until: number): number =>
  times.filter((time) => time >= from && time < until).length / (until - from) * 1_000

const both = (load: (gate: Load["gate"]) => Load) => ({ gated: simulate(load("gate")), alone: simulate(load("none")) })

describe("503s at random", () => {
  for (const [share, part] of [[0.001, 0.95], [0.01, 0.95], [0.1, 0.9]] as const) {
    it(`${100 * share} %: at least ${100 * part} % of the throughput without a gate`, () => {
      for (const seed of seeds) {
        const { alone, gated } = both((gate) => ({
          ...steady,
          gate,
          seed,
          until: 15_000,
          server: scattered(share, seed)
        }))
        assert.isAtLeast(rateOf(gated, 0, 15_000), part * rateOf(alone, 0, 15_000))
      }
    })
  }

  it("10,000 sends at once, 1 %: none is lost, and it hardly takes longer", () => {
    for (const seed of seeds) {
      const { alone, gated } = both((gate) => ({
        senders: 10_000,
        eventsPerSender: 1,
        latency: [5, 5],
        gate,
        seed,
        server: scattered(0.01, seed)
      }))
      strictEqual(gated.lost, 0)
      assert.isAtMost(gated.makespan, 1.5 * alone.makespan)
    }
  })

  it("six events that are refused for ever among 3,000: the others do not notice", () => {
    for (const seed of seeds) {
      const refused = new Set([5, 500, 1_000, 1_500, 2_000, 2_990])
      const { alone, gated } = both((gate) => ({
        senders: 3_000,
        eventsPerSender: 1,
        latency: [5, 5],
        gate,
        seed,
        server: (_, event) => ({ status: refused.has(event) ? 503 : 202 })
      }))
      strictEqual(gated.times.length, 2_994)
      assert.isAtMost(gated.times.at(-1)!, 1.1 * alone.times.at(-1)!)
    }
  })

  it("one that asks for two minutes binds nobody else", () => {
    let answers = 0
    const { makespan, states } = simulate({
      senders: 1_000,
      eventsPerSender: 1,
      gate: "gate",
      seed: 1,
      retry: { maxRetries: 0 },
      server: () => ++answers === 50 ? { status: 503, retryAfter: 120_000 } : { status: 202 }
    })
    deepStrictEqual(states, [])
    assert.isAtMost(makespan, 1_000)
  })

  for (const strays of [[5_000], [5_000, 5_000, 8_000]]) {
    it(`${strays.length} at full load: no dip that a person could see`, () => {
      const left = [...strays]
      const outcome = simulate({
        ...steady,
        gate: "gate",
        seed: 1,
        until: 10_000,
        server: (now) => left[0] !== undefined && now >= left[0] ? (left.shift(), { status: 503 }) : { status: 202 }
      })
      strictEqual(left.length, 0)
      for (let from = 1_000; from < 9_500; from += 500) assert.isAtLeast(rateOf(outcome, from, from + 500), 5_760)
    })
  }
})

describe("an outage", () => {
  for (const [millis, within] of [[1_000, 2_000], [5_000, 5_000], [20_000, 8_000]] as const) {
    it(`of ${millis / 1_000} s: few requests meet it, none is lost, and the rate is soon back`, () => {
      const end = 5_000 + millis
      const outcome = simulate({ ...steady, gate: "gate", seed: 1, until: end + 10_000, server: outage(5_000, end) })
      strictEqual(outcome.lost, 0)
      assert.isAtMost(outcome.requests - outcome.accepted, 64 + 12)
      assert.isAtLeast(rateOf(outcome, end + within, end + within + 500), 5_760)
    })
  }
})

describe("a limit", () => {
  const patient = { maxRetries: 4, maxElapsed: 300_000 }
  const limits: Record<string, (limit: number, seed: number) => Server> = {
    "token bucket": (limit) => tokenBucket(limit, limit),
    "fixed window": (limit, seed) => fixedWindow(limit, seed * 330),
    "load shedder": (limit) => loadShedder(limit, 100)
  }

  for (const [name, server] of Object.entries(limits)) {
    for (const limit of [50, 100, 200, 500, 1_000, 2_000]) {
      it(`of ${limit}/s, ${name}: hardly a request too many, none is lost, and it is used`, () => {
        const eventsPerSender = Math.max(1, limit / 100)
        const events = 1_000 * eventsPerSender
        for (const seed of seeds) {
          const outcome = simulate({
            senders: 1_000,
            eventsPerSender,
            gate: "gate",
            seed,
            retry: patient,
            server: server(limit, seed)
          })
          strictEqual(outcome.lost, 0)
          assert.isAtMost(outcome.requests / events, 1.15)
          assert.isAtMost(outcome.makespan, 2_000 * events / limit)
        }
      })
    }

    it(`of 200/s, ${name}, for a minute: all of it is used`, () => {
      const outcome = simulate({
        senders: 200,
        eventsPerSender: Infinity,
        gate: "gate",
        seed: 1,
        until: 60_000,
        retry: patient,
        server: server(200, 1)
      })
      strictEqual(outcome.lost, 0)
      assert.isAtMost(outcome.requests / outcome.accepted, 1.05)
      assert.isAtLeast(rateOf(outcome, 10_000, 60_000), 0.93 * 200)
    })
  }
})
