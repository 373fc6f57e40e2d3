/** The parts of a gate one by one, with exact figures: `gate.test.ts` has what they do together. */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Clock, Effect, Exit, Fiber, TestClock } from "effect"
import { type Abortable, Callback, type Listener, nothing } from "../src/fiber/callback.js"
import * as Gate from "../src/gate/gate.js"
import { Lane } from "../src/gate/lane.js"
import type { Overload, Turn } from "../src/gate/model.js"
import { overloadOf } from "../src/gate/overload.js"
import { defaults } from "../src/gate/pace.js"
import { type Change, Reporter } from "../src/gate/report.js"
import { SendGate } from "../src/index.js"
import { problem, responseOf } from "./utils/memoryTransport.js"

const newcomer: Turn = { kind: "send", attempts: 0, deadline: Infinity }
const retry: Turn = { ...newcomer, attempts: 1 }
const overload: Overload = { status: 429, retryAfter: undefined }

type Reply = "ok" | Overload

const through = (gate: SendGate.Service, request: Effect.Effect<Reply>, turn = newcomer) =>
  gate.run(request, turn, (reply) => reply === "ok" ? undefined : reply)

const ok: Effect.Effect<Reply> = Effect.succeed("ok")

const settle = TestClock.adjust(0)

/** A lane, and a clock that the test turns. */
const laneOf = (maxInFlight = 64) => {
  const time = { now: 0, looks: 0 }
  const clock = {
    unsafeCurrentTimeMillis: () => time.now,
    unsafeCurrentTimeNanos: () => {
      time.looks++
      return BigInt(time.now) * 1_000_000n
    }
  } as Clock.Clock
  const changes: Array<Change> = []
  const lane = new Lane("sends", { ...defaults, maxInFlight }, new Reporter((change) => changes.push(change)))
  /** As many answers, one after the other. */
  const answer = (overload: Overload | undefined, count = 1) => {
    for (let n = 0; n < count; n++) {
      lane.enter()
      lane.answered(lane.pace.era, overload, clock)
    }
  }
  /** A pace of 20 per second. */
  const slowDown = () => {
    while (lane.pace.state === "open") {
      answer(overload)
      answer(undefined)
    }
    strictEqual(lane.pace.state, "paced")
  }
  const told = () => changes.splice(0).map(({ state }) => state)
  return { lane, time, clock, changes, answer, slowDown, told }
}

describe("which answers are an overload", () => {
  it("429 and 503, but not a full backlog", () => {
    const of = (status: number, body?: unknown) =>
      overloadOf(responseOf({ ...problem(status, { "retry-after": "7" }), body }))
    for (const status of [200, 202, 400, 428, 430, 500, 502, 504]) strictEqual(of(status), undefined)
    for (const body of [undefined, "", "<html>", { title: "too many", status: 429 }]) {
      for (const status of [429, 503]) deepStrictEqual(of(status, body), { status, retryAfter: "7" })
    }
    const full = { title: "backlog full", status: 429 }
    strictEqual(of(429, full), undefined)
    deepStrictEqual(of(503, full), { status: 503, retryAfter: "7" })
  })
})

describe("a reporter", () => {
  it("tells at most one change in a second", () => {
    let told = 0
    const reporter = new Reporter(() => told++)
    const change: Change = { what: "reads", state: "open", rate: 1, waiting: 0, status: 429 }
    deepStrictEqual(
      [0, 0, 999, 1_000, 1_001, 1_999, 2_500, 3_499, 3_500].map((now) => reporter.tell(now, change)),
      [true, false, false, true, false, false, true, false, true]
    )
    strictEqual(told, 4)
  })
})

