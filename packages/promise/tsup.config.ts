import { readdir, rename, rm } from "node:fs/promises"
import { defineConfig } from "tsup"
import { emitDeclarations } from "../../tsup.base.js"
import { bundle } from "./bundle.js"

const { conditions, define, external, plugins, target } = bundle

/** tsc also looks at the sources that are bundled in: only the declarations of this package stay. */
const declarations = async (): Promise<void> => {
  await emitDeclarations()
  const from = "dist/.types/promise/src"
  for (const file of await readdir(from)) await rename(`${from}/${file}`, `dist/${file}`)
  await rm("dist/.types", { recursive: true })
}

export default defineConfig({
  entry: ["src/index.ts", "src/web.ts", "src/verify.ts"],
  format: ["esm", "cjs"],
  target,
  platform: "node",
  removeNodeProtocol: false,
  dts: false,
  splitting: false,
  sourcemap: false,
  minify: true,
  clean: true,
  silent: true,
  define,
  external: external.filter((name) => !name.startsWith("./")),
  noExternal: [/^effect/, /^hookrail/, /^@hookrail\/node/],
  esbuildOptions: (options) => {
    options.conditions = conditions
  },
  esbuildPlugins: [
    {
      name: "one-verify",
      setup: (build) => {
        const extension = build.initialOptions.format === "cjs" ? ".cjs" : ".js"
        build.onResolve({ filter: /^\.\/verify\.js$/ }, () => ({ path: `./verify${extension}`, external: true }))
      }
    },
    ...plugins
  ],
  onSuccess: declarations
})
