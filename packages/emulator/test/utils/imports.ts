import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const src = fileURLToPath(new URL("../../src", import.meta.url))

/** What a source names with `import` or `export from`, by its path below `src` or by its name. Types count as well. */
const importsOf = (file: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  const add = (node: ts.Node | undefined): void => {
    if (node === undefined || !ts.isStringLiteral(node)) return
    found.push(
      node.text.startsWith(".")
        ? relative(src, join(src, dirname(file), node.text)).replaceAll("\\", "/").replace(/\.js$/, "")
        : node.text
    )
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier)
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal)
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0])
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, readFileSync(join(src, file), "utf8"), ts.ScriptTarget.ESNext))
  return found
}

/** All modules below `src` with their imports. */
export const modules: ReadonlyMap<string, ReadonlyArray<string>> = new Map(
  readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.replaceAll("\\", "/"))
    .map((file) => [file.slice(0, -3), importsOf(file)] as const)
)

/** The modules of the package that a module imports. */
export const edges = (module: string): ReadonlyArray<string> =>
  modules.get(module)!.filter((found) => modules.has(found))

/** The other packages that a module reaches, through whatever modules. */
export const packagesReached = (start: string): ReadonlyArray<string> => {
  const reached = new Set([start])
  for (const module of reached) for (const next of modules.get(module) ?? []) reached.add(next)
  return [...reached].filter((name) => !modules.has(name))
}

/** A way from a module back to itself. */
export const circleThrough = (start: string): string | undefined => {
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