describe("a lane", () => {
  it("has so many places, and none for whom others wait", () => {
    const { lane } = laneOf(2)
    deepStrictEqual([lane.enter(), lane.enter(), lane.enter()], [true, true, false])
    deepStrictEqual(lane.stats(0), { state: "open", inFlight: 2, waiting: 0, rate: Infinity })
    lane.release()
    for (const turn of [newcomer, retry]) {
      const waiter = lane.enqueue(turn)
      strictEqual(lane.enter(), false)
      deepStrictEqual(lane.stats(0), { state: "open", inFlight: 1, waiting: 1, rate: Infinity })
      lane.quit(waiter)
    }
    strictEqual(lane.enter(), true)
  })

  it("lets those who were tried go first, but the others while it probes", () => {
    const { answer, lane } = laneOf()
    const [tried, other] = [lane.enqueue(retry), lane.enqueue(newcomer)]
    deepStrictEqual([lane.mayGo(tried), lane.mayGo(other)], [true, false])
    lane.quit(tried)
    lane.quit(other)
    answer(overload, 8)
    strictEqual(lane.isPaced, true)
    const [triedNow, otherNow] = [lane.enqueue(retry), lane.enqueue(newcomer)]
    deepStrictEqual([lane.mayGo(triedNow), lane.mayGo(otherNow)], [false, true])
    lane.quit(otherNow)
    strictEqual(lane.mayGo(triedNow), true)
  })

  it("has fewer places when overloads come in a row", () => {
    const { answer, lane } = laneOf()
    answer(overload, 2)
    let places = 0
    while (lane.enter()) places++
    strictEqual(places, 8)
  })

  it("looks at the clock for one answer of many", () => {
    const { answer, time } = laneOf()
    answer(undefined, 31)
    strictEqual(time.looks, 0)
    answer(undefined)
    strictEqual(time.looks, 1)
    answer(overload)
    strictEqual(time.looks, 2)
  })

  it("waits as long as it is asked, by seconds or by a date of the wall clock", () => {
    for (
      const [retryAfter, delay] of [
        [undefined, 100],
        ["soon", 100],
        ["0", 100],
        ["3", 3_000],
        ["Thu, 01 Jan 1970 00:00:09 GMT", 5_000]
      ] as const
    ) {
      const { answer, lane, time } = laneOf()
      time.now = 4_000
      answer({ status: 503, retryAfter }, 8)
      strictEqual(lane.pace.delay(4_000), delay)
    }
  })

  it("tells what it comes to, who waits, and because of what", () => {
    const { answer, changes, clock, lane } = laneOf()
    answer(overload, 7)
    // Tried or not: both wait.
    for (const turn of [newcomer, newcomer, retry]) lane.enqueue(turn)
    lane.answered(0, { status: 503, retryAfter: undefined }, clock)
    deepStrictEqual(changes, [{ what: "sends", state: "probing", rate: 0, waiting: 3, status: 503 }])
    strictEqual(lane.stats(0).waiting, 3)
  })

  it("tells once of each change, and later of one that came too soon", () => {
    const { answer, lane, slowDown, time, told } = laneOf()
    answer(undefined, 64)
    deepStrictEqual(told(), [])
    slowDown()
    deepStrictEqual(told(), ["paced"])
    answer(undefined, 3)
    time.now = 2_100
    deepStrictEqual([lane.stats(2_000).state, lane.stats(2_001).state], ["paced", "open"])
    deepStrictEqual(told(), ["open"])
    lane.stats(5_000)
    deepStrictEqual(told(), [])
    answer(overload, 8)
    // Less than a second later.
    deepStrictEqual([told(), lane.pace.state], [[], "probing"])
    time.now = 3_001
    answer(overload)
    deepStrictEqual(told(), ["probing"])
    answer(overload)
    time.now = 6_000
    answer(overload)
    deepStrictEqual(told(), [])
  })

  it("does not tell of a pause at a limit until it lasts for a second", () => {
    for (const [millis, expected] of [[999, ""], [1_000, "probing"]] as const) {
      const { answer, lane, slowDown, time, told } = laneOf()
      slowDown()
      deepStrictEqual(told(), ["paced"])
      time.now = 5_000
      answer(overload, 5)
      strictEqual(lane.pace.state, "probing")
      deepStrictEqual(told(), [])
      time.now = 5_000 + millis
      answer(overload)
      strictEqual(told().join(), expected)
    }
  })
})

/** A clock that stands still. */
const clockAt = (now: number) =>
  ({ unsafeCurrentTimeMillis: () => now, unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n }) as Clock.Clock

