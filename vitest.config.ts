import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import type { Reporter } from "vitest/reporters"
import { projects } from "./vitest.workspace.js"

/** Closes a run with the plain line "N passed, N failed, N skipped", which any CI can read. */
export const closingLine: Reporter = {
  onTestRunEnd(modules) {
    let [passed, failed, skipped] = [0, 0, 0]
    for (const module of modules) {
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === "passed") passed++
        else if (state === "failed") failed++
        else skipped++
      }
    }
    // The very last line: the other reporter sums up after this.
    process.once("exit", () => process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`))
  }
}

export default defineConfig({
  test: {
    projects: projects("test"),
    // More than cores, as these tests also wait a good deal.
    maxWorkers: availableParallelism() + 1,
    minWorkers: 1,
    reporters: ["default", closingLine],
    // An unhandled rejection fails the run: nothing may escape the declared errors.
    dangerouslyIgnoreUnhandledErrors: false,
    testTimeout: 20_000
  }
})
