/** The members that have short names in the bundle, by their types: nobody else's may have such a name. */
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { assert, describe, it } from "vitest"
import { effectNames, ownNames } from "../names.js"

const root = fileURLToPath(new URL("..", import.meta.url))

const config = ts.getParsedCommandLineOfConfigFile(`${root}tsconfig.json`, {}, {
  ...ts.sys,
  onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
    throw new Error(ts.flattenDiagnosticMessageText(messageText, "\n"))
  }
})!

const program = ts.createProgram(
  ["admin", "admin-web", "events", "index", "openapi", "web", "webhooks"].map((entry) => `${root}src/${entry}.ts`),
  { ...config.options, noEmit: true }
)
const checker = program.getTypeChecker()

const isSource = (path: string): boolean => /\/(hookrail-4|node-4|promise)\/src\//.test(path)

/** Modules whose types are those of callers. */
const isPublic = (path: string): boolean =>
  /\/promise\/src\/(adminErrors|adminTypes|common|errors|types|verify)\.ts$|\/(signature|wire)\/model\.ts$/.test(path)

const names = new Set(ownNames)

/** Where a member is declared that is not one of ours, or is one that callers know. */
const foreign = (declarations: ReadonlyArray<ts.Declaration> | undefined): string | undefined => {
  const paths = declarations?.map((declaration) => declaration.getSourceFile().fileName) ?? []
  return paths.length === 0 ? "nowhere" : paths.find((path) => !isSource(path) || isPublic(path))
}

/** The name that a node uses or declares, and its declarations. */
const memberAt = (node: ts.Node): readonly [name: string, ReadonlyArray<ts.Declaration> | undefined] | undefined => {
  if (ts.isPropertyAccessExpression(node)) {
    return [node.name.text, checker.getSymbolAtLocation(node.name)?.declarations]
  }
  if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) {
    const name = node.propertyName ?? node.name
    if (!ts.isIdentifier(name)) return undefined
    return [name.text, checker.getTypeAtLocation(node.parent).getProperty(name.text)?.declarations]
  }
  if (ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) {
    if (!ts.isIdentifier(node.name)) return undefined
    const expected = checker.getContextualType(node.parent)?.getProperty(node.name.text)
    return [node.name.text, expected?.declarations ?? [node]]
  }
  if (ts.isClassElement(node) && node.name !== undefined && ts.isIdentifier(node.name)) {
    const { name, parent } = node
    const inherited = (parent as ts.ClassLikeDeclaration).heritageClauses?.flatMap(({ types }) =>
      types.flatMap((type) => checker.getTypeAtLocation(type).getProperty(name.text)?.declarations ?? [])
    )
    return [name.text, [node, ...inherited ?? []]]
  }
  return undefined
}

const mistakesIn = (source: ts.SourceFile): ReadonlyArray<string> => {
  const found: Array<string> = []
  const visit = (node: ts.Node): void => {
    const [name = "", declarations] = memberAt(node) ?? []
    const where = names.has(name) ? foreign(declarations) : undefined
    const isText = ts.isStringLiteralLike(node) && !ts.isLiteralTypeNode(node.parent) && names.has(node.text)
    if (where !== undefined || isText) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart())
      found.push(
        `${source.fileName.slice(source.fileName.indexOf("/packages/"))}:${line + 1} ${node.getText()}: ${where}`
      )
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

describe("short names", () => {
  it("are those of members that only this workspace knows", () => {
    const sources = program.getSourceFiles().filter(({ fileName }) => isSource(fileName))
    assert.isAbove(sources.length, 80)
    assert.deepStrictEqual(sources.flatMap(mistakesIn), [])
  })

  it("are not those of the members of values that callers give or get", () => {
    for (const { fileName, text } of program.getSourceFiles()) {
      if (!isSource(fileName) || !isPublic(fileName)) continue
      for (const [, name = ""] of text.matchAll(/^ {2}(?:readonly )?(\w+)[?(<:]/gm)) {
        assert.isFalse(names.has(name) || effectNames.includes(name), `${name} in ${fileName}`)
      }
    }
  })
})
