import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

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

interface Import {
  readonly path: string
  readonly isType: boolean
}

/** What a module imports or exports again, by its path. `import()` is there for what is not always needed. */
const importsOf = (file: string): ReadonlyArray<Import> => {
  const source = ts.createSourceFile(file, readFileSync(join(src, file), "utf8"), ts.ScriptTarget.ESNext)
  return source.statements.flatMap((statement): ReadonlyArray<Import> => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return []
    if (statement.moduleSpecifier === undefined || !ts.isStringLiteral(statement.moduleSpecifier)) return []
    const { text } = statement.moduleSpecifier
    const path = text.startsWith(".")
      ? relative(src, join(src, dirname(file), text)).replaceAll("\\", "/").replace(/\.js$/, "")
      : text
    return [{ path, isType: isTypeOnly(statement) }]
  })
}

const isTypeOnly = (statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean => {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly
  const clause = statement.importClause
  if (clause === undefined) return false
  if (clause.isTypeOnly) return true
  const names = clause.namedBindings
  return clause.name === undefined && names !== undefined && ts.isNamedImports(names) &&
    names.elements.every((element) => element.isTypeOnly)
}

const modules = new Map(
  readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.replaceAll("\\", "/"))
    .map((file) => [file.slice(0, -3), importsOf(file)] as const)
)

/** The names that fit best, the longest one, decides: `call/backoff` is not on the floor of `call/`. */
const floorOf = (module: string): number => {
  let found = -1
  let length = 0
  for (const [floor, names] of floors.entries()) {
    for (const name of names) {
      const fits = name.endsWith("/") ? module.startsWith(name) : module === name
      if (fits && name.length > length) [found, length] = [floor, name.length]
    }
  }
  return found
}

const edges = (module: string, which: (found: Import) => boolean): ReadonlyArray<string> =>
  modules.get(module)!.filter((found) => modules.has(found.path) && which(found)).map(({ path }) => path)

/** A way from a module back to itself. */
const circleThrough = (start: string, next: (module: string) => ReadonlyArray<string>): string | undefined => {
  const seen = new Set<string>()
  const walk = (module: string, path: ReadonlyArray<string>): string | undefined => {
    for (const target of next(module)) {
      if (target === start) return [...path, target].join(" -> ")
      if (seen.has(target)) continue
      seen.add(target)
      const found = walk(target, [...path, target])
      if (found !== undefined) return found
    }
    return undefined
  }
  return walk(start, [start])
}

describe("the house", () => {
  it("has a floor for each module", () => {
    assert.isAbove(modules.size, 40, "the walk finds the modules")
    assert.deepStrictEqual([...modules.keys()].filter((module) => floorOf(module) < 0), [])
  })

  it("no module imports from above", () => {
    const upwards = [...modules.keys()].flatMap((module) =>
      edges(module, () => true)
        .filter((target) => floorOf(target) > floorOf(module))
        .map((target) => `${module} -> ${target}`)
    )
    assert.deepStrictEqual(upwards, [])
  })

  it("there are no circles, of values or of types", () => {
    const circles = [...modules.keys()].flatMap((module) =>
      circleThrough(module, (from) => edges(from, () => true)) ?? []
    )
    assert.deepStrictEqual(circles, [])
  })

  it.each([...modules.keys()].filter((module) => neutral.some((pattern) => pattern.test(module))))(
    "%s needs no Effect, by whatever way",
    (module) => {
      const reached = new Set<string>()
      const walk = (name: string): void => {
        if (reached.has(name)) return
        reached.add(name)
        for (const { path } of modules.get(name) ?? []) walk(path)
      }
      walk(module)
      assert.deepStrictEqual([...reached].filter((name) => !modules.has(name)), [])
    }
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
