import { describe, it } from "@effect/vitest"
import { assertInclude, assertTrue, deepStrictEqual, notDeepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Clock, Duration, Effect, FastCheck as fc, Layer, TestClock } from "effect"
import * as DeliveryLog from "../src/DeliveryLog.js"
import * as virtualTime from "./utils/virtualTime.js"

const lease = Duration.seconds(10)

/** Claims a delivery that is there to be claimed. */
const claimed = (log: DeliveryLog.Service, deliveryId: string) =>
  Effect.map(log.claim(deliveryId, lease), (claim) => {
    assertTrue(claim._tag === "Claimed", `${deliveryId} is ${claim._tag}`)
    return claim.token
  })

const tagOf = (log: DeliveryLog.Service, deliveryId: string) =>
  Effect.map(log.claim(deliveryId, lease), ({ _tag }) => _tag)

/** Handles a delivery from beginning to end. */
const handle = (log: DeliveryLog.Service, deliveryId: string) =>
  Effect.flatMap(claimed(log, deliveryId), (token) => log.done(deliveryId, token))

describe("a claim", () => {
  it.effect("is the first one's, until it is done", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory()
      const token = yield* claimed(log, "a")
      strictEqual(yield* tagOf(log, "a"), "Running")
      yield* log.done("a", token)
      strictEqual(yield* tagOf(log, "a"), "Done")
    }))

  it.effect("is one's alone, of 100 at the same time", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory()
      const claims = yield* Effect.all(Array.from({ length: 100 }, () => tagOf(log, "a")), {
        concurrency: "unbounded"
      })
      strictEqual(claims.filter((tag) => tag === "Claimed").length, 1)
      strictEqual(claims.filter((tag) => tag === "Running").length, 99)
    }))

  it.effect("is there again, once it is released", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory()
      const first = yield* claimed(log, "a")
      yield* log.release("a", first)
      notDeepStrictEqual(yield* claimed(log, "a"), first)
    }))

  it.effect("of one delivery says nothing about another", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory()
      const a = yield* claimed(log, "a")
      const b = yield* claimed(log, "b")
      notDeepStrictEqual(a, b)
      yield* log.done("b", a)
      yield* log.release("b", a)
      strictEqual(yield* tagOf(log, "b"), "Running")
    }))

  it.effect("holds for its own lease, and not a millisecond longer", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory()
      yield* log.claim("short", Duration.seconds(1))
      yield* log.claim("long", Duration.seconds(2))
      yield* TestClock.adjust("999 millis")
      strictEqual(yield* tagOf(log, "short"), "Running")
      yield* TestClock.adjust("1 millis")
      strictEqual(yield* tagOf(log, "short"), "Claimed")
      strictEqual(yield* tagOf(log, "long"), "Running")
    }))

  it.effect("that was taken over is fenced: the old token changes nothing", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory()
      const old = yield* claimed(log, "a")
      yield* TestClock.adjust(lease)
      const token = yield* claimed(log, "a")
      yield* log.done("a", old)
      strictEqual(yield* tagOf(log, "a"), "Running")
      yield* log.release("a", old)
      strictEqual(yield* tagOf(log, "a"), "Running")
      yield* log.done("a", token)
      strictEqual(yield* tagOf(log, "a"), "Done")
    }))

  it.effect("whose lease is over is still the holder's, until it is taken over", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory()
      const token = yield* claimed(log, "a")
      yield* TestClock.adjust("1 hour")
      yield* log.done("a", token)
      strictEqual(yield* tagOf(log, "a"), "Done")
    }))

  it.effect("cannot be changed by a token that never was, or that is used up", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory()
      yield* log.done("a", "1")
      yield* log.release("a", "")
      const token = yield* claimed(log, "a")
      yield* log.release("a", `${token}0`)
      yield* log.done("a", "")
      strictEqual(yield* tagOf(log, "a"), "Running")
      yield* log.done("a", token)
      yield* log.release("a", token)
      strictEqual(yield* tagOf(log, "a"), "Done")
    }))
})