describe("who waits at a pace", () => {
  it.effect("learns at the next look, once a second, that its budget cannot suffice any more", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      yield* Effect.replicateEffect(through(gate, Effect.succeed({ status: 429, retryAfter: "5" })), 8)
      yield* Effect.fork(through(gate, Effect.succeed<Reply>({ status: 503, retryAfter: "30" })))
      yield* Effect.fork(through(gate, ok))
      const hasty = []
      for (const turn of [newcomer, retry]) {
        hasty.push(yield* Effect.fork(through(gate, ok, { ...turn, deadline: 20_000 })))
      }
      yield* TestClock.adjust(5_999)
      deepStrictEqual(hasty.map((fiber) => fiber.unsafePoll()), [null, null])
      yield* TestClock.adjust(1)
      for (const fiber of hasty) strictEqual((yield* Effect.flip(Fiber.join(fiber))).status, 503)
      strictEqual((yield* gate.stats).waiting, 1)
      yield* TestClock.adjust(29_000)
      strictEqual((yield* gate.stats).waiting, 0)
    }))

  it.effect("goes if its turn comes with the last millisecond of its budget", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      yield* Effect.replicateEffect(through(gate, Effect.succeed({ status: 429, retryAfter: "5" })), 8)
      const [late, inTime] = [
        yield* Effect.fork(through(gate, ok, { ...newcomer, deadline: 4_999 })),
        yield* Effect.fork(through(gate, ok, { ...newcomer, deadline: 5_000 }))
      ]
      yield* settle
      assert.isTrue(Exit.isFailure(yield* Fiber.await(late)))
      strictEqual(inTime.unsafePoll(), null)
      yield* TestClock.adjust(5_000)
      strictEqual(yield* Fiber.join(inTime), "ok")
    }))

  it.effect("is called again after another one went before it", () =>
    Effect.gen(function*() {
      const gate = yield* SendGate.make()
      while ((yield* gate.stats).state === "open") {
        yield* through(gate, Effect.succeed(overload))
        yield* through(gate, ok)
      }
      yield* through(gate, ok)
      const order: Array<string> = []
      const log = (name: string) =>
        Effect.map(Clock.currentTimeMillis, (now): Reply => (order.push(`${name} ${now}`), "ok"))
      yield* Effect.fork(through(gate, log("newcomer")))
      yield* settle
      yield* Effect.fork(through(gate, log("retry"), retry))
      yield* TestClock.adjust(1_000)
      deepStrictEqual(order.map((entry) => entry.split(" ")[0]), ["retry", "newcomer"])
      strictEqual((yield* gate.stats).waiting, 0)
      assert.isAtMost(Number(order[1]!.split(" ")[1]), 100)
    }))
})

it.effect("a request without an answer says nothing of the server", () =>
  Effect.gen(function*() {
    for (const lost of [Effect.fail("lost"), Effect.die("defect"), Effect.interrupt]) {
      const gate = yield* SendGate.make()
      const refused = (times: number) => Effect.replicateEffect(through(gate, Effect.succeed(overload)), times)
      const lose = Effect.exit(gate.run(lost, newcomer, () => undefined))
      const state = Effect.map(gate.stats, ({ state }) => state)
      yield* refused(7)
      yield* lose
      strictEqual(yield* state, "open")
      yield* refused(1)
      strictEqual(yield* state, "probing")
      yield* TestClock.adjust("1 second")
      yield* lose
      strictEqual(yield* state, "probing")
    }
  }))

it("64 requests at a time, and pauses of 30 seconds, are what a gate has if nobody says otherwise", () => {
  deepStrictEqual(defaults, { maxInFlight: 64, maxPause: 30_000 })
})

