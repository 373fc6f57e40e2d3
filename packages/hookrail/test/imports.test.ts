import { assert, describe, it } from "@effect/vitest"
import { build } from "esbuild"
import { resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

/**
 * Every file that importing an entry loads: its static imports and theirs, into node_modules. What is imported as a type
 * alone, or by `import()`, is not loaded.
 */
const loadedBy = async (entry: string): Promise<ReadonlyArray<string>> => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    conditions: ["@hookrail/source"],
    logLevel: "silent"
  })
  const loaded = new Set<string>()
  const visit = (file: string): void => {
    if (loaded.has(file)) return
    loaded.add(file)
    for (const { external, kind, path } of metafile.inputs[file]?.imports ?? []) {
      if (kind === "import-statement" && external !== true) visit(path)
    }
  }
  visit(entry)
  return Array.from(loaded, (file) => resolve(root, file).replaceAll("\\", "/"))
}

describe("static imports", () => {
  // A receiver on a cold lambda never sends, and may have no Schema.
  it.each(["SignatureVerifier", "Webhooks"])("%s reaches neither @effect/platform nor effect/Schema", async (entry) => {
    const files = await loadedBy(`src/${entry}.ts`)
    const found = (part: string) => files.filter((file) => file.includes(part))
    assert.isAbove(found("/effect/dist/esm/").length, 50, "the walk goes into effect")
    assert.deepStrictEqual(found("@effect/platform"), [])
    assert.deepStrictEqual(found("/effect/dist/esm/Schema.js"), [])
    assert.deepStrictEqual(found("/effect/dist/esm/index.js"), [])
    assert.deepStrictEqual(found("fast-check"), [])
  })

  it("the walk would see them", async () => {
    const files = await loadedBy("src/transport/httpClient.ts")
    assert.isTrue(files.some((file) => file.includes("@effect/platform")))
    assert.isTrue(files.some((file) => file.endsWith("/effect/dist/esm/Schema.js")))
  })

  it("the kernel of signatures imports nothing", async () => {
    assert.lengthOf(await loadedBy("src/signature/kernel.ts"), 1)
  })
})
