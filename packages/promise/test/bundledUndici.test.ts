/** The tests of connections once more, over undici as it is in the bundle. */
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it, vi } from "vitest"
import { nodeTransport } from "../../node/test/nodeTransport.js"
import { transportSuite } from "../../node/test/transportSuite.js"
import { folder, inner, original } from "./undiciOfBundle.js"

const load = vi.hoisted(() => async (name: "connect" | "symbols" | "Client" | "Pool") => ({
  default: (await import("./undiciOfBundle.js")).inner[name]
}))

vi.mock("undici/lib/core/connect.js", () => load("connect"))
vi.mock("undici/lib/core/symbols.js", () => load("symbols"))
vi.mock("undici/lib/dispatcher/client.js", () => load("Client"))
vi.mock("undici/lib/dispatcher/pool.js", () => load("Pool"))

describe("undici in the bundle", () => {
  it("is what these tests use", async () => {
    assert.notStrictEqual(inner.Pool, original.Pool)
    // @ts-expect-error no declarations
    assert.strictEqual((await import("undici/lib/dispatcher/pool.js")).default, inner.Pool)
  })

  it("needs no more of node:assert than the function", () => {
    for (const room of ["core", "dispatcher", "handler", "util"]) {
      for (const file of readdirSync(`${folder}/${room}`)) {
        assert.notMatch(readFileSync(`${folder}/${room}/${file}`, "utf8"), /\bassert\.\w/, file)
      }
    }
  })
})

transportSuite("NodeTransport", nodeTransport, { maxConnections: 64 })

await import("../../node/test/proxy.test.js")
