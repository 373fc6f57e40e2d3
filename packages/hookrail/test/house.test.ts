import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { floorIn, importGraph } from "../../integration/test/importGraph.js"

const src = fileURLToPath(new URL("../src", import.meta.url))

/**
 * From the ground up. A name that ends with a slash is a room, any other one a module. A module may import from its own
 * floor and from those below it, types included.
 */
const floors: ReadonlyArray<ReadonlyArray<string>> = [
  ["wire/"],
  ["signature/", "catalogue/"],
  ["HookrailError", "Topic", "Delivery"],
  ["fiber/", "options/"],
  ["transport/"],
  ["Transport"],
  ["gate/"],
  ["SendGate"],
  ["call/backoff"],
  ["RetryPolicy"],
  ["HookrailConfig"],
  ["claims/"],
  ["IdempotencyKeys", "SignatureVerifier", "DeliveryLog"],
  ["call/"],
  ["send/", "receive/", "admin/"],
  ["ways/"],
  ["Event", "HookrailAdmin", "HookrailClient", "Webhooks"],
  ["index"]
]

/** Shared by all lines of Effect, since they need none: not even their types may lead to it. */
const neutral = [
  /^admin\/(counts|model|wire\/.*)$/,
  /^claims\//,
  /^catalogue\/(model|check)$/,
  /^ways\/body$/,
  /^wire\//,
  /^signature\//,
  /^call\/(advice|backoff|classify)$/,
  /^gate\/(model|overload|pace|queue)$/,
  /^options\/(appInfo|browser|calls|check|model|tolerance)$/,
  /^receive\/topicPattern$/,
  /^send\/inOrder$/,
  /^transport\/(dispatcher|model|decompress)$/
]

// `import()` is there for what is not always needed.
const { circleThrough, edges, modules, reached } = importGraph(src, ({ kind }) => kind !== "lazy")

const floorOf = floorIn(floors)

describe("the house", () => {
  it("has a floor for each module", () => {
    assert.isAbove(modules.size, 40, "the walk finds the modules")
    assert.deepStrictEqual([...modules.keys()].filter((module) => floorOf(module) < 0), [])
  })

  it("no module imports from above", () => {
    const upwards = [...modules.keys()].flatMap((module) =>
      edges(module)
        .filter((target) => floorOf(target) > floorOf(module))
        .map((target) => `${module} -> ${target}`)
    )
    assert.deepStrictEqual(upwards, [])
  })

  it("there are no circles, of values or of types", () => {
    const circles = [...modules.keys()].flatMap((module) => circleThrough(module) ?? [])
    assert.deepStrictEqual(circles, [])
  })

  it.each([...modules.keys()].filter((module) => neutral.some((pattern) => pattern.test(module))))(
    "%s needs no Effect, by whatever way",
    (module) => assert.deepStrictEqual(reached(module), [])
  )

  it("no room is larger than a sixth of the core", () => {
    const lines = (module: string) => readFileSync(join(src, `${module}.ts`), "utf8").split("\n").length
    const sizes = new Map<string, number>()
    let total = 0
    for (const module of modules.keys()) {
      total += lines(module)
      if (module.includes("/")) {
        const room = dirname(module)
        sizes.set(room, (sizes.get(room) ?? 0) + lines(module))
      }
    }
    assert.deepStrictEqual([...sizes].filter(([, size]) => size > total / 6), [])
  })
})
