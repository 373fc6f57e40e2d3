/** How the client and what it runs on become one file. For the build, and for the test that weighs the result. */
import { transformAsync } from "@babel/core"
import type { BuildOptions, Plugin } from "esbuild"
import { transform } from "esbuild"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { ofCore } from "./definitions.js"
import { bundleEffect, replacing } from "./effect.js"
import { shortNames } from "./names.js"
import { bundleUndici } from "./undici.js"

const { version } = createRequire(import.meta.url)("./package.json") as { readonly version: string }

/**
 * The sources of this workspace. Their private members get short names, and the top-level calls outside of this package are
 * marked as pure, as in the other builds: what nobody uses goes.
 */
const readSources: Plugin = {
  name: "read-sources",
  setup(build) {
    const { check, plugin } = shortNames()
    build.onLoad({ filter: /[\\/](hookrail-4|node-4|promise)[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
      const options = { babelrc: false, configFile: false, sourceMaps: "inline" } as const
      const replaced = ofCore[/[\\/]hookrail-4[\\/]src[\\/](.*)/.exec(path)?.[1] ?? ""]
      const named = await transformAsync(await readFile(path, "utf8"), {
        ...options,
        filename: path,
        plugins: replaced === undefined ? [plugin] : [replacing(replaced), plugin],
        parserOpts: { plugins: ["typescript"] }
      })
      const { code } = await transform(named!.code!, {
        loader: "ts",
        format: "esm",
        target: "es2022",
        sourcefile: path,
        sourcemap: "inline"
      })
      if (/[\\/]promise[\\/]src[\\/]/.test(path)) return { contents: code, loader: "js" }
      // Each with the map of the one before: the build's own leads to the sources.
      const marked = await transformAsync(code, { ...options, plugins: ["annotate-pure-calls"] })
      return { contents: marked!.code!, loader: "js" }
    })
    build.onEnd(check)
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
  plugins: [readSources, leaveOut, bundleUndici, bundleEffect]
} satisfies BuildOptions
