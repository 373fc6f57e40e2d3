/** The examples of docs/testing.md run; those for Jest in `extended/guide.test.ts`. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { guideFiles } from "./guide.js"
import { exec, root } from "./packing.js"

const here = fileURLToPath(new URL("..", import.meta.url))

describe("docs/testing.md", () => {
  let directory: string

  beforeAll(async () => {
    // Within this package, whose dependencies it uses.
    directory = await mkdtemp(join(here, ".guide-"))
    for (const { code, name } of await guideFiles()) await writeFile(join(directory, name), code)
  })

  afterAll(() => rm(directory, { recursive: true, force: true }))

  const namesFor = async (runner: string) =>
    (await guideFiles()).filter((file) => file.runner === runner).map(({ name }) => name)

  it("each of its examples is run", async () => {
    const page = await readFile(join(root, "docs/testing.md"), "utf8")
    assert.lengthOf(await guideFiles(), page.split(/\n```ts(?: effect-3)?\n/).length - 1)
  })

  it("with vitest", async () => {
    const names = await namesFor("vitest")
    const conditions = ["@hookrail/source", "module", "node", "development|production"]
    await writeFile(
      join(directory, "vitest.config.mjs"),
      `export default ${
        JSON.stringify({
          resolve: { conditions },
          ssr: { resolve: { conditions } },
          test: { include: names, reporters: ["json"], poolOptions: { forks: { singleFork: true } } }
        })
      }`
    )
    const cli = join(root, "node_modules/vitest/vitest.mjs")
    const { stdout } = await exec(process.execPath, [cli, "run", "--root", directory], directory)
    const report = JSON.parse(stdout.slice(stdout.indexOf("{")))
    assert.isTrue(report.success, stdout)
    assert.strictEqual(report.testResults.length, names.length)
  }, 60_000)

  it("with node:test", async () => {
    const names = await namesFor("node:test")
    assert.isNotEmpty(names)
    const args = ["--import", "tsx", "--conditions", "@hookrail/source", "--test", "--test-reporter", "tap", ...names]
    const { stdout } = await exec(process.execPath, args, directory)
    assert.match(stdout, /^# pass [1-9]/m)
  }, 60_000)
})
