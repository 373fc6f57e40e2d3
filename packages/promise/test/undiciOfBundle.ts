/** Undici as it is in the bundle. */
import { build } from "esbuild"
import { createRequire } from "node:module"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { bundle } from "../bundle.js"

interface Inner {
  readonly connect: unknown
  readonly symbols: unknown
  readonly Client: unknown
  readonly Pool: unknown
}

const node = fileURLToPath(new URL("../../node", import.meta.url))

const { outputFiles } = await build({
  ...bundle,
  stdin: {
    contents: `
      export { default as connect } from "undici/lib/core/connect.js"
      export { default as symbols } from "undici/lib/core/symbols.js"
      export { default as Client } from "undici/lib/dispatcher/client.js"
      export { default as Pool } from "undici/lib/dispatcher/pool.js"`,
    resolveDir: node
  },
  format: "esm",
  write: false
})

/** The whole module: it can import nothing, because it has no path. */
const url = `data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString("base64")}`

export const inner = await import(url) as Inner

const require = createRequire(`${node}/package.json`)

/** The modules that the bundle contains copies of. */
export const original = { Pool: require("undici/lib/dispatcher/pool.js") as unknown }

/** The folder of undici's sources. */
export const folder = dirname(dirname(require.resolve("undici/lib/dispatcher/pool.js")))
