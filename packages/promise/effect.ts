/**
 * How Effect becomes part of the bundle. Its own values, such as causes and contexts, never reach a caller of the facade: what
 * compares, hashes and prints them is left out, and so are the loggers that the facade replaces.
 */
import { type PluginObj, template, transformAsync, types as t } from "@babel/core"
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

/**
 * Definitions that are replaced, by module and name.
 *
 * Some would be left out but for the probes of the engine that they make while they are loaded.
 */
const definitions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "internal/core.js": {
    // Equal reasons that are not the same may stay: all that the facade takes from a cause is one error.
    dedupeReasons: "(self, that) => [...new Set([...self, ...that])]",
    // Annotations are about tracing, which the facade has none of.
    ReasonBase: `class {
      constructor(_tag, annotations) {
        this[CauseReasonTypeId] = CauseReasonTypeId
        this._tag = _tag
        this.annotations = annotations
      }
    }`,
    causeAnnotate: "(self) => self",
    // Their fields are those of this workspace, and are printed by its own classes.
    Error: `class extends YieldableError {
      constructor(args) {
        super(args?.message, args?.cause ? { cause: args.cause } : undefined)
        Object.assign(this, args)
      }
    }`,
    causeCombine: "(self, that) => causeFromReasons(dedupeReasons(self.reasons, that.reasons))"
  },
  "internal/effect.js": {
    // Fibers of the facade have a logger of its own: `contextOf` in `src/log.ts`.
    defaultLogger: "undefined",
    tracerLogger: "undefined",
    logLevelColors: "undefined",
    // All else that fibers remember is never set in the facade.
    makeFiberContextCache: `(context) => ({
      scheduler: Context.get(context, Scheduler.Scheduler),
      maxOpsBeforeYield: 2048,
      minimumLogLevel: "Info"
    })`,
    // These keep stacks readable that nobody prints.
    continuationMarksStack: "true",
    fiberStackAnnotations: "() => undefined",
    // Dates of spans.
    wallTimeNanos: "() => BigInt(Date.now()) * nanosPerMilli"
  },
  // A copy of a few services is as good as the layers that are made for many.
  "Context.js": {
    applyOverlays: "undefined",
    flatten: "(self) => self.base",
    makeImpl: `(cacheRoot, base) => {
      const self = Object.create(Proto)
      self.cacheRoot = cacheRoot ?? self
      self.base = base
      self._fiberCache = undefined
      return self
    }`,
    makeUnsafe: "(mapUnsafe) => makeImpl(undefined, mapUnsafe)",
    lookup: `(self, key) => {
      const value = self.base.get(key)
      return value === undefined && !self.base.has(key) ? notFound : value
    }`,
    addUnsafe:
      "(self, key, service) => makeImpl(cacheKeys.has(key) ? undefined : self.cacheRoot, new Map(self.base).set(key, service))",
    serviceNotFoundError: "(service) => new Error(`Service not found: ${service.key}`)"
  },
  // Nothing in the facade has a priority.
  "Scheduler.js": {
    PriorityBuckets: "undefined",
    MixedSchedulerDispatcher: `class {
      tasks = []
      running = undefined
      constructor(setImmediateFn = setImmediate) {
        this.setImmediate = setImmediateFn
      }
      scheduleTask(task) {
        this.tasks.push(task)
        this.running ??= this.setImmediate(this.afterScheduled)
      }
      afterScheduled = () => {
        this.running = undefined
        this.runTasks()
      }
      runTasks() {
        const { tasks } = this
        this.tasks = []
        for (const task of tasks) task()
      }
      flush() {
        while (this.tasks.length > 0) {
          this.running?.()
          this.running = undefined
          this.runTasks()
        }
      }
    }`
  },
  "internal/random.js": {
    Random: `Context.Reference("effect/Random", { defaultValue: () => ({ nextDoubleUnsafe: Math.random }) })`
  },
  "internal/redacted.js": { value: "(self) => redactedRegistry.get(self)" },
  "Utils.js": { internalCall: "(body) => body()" }
}

const expressionOf = (source: string): t.Expression => {
  const made = template.expression(source, { placeholderPattern: false })()
  // All are without effects.
  if (t.isCallExpression(made)) t.addComment(made, "leading", "#__PURE__")
  return made
}

/** Replaces the definitions of a module. */
const replacing = (replaced: Readonly<Record<string, string>>): PluginObj => ({
  visitor: {
    Program: ({ node: { body } }) => {
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
      if (left.size > 0) throw new Error(`Effect no longer defines ${[...left].join()}: see packages/promise/effect.ts`)
    }
  }
})

/** The other modules that are parsed. */
const others = ["Data.js", "Inspectable.js", "Redacted.js", "Schedule.js", "internal/option.js", "internal/result.js"]

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
      if (replaced === undefined && !others.includes(name)) return undefined
      const code = await readFile(path, "utf8")
      const result = await transformAsync(code, {
        plugins: [...(replaced === undefined ? [] : [replacing(replaced)]), lean],
        babelrc: false,
        configFile: false,
        sourceMaps: "inline"
      })
      return { contents: result?.code ?? code }
    })
  }
}
