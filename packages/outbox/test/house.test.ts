import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { floorIn, importGraph } from "../../integration/test/importGraph.js"

/** From the ground up. A name that ends with a slash is a room. A module imports from its own floor and from those below it. */
const floors: ReadonlyArray<ReadonlyArray<string>> = [
  ["errors"],
  ["check"],
  ["sql/"],
  ["executor/"],
  ["enqueue/", "operate/"],
  ["inbox/"],
  ["relay/"],
  ["index", "contract", "command/"],
  ["line-3/", "line-4/"],
  ["effect-3", "effect", "bin"]
]

/** The command is for Node. Drivers it loads when it runs. */
const isCommand = (module: string): boolean => module === "bin" || module.startsWith("command/")

/** What these modules may import of other packages: of the core only what needs no Effect. */
const foreign = /^hookrail\/(wire|options)\//

/** The only ones that may import Effect. */
const isOfEffect = (module: string): boolean => /^(effect(-3)?$|line-[34]\/)/.test(module)

const { circleThrough, edges, modules } = importGraph(fileURLToPath(new URL("../src", import.meta.url)))

const floorOf = floorIn(floors)

describe("the house of the outbox", () => {
  it("has a floor for each module", () => {
    assert.isAbove(modules.size, 12, "the walk finds the modules")
    assert.deepStrictEqual([...modules.keys()].filter((module) => floorOf(module) < 0), [])
  })

  it("no module imports from above", () => {
    const upwards = [...modules.keys()].flatMap((module) =>
      edges(module).filter((target) => floorOf(target) > floorOf(module)).map((target) => `${module} -> ${target}`)
    )
    assert.deepStrictEqual(upwards, [])
  })

  it("there are no circles", () => {
    const circles = [...modules.keys()].flatMap((module) => circleThrough(module) ?? [])
    assert.deepStrictEqual(circles, [])
  })

  it("needs no Effect, no driver and no module of Node, outside of the adapters", () => {
    const wrong = [...modules].filter(([module]) => !isOfEffect(module)).flatMap(([module, imports]) =>
      imports.map(({ path }) => path).filter((target) => !modules.has(target) && !foreign.test(target))
        .filter((target) => !(isCommand(module) && target.startsWith("node:")))
        .map((target) => `${module} -> ${target}`)
    )
    assert.deepStrictEqual(wrong, [])
  })
})
