/** A pace step by step, with exact figures: `pace.test.ts` has what they come to. */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Pace } from "../src/gate/pace.js"

const maxPause = 30_000

const near = (actual: number, expected: number) => assert.closeTo(actual, expected, 1e-9 * Math.max(1, expected))

/** An answer that is no overload. */
const accept = (pace: Pace, now: number, count = 1) => {
  for (let n = 0; n < count; n++) if (pace.answered(pace.era)) pace.look(now)
}

const refuse = (pace: Pace, now: number, status: number, count = 1) => {
  for (let n = 0; n < count; n++) pace.overloaded(now, pace.era, status, 0)
}

/** An open pace whose meter knows a rate: so many accepted in the first second, and none since. */
const known = (perSecond: number) => {
  const pace = new Pace(maxPause)
  pace.look(0)
  for (let n = 0; n < perSecond; n++) pace.answered(0)
  pace.look(1_000)
  return pace
}

/** One overload and then `gap` others, again and again: how many overloads there were when the era changed. */
const overloadsUntilCut = (pace: Pace, now: number, gap: number, status: number): number | undefined => {
  const { era } = pace
  for (let overloads = 1; overloads <= 500; overloads++) {
    refuse(pace, now, status)
    accept(pace, now, gap)
    if (pace.era !== era) return overloads
  }
  return undefined
}

/** The same by an average that is moved by each answer. */
const expected = (memory: number, tolerated: number, gap: number): number | undefined => {
  let share = 0
  for (let overloads = 1; overloads <= 500; overloads++) {
    share += (1 - share) / memory
    if (share > tolerated) return overloads
    for (let n = 0; n < gap; n++) share -= share / memory
  }
  return undefined
}

/** A pace after a cut: 11 of 22 were refused at 1 second, and the limit is 1,011 per second. */
const cut = (status: number) => {
  const pace = known(1_000)
  strictEqual(overloadsUntilCut(pace, 1_000, 1, status), 11)
  strictEqual(pace.state, "paced")
  return pace
}

const limit = 1_011

describe("the share that an open pace tolerates", () => {
  const gaps = Array.from({ length: 24 }, (_, n) => n + 1)

  it("is 5 % over 200 answers", () => {
    for (const status of [429, 503]) {
      deepStrictEqual(
        gaps.map((gap) => overloadsUntilCut(known(1_000), 1_000, gap, status)),
        gaps.map((gap) => expected(200, 0.05, gap))
      )
    }
  })

  it("is 20 % of 503s, not of 429s, while no rate is known", () => {
    for (const [status, share] of [[503, 0.2], [429, 0.05]] as const) {
      deepStrictEqual(
        gaps.map((gap) => overloadsUntilCut(new Pace(maxPause), 0, gap, status)),
        gaps.map((gap) => expected(200, share, gap))
      )
    }
  })

  it("is 5 % over 60 answers once there is a pace", () => {
    deepStrictEqual(
      gaps.map((gap) => overloadsUntilCut(cut(429), 1_000, gap, 429)),
      gaps.map((gap) => expected(60, 0.05, gap))
    )
  })
})

describe("the look at the clock", () => {
  it("comes with each 32nd answer, and with the first one after an overload", () => {
    const pace = new Pace(maxPause)
    const looks = []
    for (let n = 1; n <= 96; n++) if (pace.answered(0)) looks.push(n)
    deepStrictEqual(looks, [32, 64, 96])
    refuse(pace, 0, 503)
    deepStrictEqual([pace.answered(0), pace.answered(0)], [true, false])
  })

  it("comes with each answer while there is a pace, unless it is to an older request", () => {
    const pace = cut(429)
    deepStrictEqual([pace.answered(pace.era), pace.answered(pace.era)], [true, true])
    deepStrictEqual([pace.answered(pace.era - 1), pace.answered(pace.era - 2)], [false, false])
  })
})

