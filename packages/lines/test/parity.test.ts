/** Whoever moves from one line to the other finds the same modules, names, options, errors and defaults. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import ts from "typescript"
import { assert, describe, it } from "vitest"
import { lines } from "../lines.mjs"
import { translate } from "../translate.mjs"

const packages = fileURLToPath(new URL("../..", import.meta.url))

/** Declarations whose text differs by more than renames, and why. */
const justified: Readonly<Record<string, string>> = {
  "hookrail/RetryPolicy.respectRetryAfter": "a Schedule of Effect 4 has a type for its errors",
  "hookrail/SignatureVerifier.layerConfig": "Effect 4 has ConfigError in its module Config",
  "hookrail/Webhooks.toHttpApp": "Effect 4 has no HttpApp: it is the handler alone"
}

const read = (file: string): string => readFileSync(join(packages, file), "utf8")

const parse = (file: string, text: string): ts.SourceFile =>
  ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true)

const isExported = (node: ts.Statement): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)

const flat = (text: string): string => text.replace(/\s+/g, " ").trim()

/** What a value has of a signature: its type, or the parameters and the result of a function. */
const signatureOf = (declaration: ts.VariableDeclaration): string => {
  if (declaration.type !== undefined) return declaration.type.getText()
  const { initializer } = declaration
  return initializer !== undefined && ts.isArrowFunction(initializer) ? headOf(initializer) : ""
}

const headOf = (node: ts.FunctionLikeDeclaration): string =>
  node.getSourceFile().text.slice(node.getStart(), node.body?.getFullStart() ?? node.end).replace(/=>\s*$/, "")

/** A class without the bodies of its methods. */
const classOf = (node: ts.ClassDeclaration): string =>
  [
    ...node.heritageClauses ?? [],
    ...node.members.filter((member) =>
      !(ts.getModifiers(member as ts.MethodDeclaration) ?? []).some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)
    )
  ].map((part) =>
    ts.isMethodDeclaration(part) || ts.isConstructorDeclaration(part) || ts.isAccessor(part)
      ? headOf(part)
      : ts.isPropertyDeclaration(part)
      ? `${part.name.getText()}${part.type?.getText() ?? ""}`
      : part.getText()
  ).join("; ")

/** The doc comment too, without its example: it tells defaults, and what a setting does. */
const docOf = (node: ts.Node): string =>
  ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc).map((doc) =>
    doc.getText().replace(/@example[^]*?(?=\* @(?!example)\w+ )/, "")
  ).join("")

/** The exports of a module, with their text as the users of a package see it; those of others that it exports again too. */
const exportsOf = (file: string, translated: boolean): Map<string, string> => {
  const source = parse(file, translated ? translate(read(file)) : read(file))
  const found = new Map<string, string>()
  const add = (name: string, node: ts.Node, text: string) => found.set(name, flat(`${docOf(node)} ${text}`))
  for (const statement of source.statements) {
    if (ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined) {
      const path = join(dirname(file), (statement.moduleSpecifier as ts.StringLiteral).text.replace(/\.js$/, ".ts"))
      const clause = statement.exportClause
      if (clause !== undefined && ts.isNamespaceExport(clause)) {
        found.set(clause.name.text, path.slice(path.indexOf("/src/")))
        continue
      }
      const inner = exportsOf(path, translated)
      if (clause === undefined) { for (const [name, text] of inner) found.set(name, text) }
      else {
        for (const { name, propertyName } of clause.elements) {
          found.set(name.text, inner.get((propertyName ?? name).text) ?? "missing")
        }
      }
    } else if (!isExported(statement)) continue
    else if (ts.isVariableStatement(statement)) {
      for (const declaration of statement.declarationList.declarations) {
        add(declaration.name.getText(), statement, `const ${signatureOf(declaration)}`)
      }
    } else if (ts.isFunctionDeclaration(statement)) add(statement.name!.text, statement, headOf(statement))
    else if (ts.isClassDeclaration(statement)) add(statement.name!.text, statement, classOf(statement))
    else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
      add(statement.name.text, statement, statement.getText())
    }
  }
  return found
}

/** Modules that users may import. */
const publicModules = (name: string): ReadonlyArray<string> =>
  readdirSync(join(packages, name, "src")).filter((file) => file.endsWith(".ts")).sort()

interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>
}

const manifestOf = (name: string): Manifest => JSON.parse(read(`${name}/package.json`)) as Manifest

for (const [name, twin] of Object.entries(lines)) {
  describe(name, () => {
    it("has the same modules in both lines", () => {
      assert.isAbove(publicModules(name).length, 3)
      assert.deepStrictEqual(publicModules(twin), publicModules(name))
      assert.deepStrictEqual(Object.keys(manifestOf(twin).exports).sort(), Object.keys(manifestOf(name).exports).sort())
    })

    it.each(publicModules(name))("%s exports the same names, types, options and docs", (module) => {
      const first = exportsOf(`${name}/src/${module}`, true)
      const second = exportsOf(`${twin}/src/${module}`, false)
      assert.deepStrictEqual([...second.keys()].sort(), [...first.keys()].sort())
      const listed = Object.keys(justified).filter((key) => key.startsWith(`${name}/${module.slice(0, -3)}.`))
      const expected = new Map(first)
      for (const key of listed.map((key) => key.slice(key.indexOf(".") + 1))) {
        assert.notStrictEqual(second.get(key), first.get(key), `${key} needs no place in the list`)
        expected.set(key, second.get(key)!)
      }
      assert.deepStrictEqual(Object.fromEntries(second), Object.fromEntries(expected))
      assert.notInclude([...second.values()], "missing")
    })
  })
}

const valuesOf = async (name: string) =>
  await import(pathToFileURL(join(packages, name, "src/index.ts")).href) as Record<string, Record<string, unknown>>

/** Nothing that belongs to a line of Effect: texts, numbers, lists and plain objects of them. */
const isPlain = (value: unknown): boolean =>
  value === null || ["string", "number", "boolean", "undefined"].includes(typeof value) ||
  typeof value === "object" && [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value) as object) &&
    Object.values(value).every(isPlain)

describe("at run time", () => {
  it("both cores have the same values", async () => {
    const [first, second] = [await valuesOf("hookrail"), await valuesOf("hookrail-4")]
    assert.deepStrictEqual(Object.keys(second).sort(), Object.keys(first).sort())
    let plain = 0
    for (const [module, values] of Object.entries(first)) {
      assert.deepStrictEqual(Object.keys(second[module]!).sort(), Object.keys(values).sort(), module)
      for (const [key, value] of Object.entries(values)) {
        if (!isPlain(value)) continue
        plain++
        assert.deepStrictEqual(second[module]![key], value, `${module}.${key}`)
      }
    }
    assert.isAbove(plain, 0)
  })
})

describe("what needs no Effect", () => {
  const sources = (name: string): ReadonlyArray<string> =>
    readdirSync(join(packages, name, "src"), { recursive: true, encoding: "utf8" }).filter((file) =>
      file.endsWith(".ts")
    )

  it.each(Object.entries(lines))("is the same text in %s and %s", (name, twin) => {
    const neutral = sources(name).filter((file) => !/from "(effect|@effect)/.test(read(`${name}/src/${file}`)))
    assert.isAbove(neutral.length, 3)
    for (const file of neutral) {
      assert.isTrue(existsSync(join(packages, twin, "src", file)), file)
      assert.strictEqual(read(`${twin}/src/${file}`), read(`${name}/src/${file}`), file)
    }
  })
})
