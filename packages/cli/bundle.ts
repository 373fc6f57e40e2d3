/** How the command and all that it runs on become a few files without dependencies. For the build and for the tests. */
import type { BuildOptions, Plugin } from "esbuild"
import { createRequire } from "node:module"
import { bundledPage } from "../emulator/page/build.mjs"
import { bundleUndici } from "../promise/undici.js"

const { version } = createRequire(import.meta.url)("./package.json") as { readonly version: string }

/** What the core loads on demand for users of Effect's HTTP client, which no command is. */
const leaveOut: Plugin = {
  name: "leave-out-unreachable",
  setup(build) {
    build.onResolve(
      { filter: /^\./ },
      ({ importer, kind, path }) =>
        kind === "dynamic-import" && /[\\/]hookrail-4[\\/]src[\\/]/.test(importer)
          ? { path, external: true }
          : undefined
    )
  }
}

export const bundle = {
  entryPoints: { hookrail: "src/main.ts" },
  outdir: "dist",
  bundle: true,
  // A command loads its own part only: most of the time of a start is V8's parsing.
  splitting: true,
  chunkNames: "[name]-[hash]",
  minify: true,
  format: "esm",
  platform: "node",
  target: "es2022",
  conditions: ["@hookrail/source"],
  define: { HOOKRAIL_VERSION: JSON.stringify(version) },
  plugins: [leaveOut, bundleUndici, bundledPage]
} satisfies BuildOptions
