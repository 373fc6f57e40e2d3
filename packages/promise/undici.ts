/** How undici becomes part of the bundle: its connection pool, without what no caller of the facade can reach. */
import type { Plugin } from "esbuild"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

/** The modules of undici that are replaced, by their path. */
const replaced: Readonly<Record<string, (path: string) => string | Promise<string>>> = {
  // All connections are opened with `allowH2: false`. The original loads `node:http2`.
  "dispatcher/client-h2.js": () => "module.exports = () => { throw new Error('HTTP/2 is not supported') }",
  // For bodies that are not bytes. With it, half of `fetch` would be in the bundle.
  "web/fetch/body.js": () => "exports.extractBody = () => { throw new TypeError('a body has to be bytes') }",
  // The parser with SIMD is as large as the one without, which runs everywhere, and no faster for answers as short as these.
  "llhttp/llhttp_simd-wasm.js": () => "module.exports = require('./llhttp-wasm.js')",
  // Most of the constants are for those who build the parser.
  "llhttp/constants.js": async (path) => {
    const user = await readFile(join(dirname(path), "../dispatcher/client-h1.js"), "utf8")
    const names = new Set([...user.matchAll(/\bconstants\.([A-Z]\w*)/g)].map(([, name]) => name!))
    const all = createRequire(path)(path) as Readonly<Record<string, unknown>>
    return [...names].map((name) => `exports.${name} = ${JSON.stringify(all[name])}`).join("\n")
  }
}

const builtin = (name: string): string => `process.getBuiltinModule(${JSON.stringify(name)})`

/** Loading it takes as long as loading `node:net`, and only a failed assertion needs it. */
const lazyAssert = `module.exports = (value, message) => { if (!value) ${builtin("node:assert")}(value, message) }`

const isUndici = /[\\/]undici[\\/]lib[\\/]/

/**
 * Bundled, because loading two dozen small files takes longer than all that is in them.
 *
 * Undici's `require` of Node's modules becomes `process.getBuiltinModule`: an ES module has no `require`, and an `import` of
 * `node:http` calls the getters of all its exports, one of which loads Node's own `fetch`.
 */
export const bundleUndici: Plugin = {
  name: "bundle-undici",
  setup(build) {
    build.onResolve(
      { filter: /^node:/ },
      ({ importer, path }) => isUndici.test(importer) ? { path, namespace: "builtin" } : undefined
    )
    build.onLoad({ filter: /^node:/, namespace: "builtin" }, ({ path }) => ({
      contents: path === "node:assert" ? lazyAssert : `module.exports = ${builtin(path)}`
    }))
    build.onLoad({ filter: isUndici }, async ({ path }) => {
      const contents = replaced[path.replaceAll("\\", "/").split("/undici/lib/").at(-1) ?? ""]
      return contents === undefined ? undefined : { contents: await contents(path), resolveDir: dirname(path) }
    })
  }
}
