/** How large the bundle of each entry is: what a user of the package adds to a program. */
import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "vitest"
import { bundle } from "../bundle.js"

const root = fileURLToPath(new URL("..", import.meta.url))

describe("the bundle", () => {
  // The package is not minified. Those who bundle a program minify it with the rest.
  for (
    const [entry, limit, external] of [
      ["index", 83.4, []],
      ["index", 34.4, ["undici/*"]],
      ["web", 28.5, []],
      ["webhooks", 29.8, []],
      ["admin", 93.5, []],
      ["admin-web", 38.3, []],
      // Every entry loads it.
      ["errors", 1.7, []]
    ] as const
  ) {
    it(`of ${[entry, ...external].join(" without ")} is at most ${limit} KiB, minified by its user`, async () => {
      const { outputFiles: [published] } = await build({
        ...bundle,
        external: [...bundle.external, ...external],
        absWorkingDir: root,
        entryPoints: [`src/${entry}.ts`],
        format: "esm",
        minify: false,
        write: false
      })
      // Left out of the bundle, on condition that nothing reaches it.
      assert.notMatch(published!.text, /\bimport\("/)
      const { outputFiles: [bundled] } = await build({
        bundle: true,
        external: [...bundle.external, ...external],
        format: "esm",
        minify: true,
        platform: "node",
        stdin: { contents: published!.text, resolveDir: root },
        write: false
      })
      assert.isAtMost(gzipSync(bundled!.contents).length, limit * 1024)
    })
  }
})
