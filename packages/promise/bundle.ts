/** How the client and what it runs on become one file. For the build, and for the test that weighs the result. */
import { transformAsync } from "@babel/core"
import type { BuildOptions, Plugin } from "esbuild"
import { transform } from "esbuild"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { bundleEffect } from "./effect.js"
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

export const bundle = {
  bundle: true,
  minify: true,
  platform: "node",
  target: "es2022",
  conditions: ["@hookrail/source"],
  define: { HOOKRAIL_VERSION: JSON.stringify(version) },
  external: ["./verify.js"],
  plugins: [markPureCalls, leaveOut, bundleUndici, bundleEffect]
} satisfies BuildOptions