describe("requests of callbacks", () => {
  class Request extends Callback<Reply, never> {
    listener: Listener<Reply, never> | undefined
    aborted = 0

    constructor(private readonly reply?: Reply) {
      super()
    }

    begin(listener: Listener<Reply, never>): Abortable {
      this.listener = listener
      if (this.reply === undefined) return { abort: () => void this.aborted++ }
      listener.resume(Effect.succeed(this.reply))
      return nothing
    }
  }

  const gateOf = (maxInFlight = 64) => {
    const changes: Array<Change> = []
    return { changes, gate: Gate.make({ ...defaults, maxInFlight }, (change) => changes.push(change)) }
  }

  it("all end when those before them end at once, however many there are", () => {
    const { gate } = gateOf(1)
    const first = new Request()
    let ended = 0
    const start = (request: Request) => {
      const passage = through(gate, request)
      assert.isTrue(passage instanceof Callback)
      ;(passage as Callback<Reply, unknown>).begin({ resume: () => ended++ }, clockAt(0))
    }
    start(first)
    for (let n = 0; n < 20_000; n++) start(new Request("ok"))
    strictEqual(ended, 0)
    first.listener!.resume(Effect.succeed("ok"))
    strictEqual(ended, 20_001)
    const { inFlight, waiting } = Effect.runSync(gate.stats)
    deepStrictEqual([inFlight, waiting], [0, 0])
  })

  it("tell nobody anything once they are aborted, and each end once", () => {
    const { gate } = gateOf()
    const start = () => {
      const request = new Request()
      let told = 0
      const passage = through(gate, request) as Callback<Reply, unknown>
      const running = passage.begin({ resume: () => told++ }, clockAt(0))
      return { request, running, told: () => told }
    }
    const aborted = start()
    aborted.running.abort()
    aborted.running.abort()
    for (const rest of [ok, Effect.delay(ok, 1)]) aborted.request.listener!.resume(rest)
    deepStrictEqual([aborted.told(), aborted.request.aborted], [0, 1])
    const twice = start()
    for (let n = 0; n < 2; n++) twice.request.listener!.resume(Effect.delay(ok, 1))
    strictEqual(twice.told(), 1)
    twice.running.abort()
    strictEqual(Effect.runSync(gate.stats).inFlight, 0)
  })

  it.effect("say something of the era in which they begin", () =>
    Effect.gen(function*() {
      const { changes, gate } = gateOf()
      for (const state of ["probing", "open", "probing"]) {
        if (state === "open") {
          yield* TestClock.adjust("1 second")
          yield* through(gate, new Request("ok"))
          yield* TestClock.adjust("5 seconds")
        } else yield* Effect.replicateEffect(through(gate, new Request(overload), { ...newcomer, kind: "read" }), 8)
        if (state === "open") yield* readThrough(gate)
        strictEqual((yield* gate.stats).reads.state, state)
        strictEqual((yield* gate.stats).state, "open")
      }
      deepStrictEqual(changes[0], { what: "reads", state: "probing", rate: 0, waiting: 0, status: 429 })
    }))

  /** Something gets through, and then there is no pace any more. */
  const readThrough = (gate: SendGate.Service) =>
    Effect.zipRight(
      through(gate, new Request("ok"), { ...newcomer, kind: "read" }),
      Effect.zipRight(TestClock.adjust("3 seconds"), gate.stats)
    )

  it.effect("that wait when a pace begins, and are interrupted then, leave once", () =>
    Effect.gen(function*() {
      const { gate } = gateOf(1)
      yield* Effect.replicateEffect(through(gate, new Request(overload)), 7)
      const eighth = new Request()
      yield* Effect.fork(through(gate, eighth))
      const waiting = []
      for (let n = 0; n < 3; n++) waiting.push(yield* Effect.fork(through(gate, new Request("ok"))))
      yield* settle
      eighth.listener!.resume(Effect.succeed(overload))
      yield* settle
      deepStrictEqual(yield* Effect.map(gate.stats, ({ state, waiting }) => [state, waiting]), ["probing", 3])
      yield* Fiber.interrupt(waiting[0]!)
      deepStrictEqual(yield* Effect.map(gate.stats, ({ inFlight, waiting }) => [inFlight, waiting]), [0, 2])
      yield* TestClock.adjust("1 second")
      for (const fiber of waiting.slice(1)) strictEqual(yield* Fiber.join(fiber), "ok")
      deepStrictEqual(yield* Effect.map(gate.stats, ({ inFlight, waiting }) => [inFlight, waiting]), [0, 0])
    }))

  it.effect("go nowhere in a gate that is none", () =>
    Effect.gen(function*() {
      const request = new Request("ok")
      strictEqual(through(Gate.none, request), request)
      const idle = { state: "open", inFlight: 0, waiting: 0, rate: Infinity }
      deepStrictEqual(yield* Gate.none.stats, { ...idle, reads: idle })
    }))
})