describe("what is done", () => {
  it.effect("is remembered for the time to live since it was done, and no longer", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory({ ttl: "1 minute" })
      const token = yield* claimed(log, "a")
      yield* TestClock.adjust("9 seconds")
      yield* log.done("a", token)
      yield* TestClock.adjust("59999 millis")
      strictEqual(yield* tagOf(log, "a"), "Done")
      yield* TestClock.adjust("1 millis")
      strictEqual(yield* tagOf(log, "a"), "Claimed")
    }))

  it.effect("is remembered for 24 hours, if nothing else is said", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory()
      yield* handle(log, "a")
      yield* TestClock.adjust("86399999 millis")
      strictEqual(yield* tagOf(log, "a"), "Done")
      yield* TestClock.adjust("1 millis")
      strictEqual(yield* tagOf(log, "a"), "Claimed")
    }))

  it.effect("is forgotten beyond the capacity, what was done first before the rest", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory({ capacity: 2 })
      // Claimed first, and done last.
      const token = yield* claimed(log, "c")
      yield* handle(log, "a")
      yield* handle(log, "b")
      deepStrictEqual([yield* tagOf(log, "a"), yield* tagOf(log, "b")], ["Done", "Done"])
      yield* log.done("c", token)
      deepStrictEqual([yield* tagOf(log, "b"), yield* tagOf(log, "c")], ["Done", "Done"])
      strictEqual(yield* tagOf(log, "a"), "Claimed")
    }))

  it.effect("is not displaced by what is running", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory({ capacity: 1 })
      yield* handle(log, "a")
      yield* claimed(log, "b")
      yield* claimed(log, "c")
      deepStrictEqual([yield* tagOf(log, "a"), yield* tagOf(log, "b")], ["Done", "Running"])
    }))

  it.effect("is kept for 100,000 deliveries, if nothing else is said", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.makeMemory()
      for (let index = 0; index <= 100_000; index++) {
        const claim = yield* log.claim(String(index), lease)
        if (claim._tag === "Claimed") yield* log.done(String(index), claim.token)
      }
      strictEqual(yield* tagOf(log, "1"), "Done")
      strictEqual(yield* tagOf(log, "0"), "Claimed")
    }))
})

type Step =
  | { readonly _tag: "Claim"; readonly deliveryId: string; readonly lease: number }
  /** `token` counts the claims so far from the last one backwards; -1 is a token of none. */
  | { readonly _tag: "Done" | "Release"; readonly deliveryId: string; readonly token: number }
  | { readonly _tag: "Wait"; readonly millis: number }

/** What a log has to be, as plainly as it can be said: all that happened is kept, and asked about. */
class Model {
  private readonly claims: Array<{ readonly deliveryId: string; readonly until: number; ended: boolean }> = []
  private readonly done: Array<{ readonly deliveryId: string; readonly at: number }> = []

  constructor(private readonly capacity: number, private readonly ttl: number) {}

  private holder(deliveryId: string): number {
    const last = this.claims.map((claim) => claim.deliveryId).lastIndexOf(deliveryId)
    return this.claims[last]?.ended === false ? last : -1
  }

  claim(now: number, deliveryId: string, lease: number): number | "Running" | "Done" {
    const remembered = this.done.slice(-this.capacity).filter(({ at }) => now < at + this.ttl)
    if (remembered.some((entry) => entry.deliveryId === deliveryId)) return "Done"
    const holder = this.claims[this.holder(deliveryId)]
    if (holder !== undefined && now < holder.until) return "Running"
    return this.claims.push({ deliveryId, until: now + lease, ended: false }) - 1
  }

  end(now: number, deliveryId: string, claim: number, done: boolean): void {
    const holder = this.claims[this.holder(deliveryId)]
    if (holder === undefined || holder !== this.claims[claim]) return
    holder.ended = true
    if (done) this.done.push({ deliveryId, at: now })
  }
}

const deliveryId = fc.constantFrom("a", "b", "c", "d")
const claim = fc.record({ _tag: fc.constant("Claim" as const), deliveryId, lease: fc.integer({ min: 1, max: 40 }) })
const end = fc.record({
  _tag: fc.constantFrom("Done" as const, "Release" as const),
  deliveryId,
  token: fc.oneof(fc.constant(0), fc.integer({ min: -1, max: 3 }))
})
const wait = fc.record({ _tag: fc.constant("Wait" as const), millis: fc.integer({ min: 1, max: 50 }) })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: claim },
  { weight: 4, arbitrary: end },
  { weight: 2, arbitrary: wait }
)

