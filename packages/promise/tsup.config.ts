import { readdir, rename, rm } from "node:fs/promises"
import { defineConfig } from "tsup"
import { emitDeclarations } from "../../tsup.base.js"
import { bundle } from "./bundle.js"
import { thirdPartyNotices } from "./notices.js"

const { conditions, define, external, plugins, target } = bundle
const notices = thirdPartyNotices()

/** tsc also looks at the sources that are bundled in: only the declarations of this package stay. */
const declarations = async (): Promise<void> => {
  await emitDeclarations()
  const from = "dist/.types/promise/src"
  for (const file of await readdir(from)) await rename(`${from}/${file}`, `dist/${file}`)
  await rm("dist/.types", { recursive: true })
}

export default defineConfig({
  entry: ["src/index.ts", "src/web.ts", "src/webhooks.ts", "src/verify.ts", "src/errors.ts"],
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
      // One copy of each class, whichever entries a program imports: `instanceof` has to hold.
      name: "shared-modules",
      setup: (build) => {
        const extension = build.initialOptions.format === "cjs" ? ".cjs" : ".js"
        build.onResolve(
          { filter: /^\.\/(verify|errors)\.js$/ },
          ({ importer, path }) =>
            importer.replaceAll("\\", "/").includes("/promise/src/")
              ? { path: path.replace(/\.js$/, extension), external: true }
              : undefined
        )
      }
    },
    ...plugins,
    notices.plugin
  ],
  onSuccess: async () => {
    await declarations()
    await notices.write("dist/THIRD-PARTY-NOTICES.txt")
  }
})
