import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { importGraph } from "./importGraph.js"

const packages = fileURLToPath(new URL("../..", import.meta.url))

/** Benchmarks measure inner parts, and make their own arrangements. Those for Effect 4 are made from the others. */
const excepted = new Set(["bench", "hookrail-4", "node-4"])

const folders = readdirSync(packages).flatMap((name) =>
  ["src", "page"].filter((folder) => !excepted.has(name) && existsSync(join(packages, name, folder)))
    .map((folder) => [name, folder] as const)
)

describe("no module leaves its package by a relative path", () => {
  it("finds the packages", () => {
    assert.includeDeepMembers([...folders], [["cli", "src"], ["emulator", "src"], ["outbox", "src"], [
      "hookrail",
      "src"
    ]])
  })

  it.each(folders)("%s/%s", (name, folder) => {
    const { modules } = importGraph(join(packages, name, folder))
    assert.isAbove(modules.size, 0)
    const leaving = [...modules].flatMap(([module, imports]) =>
      // From a folder next to `src` it may be `src`.
      imports.filter(({ path }) => path.startsWith("../") && !(folder !== "src" && path.startsWith("../src/")))
        .map(({ path }) => `${module} -> ${path}`)
    )
    assert.deepStrictEqual(leaving, [])
  })
})
