/** How the client and what it runs on become one file. For the build, and for the test that weighs the result. */
import { transformAsync } from "@babel/core"
import type { BuildOptions, Plugin } from "esbuild"
import { transform } from "esbuild"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname } from "node:path"
import { bundleUndici } from "./undici.js"

const { version } = createRequire(import.meta.url)("./package.json") as { readonly version: string }

/** Marks the top-level calls in the sources of this workspace as pure, as in their builds: what nobody uses goes. */
const markPureCalls: Plugin = {
  name: "mark-pure-calls",
  setup(build) {
    build.onLoad({ filter: /[\\/](hookrail|node)[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
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
 * Parts of Effect that every fiber reaches and that no caller of the facade can: its metrics of fibers, the bridge to
 * Micro, the supervisor that sorts fibers. A fifth of the bundle, and some work for each fiber.
 */
const unreachable: Readonly<Record<string, string>> = {
  "Micro.js": "export const runFork = undefined, provideContext = undefined",
  "SortedSet.js": "export const add = undefined, remove = undefined",
  "internal/metric.js": `
    import * as core from "./core.js"
    const none = { unsafeUpdate: () => {} }
    export const counter = () => none, gauge = counter, histogram = counter, tagged = counter
    export const increment = () => core.void, set = increment`,
  "internal/metric/boundaries.js": "export const exponential = () => {}"
}

const leaveOut: Plugin = {
  name: "leave-out-unreachable",
  setup(build) {
    // What the core loads on demand, for `@effect/platform`, is unreachable too. Bundled, it would turn every module that it
    // shares with the rest into a function.
    build.onResolve(
      { filter: /^\./ },
      ({ kind, path }) => kind === "dynamic-import" ? { path, external: true } : undefined
    )
    build.onLoad({ filter: /[\\/]effect[\\/]dist[\\/]esm[\\/]/ }, ({ path }) => {
      const contents = unreachable[path.replaceAll("\\", "/").split("/effect/dist/esm/").at(-1) ?? ""]
      return contents === undefined ? undefined : { contents, loader: "js", resolveDir: dirname(path) }
    })
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
  plugins: [markPureCalls, leaveOut, bundleUndici],
  // The stubs have the exports that are reached, and no others.
  logOverride: { "import-is-undefined": "silent" }
} satisfies BuildOptions