/** Takes the steps in a log and in the model, and compares. Gives how often each answer was given. */
const compare = (steps: ReadonlyArray<Step>, capacity: number, ttl: number) =>
  Effect.gen(function*() {
    const log = yield* DeliveryLog.makeMemory({ capacity, ttl })
    const model = new Model(capacity, ttl)
    const tokens: Array<string> = []
    const answers = { Claimed: 0, Running: 0, Done: 0 }
    for (const step of steps) {
      const now = yield* Clock.currentTimeMillis
      if (step._tag === "Wait") {
        yield* Effect.sleep(step.millis)
      } else if (step._tag === "Claim") {
        const expected = model.claim(now, step.deliveryId, step.lease)
        const claim = yield* log.claim(step.deliveryId, Duration.millis(step.lease))
        strictEqual(claim._tag, typeof expected === "number" ? "Claimed" : expected)
        answers[claim._tag]++
        if (claim._tag !== "Claimed") continue
        strictEqual(tokens.includes(claim.token), false)
        tokens.push(claim.token)
      } else {
        const claim = step.token < 0 ? -1 : tokens.length - 1 - step.token
        const token = tokens[claim] ?? "none"
        model.end(now, step.deliveryId, claim, step._tag === "Done")
        yield* step._tag === "Done" ? log.done(step.deliveryId, token) : log.release(step.deliveryId, token)
      }
    }
    return answers
  })

describe("any sequence of claims, ends and waits", () => {
  it("goes as the model says", () => {
    const total = { Claimed: 0, Running: 0, Done: 0 }
    const steps = fc.array(step, { minLength: 20, maxLength: 120, size: "max" })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), (steps, capacity) => {
        const answers = virtualTime.run(compare(steps, capacity, 60), "model")
        for (const answer of ["Claimed", "Running", "Done"] as const) total[answer] += answers[answer]
      }),
      { seed: 21, numRuns: 300 }
    )
    // Otherwise the sequences would be too tame to tell anything.
    for (const times of Object.values(total)) assertTrue(times > 500, JSON.stringify(total))
  })
})

describe("options", () => {
  it.effect.each([
    [{ capacity: 0 }, "capacity"],
    [{ capacity: -1 }, "capacity"],
    [{ capacity: 1.5 }, "capacity"],
    [{ capacity: NaN }, "capacity"],
    [{ capacity: Infinity }, "capacity"],
    [{ capacity: "10" }, "capacity"],
    [{ ttl: 0 }, "ttl"],
    [{ ttl: -1 }, "ttl"],
    [{ ttl: "-1 seconds" }, "ttl"],
    [{ ttl: Infinity }, "ttl"],
    [{ ttl: NaN }, "ttl"],
    [{ ttl: "soon" }, "ttl"],
    [{ ttl: Duration.infinity }, "ttl"]
  ])("%j are refused with a HookrailConfigError", ([given, option]) =>
    Effect.gen(function*() {
      const options = given as DeliveryLog.MemoryOptions
      for (
        const error of [
          yield* Effect.flip(DeliveryLog.makeMemory(options)),
          yield* Layer.build(DeliveryLog.layerMemory(options)).pipe(Effect.scoped, Effect.flip)
        ]
      ) {
        strictEqual(error._tag, "HookrailConfigError")
        strictEqual<unknown>(error.option, option)
        assertInclude(error.message, "must be")
      }
    }))

  it.effect("may be left out, and be the smallest", () =>
    Effect.gen(function*() {
      for (const options of [undefined, {}, { capacity: undefined, ttl: undefined }, { capacity: 1, ttl: 1 }]) {
        const log = yield* DeliveryLog.makeMemory(options)
        yield* handle(log, "a")
        strictEqual(yield* tagOf(log, "a"), "Done")
      }
    }))
})

describe("layers", () => {
  it.effect("layerMemory is one log for all who share it", () =>
    Effect.gen(function*() {
      yield* Effect.flatMap(DeliveryLog.DeliveryLog, (log) => handle(log, "a"))
      const again = yield* Effect.flatMap(DeliveryLog.DeliveryLog, (log) => tagOf(log, "a"))
      strictEqual(again, "Done")
    }).pipe(Effect.provide(DeliveryLog.layerMemory())))

  it.effect("layerNone lets every delivery through", () =>
    Effect.gen(function*() {
      const log = yield* DeliveryLog.DeliveryLog
      const token = yield* claimed(log, "a")
      strictEqual(yield* tagOf(log, "a"), "Claimed")
      yield* log.done("a", token)
      strictEqual(yield* tagOf(log, "a"), "Claimed")
      yield* log.release("a", token)
      strictEqual(yield* tagOf(log, "a"), "Claimed")
    }).pipe(Effect.provide(DeliveryLog.layerNone)))
})
