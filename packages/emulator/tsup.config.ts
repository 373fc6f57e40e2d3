import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { defineConfig, type Options } from "tsup"
import base from "../../tsup.base.js"
import { bundledPage } from "./page/build.mjs"

const { onSuccess, ...options } = base as Options

/** The modules of the core that need no Effect are copied into the file that imports them: nobody has to install it. */
const core = /[\\/]hookrail[\\/]src[\\/]/

/** Keeps the declarations of this package. Outside of the adapters for Effect, none may lead to another package. */
const keepDeclarations = async (): Promise<void> => {
  await cp("dist/.types/emulator/src", "dist", { recursive: true })
  await rm("dist/.types", { recursive: true })
  for (const file of await readdir("dist", { recursive: true })) {
    if (!/\.d\.c?ts$/.test(file) || /^(layer|effect)/.test(file)) continue
    const text = await readFile(join("dist", file), "utf8")
    const foreign = /^(?! \*).*(?:\bfrom |\bimport\()"((?!node:)[^".][^"]*)"/m.exec(text)
    if (foreign !== null) throw new Error(`${file} needs ${foreign[1]}`)
  }
}

/** In this workspace Effect 3 has a name of its own, next to Effect 4. */
const nameEffect = async (): Promise<void> => {
  for (const file of (await readdir("dist")).filter((file) => /^layer-3\./.test(file))) {
    const text = await readFile(`dist/${file}`, "utf8")
    await writeFile(`dist/${file}`, text.replace(/(["'])effect-3\//g, "$1effect/"))
  }
}

export default defineConfig({
  ...options,
  external: [/^effect-3\//],
  noExternal: [/^hookrail\/signature\//],
  esbuildOptions: (options) => {
    options.conditions = ["@hookrail/source"]
  },
  esbuildPlugins: [
    bundledPage,
    {
      name: "one-file-per-module",
      setup(build) {
        const extension = build.initialOptions.format === "cjs" ? ".cjs" : ".js"
        build.onResolve({ filter: /^\.\.?\// }, (args) =>
          args.kind === "entry-point" || core.test(args.importer)
            ? undefined
            : { path: args.path.replace(/\.js$/, extension), external: true })
      }
    }
  ],
  onSuccess: async () => {
    if (typeof onSuccess === "function") await onSuccess()
    await keepDeclarations()
    await nameEffect()
  }
})
