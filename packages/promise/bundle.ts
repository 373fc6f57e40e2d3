/** How the client and what it runs on become one file. For the build, and for the test that weighs the result. */
import { transformAsync } from "@babel/core"
import type { BuildOptions, Plugin } from "esbuild"
import { transform } from "esbuild"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { bundleUndici } from "./undici.js"

const { version } = createRequire(import.meta.url)("./package.json") as { readonly version: string }

/** Marks the top-level calls in the sources of this workspace as pure, as in their builds: what nobody uses goes. */
const markPureCalls: Plugin = {
  name: "mark-pure-calls",
  setup(build) {
    build.onLoad({ filter: /[\\/](hookrail|node)-4[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), {
        loader: "ts",
        format: "esm",
        target: "es2022",
        sourcefile: path,
        sourcemap: "inline"
      })
      const result = await transformAsync(code, {
        plugins: ["annotate-pure-calls"],
        babelrc: false,
        configFile: false,
        // With the map of the transformation before it: the build's own leads to the sources.
        sourceMaps: "inline"
      })
      return { contents: result?.code ?? code, loader: "js" }
    })
  }
}

/**
 * What the core loads on demand, for `effect/http`, no caller of the facade can reach. Bundled, it would turn every module that
 * it shares with the rest into a function.
 */
const leaveOut: Plugin = {
  name: "leave-out-unreachable",
  setup(build) {
    build.onResolve(
      { filter: /^\./ },
      ({ kind, path }) => kind === "dynamic-import" ? { path, external: true } : undefined
    )
  }
}

/**
 * Modules of Effect, by their name, without what is only for its own data, and without a case for each number of functions.
 *
 * None of that data leaves the facade, and nothing in it is compared by content. What is formatted is what somebody threw that is no
 * `Error`. Names that only Schema uses, which nothing reaches, must be there.
 */
const replaced: Readonly<Record<string, string>> = {
  Formatter: `
    export const format = (input) => {
      try {
        return JSON.stringify(input) ?? String(input)
      } catch {
        return Object.prototype.toString.call(input)
      }
    }
    export const formatJson = format, formatDate = String, formatPath = String, formatPropertyKey = String`,
  Equal: `
    export const symbol = "~effect/Equal"
    export const equals = (...values) => values.length === 1 ? (self) => self === values[0] : values[0] === values[1]
    export const isEqual = (value) => symbol in Object(value)
    export const asEquivalence = () => equals, byReference = (value) => value, byReferenceUnsafe = byReference`,
  // `Redacted` hides itself; others show something else in each fiber.
  Redactable: `
    export const symbolRedactable = Symbol.for("~effect/Redactable"), currentFiberTypeId = "~effect/Fiber/currentFiber"
    export const isRedactable = () => false, redact = (value) => value, getRedacted = redact`,
  Pipeable: `
    export const pipeArguments = (self, functions) => {
      for (let i = 0; i < functions.length; i++) self = functions[i](self)
      return self
    }
    export const Prototype = {
      pipe() {
        return pipeArguments(this, arguments)
      }
    }
    export const Class = function() {}
    Class.prototype = Prototype
    export const Mixin = (Base) => {
      const Piped = class extends Base {}
      Object.assign(Piped.prototype, Prototype)
      return Piped
    }`,
  // Equal values have equal hashes: all have this one.
  Hash: `
    export const symbol = "~effect/Hash"
    export const combine = (...values) => values.length === 1 ? () => 0 : 0
    export const isHash = (value) => symbol in Object(value)
    export const hash = () => 0, random = hash, optimize = hash, number = hash, string = hash, array = hash
    export const structure = hash, structureKeys = hash`
}

const shrinkEffect: Plugin = {
  name: "shrink-effect",
  setup(build) {
    build.onLoad(
      { filter: /[\\/]effect[\\/]dist[\\/](Formatter|Equal|Hash|Pipeable|Redactable)\.js$/ },
      ({ path }) => ({
        contents: replaced[path.replaceAll("\\", "/").split("/").at(-1)!.slice(0, -3)]!
      })
    )
  }
}

export const bundle = {
  bundle: true,
  minify: true,
  platform: "node",
  target: "es2022",
  conditions: ["@hookrail/source"],
  define: { HOOKRAIL_VERSION: JSON.stringify(version) },
  external: ["./verify.js"],
  plugins: [markPureCalls, leaveOut, shrinkEffect, bundleUndici]
} satisfies BuildOptions
