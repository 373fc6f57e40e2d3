/** The examples of docs/testing.md run; those for Jest in `guide.test.ts`. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { guideFiles } from "../test/guide.js"
import { exec, root } from "../test/packing.js"

describe("docs/testing.md", () => {
  let directory: string

  beforeAll(async () => {
    // The documentation has the packages for Effect 4, and the vitest that goes with it.
    directory = await mkdtemp(join(root, "docs/.guide-"))
    for (const { code, name } of await guideFiles()) await writeFile(join(directory, name), code)
  })

  afterAll(() => rm(directory, { recursive: true, force: true }))

  const namesFor = async (runner: string) =>
    (await guideFiles()).filter((file) => file.runner === runner).map(({ name }) => name)

  it("each of its examples is run", async () => {
    const page = await readFile(join(root, "docs/testing.md"), "utf8")
    assert.lengthOf(await guideFiles(), page.split(/\n```ts(?: effect-4)?\n/).length - 1)
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
          test: { include: names, reporters: ["json"], outputFile: "report.json", maxWorkers: 1 }
        })
      }`
    )
    const cli = join(root, "docs/node_modules/vitest/vitest.mjs")
    await exec(process.execPath, [cli, "run", "--root", directory], directory)
    const report = JSON.parse(await readFile(join(directory, "report.json"), "utf8"))
    assert.isTrue(report.success)
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