describe("overloads in a row", () => {
  it("are 8 with no pace, and 5 with one", () => {
    const open = new Pace(maxPause)
    refuse(open, 0, 503, 7)
    deepStrictEqual([open.state, open.era], ["open", 0])
    refuse(open, 0, 503)
    deepStrictEqual([open.state, open.rate, open.era], ["probing", 0, 1])
    const paced = cut(429)
    refuse(paced, 1_000, 429, 4)
    strictEqual(paced.state, "paced")
    refuse(paced, 1_000, 429)
    strictEqual(paced.state, "probing")
  })

  it("put a pace in doubt from the second one on", () => {
    const pace = new Pace(maxPause)
    deepStrictEqual([pace.room(64), pace.room(5)], [64, 5])
    refuse(pace, 0, 503)
    strictEqual(pace.room(64), 64)
    refuse(pace, 0, 503)
    deepStrictEqual([pace.room(64), pace.room(5)], [8, 5])
  })

  it("of another era change nothing", () => {
    const pace = new Pace(maxPause)
    for (let n = 0; n < 20; n++) pace.overloaded(0, 7, 503, 0)
    deepStrictEqual([pace.state, pace.room(64)], ["open", 64])
  })
})

describe("what is accepted", () => {
  /** Both to 14 in turn: the second of the others brings the cut. */
  const cutWithTwo = (pace: Pace, now: number, status = 429) => {
    for (let n = 0; n < 2; n++) {
      refuse(pace, now, status, 7)
      accept(pace, now)
    }
    strictEqual(pace.state, "paced")
    return pace
  }

  it("is measured from the mark before the last one, which is at least half a second old", () => {
    const pace = new Pace(maxPause)
    pace.look(0)
    for (let n = 0; n < 100; n++) pace.answered(0)
    pace.look(499)
    pace.look(500)
    for (let n = 0; n < 48; n++) pace.answered(0)
    near(cutWithTwo(pace, 700).rate, 0.85 * 150 / 0.7)
    // Half a second is enough: the rate is that of the second half.
    const half = new Pace(maxPause)
    half.look(0)
    for (let n = 0; n < 100; n++) half.answered(0)
    half.look(500)
    for (let n = 0; n < 48; n++) half.answered(0)
    near(cutWithTwo(half, 1_000).rate, 0.85 * 100)
    const later = new Pace(maxPause)
    later.look(0)
    later.look(400)
    for (let n = 0; n < 98; n++) later.answered(0)
    later.look(600)
    // The marks are at 0, 600 and 1,200, and the 98 were before the second one.
    near(cutWithTwo(later, 1_200).rate, 0.85 * 2 / 0.6)
  })

  it("is unknown after 4 seconds without a look", () => {
    for (const [now, rate] of [[4_000, 0.85 * 402 / 4], [4_001, 20]] as const) {
      const pace = new Pace(maxPause)
      pace.look(0)
      for (let n = 0; n < 400; n++) pace.answered(0)
      near(cutWithTwo(pace, now).rate, rate)
    }
  })

  it("counts from the mark in the first half second, but for at least 20 per second", () => {
    for (const [count, rate] of [[198, 170], [10, 20]] as const) {
      const pace = new Pace(maxPause)
      pace.look(0)
      for (let n = 0; n < count; n++) pace.answered(0)
      near(cutWithTwo(pace, 400).rate, rate)
    }
  })

  it("is at least one per second", () => {
    const pace = new Pace(maxPause)
    pace.look(0)
    cutWithTwo(pace, 4_000)
    strictEqual(pace.rate, 1)
    pace.start(4_000)
    strictEqual(pace.rate, 1)
    strictEqual(pace.delay(4_000), 1_000)
  })

  it("with a pace is taken for no more than the pace, and for no less than half of it", () => {
    // Marks at 1,000, 1,600 and 2,200; the second cut is at 2,200.
    for (const [count, part] of [[2_000, 1], [450, 450 / 0.6 / (0.85 * limit)], [10, 0.5]] as const) {
      const pace = cut(429)
      const { rate } = pace
      near(rate, 0.85 * limit)
      pace.look(1_600)
      for (let n = 0; n < count - 4; n++) pace.answered(pace.era)
      const { era } = pace
      strictEqual(overloadsUntilCut(pace, 2_200, 1, 429), 4)
      strictEqual(pace.era, era + 1)
      near(pace.rate, 0.85 * part * rate)
    }
  })
})

describe("the cubic curve", () => {
  it("is back at the limit after 4 seconds, and goes on from there", () => {
    const pace = cut(429)
    let last = 0
    for (let now = 1_000; now < 11_000; now += pace.delay(now)) {
      pace.start(now)
      near(pace.rate, limit * (1 + 0.15 * ((now - 1_000) / 4_000 - 1) ** 3))
      near(pace.delay(now), 1_000 / pace.rate)
      last = pace.rate
    }
    assert.isAbove(last, 1.4 * limit)
  })
})

