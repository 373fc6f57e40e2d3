import { readdir, readFile, writeFile } from "node:fs/promises"
import { defineConfig, type Options } from "tsup"
import base from "../../tsup.base.js"

const { onSuccess, ...options } = base as Options

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
  onSuccess: async () => {
    if (typeof onSuccess === "function") await onSuccess()
    await nameEffect()
  }
})
