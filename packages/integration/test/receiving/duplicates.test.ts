import { describe, it } from "@effect/vitest"
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { post } from "./http.js"
import { sign, startReceiver } from "./receiver.js"
import { ways } from "./ways.js"

describe.each(ways)("duplicates through $way", ({ serve }) => {
  it("one after the other are acknowledged and not handled again", async () => {
    await using receiver = await startReceiver(serve)
    const webhook = sign()
    const first = await post(receiver.url, webhook)
    const second = await post(receiver.url, webhook)
    deepStrictEqual([first.status, second.status], [204, 200])
    strictEqual(receiver.events.length, 1)
  })

  it("200 at once are handled once", async () => {
    // The handler ends when a hundred of its twins have been answered: those have met it running.
    let finish = () => {}
    const finished = new Promise<void>((resolve) => finish = resolve)
    await using receiver = await startReceiver(serve, { handle: () => Effect.promise(() => finished) })
    const webhook = sign()
    let answered = 0
    const statuses = await Promise.all(Array.from({ length: 200 }, async () => {
      const { status } = await post(receiver.url, webhook)
      if (++answered === 100) finish()
      return status
    }))
    strictEqual(receiver.events.length, 1)
    strictEqual(statuses.filter((status) => status === 204).length, 1)
    assertTrue(statuses.filter((status) => status === 425).length >= 100)
    assertTrue(statuses.every((status) => [204, 200, 425].includes(status)), statuses.join())
  })
})
