/**
 * The only test file of a run: it loads the real ones once for each mutant, each time with modules of its own. Effect and
 * Vitest are loaded once for all of them, which is what makes it fast.
 */
import { describe, vi } from "vitest"
import { bringToLife, job, report, takeHits } from "./alive.js"
import { tests } from "./catalog.js"

const load = (id: number, file: string) =>
  describe(file, async () => {
    vi.resetModules()
    bringToLife(id)
    await import(file)
    bringToLife(0)
    if (job.kind === "coverage") report({ kind: "covered", file, test: "", millis: 0, hits: takeHits() })
  })

if (job.kind === "coverage") {
  describe("0", () => {
    for (const file of tests) load(0, file)
  })
} else {
  const { trials } = job
  for (const { files, id } of trials) {
    describe(`${id}`, () => {
      for (const file of files) load(id, file)
    })
  }
  // At the end the tests that have killed run again without a mutant: see `runner.ts`.
  describe("0", () => {
    for (const file of new Set(trials.flatMap(({ files }) => files))) load(0, file)
  })
}