describe("the plan", () => {
  it("is caught up with by 50 ms", () => {
    for (const late of [40, 50, 60, 1_000]) {
      const pace = cut(429)
      const now = 1_000 + late
      pace.start(now)
      let count = 1
      for (; pace.delay(now) === 0; count++) pace.start(now)
      const perMilli = pace.rate / 1_000
      strictEqual(count, Math.floor(Math.min(50, late) * perMilli) + 1)
    }
  })

  it("binds nobody once it was met late for more than 2 seconds", () => {
    const states = (...times: ReadonlyArray<number>) => {
      const pace = cut(429)
      return times.map((millis) => {
        pace.start(1_000 + millis)
        return pace.state
      })
    }
    deepStrictEqual(states(2_000), ["paced"])
    deepStrictEqual(states(2_001), ["open"])
    // Only who comes within those 50 ms was bound.
    deepStrictEqual(states(49, 2_049), ["paced", "paced"])
    deepStrictEqual(states(49, 2_050), ["paced", "open"])
    deepStrictEqual(states(50, 2_000), ["paced", "paced"])
    deepStrictEqual(states(50, 2_001), ["paced", "open"])
    // Neither does one that looks on.
    const pace = cut(429)
    deepStrictEqual([pace.endIfUnbound(3_000), pace.endIfUnbound(3_001), pace.endIfUnbound(9_000)], [
      false,
      true,
      false
    ])
    deepStrictEqual([pace.state, pace.rate, pace.delay(0)], ["open", Infinity, 0])
  })

  it("is still in force while somebody is far ahead of it", () => {
    const pace = new Pace(maxPause)
    pace.look(0)
    for (let n = 0; n < 2; n++) {
      refuse(pace, 4_000, 429, 7)
      accept(pace, 4_000)
    }
    // One per second: three seconds are taken.
    for (let n = 0; n < 3; n++) pace.start(4_000)
    strictEqual(pace.delay(4_000), 3_000)
    deepStrictEqual([pace.endIfUnbound(7_049), pace.endIfUnbound(7_050)], [false, true])
  })
})

describe("the end of an outage", () => {
  const down = () => {
    const pace = known(1_000)
    refuse(pace, 1_000, 503, 8)
    strictEqual(pace.state, "probing")
    return pace
  }

  it("is followed by 85 % of the limit, or by a slow start after 2 seconds", () => {
    for (const [millis, rate] of [[1_999, 850], [2_000, 125]] as const) {
      const pace = down()
      accept(pace, 1_000 + millis)
      strictEqual(pace.state, "paced")
      near(pace.rate, rate)
      accept(pace, 1_000 + millis)
      near(pace.rate, rate === 125 ? 125 + 2 * Math.LN2 : 850)
    }
  })

  it("ends the slow start at the limit", () => {
    const pace = down()
    accept(pace, 9_000)
    const answers = Math.ceil(875 / (2 * Math.LN2))
    accept(pace, 9_000, answers - 1)
    strictEqual(pace.state, "paced")
    accept(pace, 9_000)
    deepStrictEqual([pace.state, pace.rate], ["open", Infinity])
  })

  it("and the slow start keeps its rate until an answer", () => {
    const pace = down()
    accept(pace, 9_000)
    pace.start(9_500)
    near(pace.rate, 125)
  })

  it("is followed by a slow start without an end if nothing was known", () => {
    const pace = new Pace(maxPause)
    pace.look(0)
    for (let n = 0; n < 100; n++) pace.answered(0)
    refuse(pace, 400, 503, 8)
    accept(pace, 450)
    near(pace.rate, 85)
    accept(pace, 450, 2_000)
    strictEqual(pace.state, "paced")
    near(pace.rate / 85, (85 + 2_000 * Math.LN2) / 85)
  })

  it("forgets what was measured, not the limit", () => {
    const pace = down()
    accept(pace, 1_500)
    near(pace.rate, 850)
    // What is cut within half a second has the old limit.
    strictEqual(overloadsUntilCut(pace, 1_600, 1, 429), 4)
    near(pace.rate, 850)
  })

  it("makes the pauses short again", () => {
    const pace = down()
    refuse(pace, 1_100, 503, 3)
    strictEqual(pace.delay(1_100), 800)
    accept(pace, 1_200)
    refuse(pace, 1_200, 503, 5)
    deepStrictEqual([pace.state, pace.delay(1_200)], ["probing", 100])
  })

  it("is tried once in a pause, which Retry-After does not make longer for the next one", () => {
    const pace = known(1_000)
    for (let n = 0; n < 8; n++) pace.overloaded(1_000, 0, 503, 20_000)
    strictEqual(pace.delay(1_000), 20_000)
    pace.start(21_000)
    strictEqual(pace.delay(21_000), 100)
    pace.overloaded(21_000, pace.era, 503, 0)
    strictEqual(pace.delay(21_000), 200)
  })
})

