import { transformFileAsync } from "@babel/core"
import { execFile } from "node:child_process"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { basename, join } from "node:path"
import { promisify } from "node:util"
import { defineConfig, type Options } from "tsup"

type Plugin = NonNullable<Options["esbuildPlugins"]>[number]

/**
 * One output file per source file. Bundled, `export * as Module` becomes a
 * run-time object that no bundler can shake; left alone it stays a re-export.
 */
const onePerModule: Plugin = {
  name: "one-file-per-module",
  setup(build) {
    const extension = build.initialOptions.format === "cjs" ? ".cjs" : ".js"
    build.onResolve({ filter: /^\.\.?\// }, (args) =>
      args.kind === "entry-point"
        ? undefined
        : { path: args.path.replace(/\.js$/, extension), external: true })
  }
}

const built = async (pattern: RegExp): Promise<Array<string>> => {
  const files = await readdir("dist", { recursive: true })
  return files.filter((file) => pattern.test(file)).map((file) => join("dist", file))
}

/** Marks top-level calls as pure, so that a bundler drops the exports nobody uses. */
const markPureCalls = async (): Promise<void> => {
  for (const file of await built(/\.c?js$/)) {
    const result = await transformFileAsync(file, {
      plugins: ["annotate-pure-calls"],
      babelrc: false,
      configFile: false,
      compact: false,
      sourceMaps: true
    })
    await writeFile(file, `${result?.code ?? ""}\n//# sourceMappingURL=${basename(file)}.map\n`)
    await writeFile(`${file}.map`, JSON.stringify(result?.map))
  }
}

/** Emits `.d.ts` with tsc and derives from each its `.d.cts` twin. */
export const emitDeclarations = async (): Promise<void> => {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc")
  await promisify(execFile)(process.execPath, [tsc, "-p", "tsconfig.build.json"]).catch((error: { stdout: string }) => {
    throw new Error(error.stdout)
  })
  for (const file of await built(/\.d\.ts$/)) {
    const source = await readFile(file, "utf8")
    const twin = source
      .replace(/(\bfrom\s+|\bimport\s*\(\s*|\bimport\s+)(["'])(\.\.?\/[^"']+)\.js\2/g, "$1$2$3.cjs$2")
      .replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n")
    await writeFile(file.replace(/\.d\.ts$/, ".d.cts"), twin)
  }
}

const { version } = JSON.parse(await readFile("package.json", "utf8")) as { readonly version: string }

/** What every package builds with: ESM, CJS and types, source maps, nothing bundled. */
export default defineConfig({
  entry: ["src/**/*.ts"],
  format: ["esm", "cjs"],
  target: "es2022",
  platform: "node",
  // Deno and workerd need the "node:" prefix that tsup strips by default.
  removeNodeProtocol: false,
  dts: false,
  splitting: false,
  sourcemap: true,
  clean: true,
  silent: true,
  define: { HOOKRAIL_VERSION: JSON.stringify(version) },
  esbuildPlugins: [onePerModule],
  onSuccess: async () => {
    await markPureCalls()
    await emitDeclarations()
  }
})
