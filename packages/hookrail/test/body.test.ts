import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { Collector } from "../src/ways/body.js"

describe("a body on its way in", () => {
  it("is what came, in whatever pieces", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 20 }), (pieces) => {
        const collector = new Collector()
        for (const piece of pieces) collector.add(piece)
        assert.deepStrictEqual(Buffer.from(collector.joined()), Buffer.concat(pieces))
        assert.strictEqual(collector.size, Buffer.concat(pieces).length)
      }),
      { seed: 5 }
    )
  })

  it("in one piece is not copied", () => {
    const collector = new Collector()
    const piece = new Uint8Array([1, 2, 3])
    collector.add(piece)
    assert.strictEqual(collector.joined(), piece)
  })

  it("of a million single bytes takes at most about twice its size", () => {
    const collector = new Collector()
    const byte = new Uint8Array([7])
    for (let index = 0; index < 1_000_000; index++) collector.add(byte)
    assert.isAtMost(collector.joined().buffer.byteLength, 1_300_000)
  })
})
