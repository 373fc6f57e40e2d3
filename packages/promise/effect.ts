/**
 * How Effect becomes part of the bundle. Its own values, such as causes and contexts, never reach a caller of the facade: what
 * compares, hashes and prints them is left out, and so are the loggers that the facade replaces.
 */
import { type PluginObj, template, transformAsync, types as t } from "@babel/core"
import type { Plugin } from "esbuild"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { definitions } from "./definitions.js"
import { shortenEffect } from "./names.js"

/** The members that are left out. */
const members = new Set(["[Equal.symbol]", "[Hash.symbol]", "[NodeInspectSymbol]", "toString", "toJSON"])

const nameOf = ({ computed, key }: t.ObjectMethod | t.ClassMethod): string => {
  if (!computed) return t.isIdentifier(key) ? key.name : ""
  if (t.isIdentifier(key)) return `[${key.name}]`
  return t.isMemberExpression(key) && t.isIdentifier(key.object) && t.isIdentifier(key.property)
    ? `[${key.object.name}.${key.property.name}]`
    : ""
}

const hasComputedName = (node: t.Node | null | undefined): boolean =>
  t.isObjectExpression(node)
    ? node.properties.some((property) => !t.isSpreadElement(property) && property.computed)
    : t.isCallExpression(node) && node.arguments.some(hasComputedName)

/** The same value, in a form that a bundler leaves out if nobody uses it. */
const pure = (value: t.Expression): t.Expression => {
  const made = t.callExpression(t.arrowFunctionExpression([], value), [])
  t.addComment(made, "leading", "#__PURE__")
  return made
}

const lean: PluginObj = {
  visitor: {
    "ObjectMethod|ClassMethod": (path) => {
      if (members.has(nameOf(path.node as t.ObjectMethod | t.ClassMethod))) path.remove()
    },
    /** A computed name keeps a bundler from leaving out a class or an object that nobody uses. */
    ExportNamedDeclaration: ({ node }) => {
      const { declaration } = node
      if (!t.isClassDeclaration(declaration) || !t.isCallExpression(declaration.superClass)) return
      const { body, id, superClass } = declaration
      node.declaration = t.variableDeclaration("const", [
        t.variableDeclarator(t.identifier(id!.name), pure(t.classExpression(id, superClass, body)))
      ])
    },
    VariableDeclarator: (path) => {
      if (path.scope.path.isProgram() && hasComputedName(path.node.init)) path.node.init = pure(path.node.init!)
    }
  }
}

const expressionOf = (source: string): t.Expression => {
  const made = template.expression(source, { placeholderPattern: false })()
  // All are without effects.
  if (t.isCallExpression(made)) t.addComment(made, "leading", "#__PURE__")
  return made
}

/** The name of the class that a statement gives its prototype. */
const prototypeOf = (statement: t.Statement): string => {
  if (!t.isExpressionStatement(statement) || !t.isAssignmentExpression(statement.expression)) return ""
  const { left } = statement.expression
  return t.isMemberExpression(left) && t.isIdentifier(left.object) &&
      t.isIdentifier(left.property, { name: "prototype" })
    ? left.object.name
    : ""
}

/** Replaces the definitions of a module. */
export const replacing = (replaced: Readonly<Record<string, string>>): PluginObj => ({
  visitor: {
    Program: ({ node }) => {
      node.body = node.body.filter((statement) => !(prototypeOf(statement) in replaced))
      const { body } = node
      const left = new Set(Object.keys(replaced))
      for (const [index, statement] of body.entries()) {
        const declaration = t.isExportNamedDeclaration(statement) ? statement.declaration : statement
        if (t.isClassDeclaration(declaration) && left.delete(declaration.id!.name)) {
          const { name } = declaration.id!
          const made = t.variableDeclaration("const", [
            t.variableDeclarator(t.identifier(name), expressionOf(replaced[name]!))
          ])
          if (t.isExportNamedDeclaration(statement)) statement.declaration = made
          else body[index] = made
        } else if (t.isVariableDeclaration(declaration)) {
          for (const declarator of declaration.declarations) {
            if (!t.isIdentifier(declarator.id) || !left.delete(declarator.id.name)) continue
            declarator.init = expressionOf(replaced[declarator.id.name]!)
          }
        }
      }
      if (left.size > 0) {
        throw new Error(`${[...left].join()} is no longer defined: see packages/promise/definitions.ts`)
      }
    }
  }
})

/** Where the imported names of a module are from. */
const importsOf = (code: string): ReadonlyMap<string, { readonly from: string; readonly name: string }> => {
  const imports = new Map<string, { readonly from: string; readonly name: string }>()
  for (const [, namespace, names, from = ""] of code.matchAll(/^import (?:\* as (\w+)|\{(.*)\}) from (".*");$/gm)) {
    if (namespace !== undefined) imports.set(namespace, { from, name: "*" })
    for (const [, name = "", local = name] of names?.matchAll(/(\w+)(?: as (\w+))?/g) ?? []) {
      imports.set(local, { from, name })
    }
  }
  return imports
}

/** Exports under another name become just that. As constants, each would stay in the bundle. */
const withoutAliases = (code: string): string => {
  const imports = importsOf(code)
  return code.replace(
    /^export const (\w+) = (\w+)(?:\.(\w+))?;$/gm,
    (found, name: string, local: string, member = "") => {
      const imported = imports.get(local)
      if (imported === undefined || (imported.name === "*") !== (member !== "")) return found
      return `import { ${member || imported.name} as ${name} } from ${imported.from}; export { ${name} };`
    }
  )
}

/** The other modules that are parsed. */
const others = ["Data.js", "Inspectable.js", "Schedule.js", "internal/option.js"]

const duration = fileURLToPath(new URL("./lean/duration.ts", import.meta.url))

export const bundleEffect: Plugin = {
  name: "bundle-effect",
  setup(build) {
    build.onResolve(
      { filter: /^(effect|\.\.?)\/Duration(\.js)?$/ },
      ({ importer }) => importer === duration ? undefined : { path: duration, sideEffects: false }
    )
    build.onLoad({ filter: /[\\/]effect[\\/]dist[\\/]/ }, async ({ path }) => {
      const name = path.replaceAll("\\", "/").split("/effect/dist/").at(-1)!
      const replaced = definitions[name]
      const code = withoutAliases(await readFile(path, "utf8"))
      if (replaced === undefined && !others.includes(name)) return { contents: shortenEffect(code) }
      const result = await transformAsync(code, {
        plugins: [...(replaced === undefined ? [] : [replacing(replaced)]), lean],
        babelrc: false,
        configFile: false,
        sourceFileName: path,
        sourceMaps: "inline"
      })
      return { contents: shortenEffect(result?.code ?? code) }
    })
  }
}
