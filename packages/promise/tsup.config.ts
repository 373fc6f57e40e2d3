import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { defineConfig } from "tsup"
import { emitDeclarations } from "../../tsup.base.js"
import { bundle } from "./bundle.js"
import { thirdPartyNotices } from "./notices.js"
import { keepOwnSources } from "./sourceMaps.js"

const { conditions, define, external, plugins, target } = bundle
const notices = thirdPartyNotices()

const types = "dist/.types"

/** Where the models of the core are put, next to the declarations of this package. */
const models = "core"

/**
 * The declarations of this package, and of the core's models that they name: those are listed in tsconfig.build.json.
 * Whatever leads to another package is a mistake, because nobody who installs this one has it.
 */
const declarations = async (): Promise<void> => {
  await emitDeclarations()
  const from = `${types}/promise/src`
  for (const file of await readdir(from)) await keep(`${from}/${file}`, `dist/${file}`)
  await rm(types, { recursive: true })
}

const keep = async (from: string, to: string): Promise<void> => {
  const extension = to.endsWith(".d.cts") ? "cts" : "ts"
  const named: Array<string> = []
  const text = (await readFile(from, "utf8")).replace(
    // The examples in comments stay as they are.
    /^ *\*.*$|(\bfrom\s+|\bimport\s*\(\s*|\bimport\s+)"([^".][^"]*)"/gm,
    (found, keyword: string | undefined, specifier: string) => {
      if (keyword === undefined) return found
      if (!specifier.startsWith("hookrail/")) throw new Error(`${to} needs ${specifier}`)
      const model = specifier.slice("hookrail/".length)
      named.push(model)
      return `${keyword}"./${models}/${model}.${extension === "cts" ? "cjs" : "js"}"`
    }
  )
  await writeFile(to, text)
  for (const model of named) await keepModel(model, extension)
}

/** A model of the core and those that it imports: by relative paths, which stay as they are. */
const keepModel = async (model: string, extension: "ts" | "cts"): Promise<void> => {
  const to = `dist/${models}/${model}.d.${extension}`
  const text = await readFile(`${types}/hookrail-4/src/${model}.d.${extension}`, "utf8")
  await mkdir(dirname(to), { recursive: true })
  await writeFile(to, text)
  for (const [, specifier = ""] of text.matchAll(/\bfrom\s+"([^"]*)"/g)) {
    if (!specifier.startsWith(".")) throw new Error(`${to} needs ${specifier}`)
    await keepModel(join(dirname(model), specifier).replace(/\.c?js$/, ""), extension)
  }
}

export default defineConfig({
  entry: [
    "src/index.ts",
    "src/web.ts",
    "src/webhooks.ts",
    "src/admin.ts",
    "src/admin-web.ts",
    "src/verify.ts",
    "src/errors.ts",
    "src/events.ts",
    "src/openapi.ts"
  ],
  format: ["esm", "cjs"],
  target,
  platform: "node",
  removeNodeProtocol: false,
  dts: false,
  splitting: false,
  // Stacks have to be readable, and those who bundle minify themselves.
  sourcemap: true,
  minify: false,
  clean: true,
  silent: true,
  define,
  external: external.filter((name) => !name.startsWith("./")),
  noExternal: [/^effect/, /^hookrail/, /^@hookrail\/node/, /^undici/],
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
    await keepOwnSources("dist")
    await declarations()
    await notices.write("dist/THIRD-PARTY-NOTICES.txt")
  }
})
