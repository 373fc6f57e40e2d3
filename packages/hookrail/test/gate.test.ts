import { it } from "@effect/vitest"
import { strictEqual } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Gate from "../src/internal/gate.js"

it.effect("an interrupted waiter leaves, and the count comes back to zero", () =>
  Effect.gen(function*() {
    const gate = Gate.make(1)
    const first = yield* Effect.fork(gate.run(Effect.sleep(10)))
    yield* TestClock.adjust(0)
    const waiter = yield* Effect.fork(gate.run(Effect.never))
    const last = yield* Effect.fork(gate.run(Effect.succeed(1)))
    yield* TestClock.adjust(0)
    yield* Fiber.interrupt(waiter)
    strictEqual(gate.inFlight(), 1)
    yield* TestClock.adjust(10)
    yield* Fiber.join(first)
    strictEqual(yield* Fiber.join(last), 1)
    strictEqual(gate.inFlight(), 0)
  }))
