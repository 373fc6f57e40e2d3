/**
 * How Effect becomes part of the bundle. Its own values, such as causes and contexts, never reach a caller of the facade: what
 * compares, hashes and prints them is left out, and so are the loggers that the facade replaces.
 */
import { type PluginObj, transformAsync, types as t } from "@babel/core"
import type { Plugin } from "esbuild"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

/** The members that are left out. */
const members = new Set(["[Equal.symbol]", "[Hash.symbol]", "[NodeInspectSymbol]", "toString", "toJSON"])

const nameOf = ({ computed, key }: t.ObjectMethod | t.ClassMethod): string => {
  if (!computed) return t.isIdentifier(key) ? key.name : ""
  if (t.isIdentifier(key)) return `[${key.name}]`
  return t.isMemberExpression(key) && t.isIdentifier(key.object) && t.isIdentifier(key.property)
    ? `[${key.object.name}.${key.property.name}]`
    : ""
}

/** What a fiber remembers of tracing, and of metrics of its own. The facade has neither. */
const unset = new Set(["stackFrame", "runtimeMetrics", "tracerContext"])

const nothing = () => t.unaryExpression("void", t.numericLiteral(0))

const isNothing = (node: t.Node | null | undefined): boolean => t.isUnaryExpression(node, { operator: "void" })

const lean: PluginObj = {
  visitor: {
    MemberExpression: (path) => {
      const { object, property } = path.node
      const isCache = t.isIdentifier(object, { name: "cache" }) ||
        t.isMemberExpression(object) && t.isIdentifier(object.property, { name: "cache" })
      if (isCache && t.isIdentifier(property) && unset.has(property.name)) path.replaceWith(nothing())
    },
    ObjectProperty: (path) => {
      if (t.isIdentifier(path.node.key) && unset.has(path.node.key.name)) path.remove()
    },
    IfStatement: {
      exit: (path) => {
        if (isNothing(path.node.test) && path.node.alternate == null) path.remove()
      }
    },
    ConditionalExpression: {
      exit: (path) => {
        if (isNothing(path.node.test)) path.replaceWith(path.node.alternate)
      }
    },
    OptionalCallExpression: {
      exit: (path) => {
        const { callee } = path.node
        if (t.isOptionalMemberExpression(callee) && isNothing(callee.object)) path.replaceWith(nothing())
      }
    },
    "ObjectMethod|ClassMethod": (path) => {
      if (members.has(nameOf(path.node as t.ObjectMethod | t.ClassMethod))) path.remove()
    },
    /** A computed name in a class keeps a bundler from leaving it out if nobody uses it. */
    ExportNamedDeclaration: ({ node }) => {
      const { declaration } = node
      if (!t.isClassDeclaration(declaration) || !t.isCallExpression(declaration.superClass)) return
      const { body, id, superClass } = declaration
      const made = t.callExpression(t.arrowFunctionExpression([], t.classExpression(id, superClass, body)), [])
      t.addComment(made, "leading", "#__PURE__")
      node.declaration = t.variableDeclaration("const", [t.variableDeclarator(t.identifier(id!.name), made)])
    }
  }
}

/** For each module, text that has to be there, and what is put in its place. */
const edits: Readonly<Record<string, ReadonlyArray<readonly [text: string, instead: string]>>> = {
  "internal/core.js": [
    // Equal reasons that are not the same may stay: all that the facade takes from a cause is one error.
    ["dedupeReasons(self.reasons, that.reasons)", "[...new Set([...self.reasons, ...that.reasons])]"],
    ["return Equal.equals(self, newCause) ? self : newCause;", "return newCause;"]
  ],
  "internal/effect.js": [
    // Fibers of the facade have a logger of its own: `contextOf` in `src/log.ts`.
    ["new Set([defaultLogger, tracerLogger])", "new Set()"],
    // Reading a member might have an effect: nobody would leave it out.
    ["const logLevelColors = {", "const logLevelColors = () => ({"],
    ["  Fatal: [colors.bgBrightRed, colors.black]\n};", "  Fatal: [colors.bgBrightRed, colors.black]\n});"]
  ]
}

/** The modules that are parsed. */
const leaned = /^(Context|Inspectable|Redacted|Schedule|internal\/(core|effect|option|result))\.js$/

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
      if (!leaned.test(name)) return undefined
      let code = await readFile(path, "utf8")
      for (const [text, instead] of edits[name] ?? []) {
        if (!code.includes(text)) throw new Error(`${path} has no ${text}`)
        code = code.replace(text, instead)
      }
      const result = await transformAsync(code, {
        plugins: [lean],
        babelrc: false,
        configFile: false,
        sourceMaps: "inline"
      })
      return { contents: result?.code ?? code }
    })
  }
}
