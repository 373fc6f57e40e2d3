/** What the modules of a package import, for the tests that keep its house in order. */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import ts from "typescript"

export interface Import {
  /** A module below the folder without its extension; one outside of it by its path from there; a package by its name. */
  readonly path: string
  /** `lazy` is `import()`. */
  readonly kind: "value" | "type" | "lazy"
}

export interface ImportGraph {
  readonly modules: ReadonlyMap<string, ReadonlyArray<Import>>
  /** The modules of the package that a module imports. */
  readonly edges: (module: string) => ReadonlyArray<string>
  /** What a module reaches that is not of the package, through whatever modules. */
  readonly reached: (module: string) => ReadonlyArray<string>
  /** A way from a module back to itself. */
  readonly circleThrough: (module: string) => string | undefined
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

const importsOf = (src: string, file: string): ReadonlyArray<Import> => {
  const found: Array<Import> = []
  const add = (node: ts.Node | undefined, kind: Import["kind"]): void => {
    if (node === undefined || !ts.isStringLiteral(node)) return
    const path = node.text.startsWith(".")
      ? relative(src, join(src, dirname(file), node.text)).replaceAll("\\", "/").replace(/\.js$/, "")
      : node.text
    found.push({ path, kind })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, isTypeOnly(node) ? "type" : "value")
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, "type")
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], "lazy")
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, readFileSync(join(src, file), "utf8"), ts.ScriptTarget.ESNext))
  return found
}

/** The imports of all modules below a folder; those that count. */
export const importGraph = (src: string, counts: (found: Import) => boolean = () => true): ImportGraph => {
  const modules = new Map(
    readdirSync(src, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => file.replaceAll("\\", "/"))
      .map((file) => [file.slice(0, -3), importsOf(src, file).filter(counts)] as const)
  )
  const edges = (module: string): ReadonlyArray<string> =>
    modules.get(module)!.map(({ path }) => path).filter((path) => modules.has(path))
  return {
    modules,
    edges,
    reached: (start) => {
      const all = new Set([start])
      for (const module of all) for (const { path } of modules.get(module) ?? []) all.add(path)
      return [...all].filter((name) => !modules.has(name))
    },
    circleThrough: (start) => {
      const seen = new Set<string>()
      const walk = (path: ReadonlyArray<string>): string | undefined => {
        for (const target of edges(path[path.length - 1]!)) {
          if (target === start) return [...path, target].join(" -> ")
          if (seen.has(target)) continue
          seen.add(target)
          const found = walk([...path, target])
          if (found !== undefined) return found
        }
        return undefined
      }
      return walk([start])
    }
  }
}

/**
 * The floor of a module, from the ground up; -1 if it has none. A name that ends with a slash is a room, any other one a module.
 * The longest name that fits decides: `call/backoff` need not be on the floor of `call/`.
 */
export const floorIn = (floors: ReadonlyArray<ReadonlyArray<string>>) => (module: string): number => {
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
