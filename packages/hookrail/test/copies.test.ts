import { strictEqual } from "node:assert"
import { createRequire } from "node:module"
import { describe, it } from "vitest"

describe("two copies of Effect in one process", () => {
  it("share the default services of the first: the second knows them", async () => {
    // The build for CommonJS is a copy of its own.
    createRequire(import.meta.url)("effect")
    const Effect = await import("effect/Effect")
    const { liveClock, withClock } = await import("../src/fiber/services.js")
    const [clock, isTraced] = Effect.runSync(withClock((clock, isTraced) => Effect.succeed([clock, isTraced] as const)))
    strictEqual(clock, liveClock)
    strictEqual(isTraced, false)
  })
})
