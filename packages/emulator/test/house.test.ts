import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { floorIn, importGraph } from "../../integration/test/importGraph.js"

/**
 * From the ground up. A name that ends with a slash is a room, any other one a module. A module may import from its own
 * floor and from those below it, types included.
 */
const floors: ReadonlyArray<ReadonlyArray<string>> = [
  ["model", "errors"],
  ["base/", "json/"],
  ["faults"],
  ["options/"],
  ["store/"],
  ["http/"],
  ["delivery/"],
  ["producer/producers"],
  ["core"],
  ["answering"],
  ["producer/"],
  ["admin/"],
  ["control/"],
  ["emulator", "signWebhook"],
  ["index", "bin", "layer", "layer-3"],
  ["effect", "effect-3"]
]

const { circleThrough, edges, modules, reached } = importGraph(fileURLToPath(new URL("../src", import.meta.url)))

const floorOf = floorIn(floors)

/** What the build copies into the package: the verifier's kernel, and the module that explains why it refuses. */
const copied = ["hookrail/signature/kernel", "hookrail/signature/mistakes"]

const isNode = (name: string): boolean => name.startsWith("node:") || copied.includes(name)

describe("the house", () => {
  it("has a floor for each module", () => {
    assert.isAbove(modules.size, 40, "the walk finds the modules")
    assert.deepStrictEqual([...modules.keys()].filter((module) => floorOf(module) < 0), [])
  })

  it("no module imports from above", () => {
    const upwards = [...modules.keys()].flatMap((module) =>
      edges(module).filter((target) => floorOf(target) > floorOf(module)).map((target) => `${module} -> ${target}`)
    )
    assert.deepStrictEqual(upwards, [])
  })

  it("there are no circles, of values or of types", () => {
    assert.deepStrictEqual([...modules.keys()].flatMap((module) => circleThrough(module) ?? []), [])
  })

  it.each(["index", "bin"])("%s needs nothing but Node, not even for its types", (entry) => {
    assert.deepStrictEqual(reached(entry).filter((name) => !isNode(name)), [])
  })

  it("only the entry for Effect needs Effect", () => {
    const needing = [...modules.keys()].filter((module) => reached(module).some((name) => !isNode(name)))
    assert.deepStrictEqual(needing.sort(), ["effect", "effect-3", "layer", "layer-3"])
    assert.deepStrictEqual(reached("effect").filter((name) => !isNode(name) && !/^effect\//.test(name)), [])
    assert.deepStrictEqual(reached("effect-3").filter((name) => !isNode(name) && !/^effect-3\//.test(name)), [])
  })
})
