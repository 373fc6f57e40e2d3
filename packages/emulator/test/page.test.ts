import { readdirSync, readFileSync } from "node:fs"
import { gzipSync } from "node:zlib"
import { assert, beforeAll, describe, it } from "vitest"
import { buildPage } from "../page/build.mjs"
import { countdown, headline, lookOf, span } from "../page/format.js"
import type { DeliverySummary, EventSummary } from "../src/control/views.js"

describe("the bundle of the page", () => {
  let parts: { readonly script: string; readonly style: string }
  beforeAll(async () => {
    parts = await buildPage()
  })

  it("is small", () => {
    const size = parts.script.length + parts.style.length
    const packed = gzipSync(parts.script + parts.style).length
    process.stdout.write(`page: ${size} bytes, ${packed} compressed\n`)
    assert.isBelow(size, 80_000)
    assert.isBelow(packed, 28_000)
  })

  it("asks nobody for anything, and turns no text into markup or code", () => {
    const { script, style } = parts
    const addresses = new Set([...(script + style).matchAll(/\bhttps?:\/\/[\w.:-]+/g)].map(([address]) => address))
    // Names of namespaces, and a placeholder.
    assert.deepStrictEqual(
      [...addresses].filter((address) => !/^http:\/\/(www\.w3\.org|localhost:3000)$/.test(address)),
      []
    )
    const own = readdirSync(new URL("../page", import.meta.url)).filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(new URL(`../page/${name}`, import.meta.url), "utf8")).join("\n")
    assert.notMatch(own, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|dangerously/)
    assert.notMatch(script, /<\/script/i)
  })

  it("has the license of what it contains", () => {
    assert.include(parts.script, "The MIT License")
    assert.include(parts.script, "Jason Miller")
  })
})

describe("words", () => {
  const delivery = (given: Partial<DeliverySummary>): DeliverySummary => ({
    id: "d",
    state: "pending",
    subscriptionId: "s",
    endpointId: "e",
    attemptNo: 1,
    maxAttempts: 8,
    nextAttemptAt: null,
    waitsFor: null,
    httpStatus: null,
    errorClass: null,
    ...given
  })
  const event = (...deliveries: ReadonlyArray<Partial<DeliverySummary>>): EventSummary => ({
    id: "e",
    ordinal: 1,
    revision: 1,
    topic: "t",
    at: 0,
    orderingKey: null,
    payloadBytes: 2,
    preview: "{}",
    deliveries: deliveries.map(delivery)
  })

  it.each([
    [event(), "unrouted", "No subscription"],
    [event({ state: "succeeded", httpStatus: 204 }), "succeeded", "Delivered · HTTP 204"],
    [event({ state: "succeeded" }, { state: "succeeded" }), "succeeded", "Delivered to 2"],
    [
      event({ state: "succeeded" }, { state: "dead_lettered", errorClass: "timeout" }),
      "dead_lettered",
      "Dead · timed out · 1/2 delivered"
    ],
    [
      event({ state: "retry_scheduled", errorClass: "http_503", httpStatus: 503, attemptNo: 3 }),
      "retry_scheduled",
      "Attempt 3 of 8 failed · HTTP 503"
    ],
    [event({ waitsFor: "ordering" }), "pending", "Waits for its turn"],
    [event({ waitsFor: "resume" }), "pending", "Held: deliveries are paused"],
    [event({ waitsFor: "database" }), "pending", "Waits for the database"],
    [event({ state: "in_flight" }), "in_flight", "In flight"],
    [event({ state: "skipped" }), "skipped", "Skipped"]
  ])("%#: tells what goes on with an event", (given, look, text) => {
    assert.deepStrictEqual([lookOf(given), headline(given)], [look, text])
  })

  it("shows spans of time", () => {
    assert.deepStrictEqual(
      [0, 999, 1500, 9960, 59_400, 59_700, 61_000, 119_700, 3_660_000, 200_000_000].map(span),
      ["0 ms", "999 ms", "1.5 s", "10 s", "59 s", "1 min 00 s", "1 min 01 s", "2 min 00 s", "1 h 01 min", "2 days"]
    )
    assert.deepStrictEqual([-5, 1, 4200, 30_000, 90_000].map(countdown), ["now", "1 s", "5 s", "30 s", "1 min 30 s"])
  })
})
