import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { assert, describe, it } from "vitest"

const src = fileURLToPath(new URL("../src", import.meta.url))

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

const importsOf = (file: string): ReadonlyArray<string> => {
  const source = ts.createSourceFile(file, readFileSync(join(src, file), "utf8"), ts.ScriptTarget.ESNext)
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return []
    if (statement.moduleSpecifier === undefined || !ts.isStringLiteral(statement.moduleSpecifier)) return []
    const { text } = statement.moduleSpecifier
    return text.startsWith(".")
      ? [relative(src, join(src, dirname(file), text)).replaceAll("\\", "/").replace(/\.js$/, "")]
      : [text]
  })
}

const modules = new Map(
  readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.replaceAll("\\", "/"))
    .map((file) => [file.slice(0, -3), importsOf(file)] as const)
)

const floorOf = (module: string): number =>
  floors.findIndex((names) => names.some((name) => name.endsWith("/") ? module.startsWith(name) : module === name))

describe("the house of the outbox", () => {
  it("has a floor for each module", () => {
    assert.isAbove(modules.size, 12, "the walk finds the modules")
    assert.deepStrictEqual([...modules.keys()].filter((module) => floorOf(module) < 0), [])
  })

  it("no module imports from above", () => {
    const upwards = [...modules].flatMap(([module, imports]) =>
      imports.filter((target) => modules.has(target) && floorOf(target) > floorOf(module))
        .map((target) => `${module} -> ${target}`)
    )
    assert.deepStrictEqual(upwards, [])
  })

  it("there are no circles", () => {
    const open = new Set<string>()
    const done = new Set<string>()
    const circles: Array<string> = []
    const walk = (module: string): void => {
      if (done.has(module)) return
      if (open.has(module)) return void circles.push(module)
      open.add(module)
      for (const target of modules.get(module) ?? []) walk(target)
      open.delete(module)
      done.add(module)
    }
    for (const module of modules.keys()) walk(module)
    assert.deepStrictEqual(circles, [])
  })

  it("needs no Effect, no driver and no module of Node, outside of the adapters", () => {
    const wrong = [...modules].filter(([module]) => !isOfEffect(module)).flatMap(([module, imports]) =>
      imports.filter((target) => !modules.has(target) && !foreign.test(target))
        .filter((target) => !(isCommand(module) && target.startsWith("node:")))
        .map((target) => `${module} -> ${target}`)
    )
    assert.deepStrictEqual(wrong, [])
  })
})
