// Bundles the page: script and style as texts, for the server to put into one document.
import { build } from "esbuild"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

const here = new URL("./", import.meta.url)

const bundle = async (file) => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(file, here))],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    platform: "browser",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    logLevel: "silent"
  })
  return outputFiles[0].text.trim()
}

/** The script, with the license of the library in it, and the style. */
export const buildPage = async () => {
  const preact = await readFile(new URL("../node_modules/preact/LICENSE", here), "utf8")
  const [script, style] = await Promise.all([bundle("main.ts"), bundle("style.css")])
  return { script: `/* Contains Preact.\n${preact.trim()}\n*/\n${script}`, style }
}

/** For esbuild: puts the bundle in place of the module that makes it on demand. */
export const bundledPage = {
  name: "bundled-page",
  setup(build) {
    build.onLoad({ filter: /[\\/]emulator[\\/]src[\\/]control[\\/]html\.ts$/ }, async () => ({
      contents: `const parts = ${JSON.stringify(await buildPage())}\nexport const pageParts = async () => parts\n`,
      loader: "js"
    }))
  }
}
