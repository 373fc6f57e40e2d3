import { afterEach, assert, beforeEach, it, vi } from "vitest"
import { Model } from "../page/model.js"

/** An emulator as the page sees it: events by ordinal, pages of them, and a feed that can be cut. */
class Fake {
  run = "r1"
  count = 0
  cut = () => {}
  /** Called before each page of the list. */
  onPage = () => {}

  readonly fetch = async (path: string, init?: RequestInit): Promise<Response> => {
    const { pathname, searchParams } = new URL(path, "http://emulator")
    const json = (value: unknown) => new Response(JSON.stringify(value))
    if (pathname === "/api/state") return json({ run: this.run, now: Date.now(), clock: "real", firstOrdinal: 1 })
    if (pathname === "/api/events") {
      this.onPage()
      const start = Number(searchParams.get("cursor") ?? this.count)
      const end = Math.max(start - Number(searchParams.get("limit")), 0)
      const items = Array.from(
        { length: start - end },
        (_, n) => ({ id: `e${start - n}`, ordinal: start - n, revision: 1 })
      )
      return json({ items, nextCursor: end === 0 ? null : String(end), total: this.count, revision: this.count })
    }
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const end = () => {
          try {
            controller.close()
          } catch {
            // It was aborted before.
          }
        }
        this.cut = end
        init?.signal?.addEventListener("abort", end)
      }
    })
    return new Response(body)
  }
}

let fake: Fake
let model: Model

beforeEach(() => {
  fake = new Fake()
  vi.stubGlobal("fetch", fake.fetch)
  vi.stubGlobal("requestAnimationFrame", () => 1)
  model = new Model(() => {})
})

afterEach(() => vi.unstubAllGlobals())

const loaded = (count: number) =>
  vi.waitFor(() => assert.lengthOf(model.items, count), { interval: 5, timeout: 15_000 })

it("holds as much as before after a break, and never less meanwhile", async () => {
  fake.count = 3_500
  void model.start()
  await loaded(3_500)
  const held: Array<number> = []
  fake.onPage = () => held.push(model.items.length)
  fake.count = 3_600
  fake.cut()
  await loaded(3_600)
  assert.isAtLeast(held.length, 4)
  assert.strictEqual(Math.min(...held), 3_500)
  assert.deepStrictEqual(model.items.map(({ ordinal }) => ordinal), Array.from({ length: 3_600 }, (_, n) => 3_600 - n))
})

it("begins at the top after another search, and with another run of the emulator", async () => {
  fake.count = 2_500
  void model.start()
  await loaded(2_500)
  const held: Array<number> = []
  fake.onPage = () => held.push(model.items.length)
  model.setSearch({ text: "x", states: [] })
  await loaded(2_500)
  await vi.waitFor(() => assert.include(held, 1_000), { interval: 5, timeout: 15_000 })
  held.length = 0
  fake.run = "r2"
  fake.cut()
  await vi.waitFor(() => assert.include(held, 1_000), { interval: 5, timeout: 15_000 })
})
