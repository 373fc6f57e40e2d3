import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { defineConfig } from "tsup"
import base from "../../tsup.base.js"

/** The modules of the core that need no Effect are copied into the file that imports them: nobody has to install it. */
const core = /[\\/]hookrail[\\/]src[\\/]/

const adapter = /^(effect(-3)?|line-[34][\\/]\w+)\.(d\.)?c?[jt]s$/

/** In this workspace Effect 4, and the core for it, have names of their own. Effect 4 is ESM only. */
const nameEffect = async (): Promise<void> => {
  for (const file of await readdir("dist", { recursive: true })) {
    if (/^(effect|line-4[\\/]\w+)\.(d\.c|c)/.test(file)) await rm(join("dist", file))
    else if (/^(effect|line-4[\\/]\w+)\.(d\.)?[jt]s$/.test(file)) {
      const text = await readFile(join("dist", file), "utf8")
      await writeFile(join("dist", file), text.replace(/(["'])(effect|hookrail)-4\//g, "$1$2/"))
    }
  }
}

/** Keeps the declarations of this package. Outside of the adapters, none may lead to another package. */
const keepDeclarations = async (): Promise<void> => {
  await cp("dist/.types/outbox/src", "dist", { recursive: true })
  await rm("dist/.types", { recursive: true })
  for (const file of await readdir("dist", { recursive: true })) {
    if (!/\.d\.c?ts$/.test(file) || adapter.test(file)) continue
    const foreign = /^(?! \*).*(?:\bfrom |\bimport\()"([^".][^"]*)"/m.exec(await readFile(join("dist", file), "utf8"))
    if (foreign !== null) throw new Error(`${file} needs ${foreign[1]}`)
  }
}

export default defineConfig({
  ...base,
  noExternal: [/^hookrail\/(wire|options)\//],
  external: [/^(effect|hookrail)-4\//],
  esbuildOptions: (options) => {
    options.conditions = ["@hookrail/source"]
  },
  esbuildPlugins: [
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
    await (base as { readonly onSuccess: () => Promise<void> }).onSuccess()
    await keepDeclarations()
    await nameEffect()
  }
})