describe("a cut against 503s", () => {
  /** So many overloads in the next answers, with others in between. */
  const answer = (pace: Pace, now: number, overloads: number, count: number, status = 503) => {
    const { era } = pace
    let done = 0
    for (let n = 1; n <= count && pace.era === era; n++) {
      if (Math.floor(n * overloads / count) > Math.floor((n - 1) * overloads / count)) refuse(pace, now, status)
      else accept(pace, now)
      done = n
    }
    return done
  }

  /** Of the last 32 before the cut, half was refused. */
  const shareBefore = () => {
    let share = 0
    for (let n = 0; n < 22; n++) share += ((n % 2 === 0 ? 1 : 0) - share) / 32
    // The one that brings the cut is looked at, but does not count.
    return share / (1 - 1 / 32)
  }

  it("is judged by the next 100 answers", () => {
    const pace = cut(503)
    const { era } = pace
    strictEqual(answer(pace, 1_000, 40, 100), 100)
    deepStrictEqual([pace.state, pace.era], ["open", era + 1])
  })

  it("has not failed where more than 40 % are refused: that is no chance", () => {
    const pace = cut(503)
    answer(pace, 1_000, 41, 100)
    strictEqual(pace.state, "paced")
  })

  it("has helped if the share is half of what it was", () => {
    const half = 100 * shareBefore() / 2
    for (const [overloads, state] of [[Math.floor(half), "paced"], [Math.ceil(half), "open"]] as const) {
      const pace = cut(503)
      answer(pace, 1_000, overloads, 100)
      strictEqual(pace.state, state)
    }
  })

  it("is judged no longer when a 429 comes", () => {
    const pace = cut(503)
    refuse(pace, 1_000, 429)
    const { era } = pace
    // It is cut again instead.
    assert.isBelow(answer(pace, 1_000, 40, 100), 100)
    deepStrictEqual([pace.state, pace.era], ["paced", era + 1])
  })

  it("takes late answers to the requests of before into account", () => {
    for (const old of ["accepted", "overloaded"] as const) {
      const states = []
      const expected = []
      for (let late = 0; late <= 60; late += 1) {
        const pace = cut(503)
        let share = shareBefore()
        for (let n = 0; n < late; n++) {
          if (old === "accepted") pace.answered(pace.era - 1)
          else pace.overloaded(1_000, pace.era - 1, 503, 0)
          // These are older still.
          pace.answered(pace.era - 2)
          pace.overloaded(1_000, pace.era - 2, 503, 0)
          share += ((old === "accepted" ? 0 : 1) - share) / 32
        }
        const overloads = old === "accepted" ? 10 : 30
        answer(pace, 1_000, overloads, 100)
        states.push(pace.state)
        expected.push(overloads / 100 > share / 2 ? "open" : "paced")
      }
      deepStrictEqual(states, expected)
      strictEqual(new Set(states).size, 2)
    }
  })

  it("that does not help makes more be tolerated, half as much after 30 seconds", () => {
    for (const later of [0, 30_000, 60_000]) {
      for (const gap of [1, 2, 3, 4, 5]) {
        const pace = cut(503)
        answer(pace, 1_000, 20, 100)
        strictEqual(pace.state, "open")
        const tolerated = 0.05 + 1.5 * 0.2 * 0.5 ** (later / 30_000)
        strictEqual(overloadsUntilCut(pace, 1_000 + later, gap, 429), expected(200, tolerated, gap))
      }
    }
  })
})
